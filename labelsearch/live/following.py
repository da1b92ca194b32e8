"""A live session of any bundle: what comes in passes through feed, journal and engine, and yields one line each."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from labelsearch.live.feed import Counts
from labelsearch.live.journal import SNAPSHOT, Journal
from labelsearch.live.verify import BundleError

SAVE_EVERY = 1000  # bars between snapshots

Line = dict[str, object]
T = TypeVar("T", bound=tuple)


class FeedOf(Protocol[T]):
    """Turns what comes in into what follows on the grid."""

    last: T | None
    counts: Counts
    notice: str  # what was dropped of what came in last, and why

    def take(self, raw: object) -> list[T]:
        """What follows from something incoming; nothing if it was dropped."""


class EngineOf(Protocol[T]):
    """Follows a bundle."""

    last: T | None
    start_ms: int

    def snapshot(self) -> dict[str, NDArray]:
        """Everything that `restore` needs, as arrays for ``np.savez``."""

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from the snapshot of an engine of the same bundle; `BundleError` for another bundle."""


class Following(ABC, Generic[T]):
    """Follows a bundle, and continues an earlier session of the same journal.

    Parameters
    ----------
    feed : FeedOf
    engine : EngineOf
    journal : Journal or None
        Storage of the session; None stores nothing.
    """

    def __init__(self, feed: FeedOf[T], engine: EngineOf[T], journal: Journal | None) -> None:
        self._feed, self._engine, self.journal = feed, engine, journal
        self.untold: list[Line] = []  # of what was recorded last, which may not have been delivered
        self._since = self._due = 0  # items since the snapshot, and lines of the last one that are to be delivered
        self._whole = False  # False before the start, and while a bar is processed but its line not yet delivered
        saved = journal.snapshot() if journal else None
        self.fresh = saved is None
        if journal is None or saved is None:
            return
        try:
            engine.restore(saved)
            feed.counts = Counts(*saved["feed"].tolist())
        except BundleError:
            raise
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BundleError(f"{journal.folder / SNAPSHOT}: not a snapshot of this version: {error}") from None
        feed.last = engine.last
        for record in journal.records():
            one = self._recorded(record)
            if engine.last is None or one[0] > engine.last[0]:
                self.untold = self._follow(feed.take(one))
        self._whole = not self.untold

    @abstractmethod
    def _recorded(self, record: list[Any]) -> T:
        """What the journal holds as a list."""

    @abstractmethod
    def _follow(self, items: Sequence[T]) -> list[Line]:
        """Take what follows on the grid; the lines of what came in, none where nothing is decided at it."""

    @property
    def last_ms(self) -> int | None:
        """Time of the last processed bar; None before the first."""
        return None if self._engine.last is None else int(self._engine.last[0])

    def run(self, incoming: Iterable[object]) -> Iterator[Line]:
        """Lines of all that is accepted, and one with ``dropped`` for what is not.

        What is accepted enters a snapshot only after its lines, and those of `untold`, were delivered: a kill may
        repeat the last ones but never loses one.

        Raises
        ------
        FeedError
            As the feed.
        """
        if not self.fresh:
            self._whole = True
            self.save()  # also removes a torn line at the end of the journal
        for raw in incoming:
            self._whole = False
            items = self._feed.take(raw)
            if not items:
                self._whole = True
                yield {"dropped": self._feed.notice}
                continue
            if self.journal:
                self.journal.append(items[-1])
            lines = self._follow(items)
            self._due = len(lines)
            yield from lines
            self._due, self._whole = 0, True
            self._since += 1
            if self._since >= SAVE_EVERY:
                self.save()

    def delivered(self) -> None:
        """Confirm that a line was delivered; requesting the next one from `run` confirms it too."""
        if self._due:  # a line of what was dropped is none of an item
            self._due -= 1
            self._whole = not self._due

    def save(self) -> None:
        """Write a snapshot."""
        self._since = 0
        if self.journal:
            self.journal.save({**self._engine.snapshot(), "feed": np.array(self._feed.counts)})

    def close(self) -> None:
        """Write a snapshot and end.

        No snapshot is written of a session that has not started, or was stopped between a bar and its line: the journal
        holds the bar, and the next session repeats the line.
        """
        if self._whole:
            self.save()
        if self.journal:
            self.journal.close()
