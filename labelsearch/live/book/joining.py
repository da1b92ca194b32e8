"""Bars of a longer interval from rows as they come."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from labelsearch.live.book.rows import Row
from labelsearch.live.feed import Bar, bars_in
from labelsearch.market.bars import Bars
from labelsearch.market.resample import joined

_COLUMNS = [name for name in Bar._fields if name not in ("open_time", "filled")]
_NEVER = np.iinfo(np.int64).max


class Joiner:
    """Joins rows of short bars into rows of long ones, with the bits of `labelsearch.market.resample.resample`.

    Parameters
    ----------
    n_markets : int
    short_ms, long_ms : int
        Lengths of bars; where they are equal rows pass as they are.
    """

    def __init__(self, n_markets: int, short_ms: int, long_ms: int) -> None:
        self.short_ms, self.long_ms = short_ms, long_ms
        self._rows: list[Row] = []  # of the long bar that is not closed yet
        self._began = np.full(n_markets, _NEVER)  # when the first bar of each market opened
        self._has_begun = False  # whether any long bar closed so far

    def take(self, row: Row) -> Row | None:
        """The long bars that close with a row, if it is their last one."""
        if self.short_ms == self.long_ms:
            return row
        has = np.array([bar is not None for bar in row.bars])
        self._began = np.where(has, np.minimum(self._began, row.open_time), self._began)
        self._rows.append(row)
        if (row.open_time + self.short_ms) % self.long_ms:
            return None
        start = row.open_time + self.short_ms - self.long_ms
        made = Row(start, tuple(self._joined(m, start) for m in range(len(self._began))))
        self._rows = []
        self._has_begun |= any(bar is not None for bar in made.bars)
        return made if self._has_begun else None

    def _joined(self, market: int, start: int) -> Bar | None:
        bars = [row.bars[market] for row in self._rows]
        known = [bar for bar in bars if bar is not None]
        if not known or self._began[market] > start:  # its first one is not whole, and left out
            return None
        columns = {name: np.array([getattr(bar, name) for bar in known]) for name in _COLUMNS}
        kept = {name: None if np.isnan(column).all() else column for name, column in columns.items()}
        times = np.array([bar.open_time for bar in known])
        (bar,) = bars_in(joined(Bars("", self.short_ms, times, **kept), self.long_ms))  # type: ignore[arg-type]
        return bar

    def start(self, history: Sequence[Bars], stop_ms: int) -> list[Bars]:
        """Take the bars of each market up to a time at once; the long bars that are closed by then.

        Later bits are those after `take` row by row.
        """
        if self.short_ms == self.long_ms:
            return list(history)
        edge, found = self.edge(stop_ms), []
        present = [bars.present() for bars in history]
        for m, bars in enumerate(present):
            first = int(bars.open_time[0]) if len(bars) else None
            self._began[m] = _NEVER if first is None else first
            found.append(joined(bars.between(None, edge), self.long_ms).between(first, None))
        self._has_begun = any(map(len, found))
        late = [{bar.open_time: bar for bar in bars_in(bars.between(edge, stop_ms))} for bars in present]
        for time in range(edge, stop_ms, self.short_ms):
            self._rows.append(Row(time, tuple(its.get(time) for its in late)))
        return found

    def edge(self, stop_ms: int) -> int:
        """Where the last long bar ends that has closed by a time."""
        return stop_ms - stop_ms % self.long_ms

    def state(self) -> dict[str, NDArray]:
        """The arrays that `restore` needs."""
        cells = np.full((len(self._rows), len(self._began), len(_COLUMNS)), np.nan)
        has = np.zeros(cells.shape[:2], dtype=np.bool_)
        for i, row in enumerate(self._rows):
            for m, bar in enumerate(row.bars):
                if bar is not None:
                    cells[i, m], has[i, m] = [getattr(bar, name) for name in _COLUMNS], True
        times = np.array([row.open_time for row in self._rows], dtype=np.int64)
        has_begun = np.array(self._has_begun)
        return {"times": times, "cells": cells, "has": has, "began": self._began, "has_begun": has_begun}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Go on where another was."""
        self._began, self._has_begun = state["began"], bool(state["has_begun"])
        self._rows = [
            Row(
                int(time), tuple(Bar(int(time), *bar.tolist()) if h else None for bar, h in zip(bars, has, strict=True))
            )
            for time, bars, has in zip(state["times"], state["cells"], state["has"], strict=True)
        ]
