"""Turn incoming bars into a regular series: late, repeated, missing and invalid bars.

- A time off the grid of the interval is rounded down to it.
- A bar whose time is not after that of the last accepted bar is dropped: decisions cannot be revised.
- A bar that is not closed yet by the clock of this machine, or starts in the future, is dropped.
- A bar that breaks a rule of `labelsearch.market.rules`, lacks a column or has a time out of range is dropped.
- A bar that the calendar of the bundle does not expect is dropped.
- Missing bars between two bars are filled as in a run: at the last close, without volume. Features see them,
  strategies do not: a pending order waits for the next bar that is present. Only bars that the calendar expects are
  missing.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.bars import Bars
from labelsearch.market.calendars import ALWAYS, Calendar
from labelsearch.market.rules import REQUIRED, BarError, faults
from labelsearch.market.times import DAY_MS, now_ms, time_text, to_ms

LONGEST_GAP_MS = 31 * DAY_MS
CLOCK_SKEW_MS = 30_000


class FeedError(BarError):
    """A series of bars that cannot be continued."""


class Bar(NamedTuple):
    """One bar on the grid; times in milliseconds since the epoch, NaN for unknown columns."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float = math.nan
    trades: float = math.nan
    spread: float = math.nan
    filled: bool = False

    def after(self, open_time: int) -> "Bar":
        """A later bar, filled: at the close of this one, without volume."""
        price = self.close
        return Bar(open_time, price, price, price, price, 0.0, 0.0, 0.0, filled=True)

    def typical_price(self, close_before: float, *, quote_volume: bool) -> float:
        """The price of the bar for features, as `labelsearch.market.bars.Bars.vwap`; NaN before the first close."""
        if not self.volume > 0:
            return self.close if math.isnan(close_before) else close_before
        return self.quote_volume / self.volume if quote_volume else (self.high + self.low + self.close) / 3.0

    def traded_value(self, price: float, *, quote_volume: bool) -> float:
        """As `labelsearch.market.trading_costs.traded_value`."""
        return self.quote_volume if quote_volume else self.volume * price


class Counts(NamedTuple):
    """Bars since the start, by what became of them."""

    taken: int = 0
    missing: int = 0
    repeated: int = 0
    late: int = 0
    refused: int = 0


class Feed:
    """Turns incoming bars into bars on the grid.

    Parameters
    ----------
    interval_ms : int
    optional : tuple of str
        Optional columns, quote_volume or trades, that are required here.
    clock : callable
        Milliseconds since the epoch; it may be behind by `CLOCK_SKEW_MS`, but not by more than half a bar.
    calendar : str
        Whose bars make up the grid.
    """

    def __init__(
        self,
        interval_ms: int,
        optional: tuple[str, ...] = (),
        clock: Callable[[], int] = now_ms,
        calendar: str = ALWAYS,
    ) -> None:
        self.interval_ms, self.clock = interval_ms, clock
        self.calendar = Calendar(calendar)
        self.needed = (*REQUIRED, *optional)
        self.last: Bar | None = None
        self.counts = Counts()
        self.notice = ""  # why the last incoming bar was dropped

    def take(self, raw: object) -> list[Bar]:
        """Bars on the grid that follow from an incoming bar: the missing ones before it and itself; none if dropped.

        Parameters
        ----------
        raw : Bar or mapping
            A valid bar, or open_time (milliseconds or microseconds since the epoch, or ISO 8601 in UTC), open, high,
            low, close and volume; quote_volume and trades if known. Anything else is counted as refused.

        Raises
        ------
        FeedError
            If more than 31 days are missing before the bar: start again with history. If a valid bar does not know a
            required column.
        """
        try:
            bar = raw if isinstance(raw, Bar) else self._bar(raw)
        except BarError as error:
            return self._drop("refused", error.rule)
        return self._follow(bar)

    def _follow(self, bar: Bar) -> list[Bar]:
        for name in self.needed:
            if math.isnan(getattr(bar, name)):
                raise FeedError(f"the features of the bundle need {name}, which the bars do not have")
        last, self.notice = self.last, ""
        filled: list[Bar] = []
        if not self.calendar.count(bar.open_time, bar.open_time + 1, self.interval_ms):
            return self._drop("refused", f"{time_text(bar.open_time)} is outside of calendar {self.calendar.name}")
        if last is not None:
            if bar.open_time <= last.open_time:
                return self._drop(*too_late(last.open_time, bar.open_time))
            missing = missing_between(last.open_time, bar.open_time, self.calendar, self.interval_ms)
            filled = [last.after(int(time)) for time in missing]
        self.last = bar
        self.counts = self.counts._replace(taken=self.counts.taken + 1, missing=self.counts.missing + len(filled))
        return [*filled, bar]

    def _drop(self, kind: str, why: str) -> list[Bar]:
        self.notice = f"{kind}: {why}"
        self.counts = self.counts._replace(**{kind: getattr(self.counts, kind) + 1})
        return []

    def _bar(self, raw: object) -> Bar:
        return checked_bar(raw, self.needed, self.interval_ms, self.clock)


