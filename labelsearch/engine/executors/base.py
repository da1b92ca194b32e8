"""What the engine asks of a place that executes units of work."""

import os
import sysconfig
import traceback
from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

from labelsearch.engine.budget import BudgetError
from labelsearch.engine.files import Files
from labelsearch.engine.memory import give_back
from labelsearch.errors import InputError, LabelsearchError

IN_FLIGHT = 2  # tasks submitted per worker
POLL_SECONDS = 0.5  # between looks at units at work
Unit = Callable[[Any, Any], Files]
"""A pure function of a task and of what all tasks share, importable by name. It may report steps with `tell`."""


class WorkError(LabelsearchError):
    """A unit or a stage has failed, or a process that executes units has ended; one line that says where."""


class Executor(Protocol):
    """Executes pure units. A second engine implements this and nothing else."""

    @property
    def workers(self) -> int:
        """Units that may be at work at once."""

    @property
    def threads(self) -> int:
        """Threads of this process that a stage may use while no units are at work."""

    def close(self) -> None:
        """Let go of processes and connections."""

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
            Picklable tasks by name; its iteration may end early. A name is taken when its unit can be begun.
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


def nothing() -> None:
    """No preparation."""


def cap_threads() -> None:
    """One thread for every library of this process, loaded or not: units share the processors among themselves.

    Bits may depend on the threads of a matrix library, so this is more than manners.
    """
    import numba
    from threadpoolctl import threadpool_limits

    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    threadpool_limits(1)
    numba.set_num_threads(1)


def tell(steps: int) -> None:
    """Report that the unit at work has done some more of its steps; for unit functions to call."""
    steps = min(steps, TELLER.left)
    TELLER.left -= steps
    TELLER.add(steps)


def execute(name: str, unit: Unit, task: Any, shared: Any, steps: int) -> Files:
    """Run one unit in this process; steps that it has not reported count when it ends.

    Raises
    ------
    WorkError
        Names the unit and what it raised, `SystemExit` too. Errors that the user can mend are raised as they are.
    """
    TELLER.left = steps
    try:
        files = unit(task, shared)
    except (InputError, BudgetError):
        raise
    except (Exception, SystemExit) as error:
        raise WorkError(f"{name}: {describe(error)}") from error
    give_back()
    tell(TELLER.left)
    return files


def one_line(error: BaseException) -> str:
    """An error as one line: its notes and what it is, or the text alone of one that we raise on purpose."""
    if isinstance(error, LabelsearchError):
        return " ".join(str(error).split())
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return " ".join(": ".join([*getattr(error, "__notes__", ()), text]).split())[:500]


def describe(error: BaseException) -> str:
    """As `one_line`, with the last line outside of installed packages that raised what we did not."""
    if isinstance(error, LabelsearchError):
        return one_line(error)
    installed = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(installed)]
    return one_line(error) + (f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else "")
