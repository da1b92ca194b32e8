"""What the engine asks of a place that executes units of work."""

from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

from labelsearch.engine.files import Files

Unit = Callable[[Any, Any], Files]
"""A pure function of a task and of what all tasks share, importable by name. It may report steps with `tell`."""


class Executor(Protocol):
    """Executes pure units. A second engine implements this and nothing else."""

    @property
    def workers(self) -> int:
        """Units that may be at work at once."""

    def results(
        self,
        unit: Unit,
        tasks: Mapping[str, Any],
        shared: Any,
        steps: Mapping[str, int],
        progress: Callable[[int], None],
    ) -> Generator[tuple[str, Files], None, None]:
        """Yield the name and the files of each unit as it ends, in any order; closing the generator stops the rest.

        Parameters
        ----------
        unit : callable
        tasks : mapping of str to object
            Picklable tasks by name.
        shared : object
            Handed to every unit; sent to each worker once.
        steps : mapping of str to int
            Steps of each unit.
        progress : callable
            Called with the steps done so far, in all units.
        """


class _Teller:
    """Steps of the unit at work in this process, passed on as they are done."""

    def __init__(self) -> None:
        self.left = 0
        self.add: Callable[[int], None] = lambda steps: None


TELLER = _Teller()


def tell(steps: int) -> None:
    """Report that the unit at work has done some more of its steps; for unit functions to call."""
    steps = min(steps, TELLER.left)
    TELLER.left -= steps
    TELLER.add(steps)


def execute(unit: Unit, task: Any, shared: Any, steps: int) -> Files:
    """Run one unit in this process; steps that it has not reported count when it ends."""
    TELLER.left = steps
    files = unit(task, shared)
    tell(TELLER.left)
    return files