def too_late(last_ms: int, open_time: int) -> tuple[str, str]:
    """What a bar counts as that is not after the last one, and what is told."""
    return "repeated" if open_time == last_ms else "late", time_text(open_time)


def missing_between(last_ms: int, open_time: int, calendar: Calendar, interval_ms: int) -> NDArray[np.int64]:
    """Times of the bars that are missing between two; `FeedError` for more than 31 days."""
    if open_time - last_ms > LONGEST_GAP_MS:
        raise FeedError(
            f"no bars between {time_text(last_ms)} and {time_text(open_time)}: start again with the missing bars as "
            "history"
        )
    return calendar.opens(last_ms + 1, open_time, interval_ms)


def checked_bar(raw: object, needed: Sequence[str], interval_ms: int, clock: Callable[[], int]) -> Bar:
    """A bar with its time on the grid.

    Parameters
    ----------
    raw : mapping
        Anything else is refused.
    needed : sequence of str
        Columns.
    interval_ms : int
    clock : callable
        As of `Feed`.

    Raises
    ------
    BarError
        If something is missing, breaks a rule, or is not closed yet.
    """
    if not isinstance(raw, Mapping):
        raise BarError("not a bar")
    lacking = [name for name in ("open_time", *needed) if raw.get(name) is None]
    if lacking:
        raise BarError(f"missing {', '.join(lacking)}")
    time = grid_time(raw["open_time"], interval_ms)
    numbers = {name: _number(name, raw[name]) for name in needed}
    for fault in faults({name: np.array([value]) for name, value in numbers.items()}):
        raise BarError(fault.rule)
    if time + interval_ms > clock() + min(CLOCK_SKEW_MS, interval_ms // 2):
        raise BarError(f"the bar of {time_text(time)} is not closed yet")
    return Bar(time, **numbers)  # type: ignore[arg-type]


def grid_time(value: object, interval_ms: int) -> int:
    """A time in ms since the epoch, rounded down to the grid; `BarError` if it cannot be read."""
    time = int(to_ms(pd.Series([value]))[0])
    return time - time % interval_ms


def _number(name: str, value: object) -> float:
    text = isinstance(value, str) and value.isascii() and "_" not in value  # float() accepts more than numbers
    if text or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        try:
            return float(value)  # type: ignore[arg-type]
        except (ValueError, OverflowError):
            pass
    raise BarError(f"{name} is not a number")


def bars_in(bars: Bars) -> Iterator[Bar]:
    """The bars of a table one by one."""
    unknown = [math.nan] * len(bars)  # one object, which is equal to itself
    columns = (getattr(bars, name) for name in Bar._fields)
    for row in zip(*(unknown if column is None else column.tolist() for column in columns), strict=True):
        yield Bar(*row)
