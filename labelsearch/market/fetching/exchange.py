"""Bars of any exchange supported by ccxt: past bars page by page, and new bars as they close."""

import time
from collections.abc import Callable, Mapping

import pandas as pd

from labelsearch.market.bars import Bars, broken_rows
from labelsearch.market.fetching.connection import Connection, ccxt_module
from labelsearch.market.fetching.download import FetchError
from labelsearch.market.fetching.inflow import BarsInflow, Fetched, Progress, find_holes, no_bars
from labelsearch.market.names import ARCHIVE_COLUMNS
from labelsearch.market.rules import REQUIRED, SUMS, BarError
from labelsearch.market.store import Store
from labelsearch.market.times import DAY_MS, interval_name, time_text

_COLUMNS = ("open_time", *REQUIRED)
_KLINE_COLUMNS = (*_COLUMNS, *SUMS[1:])
_PAGE_BARS = 20_000
_LATE_MS = DAY_MS  # an exchange may still add bars of the last day
_PAGE = 500  # if ccxt does not know the page size of an exchange
_SKIP = 100  # bars passed over then where an answer is empty: it may be about so many only


class Exchange(Connection):
    """Public bars of one symbol at one exchange.

    The bars of ccxt have no quote volume, trades or taker-buy volume, which are None. For spot markets of Binance, and
    of exchanges that ccxt derives from it, raw klines are used instead: they have the columns of the public archive and
    give the same bars bit for bit.

    Parameters
    ----------
    name : str
        As in ccxt: ``kraken``.
    symbol : str
        As of `Connection`.
    interval_ms : int
        Length of a bar.
    options : mapping, optional
        For the constructor of ccxt.
    sleep : callable
        Takes seconds; waits between attempts.
    like : Connection, optional
        As of `Connection`.

    Raises
    ------
    BarError
        If exchange, symbol or interval do not exist, or ccxt is not installed.
    FetchError
        If the network or the exchange fails, here and in every method.
    """

    def __init__(
        self,
        name: str,
        symbol: str,
        interval_ms: int,
        options: Mapping[str, object] | None = None,
        sleep: Callable[[float], object] = time.sleep,
        like: Connection | None = None,
    ) -> None:
        self.interval_ms = interval_ms
        super().__init__(name, symbol, options, sleep, like)
        self._kline_id = self._market["id"] if self._has_klines() else None
        limit = self._ccxt.feature_value(self.symbol, "fetchOHLCV", "limit")
        self._page, self._skip = limit or _PAGE, limit or _SKIP

    def bars(self, start_ms: int, stop_ms: int | None = None) -> Bars:
        """The bars that start in [start_ms, stop_ms) and are closed by the clock of the exchange, perhaps none.

        Many exchanges provide recent bars only. Candles that break a rule are left out and counted in `broken`.
        """
        step = self.interval_ms
        start_ms = -(-start_ms // step) * step
        closed_ms = self.clock_ms() // step * step
        stop_ms = closed_ms if stop_ms is None else min(stop_ms, closed_ms)
        rows: dict[int, list] = {}
        since = start_ms
        checked = 0  # start of a gap that was asked for again
        while since < stop_ms:
            page = {int(row[0]): row for row in self._rows_from(since) if start_ms <= row[0] < stop_ms}
            rows |= page  # of two candles for one time, that of the later request
            times = sorted(time for time in page if time >= since)
            if not times:  # no trades in this range, or the exchange does not go back so far
                since += self._skip * step
                continue
            resume = times[-1] - times[-1] % step + step
            before = times[-2] - times[-2] % step + step if len(times) > 1 else since
            # a candle far after all others may be dated wrongly: what lies between is asked for once more
            if times[-1] - times[-1] % step > before > checked:
                resume = checked = before
            since = resume
        return self._checked(list(rows.values()))

    def closed_since(self, start_ms: int) -> Bars | None:
        """The closed bars that start at ``start_ms`` or later; None if there is none yet."""
        bars = self.bars(start_ms)
        return bars if len(bars) else None

    def _rows_from(self, since: int) -> list[list]:
        """A page of rows from a time on, in the columns `_KLINE_COLUMNS` or the first six of them."""
        what = f"bars of {self.symbol} from {time_text(since)}"
        if self._kline_id is None:
            page = self._call(what, self._ccxt.fetch_ohlcv, self.symbol, self._interval, since, self._page)
            return [row[: len(_COLUMNS)] for row in page if row[0]]
        interval = self._ccxt.timeframes[self._interval]
        request = {"symbol": self._kline_id, "interval": interval, "startTime": since, "limit": self._page}
        klines = self._call(what, self._ccxt.publicGetKlines, request)
        try:
            named = [dict(zip(ARCHIVE_COLUMNS, row, strict=True)) for row in klines]
            rows = [[int(row["open_time"]), *(_float(row[c]) for c in _KLINE_COLUMNS[1:])] for row in named]
        except (TypeError, ValueError):
            rows = None
        if rows is None or not isinstance(klines, list):
            raise FetchError(f"{self.name}: {what}: the answer is not a list of klines")
        return rows

    def _checked(self, rows: list[list]) -> Bars:
        """Rows as bars in time order, without broken ones; of two rows for one bar, that on the grid."""
        if not rows:
            return no_bars(self.symbol, self.interval_ms)
        frame = pd.DataFrame(rows, columns=list(_KLINE_COLUMNS[: len(rows[0])])).sort_values("open_time", kind="stable")
        floored = frame["open_time"] // self.interval_ms
        frame = frame[~floored.duplicated()].reset_index(drop=True)
        broken, _ = broken_rows(frame)
        self.broken += int(broken.sum())
        if broken.all():
            return no_bars(self.symbol, self.interval_ms)
        frame = frame[~broken].reset_index(drop=True)
        try:
            return Bars.from_frame(frame, self.symbol, self.interval_ms, f"{self.name} {self.symbol}")
        except BarError as error:
            raise FetchError(str(error)) from None

    def _has_klines(self) -> bool:
        return isinstance(self._ccxt, ccxt_module().binance) and bool(self._market["spot"])

    def _check_provided(self) -> None:
        self._interval = self._known_interval()

    def _known_interval(self) -> str:
        interval = interval_name(self.interval_ms)
        if self._ccxt.has.get("fetchOHLCV") is not True:
            raise BarError(f"{self.name} provides no bars")
        known = self._ccxt.timeframes or {}
        if interval not in known:
            raise BarError(f"{self.name} has no bars of {interval}, only {', '.join(known)}")
        return interval


def fetch_exchange(
    store: Store, exchange: Exchange, name: str, start_ms: int, stop_ms: int, progress: Progress | None = None
) -> Fetched:
    """Download bars of an exchange into the store.

    Parameters
    ----------
    store : Store
    exchange : Exchange
    name : str
        Symbol in the store.
    start_ms, stop_ms : int
        The range, limited to closed bars.
    progress : callable, optional
        Counts pages of 20,000 bars.

    Raises
    ------
    FetchError
        If the network or the exchange failed; bars received before are stored.
    BarError
        If bars are invalid or conflict with stored ones, or the store has bars of another source under the name.
    """
    step = exchange.interval_ms
    clock = exchange.clock_ms()
    start_ms, stop_ms = -(-start_ms // step) * step, min(stop_ms, clock) // step * step
    source = f"{exchange.name} {exchange.symbol}"
    inflow = BarsInflow(store, name, step, source, start_ms, stop_ms)
    tasks = _pages(inflow, start_ms, stop_ms)
    inflow.ask(tasks, "pages", exchange.bars, clock - _LATE_MS, progress)
    fetched = inflow.finish()
    fetched.broken = exchange.broken
    return fetched


def _pages(inflow: BarsInflow, start_ms: int, stop_ms: int) -> list[tuple[int, int]]:
    """Ranges to request, in pages: missing bars that were not requested before."""
    size = _PAGE_BARS * inflow.interval_ms
    pages = []
    for hole in find_holes(inflow.times(start_ms, stop_ms), start_ms, stop_ms, inflow.interval_ms):
        for first, last in inflow.record.not_asked(hole.first_ms, hole.last_ms + inflow.interval_ms):
            pages += [(ms, min(ms + size, last)) for ms in range(first, last, size)]
    return pages


def _float(value: str | float | None) -> float:
    """A number as an exchange sends it; some send candles without prices."""
    return float("nan") if value is None else float(value)
