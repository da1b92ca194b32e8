"""Counts evaluations of data that nothing may be chosen on: each is a look, recorded before it happens.

What is looked at is a stretch of time of something named. It stays looked at however its numbers are changed later, and
whoever looks at a part of it has looked at it.
"""

from typing import NamedTuple

from labelsearch.engine.ledger import Ledger


class Look(NamedTuple):
    """Which look at its data an evaluation was, from 1, and how many there have been so far."""

    number: int
    of: int


class Stretch(NamedTuple):
    """What is looked at, from ``start_ms`` to before ``stop_ms``, milliseconds since the epoch."""

    of: str
    start_ms: int
    stop_ms: int

    def overlaps(self, other: "Stretch") -> bool:
        """Whether both have some time of the same in common."""
        return self.of == other.of and self.start_ms < other.stop_ms and other.start_ms < self.stop_ms


def record_look(ledger: Ledger, key: str, at: Stretch, run: str) -> None:
    """Count an evaluation before it happens; the same evaluation counts once.

    Parameters
    ----------
    ledger : Ledger
        Shared by all runs of a folder.
    key : str
        Hash of everything that the evaluation depends on.
    at : Stretch
        What is looked at.
    run : str
        Name of the run that looks.
    """
    if (key, at.of) not in {(event.get("key"), event.get("of")) for event in ledger.events("look")}:
        ledger.append("look", key=key, **at._asdict(), run=run)


def look_number(ledger: Ledger, key: str, of: str | None = None) -> Look | None:
    """The number of an evaluation among the looks at its stretch or a part of it; None if it was never recorded.

    Where it was of several things, ``of`` names the one. A look of an older version, which recorded no stretch, may
    have been at any.
    """
    looks: dict[tuple[str, str], Stretch | None] = {}  # two runs may record the same evaluation at once
    for event in ledger.events("look"):
        known = event.keys() >= {"key", *Stretch._fields}
        name = (str(event.get("key")), str(event.get("of")))
        looks[name] = Stretch(*(event[field] for field in Stretch._fields)) if known else None
    own = next((name for name in looks if name[0] == key and of in (None, name[1])), None)
    at = looks[own] if own is not None else None
    if own is None or at is None:
        return None
    same = [other for other, stretch in looks.items() if stretch is None or stretch.overlaps(at)]
    return Look(same.index(own) + 1, len(same))
