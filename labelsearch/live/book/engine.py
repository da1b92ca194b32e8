"""Follow the rows of a book as they close: universe, outputs, weights, orders and accounts, bit for bit as in a run.

There is no second implementation: what a run does to many rows is done to one.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import pairs_of
from labelsearch.live.book.account import BookAccount, BookStanding, Order
from labelsearch.live.book.bundle import BookBundle
from labelsearch.live.book.joining import Joiner
from labelsearch.live.book.rows import Row
from labelsearch.live.book.stream import OutputStream
from labelsearch.live.costs import LiveCosts, Payments
from labelsearch.live.feed import Bar
from labelsearch.live.journal import part_of
from labelsearch.live.verify import BundleError
from labelsearch.market.calendars import Calendar
from labelsearch.market.cross_section_stream import SectionRow
from strategies.book.simulate import BookState, initial_state, mean_weights
from strategies.book.window import BookWindow, MarketWindow, Universe, book_window
from strategies.trade.window import BarCosts

Floats = NDArray[np.float64]
# arrays of a snapshot whose shapes the bundle decides: compiled code trusts them
_FIXED = ("start", "close", "beta", "silent", "strength", "wish", "tier.")
N_CELLS = len(Bar._fields) - 1  # of a bar without its time


class TradedBars(NamedTuple):
    """Bars of one market among some rows."""

    row: NDArray[np.int64]  # (n,) which of the rows they are
    open_time: NDArray[np.int64]
    open: Floats
    close: Floats
    spread: Floats
    impact: Floats  # empty without impact


class BookStep(NamedTuple):
    """Result of the last bar of the book."""

    open_time: int  # of its bars
    has_bars: bool  # whether any market has one
    warming: int  # bars until accounts begin
    outputs: Floats  # (I, K, M) what strategies see; NaN where there is none, empty before they are followed
    members: NDArray[np.bool_]  # (M,) which markets may be held
    silent: dict[str, int]  # bars since the last one of each market that has none now
    orders: dict[int, list[Order]]  # filled at the open of these bars, by size of the tier
    tiers: dict[int, BookStanding]  # by size, empty before accounts begin


class BookEngine:
    """The bundle of a book applied to the rows of its markets.

    Parameters
    ----------
    bundle : BookBundle
    start_ms : int
        No order before this time; 0: accounts begin once strategies have been followed for ``bundle.follow`` bars.
    payments : mapping of str to callable, optional
        Where payments of funding come from, by symbol, see `labelsearch.live.costs.LiveCosts`.

    Raises
    ------
    BundleError
        If a market pays funding and there are no payments of it.
    """

    def __init__(self, bundle: BookBundle, start_ms: int = 0, payments: Mapping[str, Payments] | None = None) -> None:
        payments = payments or {}
        for market in bundle.markets:
            if (market.funding or bundle.terms.funding == "store") and market.symbol not in payments:
                raise BundleError(f"{market.symbol} pays funding: say where its rates come from")
        self.bundle, self.start_ms, self._payments = bundle, start_ms, payments
        n_markets, length = len(bundle.markets), bundle.intervals[0].interval_ms
        self.streams, self.joiners = self.new_streams()
        self.costs = [LiveCosts(symbol, length, bundle.terms, payments.get(symbol)) for symbol in bundle.symbols]
        self.accounts = {n: BookAccount(bundle, n) for n in bundle.sizes}
        self.state: BookState = initial_state(len(bundle.params), n_markets, len(bundle.intervals))
        self.last: Row | None = None
        self.began = 0  # time of the first bar at which an order could be decided
        self._close = np.full(n_markets, np.nan)  # at the last bar of the book
        self._beta = np.zeros(n_markets)
        self.silent = np.zeros(n_markets, dtype=np.int64)  # bars since the last one of each market
        self.pairs = pairs_of(bundle.outputs)
        self._calendar = Calendar(bundle.calendar)

    def new_streams(self) -> tuple[list[OutputStream], list[Joiner]]:
        """What makes outputs from rows, by interval, as before the first row."""
        bundle = self.bundle
        return (
            [OutputStream(bundle, interval, self._payments) for interval in bundle.intervals],
            [Joiner(len(bundle.markets), bundle.interval_ms, its.interval_ms) for its in bundle.intervals],
        )

    @property
    def n_bars(self) -> int:
        """Bars of the book so far, those that no market has among them."""
        return self.streams[0].n_rows

    @property
    def missing(self) -> int:
        """Payments of funding that were due and are not known."""
        return sum(its.missing for its in self.costs)

    @property
    def in_sample(self) -> bool:
        """Whether some traded bars are among those that the strategies were chosen on."""
        return 0 < self.began < self.chosen_until

    @property
    def chosen_until(self) -> int:
        """End of the bars that the strategies were chosen on, ms since the epoch."""
        return self.bundle.past[1]

    def standings(self) -> dict[int, BookStanding]:
        """State of every tier."""
        return {size: account.standing(self._beta) for size, account in self.accounts.items()}

    def take(self, row: Row) -> BookStep | None:
        """Process the next row on the grid; None where it is not the last one of a bar of the book."""
        self.last = row
        n = self.n_bars
        classify = n >= self.bundle.first_outputs
        own: tuple[Row, SectionRow] | None = None
        for i, (stream, joiner) in enumerate(zip(self.streams, self.joiners, strict=True)):
            bars = joiner.take(row)
            if bars is not None:
                section = stream.take(bars.open_time, bars.bars, classify=classify)
                own = (bars, section) if i == 0 else own
        return None if own is None else self._decide(*own, n)

    def _decide(self, row: Row, section: SectionRow, n: int) -> BookStep:
        """What follows from the bars of the book at one time, after ``n`` before them."""
        impact = [self._see(m, bar) for m, bar in enumerate(row.bars)]
        self.silent = np.where([bar is None for bar in row.bars], self.silent + 1, 0)
        known = ~np.isnan(section.close)
        silent = {
            symbol: int(self.silent[m]) for m, symbol in enumerate(self.bundle.symbols) if self.silent[m] and known[m]
        }
        begins = self.begins(row.open_time, n)
        self._beta = section.beta
        outputs = np.empty((0, 0, 0))
        orders: dict[int, list[Order]] = {}
        tiers: dict[int, BookStanding] = {}
        if self.is_followed(row.open_time, n):
            outputs = self._outputs(row.open_time)
            orders = self.follow(self._window(row, section, outputs, impact), begins=begins)
            tiers = self.standings() if begins else {}
        self._close = section.close
        warming = 0 if begins else self._warming(row.open_time, n)
        has_bars = any(bar is not None for bar in row.bars)
        return BookStep(row.open_time, has_bars, warming, outputs, section.member, silent, orders, tiers)

    def follow(self, window: BookWindow, *, begins: bool) -> dict[int, list[Order]]:
        """Move wishes, and accounts where they have begun, by some rows; the orders of the last one, by tier."""
        bundle = self.bundle
        weights, self.state = mean_weights(bundle.params, window, bundle.rules, bundle.sizes, self.state)
        if not begins:
            return {}
        self.began = self.began or int(window.open_time[0])
        return {
            size: self.accounts[size].trade(wanted, window) for size, wanted in zip(bundle.sizes, weights, strict=True)
        }

    def begins(self, open_time: int, n: int) -> bool:
        """Whether accounts trade at a bar that has ``n`` before it."""
        least = self.bundle.warm_up + (0 if self.start_ms else self.bundle.follow)
        return bool(self.began) or (n >= least and open_time >= self.start_ms)

    def _warming(self, open_time: int, n: int) -> int:
        if self.start_ms:
            length = self.bundle.intervals[0].interval_ms
            return max(self.bundle.warm_up - n, self._calendar.count(open_time, self.start_ms, length), 0)
        return max(self.bundle.warm_up + self.bundle.follow - n, 0)

    def is_followed(self, open_time: int, n: int) -> bool:
        """Whether wishes move at a bar that has ``n`` before it.

        As in a run: from past on, and not between past and future, unless accounts have begun.
        """
        if self.begins(open_time, n):
            return True
        between = self.bundle.past[1] <= open_time < self.bundle.future[0]
        return n >= self.bundle.warm_up and open_time >= self.bundle.past[0] and not between

    def _outputs(self, open_time: int) -> Floats:
        """Outputs (I, K, M) of the last closed bars of all intervals when bars of the book close.

        Those of a longer interval are unknown where they opened before the window of the run that the bar lies in, and
        where the last one closed more than a bar of its own ago.
        """
        first = self.streams[0]
        closes = open_time + first.interval.interval_ms
        edge = max((start for start, _ in (self.bundle.past, self.bundle.future) if start <= open_time), default=0)
        found = [first.outputs]
        for stream in self.streams[1:]:
            length = stream.interval.interval_ms
            is_known = stream.open_time >= edge and closes - (stream.open_time + length) < length
            found.append(stream.outputs if is_known else np.full_like(stream.outputs, np.nan))
        return np.stack(found)

    def _see(self, m: int, bar: Bar | None) -> Floats:
        """Impact at a bar, empty without a bar or impact."""
        if bar is None or not self.bundle.terms.impact:
            return np.empty(0)
        has_value = self.bundle.markets[m].quote_volume
        price = bar.typical_price(float(self._close[m]), quote_volume=has_value)
        value = bar.traded_value(price, quote_volume=has_value)
        return self.costs[m].see(np.array([bar.open_time]), np.array([value]), np.array([bar.close]))

    def _window(self, row: Row, section: SectionRow, outputs: Floats, impact: Sequence[Floats]) -> BookWindow:
        """The bars of one time as the simulator takes them."""
        markets = []
        for m, bar in enumerate(row.bars):
            times = np.array([] if bar is None else [bar.open_time], dtype=np.int64)
            open_, close, spread = np.array([[]] * 3 if bar is None else [[bar.open], [bar.close], [bar.spread]])
            bars = TradedBars(np.zeros_like(times), times, open_, close, spread, impact[m])
            markets.append(self.market_window(m, outputs[:, None, :, m], bars, float(self._close[m])))
        universe = Universe(section.member[None], section.sigma[None], section.beta[None], np.array([section.basket]))
        return book_window(markets, universe, np.array([row.open_time]), 0.0, self.bundle.rules, 0, self.pairs)

    def market_window(self, m: int, outputs: Floats, bars: TradedBars, before: float) -> MarketWindow:
        """The next rows of one market as the simulator takes them; outputs (I, T, K)."""
        costs, own = BarCosts(), self.bundle.markets[m].half_spread
        if len(bars.row):
            costs = self.costs[m].of(bars.open_time, bars.close, bars.impact, bars.spread / (2.0 * bars.open))
            if own is not None:
                costs = costs._replace(half_spread=np.full(len(bars.row), own))
        return MarketWindow(list(outputs), bars.row, bars.open, bars.close, costs, self.bundle.half_spread, before)

    def stand(self, row: Row, close: Floats, beta: Floats, silent: NDArray[np.int64]) -> None:
        """After a history: its last row, last closes and betas, and bars since the last one of each market."""
        self.last, self._close, self._beta, self.silent = row, close, beta, silent

    def snapshot(self) -> dict[str, NDArray]:
        """Everything that `restore` needs, as arrays for ``np.savez``."""
        found: dict[str, NDArray] = {
            "bundle": np.array(self.bundle.digest),
            "start": np.array([self.start_ms, self.began]),
            "close": self._close,
            "beta": self._beta,
            "silent": self.silent,
            "strength": self.state.strength,
            "wish": self.state.wish,
        }
        if self.last is not None:
            cells = [[np.nan] * N_CELLS if bar is None else bar[1:] for bar in self.last.bars]
            found["last"] = np.array(cells, dtype=np.float64)
            found["last_time"] = np.array(self.last.open_time)
        states = {f"tier.{n}": account.state() for n, account in self.accounts.items()}
        states |= {f"stream.{i}": stream.state() for i, stream in enumerate(self.streams)}
        states |= {f"joiner.{i}": joiner.state() for i, joiner in enumerate(self.joiners)}
        states |= {f"costs.{m}": costs.state() for m, costs in enumerate(self.costs)}
        return found | {f"{part}.{name}": array for part, its in states.items() for name, array in its.items()}

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from the snapshot of an engine of the same bundle; `BundleError` for another bundle."""
        if str(saved["bundle"]) != self.bundle.digest:
            raise BundleError("the saved state belongs to another bundle")
        for name, own in self.snapshot().items():
            if name.startswith(_FIXED) and (saved[name].shape, saved[name].dtype.kind) != (own.shape, own.dtype.kind):
                raise ValueError(f"{name} has another shape")
        self.start_ms, self.began = saved["start"].tolist()
        self._beta = saved["beta"]
        self._close, self.silent = saved["close"], saved["silent"]
        self.state = self.state._replace(strength=saved["strength"], wish=saved["wish"])
        if "last" in saved:
            time = int(saved["last_time"])
            bars = [None if np.isnan(cells[0]) else [time, *cells] for cells in saved["last"].tolist()]
            self.last = Row.recorded(time, bars)
        for i, (stream, joiner) in enumerate(zip(self.streams, self.joiners, strict=True)):
            stream.restore(part_of(saved, f"stream.{i}."))
            joiner.restore(part_of(saved, f"joiner.{i}."))
        for m, costs in enumerate(self.costs):
            costs.restore(part_of(saved, f"costs.{m}."))
        for n, account in self.accounts.items():
            account.restore(part_of(saved, f"tier.{n}."))
