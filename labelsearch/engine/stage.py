"""Stages: what one is handed, what it returns, and the units of work that it may run."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

from labelsearch.engine.budget import UNLIMITED, Budget, Rationed
from labelsearch.engine.executors.base import Executor, Unit
from labelsearch.engine.files import Files, read_sealed, seal, write_atomically, write_files
from labelsearch.engine.looks import Stretch

Progress = Callable[[str, int, int], None]  # stage, steps done, steps in all
Inputs = TypeVar("Inputs")


class Result(Protocol):
    """What a stage returns: a frozen dataclass that writes itself into a folder and reads itself from there."""

    @property
    def trial_counts(self) -> Mapping[str, int]:
        """Trials that the ledger counts, by kind. A stage with an extent has ``unit_counts(name)`` instead."""

    def save(self, folder: Path) -> None:
        """Write everything into an empty folder."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`."""


R = TypeVar("R", bound=Result)


class Stored(Generic[R]):
    """A finished result: known by its content, read when it is asked for.

    Parameters
    ----------
    kind : type
        A `Result`.
    folder : Path
    content : str
        Hash of the files of the folder.
    """

    def __init__(self, kind: type[R], folder: Path, content: str) -> None:
        self.kind, self.folder, self.content = kind, folder, content

    def __getstate__(self) -> dict[str, object]:
        """Without the result itself: other processes read it again where they need it."""
        return {name: part for name, part in vars(self).items() if name != "value"}

    def digest(self) -> str:
        """Hash of the content."""
        return self.content

    @cached_property
    def value(self) -> R:
        """The result itself; read again after `forget`."""
        return self.kind.load(self.folder)

    def forget(self) -> None:
        """Hold the result no longer."""
        self.__dict__.pop("value", None)


@dataclass(frozen=True)
class Stage(Generic[Inputs, R]):
    """One step of a run, or a study of one.

    Attributes
    ----------
    name : str
    inputs : type
        A frozen dataclass: all that the stage may know. Each field is filled by its name, with a section of the
        settings, a resolved value, or the `Stored` result of the stage of that name; the key is made of the fields, so
        that nothing a stage reads can be left out.
    result : type
        A `Result`.
    run : callable
        ``run(inputs, work) -> result``.
    looks_at : callable
        ``looks_at(inputs)``: the stretches of future that the stage evaluates on.
    study : bool
        Whether results of several keys are kept side by side.
    extent : tuple of str
        Fields that say how many units there are but change none: units done for a smaller extent serve a larger one.
    """

    name: str
    inputs: type[Inputs]
    result: type[R]
    run: Callable[[Inputs, "Work"], R]
    looks_at: Callable[[Inputs], Sequence[Stretch]] = lambda inputs: ()
    study: bool = False
    extent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """How a stage gets its work done: units, and progress.

    Attributes
    ----------
    executor : Executor
    folder : Path
        Of finished units; a stage that is run again finds them there.
    progress : callable
        ``progress(done, total)``.
    used : list of str
        Names of all units that were asked for.
    budget : Budget
        No unit is begun once it is spent.
    """

    executor: Executor
    folder: Path
    progress: Callable[[int, int], None] = lambda done, total: None
    used: list[str] = field(default_factory=list)
    budget: Budget = UNLIMITED

    @property
    def threads(self) -> int:
        """Threads that a stage may use outside of its units; no result may depend on it."""
        return self.executor.threads

    def units(
        self, unit: Unit, tasks: Mapping[str, Any], shared: Any = None, steps: Mapping[str, int] | None = None
    ) -> dict[str, Files]:
        """Run the units that are not done yet; the files of all, in the order of the tasks.

        Parameters
        ----------
        unit : callable
            Pure; see `labelsearch.engine.executors.base.Unit`.
        tasks : mapping of str to object
            Picklable, by the name of the unit.
        shared : object
            Picklable; handed to every unit.
        steps : mapping of str to int, optional
            Steps of each unit; by default each is one.

        Raises
        ------
        BudgetError
            If units are missing because the budget was spent; the others are kept.
        """
        self.used.extend(tasks)
        sizes = steps or dict.fromkeys(tasks, 1)
        done = {name: files for name in tasks if (files := read_sealed(self.folder / name)) is not None}
        missing = {name: task for name, task in tasks.items() if name not in done}
        total = sum(sizes.values())
        before = total - sum(sizes[name] for name in missing)
        self.progress(before, total)
        rationed = Rationed(missing, self.budget)
        results = self.executor.results(unit, rationed, shared, sizes, lambda done: self.progress(before + done, total))
        with closing(results):  # an error here, as ctrl-C, must stop the workers too
            for name, files in results:
                # not synced: a unit that a power failure has damaged does not match its seal and is run again
                write_atomically(self.folder / name, partial(write_files, seal(files)), durable=False)
                done[name] = files
        rationed.check()
        return {name: done[name] for name in tasks}


def keep_units(folder: Path, key: str) -> None:
    """Keep the finished units of a stopped stage only if they were made from the same inputs."""
    mark = folder / "key"
    if not mark.exists() or mark.read_text() != key:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(key)
