"""Follow bars as they close: features, probabilities, orders and paper accounts, bit for bit as in the search.

There is no second implementation: the feature stream, the classifiers and the simulator are those of a run, and process
one bar at a time or many at once.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.indicators import Inputs, make_inputs
from feature_space.streaming import FeatureStream
from labelsearch.labels.base import HEADS
from labelsearch.live.account import Book, Standing
from labelsearch.live.bundle import Bundle
from labelsearch.live.costs import LiveCosts
from labelsearch.live.costs import Payments as FundingPayments
from labelsearch.live.feed import Bar, bars_in
from labelsearch.live.journal import part_of
from labelsearch.live.verify import BundleError
from labelsearch.market.bars import Bars
from labelsearch.market.calendars import Calendar
from labelsearch.market.times import DAY_MS
from labelsearch.market.trading_costs import traded_value
from strategies.trade.payments import Payments
from strategies.trade.pool import Holdings
from strategies.trade.simulate import State, held_share, initial_state, simulate_paths
from strategies.trade.window import TradingWindow

MONTH_MS = 365.25 / 12.0 * DAY_MS
BULK = 10_000  # bars at a time: the paths of all strategies must fit in memory


class Fill(NamedTuple):
    """An order filled at the open of a bar; amounts in starting capital of the strategy."""

    strategy: int  # its row in the run
    side: str
    price: float  # slippage included
    quantity: float
    fee: float


class Step(NamedTuple):
    """Result of one bar."""

    bar: Bar
    warming: int  # bars until the first decision
    outputs: NDArray[
        np.float64
    ]  # (K,) what strategies see, in the order of the bundle; empty before the first decision
    fills: list[Fill]
    tiers: dict[int, Standing]


class Engine:
    """A bundle applied to one series of bars.

    Parameters
    ----------
    bundle : Bundle
    start_ms : int
        No decision before this time.
    payments : callable, optional
        Where payments of funding come from, see `labelsearch.live.costs.LiveCosts`.

    Raises
    ------
    BundleError
        If the bundle is of a perpetual and there are no payments.
    """

    def __init__(self, bundle: Bundle, start_ms: int = 0, payments: FundingPayments | None = None) -> None:
        if bundle.terms.funding == "store" and payments is None:
            raise BundleError(f"{bundle.symbol} pays funding: say where its rates come from")
        self.bundle = bundle
        self.start_ms = start_ms
        self.n_bars = 0  # on the grid, filled ones included
        self.last: Bar | None = None
        self.state: State = initial_state(len(bundle.params))
        self.outputs = np.empty(0)
        self.began = 0  # time of the first traded bar
        self._stream = FeatureStream(bundle.feature_sets)
        pairs = zip(bundle.classifiers, bundle.feature_sets, strict=True)
        self._rows = [np.zeros((c.window, len(s.features)), dtype=np.float32) for c, s in pairs]
        ends = np.cumsum([0, *(len(HEADS[c.head]) for c in bundle.classifiers)]).tolist()
        self._columns = [slice(*ends_of) for ends_of in itertools.pairwise(ends)]  # outputs of each label
        self._close = 0.0  # of the last traded bar, 0 before the first
        self._price = 0.0  # close of the last bar
        self.costs = LiveCosts(bundle.symbol, bundle.interval_ms, bundle.terms, payments)
        self._change = self._slippage = np.empty(0)  # of the fills at the last bar, (S,)
        self._calendar = Calendar(bundle.calendar)
        self._first: int | None = None  # number of the first bar in the calendar, None where not known yet
        self.books = {n: Book(tier, bundle.rules, learns=bundle.learns) for n, tier in bundle.tiers.items()}

    @property
    def chosen_until(self) -> int:
        """End of the bars that the strategies were chosen on, ms since the epoch."""
        return self.bundle.chosen_until

    @property
    def in_sample(self) -> bool:
        """Whether some traded bars are among those that the strategies were chosen on."""
        return 0 < self.began < self.chosen_until

    @property
    def held(self) -> NDArray[np.float64]:
        """Share of equity held (S,) by each strategy at the last close."""
        return held_share(self.state, self._close)

    def take(self, bar: Bar) -> Step:
        """Process the next bar on the grid; a filled bar only updates the features."""
        n = self.n_bars
        before = self._price if n else math.nan
        price = bar.typical_price(before, quote_volume=self.bundle.quote_volume)
        trades = bar.trades if self.bundle.trades else 0.0
        features = self._stream.update(price, bar.high, bar.low, bar.close, bar.volume, trades)
        self.n_bars, self.last, self._price = n + 1, bar, bar.close
        for rows, new in zip(self._rows, features, strict=True):
            if len(rows) > 1:
                rows[:-1] = rows[1:] if n else new  # bars before the first count as copies of it
            rows[-1] = new
        early = self._calendar.count(bar.open_time, self.start_ms, self.bundle.interval_ms)  # bars before the start
        warming = max(self.bundle.warm_up - n, early, 0)
        open_, close, time = (np.array([x]) for x in (bar.open, bar.close, bar.open_time))
        impact = np.empty(0)
        if not bar.filled:
            value = bar.traded_value(price, quote_volume=self.bundle.quote_volume)
            impact = self.costs.see(time, np.array([value]), close)
        if bar.filled or warming:
            return Step(bar, warming, np.empty(0), [], {})
        if self._first is None:
            self._first = self._calendar.number(bar.open_time, self.bundle.interval_ms) - n
        state, outputs = self.state, self._classify(self._first + n)
        costs = self.costs.of(time, close, impact, np.array([bar.spread / (2.0 * bar.open)]))
        self._trade(TradingWindow(outputs[None, :], open_, close, time, self._months(1), costs=costs))
        return Step(bar, 0, self.outputs, self._fills(state, bar), self.standings())

    def standings(self) -> dict[int, Standing]:
        """State of every tier."""
        held = self.held
        return {n: book.standing(self.state, held) for n, book in self.books.items()}

    def _classify(self, number: int) -> NDArray[np.float64]:
        out = np.empty(len(self.bundle.outputs))
        for classifier, columns, rows in zip(self.bundle.classifiers, self._columns, self._rows, strict=True):
            out[columns] = classifier.outputs(rows, np.array([len(rows) - 1]), number - len(rows) + 1)[0]
        return out

    def _fills(self, before: State, bar: Bar) -> list[Fill]:
        found = []
        for s in np.flatnonzero(self.state.fills > before.fills):
            change = float(self._change[s])  # what is ruined later in the bar holds nothing any more
            side = 1.0 if change > 0 else -1.0
            price = bar.open * (1.0 + side * float(self._slippage[s]))
            fee = float(self.state.fees[s] - before.fees[s])
            name = "buy" if change > 0 else "sell"
            found.append(Fill(int(self.bundle.strategies[s]), name, price, abs(change), fee))
        return found

    def start(self, bars: Bars) -> None:
        """Process the whole history at once; results are bit for bit those of `take` for each bar.

        The accounts sum in another order, so that their last digits may differ; fills and positions do not.

        Parameters
        ----------
        bars : Bars
            Present bars or a grid.

        Raises
        ------
        BundleError
            If bars were processed before, or if these have another interval or lack a column that features read.
        BarError
            If the calendar of the bundle does not fit the bars.
        """
        if self.n_bars:
            raise BundleError("history must come first, and only once")
        if bars.interval_ms != self.bundle.interval_ms:
            raise BundleError(f"the bars have an interval of {bars.interval_ms} ms, not {self.bundle.interval_ms} ms")
        for name in self.bundle.optional_columns:
            if getattr(bars, name) is None:
                raise BundleError(f"the features of the bundle need {name}, which the bars do not have")
        if not len(bars):
            return
        grid = bars.on_grid(self.bundle.calendar)
        if not len(grid):
            return
        inputs = self._inputs(grid)
        first = max(self.bundle.warm_up, int(np.searchsorted(grid.open_time, self.start_ms)))
        rows = np.arange(first, len(grid))[~grid.filled[first:]]
        self._follow(grid, rows, self._outputs(inputs, grid, rows), self._impact(grid))
        self._stream.advance(inputs)
        self.n_bars, self._price = len(grid), float(grid.close[-1])
        (self.last,) = bars_in(grid.rows(len(grid) - 1, None))

    def _inputs(self, grid: Bars) -> Inputs:
        known = grid if self.bundle.quote_volume else replace(grid, quote_volume=None)
        trades = grid.trades if self.bundle.trades else None
        return make_inputs(known.vwap, grid.high, grid.low, grid.close, grid.volume, trades)

    def _outputs(self, inputs: Inputs, grid: Bars, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Outputs (len(rows), K); also keeps the last rows of features for the next bar."""
        origin = grid.number
        out = np.empty((len(rows), len(self.bundle.outputs)))
        for k, (classifier, feature_set) in enumerate(
            zip(self.bundle.classifiers, self.bundle.feature_sets, strict=True)
        ):
            if not len(rows) and classifier.window == 1:
                continue  # these features are not needed
            matrix = feature_set.matrix(inputs)
            out[:, self._columns[k]] = classifier.outputs(matrix, rows, origin)
            seen = np.arange(len(matrix) - len(self._rows[k]), len(matrix))
            self._rows[k][:] = matrix[np.maximum(seen, 0)]
        return out

    def _impact(self, grid: Bars) -> NDArray[np.float64]:
        """Impact at each row of a grid, empty without impact."""
        if not self.bundle.terms.impact:
            return np.empty(0)
        present = ~grid.filled
        known = grid if self.bundle.quote_volume else replace(grid, quote_volume=None)
        found = np.full(len(grid), np.nan)
        found[present] = self.costs.see(grid.open_time[present], traded_value(known)[present], grid.close[present])
        return found

    def _follow(
        self, grid: Bars, rows: NDArray[np.int64], outputs: NDArray[np.float64], impact: NDArray[np.float64]
    ) -> None:
        """Trade on some rows of a grid."""
        spread = np.full(len(grid), np.nan) if grid.spread is None else grid.spread / (2.0 * grid.open)
        for first in range(0, len(rows), BULK):
            part = rows[first : first + BULK]
            seen, months = outputs[first : first + BULK], self._months(len(part))
            time, close = grid.open_time[part], grid.close[part]
            costs = self.costs.of(time, close, impact[part] if len(impact) else impact, spread[part])
            self._trade(TradingWindow(seen, grid.open[part], close, time, months, costs=costs))

    def _months(self, n_bars: int) -> float:
        """Length of some bars; no result of a live session depends on it."""
        return n_bars * self.bundle.interval_ms / MONTH_MS

    def _trade(self, window: TradingWindow) -> None:
        """Advance strategies and accounts by T traded bars."""
        self.began = self.began or int(window.open_time[0])
        before, held, last = self.state, self.held, self._close or float(window.open[0])
        paths = simulate_paths(self.bundle.params, window, self.bundle.rules, state=before, flows=True)
        assert paths.flows is not None
        self._change, self._slippage = paths.flows.change[-1], paths.flows.slippage[-1]
        payments = Payments.of(paths.flows, window, self.bundle.rules, before)
        self.state, self.outputs, self._close = paths.state, window.outputs[-1], float(window.close[-1])
        holdings = Holdings(window, paths.equity, paths.position, payments, before.equity, held, last)
        for book in self.books.values():
            book.run(holdings)

    def snapshot(self) -> dict[str, NDArray]:
        """Everything that `restore` needs, as arrays for ``np.savez``."""
        found: dict[str, NDArray] = {
            "bundle": np.array(self.bundle.digest),
            "start": np.array([self.start_ms, self.began]),
            "n_bars": np.array(self.n_bars),
            "prices": np.array([self._close, self._price]),
            "outputs": self.outputs,
        }
        if self.last is not None:
            found["last"] = np.array(self.last[1:], dtype=np.float64)
            found["last_time"] = np.array(self.last.open_time)
        found |= {f"rows.{k}": rows for k, rows in enumerate(self._rows)}
        found |= {f"stream.{name}": array for name, array in self._stream.state().items()}
        found |= {f"costs.{name}": array for name, array in self.costs.state().items()}
        found |= {f"strategies.{name}": array for name, array in self.state._asdict().items()}
        for n, book in self.books.items():
            found |= {f"tier.{n}.{name}": array for name, array in book.state().items()}
        return found

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from the snapshot of an engine of the same bundle; `BundleError` for another bundle."""
        if str(saved["bundle"]) != self.bundle.digest:
            raise BundleError("the saved state belongs to another bundle")

        self.start_ms, self.began = saved["start"].tolist()
        self.n_bars = int(saved["n_bars"])
        self._close, self._price = map(float, saved["prices"])
        self.outputs = saved["outputs"]
        if "last" in saved:
            *numbers, filled = saved["last"].tolist()
            known = dict(zip(Bar._fields[1:-1], numbers, strict=True))
            self.last = Bar(int(saved["last_time"]), **known, filled=bool(filled))
        self._rows = [saved[f"rows.{k}"] for k in range(len(self._rows))]
        self._stream.restore(part_of(saved, "stream."))
        self.costs.restore(part_of(saved, "costs."))
        self.state = State(**part_of(saved, "strategies."))
        for n, book in self.books.items():
            book.restore(part_of(saved, f"tier.{n}."))
