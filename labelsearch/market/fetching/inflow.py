"""Merging of fetched bars into the store.

Stored bars are never changed: a fetch adds missing ones. Each call requests only bars that the store lacks and no
earlier call has requested, so that a halt of the exchange, which remains a hole, costs requests only once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.bars import Bars
from labelsearch.market.checks import Gap, gaps_between
from labelsearch.market.fetching.record import FetchRecord
from labelsearch.market.store import Store, merge
from labelsearch.market.times import interval_name

Progress = Callable[[str, int, int], None]
"""Called with the kind of item, the number done and the total."""

BATCH_BARS = 400_000  # each write rewrites the whole file of the symbol


@dataclass
class Fetched:
    """Result of a fetch."""

    symbol: str  # in the store
    interval_ms: int
    source: str
    start_ms: int  # the requested range, limited to bars that were closed
    stop_ms: int
    files: int = 0  # archive files downloaded by this call
    added: int = 0  # bars new to the store
    present: int = 0  # bars of the range that were stored before
    differing: int = 0  # bars of a second archive file of the same day that differ from the first file, which is used
    broken: int = 0  # candles of an exchange that break a rule, left out
    refused: list[str] = field(default_factory=list)  # invalid archive files, with the reason
    holes: tuple[Gap, ...] = ()  # missing bars of the range, its ends included, longest first

    @property
    def missing(self) -> int:
        """Number of missing bars."""
        return sum(hole.count for hole in self.holes)


class Inflow:
    """Bars added to one file of a store in batches, and the record of what was fetched.

    Parameters
    ----------
    store : Store
    name : str
        Symbol in the store.
    source : str
        See `FetchRecord`.
    start_ms, stop_ms : int
        The requested range, used for counts.
    """

    def __init__(self, store: Store, name: str, interval_ms: int, source: str, start_ms: int, stop_ms: int) -> None:
        interval = interval_name(interval_ms)
        self.store, self.name, self.interval_ms = store, name, interval_ms
        self.path = store.path(name, interval)
        self.folder = store.root / ".fetched" / name / interval
        self.record = FetchRecord.load(self.folder, source)
        self.stored = self._load()
        self.result = Fetched(name, interval_ms, source, start_ms, max(start_ms, stop_ms))
        self.result.present = self.count(start_ms, stop_ms)
        self._pending: list[Bars] = []
        self._files: dict[str, dict[str, str | int]] = {}

    def times(self, start_ms: int, stop_ms: int) -> NDArray[np.int64]:
        """Start of each stored bar in [start_ms, stop_ms)."""
        return self.held(start_ms, stop_ms).open_time

    def held(self, start_ms: int, stop_ms: int) -> Bars:
        """The stored bars in [start_ms, stop_ms)."""
        return self.stored.between(start_ms, stop_ms)

    def count(self, start_ms: int, stop_ms: int) -> int:
        """Number of stored bars in [start_ms, stop_ms)."""
        return len(self.held(start_ms, stop_ms))

    def complete(self, start_ms: int, stop_ms: int) -> bool:
        """Whether no bar of [start_ms, stop_ms) is missing."""
        return self.count(start_ms, stop_ms) == (stop_ms - start_ms) // self.interval_ms

    def agree(self, bars: Bars, file: object) -> Bars:
        """The bars themselves; `BarError` if they conflict with stored ones."""
        held = self.held(int(bars.open_time[0]), int(bars.open_time[-1]) + 1)
        if len(held):
            merge([held, bars], files=[self.path, file])
        return bars

    def lacking(self, bars: Bars) -> Bars:
        """The bars that are not stored; stored ones with other values are counted as differing."""
        held = self.held(int(bars.open_time[0]), int(bars.open_time[-1]) + 1)
        if len(held) == 0:
            return bars
        self.result.differing += merge([bars, held], replace=True)[1]
        frame = bars.to_frame()[~np.isin(bars.open_time, held.open_time)]
        return Bars.from_frame(frame, bars.symbol, bars.interval_ms) if len(frame) else bars.rows(0, 0)

    def put(self, bars: Bars, file: str | None = None, sha256: str = "", n_bars: int = 0) -> None:
        """Add bars; once they are stored, ``file`` is recorded with ``n_bars``."""
        if len(bars):
            self._pending.append(bars)
        if file is not None:
            self._files[file] = {"sha256": sha256, "bars": n_bars}
        if sum(map(len, self._pending)) >= BATCH_BARS:
            self.flush()

    def flush(self) -> None:
        """Write the added bars, then the record, which therefore never lists more than the store has."""
        if self._pending:
            self.result.added += self.store.add(merge(self._pending)[0]).new
            self._pending = []
            self.stored = self._load()
        self.record.files |= self._files
        self._files = {}
        if len(self.stored):  # leave nothing behind of a symbol that does not exist
            self.record.save(self.folder)

    def finish(self) -> Fetched:
        """Write the rest and find the missing bars."""
        self.flush()
        start_ms, stop_ms = self.result.start_ms, self.result.stop_ms
        holes = find_holes(self.times(start_ms, stop_ms), start_ms, stop_ms, self.interval_ms)
        self.result.holes = tuple(sorted(holes, key=lambda hole: (-hole.count, hole.first_ms)))
        return self.result

    def _load(self) -> Bars:
        if self.path.is_file():
            return self.store.load(self.name, interval_name(self.interval_ms))
        return no_bars(self.name, self.interval_ms)


def find_holes(times: NDArray[np.int64], start_ms: int, stop_ms: int, interval_ms: int) -> list[Gap]:
    """Missing bars of [start_ms, stop_ms) in time order, including those before the first and after the last bar.

    Parameters
    ----------
    times : int64 array, shape (T,)
        Start of each bar, within the range.
    start_ms, stop_ms, interval_ms : int
        On the grid of the interval.
    """
    return list(gaps_between(np.concatenate([[start_ms - interval_ms], times, [stop_ms]]), interval_ms))


def no_bars(symbol: str, interval_ms: int) -> Bars:
    """An empty table of bars."""
    none = np.empty(0)
    return Bars(symbol, interval_ms, np.empty(0, dtype=np.int64), none, none, none, none, none)
