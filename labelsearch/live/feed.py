"""What arrives, made a regular series: late, repeated, missing and broken bars.

- A time off the grid of the interval is floored to it.
- A bar with the time of the last one taken, or an earlier one, is dropped: what was decided cannot be taken back.
- A bar that breaks a rule of `labelsearch.market.rules`, lacks a column or has a time out of range is dropped.
- Bars that are missing between two are filled as in a run: the last close, nothing traded. Features see them,
  strategies do not: an order that waits goes to the next bar that is there.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from labelsearch.market.bars import Bars
from labelsearch.market.rules import REQUIRED, BarError, faults
from labelsearch.market.times import DAY_MS, time_text, to_ms

LONGEST_GAP_MS = 31 * DAY_MS
LARGEST = 1e18  # of prices and volumes, and of 1 / each: products and squares of what is larger overflow in features


class FeedError(BarError):
    """Bars that cannot be followed any more."""


class Bar(NamedTuple):
    """One bar on the grid; times in milliseconds since the epoch, NaN for columns that are not known."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float = math.nan
    trades: float = math.nan
    filled: bool = False

    def after(self, interval_ms: int) -> "Bar":
        """The next bar, filled: nothing traded at this one's close."""
        price = self.close
        return Bar(self.open_time + interval_ms, price, price, price, price, 0.0, 0.0, 0.0, True)


class Counts(NamedTuple):
    """What the feed has seen since the start."""

    taken: int = 0
    missing: int = 0
    repeated: int = 0
    late: int = 0
    refused: int = 0


class Feed:
    """Turns what arrives into bars on the grid.

    Parameters
    ----------
    interval_ms : int
    optional : tuple of str
        Optional columns, quote_volume or trades, that must be there.
    """

    def __init__(self, interval_ms: int, optional: tuple[str, ...] = ()) -> None:
        self.interval_ms = interval_ms
        self.needed = (*REQUIRED, *optional)
        self.last: Bar | None = None
        self.counts = Counts()
        self.notice = ""  # why the last thing that arrived was dropped

    def take(self, raw: Mapping[str, Any]) -> list[Bar]:
        """Bars on the grid that something arrived makes: none if it is dropped, else those missing before it and it.

        Parameters
        ----------
        raw : mapping
            open_time (milliseconds or microseconds since the epoch, or ISO 8601 in UTC), open, high, low, close and
            volume; quote_volume and trades where known.

        Raises
        ------
        FeedError
            If more than 31 days are missing before it: better start anew with history.
        """
        try:
            bar = self._bar(raw)
        except BarError as error:
            self.notice = f"refused: {error.rule}"
            self.counts = self.counts._replace(refused=self.counts.refused + 1)
            return []
        return self.take_bar(bar)

    def take_bar(self, bar: Bar) -> list[Bar]:
        """As `take`, for a bar that keeps the rules; `FeedError` also if a column that must be there is not known."""
        for name in self.needed:
            if math.isnan(getattr(bar, name)):
                raise FeedError(f"the bundle's features read {name}, which the bars lack")
        last, self.notice = self.last, ""
        filled: list[Bar] = []
        if last is not None:
            if bar.open_time <= last.open_time:
                same = bar.open_time == last.open_time
                self.notice = f"{'repeated' if same else 'late'}: {time_text(bar.open_time)}"
                kind = "repeated" if same else "late"
                self.counts = self.counts._replace(**{kind: getattr(self.counts, kind) + 1})
                return []
            if bar.open_time - last.open_time > LONGEST_GAP_MS:
                raise FeedError(
                    f"nothing between {time_text(last.open_time)} and {time_text(bar.open_time)}: start anew with the "
                    "bars between"
                )
            previous = last
            while previous.open_time + self.interval_ms < bar.open_time:
                previous = previous.after(self.interval_ms)
                filled.append(previous)
        self.last = bar
        self.counts = self.counts._replace(taken=self.counts.taken + 1, missing=self.counts.missing + len(filled))
        return [*filled, bar]

    def _bar(self, raw: Mapping[str, Any]) -> Bar:
        if not isinstance(raw, Mapping):
            raise BarError("not a bar")
        lacking = [name for name in ("open_time", *self.needed) if raw.get(name) is None]
        if lacking:
            raise BarError(f"missing {', '.join(lacking)}")
        time = int(to_ms(pd.Series([raw["open_time"]]))[0])
        columns: dict[str, Any] = {}
        for name in self.needed:
            columns[name] = np.array([_number(name, raw[name])])
        for fault in faults(columns):
            raise BarError(fault.rule)
        for name, (value,) in columns.items():
            if value > LARGEST or 0 < value < 1.0 / LARGEST:
                raise BarError(f"{name} is out of range")
        numbers: dict[str, Any] = {name: float(values[0]) for name, values in columns.items()}
        return Bar(time - time % self.interval_ms, **numbers)


def _number(name: str, value: Any) -> float:
    text = isinstance(value, str) and value.isascii() and "_" not in value  # float() reads more than numbers
    if text or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise BarError(f"{name} is not a number")


def bars_in(bars: Bars) -> Iterator[Bar]:
    """The bars of a table one by one."""
    unknown = np.full(len(bars), math.nan)
    columns = [
        bars.open_time, bars.open, bars.high, bars.low, bars.close, bars.volume,
        unknown if bars.quote_volume is None else bars.quote_volume,
        unknown if bars.trades is None else bars.trades,
        bars.filled,
    ]  # fmt: skip
    for row in zip(*(column.tolist() for column in columns), strict=True):
        yield Bar(*row)
