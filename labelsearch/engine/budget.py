"""How long a command may work, and with how much memory: looked at between units, so that it stops with all done."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, isinf
from typing import Any, Self

from labelsearch.engine.meter import resident_bytes
from labelsearch.errors import LabelsearchError

GIB = 2**30


class BudgetError(LabelsearchError):
    """The budget is spent; what is finished is kept."""


@dataclass(frozen=True)
class Budget:
    """Limits of a command.

    Attributes
    ----------
    until : float
        Seconds since the epoch, so that it holds in processes of other machines.
    max_bytes : float
        Resident memory of this process and its children; pages that they share count in each.
    """

    until: float = inf
    max_bytes: float = inf

    @classmethod
    def of(cls, hours: float | None, gib: float | None) -> Self:
        """From now on; None for no limit."""
        return cls(inf if hours is None else time.time() + 3600 * hours, inf if gib is None else gib * GIB)

    def spent(self) -> str:
        """What is spent, as text; empty while there is some left."""
        if time.time() >= self.until:
            return "the time of --max-hours is over"
        if not isinf(self.max_bytes) and (used := resident_bytes()) > self.max_bytes:
            return f"{used / GIB:.1f} GiB of memory are more than --max-memory"
        return ""

    def check(self) -> None:
        """Raise `BudgetError` if it is spent."""
        if reason := self.spent():
            raise BudgetError(reason)


UNLIMITED = Budget()


class Rationed(Mapping[str, Any]):
    """Tasks that are handed out one by one until a budget is spent; executors take one when they can start it."""

    def __init__(self, tasks: Mapping[str, Any], budget: Budget) -> None:
        self._tasks, self._budget = tasks, budget
        self.reason = ""  # why the rest was held back

    def __getitem__(self, name: str) -> Any:
        return self._tasks[name]

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[str]:
        for name in self._tasks:
            self.reason = self._budget.spent()
            if self.reason:
                return
            yield name

    def check(self) -> None:
        """Raise `BudgetError` if tasks were held back."""
        if self.reason:
            raise BudgetError(self.reason)
