"""Run stages: each once for the same inputs, recorded in the ledger of its run."""

import logging
import os
import shutil
import time
from collections import ChainMap, Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from labelsearch.durable import held
from labelsearch.engine.budget import UNLIMITED, Budget, BudgetError
from labelsearch.engine.executors.base import Executor, WorkError, describe
from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.files import digest_files, write_atomically
from labelsearch.engine.key import Code, digest
from labelsearch.engine.ledger import Event, Ledger
from labelsearch.engine.looks import record_look
from labelsearch.engine.memory import give_back
from labelsearch.engine.meter import Meter
from labelsearch.engine.reuse import take_over
from labelsearch.engine.stage import Progress, R, Stage, Stored, Work, keep_units
from labelsearch.errors import InputError

LEDGER, LOOKS = "ledger.jsonl", "looks.jsonl"
logger = logging.getLogger(__name__)


class RunError(InputError):
    """A run that cannot be used, as one line."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def done_events(ledger: Ledger) -> dict[str, Event]:
    """Latest record of each finished stage, by name."""
    return {event["stage"]: event for event in ledger.stages()}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process works on a run; a killed one leaves no lock behind.

    Raises
    ------
    RunError
        If another process does.
    """
    with held(folder / ".lock", busy=RunError(f"{folder} is in use by another process")):
        yield


@dataclass(frozen=True)
class Run:
    """A folder of results, and how more of them are made.

    Attributes
    ----------
    folder : Path
    stages : mapping of str to Stage
        All stages that others may declare as inputs.
    values : mapping of str to object
        Sections and resolved values by name; read only where a stage declares them.
    code : Code
        What of the source code is part of a key.
    executor : Executor
    progress : callable
        Told the stage, its steps done and its steps in all; (0, 0) for one that was done before.
    base : Run, optional
        A run whose results with equal keys are used in place.
    kin : tuple of (Path, str), optional
        A folder and a pattern of runs below it, whose results with equal keys are copied; by default, those of the
        runs beside this one, and of none if it has a base.
    budget : Budget
        No stage and no unit is begun once it is spent.
    """

    folder: Path
    stages: Mapping[str, Stage[Any, Any]]
    values: Mapping[str, object]
    code: Code
    executor: Executor = field(default_factory=LocalExecutor)
    progress: Progress = silent
    base: "Run | None" = None
    kin: tuple[Path, str] | None = None
    budget: Budget = UNLIMITED

    @cached_property
    def _done(self) -> dict[str, Stored[Any]]:
        """Results of this process."""
        return {}

    @cached_property
    def ledger(self) -> Ledger:
        """The record of this run."""
        return Ledger(self.folder / LEDGER)

    @cached_property
    def looks(self) -> Ledger:
        """The record of looks at future windows, shared by all runs of a folder."""
        return self.base.looks if self.base else Ledger(self.folder.parent / LOOKS)

    @property
    def name(self) -> str:
        """Name of the folder, below that of the run it belongs to."""
        return f"{self.base.name}/{self.folder.parent.name}/{self.folder.name}" if self.base else self.folder.name

    def branch(self, name: str, **values: object) -> "Run":
        """The same run with other values, in a folder within it; its progress bears the name of that folder."""
        folder = self.folder / name

        def progress(stage: str, done: int, total: int) -> None:
            self.progress(f"{folder.name} {stage}", done, total)

        both: Mapping[str, object] = ChainMap(values, self.values)  # type: ignore[arg-type]  # only read
        return replace(self, folder=folder, values=both, progress=progress, base=self, kin=None)

    def do(self, stage: Stage[Any, R], **given: object) -> Stored[R]:
        """The result of a stage; it and the stages it needs are run where they are not done yet for the same inputs.

        Parameters
        ----------
        stage : Stage
        given : object
            Values of fields of its inputs that the run itself does not have, as the arguments of a study.

        Raises
        ------
        InputError
            If the stage refuses its inputs.
        WorkError
            If it fails; names the stage and what it raised.
        BudgetError
            If the budget is spent before it is done.
        """
        if not given and stage.name in self._done:
            return self._done[stage.name]
        names = [f.name for f in fields(stage.inputs)]
        inputs = stage.inputs(**{n: given[n] if n in given else self._value(stage, n) for n in names})
        handed = {f.name: digest(getattr(inputs, f.name), self.code) for f in fields(stage.inputs)}
        code = self.code.digest_of(stage.run.__module__)
        key = digest([stage.name, code, handed])
        done = self.finished(stage, key)
        if done is None and not stage.study and (self.kin or not self.base):
            event = take_over(stage.name, key, self.folder, *(self.kin or (self.folder.parent, "*")))
            if event:
                self.ledger.append("stage", **{**event, "time": int(time.time())})
                done = self.finished(stage, key)
        unit_key = digest([stage.name, code, {n: d for n, d in handed.items() if n not in stage.extent}])
        units = self.folder / ".units" / (f"{stage.name}-{unit_key[:12]}" if stage.study else stage.name)
        if done is None:
            try:
                keep_units(units, unit_key)
                done = self._run(stage, inputs, key, units)
            except (InputError, BudgetError):
                raise
            except (Exception, SystemExit) as error:
                raise WorkError(f"{stage.name}: {describe(error)}") from error
        elif self.folder in done.folder.parents:
            self.progress(stage.name, 0, 0)
        if not stage.extent:  # none is asked for again
            shutil.rmtree(units, ignore_errors=True)
        if not given:
            self._done[stage.name] = done
        return done

    def adopt(self, stage: Stage[Any, R], result: Stored[R]) -> None:
        """Let a result of another run serve as that of a stage; it stays where it is."""
        folder = Path(os.path.relpath(result.folder, self.folder)).as_posix()
        latest = done_events(self.ledger).get(stage.name)
        if latest is None or (latest["content"], latest["folder"]) != (result.content, folder):
            self.ledger.append(
                "stage",
                stage=stage.name,
                key=digest(["adopted", result.content]),
                content=result.content,
                folder=folder,
                needs={},
                counts={},  # those of the run that made it
                units=None,
                seconds=0.0,
                peak_mb=0.0,
                time=int(time.time()),
            )
        self._done[stage.name] = result

    def _value(self, stage: Stage[Any, Any], name: str) -> object:
        if name in self.stages:
            return self.do(self.stages[name])
        if name not in set(self.values):
            raise RunError(f"stage {stage.name} declares {name!r}, which nothing provides")
        return self.values[name]

    def finished(self, stage: Stage[Any, R], key: str) -> Stored[R] | None:
        """The result of a key, from this run or its base, if its files are still what they were."""
        later: set[str] = set()  # folders
        for event in reversed(self.ledger.stages()):
            if (event["stage"], event["key"]) == (stage.name, key):
                folder = self.folder / event["folder"]
                # a process killed before it entered its result leaves files that are of no event
                there = folder.is_dir()
                if there and digest_files(folder) == event["content"]:
                    return Stored(stage.result, folder, event["content"])
                if there and event["folder"] not in later:
                    logger.warning("%s: not the files that the ledger records; they are made again", folder)
            later.add(event["folder"])
        return self.base.finished(stage, key) if self.base else None

    def _run(self, stage: Stage[Any, R], inputs: Any, key: str, units: Path) -> Stored[R]:
        self.budget.check()
        for stretch in stage.looks_at(inputs):
            record_look(self.looks, key, stretch, self.name)
        target = Path("studies", stage.name, key[:12]) if stage.study else Path(stage.name)
        work = Work(self.executor, units, partial(self.progress, stage.name), budget=self.budget)
        with Meter() as meter:
            result = stage.run(inputs, work)
            write_atomically(self.folder / target, result.save)
        read = {f.name: x for f in fields(inputs) if isinstance(x := getattr(inputs, f.name), Stored)}
        for one in read.values():
            one.forget()
        give_back()  # the next stage may be the work of other processes, while this one waits
        needs = {name: one.content for name, one in read.items()}
        content = digest_files(self.folder / target)
        self.ledger.append(
            "stage",
            stage=stage.name,
            key=key,
            content=content,
            folder=target.as_posix(),
            needs=needs,
            counts=dict(result.trial_counts) if not stage.extent else self._new_counts(result, units.name, work.used),
            units={"folder": units.name, "names": work.used} if stage.extent else None,
            seconds=round(meter.seconds, 3),
            processor_seconds=round(meter.processor_seconds, 3),
            peak_mb=round(meter.peak_mb, 1),
            time=int(time.time()),
        )
        return Stored(stage.result, self.folder / target, content)

    def _new_counts(self, result: Any, units: str, used: list[str]) -> dict[str, int]:
        """Trials of units that no earlier result has entered."""
        events = [event["units"] for event in self.ledger.stages() if event["units"]]
        entered = {name for event in events if event["folder"] == units for name in event["names"]}
        total: Counter[str] = Counter()
        for name in used:
            if name not in entered:
                total.update(result.unit_counts(name))
        return dict(total)


