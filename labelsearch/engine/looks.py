"""Counts evaluations of data that nothing may be chosen on: each is a look, recorded before it happens."""

from typing import NamedTuple

from labelsearch.engine.ledger import Ledger


class Look(NamedTuple):
    """Which look at its data an evaluation was, from 1, and how many there have been so far."""

    number: int
    of: int


def record_look(ledger: Ledger, key: str, data: str, run: str) -> None:
    """Count an evaluation before it happens; the same evaluation counts once.

    Parameters
    ----------
    ledger : Ledger
        Shared by all runs of a folder.
    key : str
        Hash of everything that the evaluation depends on.
    data : str
        Hash of the data looked at.
    run : str
        Name of the run that looks.
    """
    if key not in {event.get("key") for event in ledger.events("look")}:
        ledger.append("look", key=key, data=data, run=run)


def look_number(ledger: Ledger, key: str) -> Look | None:
    """The number of an evaluation among the looks at the same data; None if it was never recorded."""
    # two runs may record the same evaluation at once
    looks = {event.get("key"): event.get("data") for event in ledger.events("look")}
    if looks.get(key) is None:
        return None
    same = [other for other, data in looks.items() if data == looks[key]]
    return Look(same.index(key) + 1, len(same))
