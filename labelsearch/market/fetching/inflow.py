"""Merging of fetched bars, and of fetched funding, into the store.

What is stored is never changed: a fetch adds what is missing. Each call requests only bars that the store lacks and no
earlier call has requested, so that a halt of the exchange, which remains a hole, costs requests only once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.bars import Bars
from labelsearch.market.checks import Gap, gaps_between
from labelsearch.market.fetching.record import FetchRecord
from labelsearch.market.funding import Funding, funding_gaps, no_funding
from labelsearch.market.funding_store import join_funding
from labelsearch.market.store import Store, merge
from labelsearch.market.times import interval_name

T = TypeVar("T", Bars, Funding)
Progress = Callable[[str, int, int], None]
"""Called with the kind of item, the number done and the total."""

BATCH_ROWS = 400_000  # each write rewrites the whole file of the symbol


@dataclass
class Fetched:
    """Result of a fetch, of bars or of funding, whose payments stand for bars then."""

    symbol: str  # in the store
    interval_ms: int  # 0 for funding
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


class Inflow(ABC, Generic[T]):
    """Series added to one file of a store in batches, and the record of what was fetched.

    Parameters
    ----------
    store : Store
    name : str
        Symbol in the store.
    path : Path
        The file.
    interval_ms : int
        Length of a bar; 0 for funding.
    source : str
        See `FetchRecord`.
    start_ms, stop_ms : int
        The requested range, used for counts.
    """

    counted: str  # what the record calls the rows of a file

    def __init__(
        self, store: Store, name: str, path: Path, interval_ms: int, source: str, start_ms: int, stop_ms: int
    ) -> None:
        self.store, self.name, self.path, self.interval_ms = store, name, path, interval_ms
        self.folder = store.root / ".fetched" / name / path.stem
        self.record = FetchRecord.load(self.folder, source)
        self.stored: T = self._load()
        self.result = Fetched(name, interval_ms, source, start_ms, max(start_ms, stop_ms))
        self.result.present = self.count(start_ms, stop_ms)
        self._pending: list[T] = []
        self._files: dict[str, dict[str, str | int]] = {}

    @abstractmethod
    def _load(self) -> T:
        """What is stored, perhaps nothing."""

    @abstractmethod
    def _add(self, parts: list[T]) -> int:
        """Store some parts; returns the number of new rows."""

    @abstractmethod
    def agree(self, series: T, file: object) -> T:
        """The series itself; `BarError` if it conflicts with what is stored."""

    @abstractmethod
    def _holes(self, start_ms: int, stop_ms: int) -> Sequence[Gap]:
        """What is missing in [start_ms, stop_ms)."""

    def held(self, start_ms: int, stop_ms: int) -> T:
        """What is stored in [start_ms, stop_ms)."""
        return self.stored.between(start_ms, stop_ms)

    def count(self, start_ms: int, stop_ms: int) -> int:
        """Number of stored rows in [start_ms, stop_ms)."""
        return len(self.held(start_ms, stop_ms))

    def put(self, series: T, file: str | None = None, sha256: str = "", n_rows: int = 0) -> None:
        """Add rows; once they are stored, ``file`` is recorded with ``n_rows``."""
        if len(series):
            self._pending.append(series)
        if file is not None:
            self._files[file] = {"sha256": sha256, self.counted: n_rows}
        if sum(map(len, self._pending)) >= BATCH_ROWS:
            self.flush()

    def ask(
        self,
        parts: Sequence[tuple[int, int]],
        title: str,
        answer: Callable[[int, int], T],
        settled_ms: int,
        progress: Progress | None,
    ) -> None:
        """Request parts [first, last) of the range one by one and store the answers.

        What lies after ``settled_ms`` is not recorded as requested, as more may come.
        """
        try:
            for done, (first, last) in enumerate(parts):
                if progress is not None:
                    progress(title, done, len(parts))
                series = answer(first, last)
                if len(series):
                    self.put(self.agree(replace(series, symbol=self.name), self.result.source))
                settled = min(last, settled_ms)
                if settled > first:
                    self.record.add_asked(first, settled)
            if progress is not None and parts:
                progress(title, len(parts), len(parts))
        finally:
            self.flush()

    def flush(self) -> None:
        """Write the added rows, then the record, which therefore never lists more than the store has."""
        if self._pending:
            self.result.added += self._add(self._pending)
            self._pending = []
            self.stored = self._load()
        self.record.files |= self._files
        self._files = {}
        if len(self.stored):  # leave nothing behind of a symbol that does not exist
            self.record.save(self.folder)

    def finish(self) -> Fetched:
        """Write the rest and find what is missing."""
        self.flush()
        holes = self._holes(self.result.start_ms, self.result.stop_ms)
        self.result.holes = tuple(sorted(holes, key=lambda hole: (-hole.count, hole.first_ms)))
        return self.result


class BarsInflow(Inflow[Bars]):
    """Bars of one symbol and interval."""

    counted = "bars"

    def __init__(self, store: Store, name: str, interval_ms: int, source: str, start_ms: int, stop_ms: int) -> None:
        path = store.path(name, interval_name(interval_ms))
        super().__init__(store, name, path, interval_ms, source, start_ms, stop_ms)

    def times(self, start_ms: int, stop_ms: int) -> NDArray[np.int64]:
        """Start of each stored bar in [start_ms, stop_ms)."""
        return self.held(start_ms, stop_ms).open_time

    def complete(self, start_ms: int, stop_ms: int) -> bool:
        """Whether no bar of [start_ms, stop_ms) is missing."""
        return self.count(start_ms, stop_ms) == (stop_ms - start_ms) // self.interval_ms

    def agree(self, series: Bars, file: object) -> Bars:
        """The bars themselves; `BarError` if they conflict with stored ones."""
        held = self.held(int(series.open_time[0]), int(series.open_time[-1]) + 1)
        if len(held):
            merge([held, series], files=[self.path, file])
        return series

    def lacking(self, bars: Bars) -> Bars:
        """The bars that are not stored; stored ones with other values are counted as differing."""
        held = self.held(int(bars.open_time[0]), int(bars.open_time[-1]) + 1)
        if len(held) == 0:
            return bars
        self.result.differing += merge([bars, held], replace=True)[1]
        frame = bars.to_frame()[~np.isin(bars.open_time, held.open_time)]
        return Bars.from_frame(frame, bars.symbol, bars.interval_ms) if len(frame) else bars.rows(0, 0)

    def _holes(self, start_ms: int, stop_ms: int) -> Sequence[Gap]:
        return find_holes(self.times(start_ms, stop_ms), start_ms, stop_ms, self.interval_ms)

    def _add(self, parts: list[Bars]) -> int:
        return self.store.add(merge(parts)[0]).new

    def _load(self) -> Bars:
        if self.path.is_file():
            return self.store.load(self.name, interval_name(self.interval_ms))
        return no_bars(self.name, self.interval_ms)


class FundingInflow(Inflow[Funding]):
    """Funding of one symbol."""

    counted = "payments"

    def __init__(self, store: Store, name: str, source: str, start_ms: int, stop_ms: int) -> None:
        super().__init__(store, name, store.funding_path(name), 0, source, start_ms, stop_ms)

    def agree(self, series: Funding, file: object) -> Funding:
        """The funding itself; `BarError` if it conflicts with that stored."""
        join_funding([self.stored, series], files=[self.path, file])
        return series

    def _holes(self, start_ms: int, stop_ms: int) -> Sequence[Gap]:
        return funding_gaps(self.held(start_ms, stop_ms).time, start_ms, stop_ms)

    def _add(self, parts: list[Funding]) -> int:
        return self.store.add_funding(join_funding(parts).funding).new

    def _load(self) -> Funding:
        return self.store.load_funding(self.name) if self.path.is_file() else no_funding(self.name)


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