def recorded(folder: Path, stage: Stage[Any, R]) -> Stored[R]:
    """The latest result of a stage of a run.

    Raises
    ------
    RunError
        If there is none, or its files are not those that the ledger records.
    """
    event = done_events(Ledger(folder / LEDGER)).get(stage.name)
    if event is None:
        raise RunError(f"{folder} has no {stage.name} yet")
    return Stored(stage.result, recorded_folder(folder, event), event["content"])


def recorded_folder(folder: Path, event: Event) -> Path:
    """Folder of a finished stage of a run.

    Raises
    ------
    RunError
        If its files are not those that the ledger records.
    """
    path = folder / event["folder"]
    if not path.is_dir() or digest_files(path) != event["content"]:
        raise RunError(f"{path}: not the files that the ledger records; the command that made them makes them again")
    return path


def is_current(event: Event, done: Mapping[str, Event]) -> bool:
    """Whether what a record was made from is what a run holds now: ``done``, its latest records by stage."""
    return all(done[need]["content"] == content for need, content in event["needs"].items() if need in done)


def current_events(folder: Path, name: str) -> list[Event]:
    """Records of a study, oldest first, that were made from the results that the run holds now."""
    ledger = Ledger(folder / LEDGER)
    done = done_events(ledger)
    return [
        event
        for event in ledger.stages()
        if event["stage"] == name and (folder / event["folder"]).is_dir() and is_current(event, done)
    ]


def list_runs(runs: Path) -> list[Path]:
    """Run folders, oldest first."""
    if not runs.is_dir():
        return []
    folders = [path for path in runs.iterdir() if (path / LEDGER).is_file()]
    return sorted(folders, key=lambda path: ((path / LEDGER).stat().st_mtime, path.name))


def find_run(name: str, runs: Path) -> Path:
    """Folder of a run by path, full id, or unambiguous start of an id.

    Raises
    ------
    RunError
        If there is none, or more than one.
    """
    if (Path(name) / LEDGER).is_file():
        return Path(name)
    matching = [path for path in list_runs(runs) if path.name.startswith(name)]
    exact = [path for path in matching if path.name == name]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    known = ", ".join(path.name for path in list_runs(runs)) or "none"
    raise RunError(f"{'no' if not matching else 'more than one'} run matches {name!r}; known runs: {known}")
