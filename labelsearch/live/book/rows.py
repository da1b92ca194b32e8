"""Turn what comes in into rows: the bars of all markets at one time, of which some may be missing.

- A row is dropped where its time is not after that of the last one, or is not over yet, or the calendar does not expect
  it, as a bar of one market is (`labelsearch.live.feed`); times off the grid are rounded down to it.
- A bar that breaks a rule is left out of its row and reported, and so is one of a market that the book does not know:
  the market is then silent at that time.
- Rows missing between two rows follow as rows without any bar.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from labelsearch.live.book.bundle import BookBundle
from labelsearch.live.feed import Bar, Counts, FeedError, checked_bar, grid_time, missing_between, too_late
from labelsearch.market.calendars import Calendar
from labelsearch.market.rules import REQUIRED, BarError
from labelsearch.market.times import now_ms, time_text


class Row(NamedTuple):
    """The bars of all markets at one time, in the order of the bundle; None for a market that has none."""

    open_time: int
    bars: tuple[Bar | None, ...]

    @classmethod
    def recorded(cls, open_time: int, bars: list[list | None]) -> "Row":
        """A row from plain lists."""
        return cls(open_time, tuple(None if bar is None else Bar(*bar) for bar in bars))


class RowFeed:
    """Turns incoming rows into rows on the grid.

    Parameters
    ----------
    bundle : BookBundle
    clock : callable
        As of `labelsearch.live.feed.Feed`.
    """

    def __init__(self, bundle: BookBundle, clock: Callable[[], int] = now_ms) -> None:
        self.interval_ms, self.clock = bundle.interval_ms, clock
        self.calendar = Calendar(bundle.calendar)
        self.needed = {
            symbol: (*REQUIRED, *optional)
            for symbol, optional in zip(bundle.symbols, bundle.optional_columns, strict=True)
        }
        self.last: Row | None = None
        self.counts = Counts()
        self.notice = ""  # what was dropped of what came in last, or bars of it, and why

    def take(self, raw: object) -> list[Row]:
        """Rows on the grid that follow from an incoming one: the missing ones before it and itself; none if dropped.

        Parameters
        ----------
        raw : Row or mapping
            A valid row, or ``open_time`` and ``bars``, a mapping from symbols to bars as
            `labelsearch.live.feed.Feed.take` takes them, without ``open_time``.

        Raises
        ------
        FeedError
            If more than 31 days are missing before the row: start again with history. If a bar of a valid row does not
            know a required column.
        """
        self.notice = ""
        try:
            row = self._whole(raw) if isinstance(raw, Row) else self._row(raw)
            if not self.calendar.count(row.open_time, row.open_time + 1, self.interval_ms):
                raise BarError(f"{time_text(row.open_time)} is outside of calendar {self.calendar.name}")
        except FeedError:
            raise
        except BarError as error:
            return self._drop("refused", error.rule)
        last = self.last
        missing = np.empty(0, dtype=np.int64)
        if last is not None:
            if row.open_time <= last.open_time:
                return self._drop(*too_late(last.open_time, row.open_time))
            missing = missing_between(last.open_time, row.open_time, self.calendar, self.interval_ms)
        self.last = row
        self.counts = self.counts._replace(taken=self.counts.taken + 1, missing=self.counts.missing + len(missing))
        empty = (None,) * len(row.bars)
        return [*(Row(int(time), empty) for time in missing), row]

    def _drop(self, kind: str, why: str) -> list[Row]:
        self.notice = f"{kind}: {why}"
        self.counts = self.counts._replace(**{kind: getattr(self.counts, kind) + 1})
        return []

    def _whole(self, row: Row) -> Row:
        """A valid row."""
        for bar, (symbol, needed) in zip(row.bars, self.needed.items(), strict=True):
            for name in needed if bar is not None else ():
                if math.isnan(getattr(bar, name)):
                    raise FeedError(f"the features of the bundle need {name}, which the bars of {symbol} do not have")
        return row

    def _row(self, raw: object) -> Row:
        if not isinstance(raw, Mapping):
            raise BarError("not a row")
        given = raw.get("bars")
        if raw.get("open_time") is None or not isinstance(given, Mapping):
            raise BarError("missing open_time or bars")
        time = grid_time(raw["open_time"], self.interval_ms)
        found: dict[str, Bar] = {}
        wrong = [f"{symbol}: unknown market" for symbol in given if symbol not in self.needed]
        for symbol, needed in self.needed.items():
            bar = given.get(symbol)
            if bar is None:
                continue
            try:
                if not isinstance(bar, Mapping):
                    raise BarError("not a bar")
                found[symbol] = checked_bar({**bar, "open_time": time}, needed, self.interval_ms, self.clock)
            except BarError as error:
                wrong.append(f"{symbol}: {error.rule}")
        if not found:
            raise BarError(" ".join("; ".join(wrong).split()) or "no bar")
        if wrong:
            self.notice = " ".join(f"refused: {'; '.join(wrong)}".split())  # names may hold anything
            self.counts = self.counts._replace(refused=self.counts.refused + len(wrong))
        return Row(time, tuple(found.get(symbol) for symbol in self.needed))
