"""Where fetched bars meet stored ones.

What is stored is never changed by it: a fetch fills what is missing. A call asks only for what the store lacks
and no earlier call has asked for, so a halt of the exchange, which stays a hole, costs requests once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.bars import Bars
from labelsearch.market.checks import Gap
from labelsearch.market.fetching.record import FetchRecord
from labelsearch.market.store import Store, merge
from labelsearch.market.times import interval_name

Progress = Callable[[str, int, int], None]
"""Called with what is fetched, how many are done and how many there are."""

BATCH_BARS = 400_000  # each write rewrites the symbol's whole file


@dataclass
class Fetched:
    """What a fetch did.

    Attributes
    ----------
    symbol : str
        Name in the store.
    interval_ms : int
    source : str
    start_ms, stop_ms : int
        The range that was asked for, cut to bars that were over.
    files : int
        Archive files downloaded by this call.
    added, present : int
        Bars new to the store; bars of the range that it had before.
    differing : int
        Bars of a second archive file of the same day that differ from the first one's, which count.
    refused : list of str
        Archive files that were not what they should be, and why.
    holes : tuple of Gap
        What is missing in the range, ends included, longest first.
    """

    symbol: str
    interval_ms: int
    source: str
    start_ms: int
    stop_ms: int
    files: int = 0
    added: int = 0
    present: int = 0
    differing: int = 0
    refused: list[str] = field(default_factory=list)
    holes: tuple[Gap, ...] = ()

    @property
    def missing(self) -> int:
        """Number of missing bars."""
        return sum(hole.count for hole in self.holes)


class Inflow:
    """Bars on their way into one file of a store, written in batches, and the record that goes with them.

    Parameters
    ----------
    store : Store
    name : str
        Symbol in the store.
    source : str
        See `FetchRecord`.
    start_ms, stop_ms : int
        The range asked for, only to count in.
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
        """True where no bar of [start_ms, stop_ms) is missing."""
        return self.count(start_ms, stop_ms) == (stop_ms - start_ms) // self.interval_ms

    def agree(self, bars: Bars, file: object) -> Bars:
        """Give bars back; `BarError` where they conflict with stored ones."""
        held = self.held(int(bars.open_time[0]), int(bars.open_time[-1]) + 1)
        if len(held):
            merge([held, bars], files=[self.path, file])
        return bars

    def lacking(self, bars: Bars) -> Bars:
        """The bars that are not stored; those that are, with other values, are counted as differing."""
        held = self.held(int(bars.open_time[0]), int(bars.open_time[-1]) + 1)
        if len(held) == 0:
            return bars
        self.result.differing += merge([bars, held], replace=True)[1]
        frame = bars.to_frame()[~np.isin(bars.open_time, held.open_time)]
        return Bars.from_frame(frame, bars.symbol, bars.interval_ms) if len(frame) else bars.rows(0, 0)

    def put(self, bars: Bars, file: str | None = None, sha256: str = "", n_bars: int = 0) -> None:
        """Take bars in; `file` is recorded as one of `n_bars` when they are stored."""
        if len(bars):
            self._pending.append(bars)
        if file is not None:
            self._files[file] = {"sha256": sha256, "bars": n_bars}
        if sum(map(len, self._pending)) >= BATCH_BARS:
            self.flush()

    def flush(self) -> None:
        """Write what was put; the record comes second, so that it never says more than the store has."""
        if self._pending:
            self.result.added += self.store.add(merge(self._pending)[0]).new
            self._pending = []
            self.stored = self._load()
        self.record.files |= self._files
        self._files = {}
        if len(self.stored):  # nothing stays behind of a symbol that does not exist
            self.record.save(self.folder)

    def finish(self) -> Fetched:
        """Write the rest and count what is missing."""
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
    """Missing bars of [start_ms, stop_ms), those before the first and after the last one included, in time order.

    Parameters
    ----------
    times : int64 array, shape (T,)
        Start of each bar, within the range.
    start_ms, stop_ms, interval_ms : int
        On the grid of the interval.
    """
    fenced = np.concatenate([[start_ms - interval_ms], times, [stop_ms]])
    before = np.flatnonzero(np.diff(fenced) > interval_ms)
    return [
        Gap(int(a + interval_ms), int(b - interval_ms), int((b - a) // interval_ms - 1))
        for a, b in zip(fenced[before], fenced[before + 1], strict=True)
    ]


def no_bars(symbol: str, interval_ms: int) -> Bars:
    """Bars without a bar."""
    none = np.empty(0)
    return Bars(symbol, interval_ms, np.empty(0, dtype=np.int64), none, none, none, none, none)
