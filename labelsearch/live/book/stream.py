"""Universe, features and outputs of all markets on bars of one length, row by row or many rows at once.

There is no second implementation: cross-section, features and classifiers are those of a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.across import AcrossStream, MarketBar, arranged, basket_column_nb, matrices
from feature_space.indicators import Inputs, make_inputs
from labelsearch.labels.base import HEADS
from labelsearch.live.book.bundle import BookBundle, BookInterval, BookMarket
from labelsearch.live.costs import Payments
from labelsearch.live.feed import Bar
from labelsearch.live.journal import part_of
from labelsearch.market.bars import Bars
from labelsearch.market.calendars import Calendar
from labelsearch.market.cross_section import CrossSection, measured, side_by_side
from labelsearch.market.cross_section_stream import CrossSectionStream, SectionRow
from labelsearch.market.funding import rates_within
from labelsearch.market.trading_costs import worth

Floats = NDArray[np.float64]


class Whole(NamedTuple):
    """What many rows at once give."""

    section: CrossSection
    outputs: Floats  # (T, K, M); NaN where a market has no bar, and where they were not asked for


class OutputStream:
    """Follows the markets of a book on bars of one length.

    Parameters
    ----------
    bundle : BookBundle
    interval : BookInterval
    payments : mapping of str to callable
        Where the funding that features read comes from, by symbol.
    """

    def __init__(self, bundle: BookBundle, interval: BookInterval, payments: Mapping[str, Payments]) -> None:
        self.bundle, self.interval = bundle, interval
        self.calendar = Calendar(bundle.calendar)
        self.payments = {m: payments[its.symbol] for m, its in enumerate(bundle.markets) if its.funding}
        self.n_markets, self.n_rows = len(bundle.markets), 0
        self.section = CrossSectionStream(
            self.n_markets, bundle.universe, self.calendar.bars_a_session(interval.interval_ms)
        )
        self.features = AcrossStream(interval.feature_sets)
        self._rows = [
            [np.zeros((c.window, len(s.features)), dtype=np.float32) for c, s in zip(its, sets, strict=True)]
            for its, sets in zip(interval.classifiers, interval.feature_sets, strict=True)
        ]
        ends = np.cumsum([0, *(len(HEADS[c.head]) for c in interval.classifiers[0])]).tolist()
        self._columns = [slice(*ends_of) for ends_of in pairwise(ends)]  # outputs of each label
        self._close = np.full(self.n_markets, np.nan)  # of each market so far
        self.open_time = -1  # of the last row
        self.outputs = np.full((len(bundle.outputs), self.n_markets), np.nan)  # at its close; NaN of silent markets

    def take(self, open_time: int, bars: Sequence[Bar | None], *, classify: bool) -> SectionRow:
        """Take the next row; `outputs` are those at its close, if they are asked for."""
        found: list[MarketBar | None] = []
        begun = ~np.isnan(self._close)
        close, value = np.full(self.n_markets, np.nan), np.zeros(self.n_markets)
        for m, (bar, market) in enumerate(zip(bars, self.bundle.markets, strict=True)):
            if bar is None:
                found.append(None)
                continue
            price = bar.typical_price(float(self._close[m]), quote_volume=market.quote_volume)
            close[m], value[m] = bar.close, bar.traded_value(price, quote_volume=market.quote_volume)
            trades = bar.trades if market.trades else 0.0
            found.append(MarketBar(price, bar.high, bar.low, bar.close, bar.volume, trades))
        row = self.section.update(open_time, close, value)
        features = self.features.update(found, row.member, row.basket, self._rates(open_time))
        self._close = np.where(np.isnan(close), self._close, close)
        self.outputs = np.full_like(self.outputs, np.nan)
        number = self.calendar.number(open_time, self.interval.interval_ms) if classify else 0
        for m, own in enumerate(features):
            if own is None:
                continue
            for k, (rows, new) in enumerate(zip(self._rows[m], own, strict=True)):
                if len(rows) > 1:
                    # bars before the first count as copies of it
                    rows[:-1] = rows[1:] if begun[m] else new
                rows[-1] = new
                if classify and found[m] is not None:
                    classifier = self.interval.classifiers[m][k]
                    last, origin = np.array([len(rows) - 1]), number - len(rows) + 1
                    self.outputs[self._columns[k], m] = classifier.outputs(rows, last, origin)[0]
        self.open_time, self.n_rows = open_time, self.n_rows + 1
        return row

    def _rates(self, open_time: int) -> Floats:
        """Rates of funding (M,) paid since the row before, known at the close of this one."""
        out, step = np.zeros(self.n_markets), self.interval.interval_ms
        fresh = self.open_time < 0
        rows = np.array([open_time] if fresh else [self.open_time, open_time])
        for m, payments in self.payments.items():
            known = payments(open_time if fresh else self.open_time + step, open_time + step)
            out[m] = rates_within(known, rows, step)[-1]
        return out

    def start(self, history: Sequence[Bars], since_ms: int, stop_ms: int) -> Whole | None:
        """Take many rows at once; later bits are those after `take` row by row.

        Parameters
        ----------
        history : sequence of Bars
            Of each market, some perhaps empty; all rows up to the last one of any.
        since_ms : int
            No outputs of rows that open before.
        stop_ms : int
            End of the last row.

        Returns
        -------
        Whole or None
            None where there are rows without a bar on the grid of any market, so that they must be taken row by row.
        """
        length, markets = self.interval.interval_ms, self.bundle.markets
        grids = [_gridded(its, m, self.bundle.calendar) for its, m in zip(history, markets, strict=True)]
        # the value that is traded, also of a market of which so little is known that the check of a run would refuse it
        grid = side_by_side([replace(its, quote_volume=worth(its)) for its in grids], self.bundle.universe)
        times = grid.open_time
        if len(times) < self.calendar.count(int(times[0]), stop_ms, length):
            return None
        section = measured(grid, self.bundle.universe, self.section.a_day)
        begun = [m for m, its in enumerate(grids) if len(its)]
        first = {m: int(np.searchsorted(times, grids[m].open_time[0])) for m in begun}
        laid = {m: _laid(grids[m].present(), times[first[m] :]) for m in begun}
        rates = np.zeros_like(section.beta)
        for m, payments in self.payments.items():
            rates[:, m] = rates_within(payments(int(times[0]), int(times[-1]) + length), times, length)
        inputs: dict[int, Inputs] = {}
        for m in begun:
            bars = laid[m]
            columns = (bars.vwap, bars.high, bars.low, bars.close, bars.volume, bars.trades)
            common = basket_column_nb(section.basket[first[m] :].copy())
            inputs[m] = make_inputs(*columns, common, rates[first[m] :, m].copy())
        outputs = self._outputs(section, laid, inputs, first, since_ms)
        self.section.advance(grid, section.basket)
        self.features.advance([inputs.get(m) for m in range(self.n_markets)])
        self._close = section.close[-1].copy()
        self.n_rows, self.open_time, self.outputs = len(times), int(times[-1]), outputs[-1].copy()
        return Whole(section, outputs)

    def _outputs(
        self,
        section: CrossSection,
        laid: Mapping[int, Bars],
        inputs: Mapping[int, Inputs],
        first: Mapping[int, int],
        since_ms: int,
    ) -> Floats:
        """Outputs (T, K, M); also keeps the last rows of features for the next row."""
        begun = list(laid)
        is_rank = self.interval.feature_sets[0][0].normalisation.kind == "rank"
        takes = [~laid[m].filled & section.member[first[m] :, m] if is_rank else None for m in begun]
        columns = arranged([inputs[m] for m in begun], takes, [laid[m].number for m in begun])
        out = np.full((len(section.open_time), *self.outputs.shape), np.nan)
        for k, place in enumerate(self._columns):
            made = matrices([self.interval.feature_sets[m][k] for m in begun], columns)
            for m, matrix in zip(begun, made, strict=True):
                kept = self._rows[m][k]
                kept[:] = matrix[np.maximum(np.arange(len(matrix) - len(kept), len(matrix)), 0)]
                rows = np.flatnonzero(~laid[m].filled & (laid[m].open_time >= since_ms))
                out[rows + first[m], place, m] = self.interval.classifiers[m][k].outputs(matrix, rows, laid[m].number)
        return out

    def state(self) -> dict[str, NDArray]:
        """The arrays that `restore` needs, as for ``np.savez``."""
        rows = {f"rows.{m}.{k}": its for m, own in enumerate(self._rows) for k, its in enumerate(own)}
        return {
            "now": np.array([self.open_time, self.n_rows]),
            "close": self._close.copy(),
            "outputs": self.outputs.copy(),
            **rows,
            **{f"section.{name}": a for name, a in self.section.state().items()},
            **{f"features.{name}": a for name, a in self.features.state().items()},
        }

    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Continue from the state of a stream of the same book."""
        for name, own in self.state().items():
            if not name.startswith(("section.", "features.")) and state[name].shape != own.shape:
                raise ValueError(f"{name} has another shape")
        self.open_time, self.n_rows = state["now"].tolist()
        self._close, self.outputs = state["close"], state["outputs"]
        self._rows = [[state[f"rows.{m}.{k}"] for k in range(len(own))] for m, own in enumerate(self._rows)]
        self.section.restore(part_of(state, "section."))
        self.features.restore(part_of(state, "features."))


def _gridded(bars: Bars, market: BookMarket, calendar: str) -> Bars:
    """Bars on their grid, with the columns that the run had."""
    known = replace(
        bars,
        quote_volume=bars.quote_volume if market.quote_volume else None,
        trades=bars.trades if market.trades else None,
    )
    return known.on_grid(calendar) if len(known) else replace(known, calendar=calendar)


def _laid(bars: Bars, times: NDArray[np.int64]) -> Bars:
    """Bars on some times, of which the first is theirs; those missing are filled in."""
    return bars.laid_out(times, np.searchsorted(times, bars.open_time))
