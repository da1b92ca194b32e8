"""Run the stages of an experiment: each once for the same inputs, recorded in one ledger."""

import fcntl
import hashlib
import importlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labelsearch import __version__
from labelsearch.pipeline.context import Context, Progress, silent
from labelsearch.pipeline.experiment import Experiment
from labelsearch.pipeline.ledger import Event, Ledger, record_look
from labelsearch.pipeline.meter import Meter
from labelsearch.pipeline.reuse import digest_files, take_over
from labelsearch.pipeline.units import write_atomically


class RunError(ValueError):
    """A run that cannot be used, as one line."""


@dataclass(frozen=True)
class Stage:
    """One step of a run: a module of `labelsearch.pipeline.stages` with ``run(context, folder)``.

    Attributes
    ----------
    name : str
    needs : tuple of str
        Stages whose results it reads.
    sections : tuple of str
        Parts of the experiment it depends on.
    looks_at_future : bool
        Whether it evaluates strategies on the future window; each such evaluation is counted across runs.
    version : int
        Raised when the code of the stage gives other results for the same inputs.
    """

    name: str
    needs: tuple[str, ...]
    sections: tuple[str, ...]
    looks_at_future: bool = False
    version: int = 1


STAGES = (
    Stage("labels", (), ("data", "windows", "labels", "label"), version=3),
    Stage("features", ("labels",), ("feature_space", "separation"), version=2),
    Stage("classifiers", ("labels", "features"), ("network",), version=3),
    Stage("outputs", ("features", "classifiers"), (), version=2),
    Stage("search", ("outputs",), ("search", "score"), version=2),
    Stage("ensembles", ("outputs", "search"), ("score", "tiers"), looks_at_future=True, version=4),
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)


def done_events(ledger: Ledger) -> dict[str, Event]:
    """Latest record of each finished stage, by name."""
    return {event["stage"]: event for event in ledger.events("stage")}


def looks_ledger(folder: Path) -> Ledger:
    """The record of looks at future windows, shared by all runs beside this one."""
    return Ledger(folder.parent / "looks.jsonl")


def _key(stage: Stage, context: Context, done: dict[str, Event], bars: str) -> str:
    """What a stage's result depends on."""
    text = json.dumps(
        {
            "stage": stage.name,
            "version": [__version__, stage.version],
            "seed": context.experiment.seed,
            **_reseeded(context),
            "bars": bars,
            "sections": context.experiment.section(*stage.sections),
            "needs": {name: done[name]["content"] for name in stage.needs},
        },
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _reseeded(context: Context) -> dict[str, list[object]]:
    """What other seeds add to a key; nothing in a run of its own."""
    if context.reseed is None:
        return {}
    return {"reseed": [context.reseed.kind, context.reseed.number]}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process works on a run; a killed one leaves no lock behind."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{folder} is in use by another process") from None
        yield


def _prepare_units(folder: Path, key: str) -> None:
    """Keep finished units of a stopped stage only if they were made from the same inputs."""
    mark = folder / "key"
    if not mark.exists() or mark.read_text() != key:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(key)


def _run_stage(stage: Stage, context: Context, ledger: Ledger, key: str) -> None:
    module = importlib.import_module(f"labelsearch.pipeline.stages.{stage.name}")
    _prepare_units(context.units(stage.name), key)
    if stage.looks_at_future:
        rows = context.rows("future")
        data = context.bars.rows(rows.start, rows.stop).digest()
        record_look(looks_ledger(context.folder), key, data, context.folder.name)
    counts = {}

    def write(draft: Path) -> None:
        counts.update(module.run(context, draft))

    with Meter() as meter:
        write_atomically(context.stage(stage.name), write)
    ledger.append(
        "stage",
        stage=stage.name,
        key=key,
        content=digest_files(context.stage(stage.name)),
        counts=counts,
        seconds=round(meter.seconds, 3),
        peak_mb=round(meter.peak_mb, 1),
        time=int(time.time()),
    )
    shutil.rmtree(context.units(stage.name))


def run_experiment(
    experiment: Experiment,
    runs: Path,
    store: Path,
    *,
    last: str = "ensembles",
    workers: int = 2,
    progress: Progress = silent,
) -> Context:
    """Run all stages up to ``last``; those already done for the same inputs, by this or another run, are skipped.

    Parameters
    ----------
    experiment : Experiment
    runs, store : Path
        Folder of runs, and of imported bars.
    last : str
        Name of the last stage to run.
    workers : int
        Processes for the units of a stage; the result does not depend on it.
    progress : callable
        Told the stage, its units done and its units in all; a skipped stage reports (0, 0).

    Returns
    -------
    Context
        The run, with all results on disk.
    """
    context = Context(experiment, runs / experiment.run_id, store, workers, progress)
    with locked(context.folder):
        context.experiment = experiment.save(context.folder)  # the user's own files as they are now
        ledger = Ledger(context.folder / "ledger.jsonl")
        bars = context.bars.digest()
        run_stages(context, ledger, STAGES[: STAGE_NAMES.index(last) + 1], bars)
    return context


def run_stages(
    context: Context, ledger: Ledger, stages: Iterable[Stage], bars: str, before: Mapping[str, Event] | None = None
) -> dict[str, Event]:
    """Run stages in order, but those done before for the same inputs.

    Parameters
    ----------
    context : Context
    ledger : Ledger
        Of the run.
    stages : iterable of Stage
    bars : str
        Digest of the bars.
    before : mapping of str to event, optional
        Records of stages that another run did.

    Returns
    -------
    dict of str to event
        The latest record of every finished stage.
    """
    for stage in stages:
        done = {**(before or {}), **done_events(ledger)}
        key = _key(stage, context, done, bars)
        finished = done.get(stage.name)
        if finished and finished["key"] == key and context.stage(stage.name).is_dir():
            context.progress(stage.name, 0, 0)
            continue
        taken = None if context.reseed else take_over(stage.name, key, context.folder)
        if taken:
            ledger.append("stage", **{**taken, "time": int(time.time())})
            context.progress(stage.name, 0, 0)
            continue
        _run_stage(stage, context, ledger, key)
    return {**(before or {}), **done_events(ledger)}


def open_context(folder: Path, store: Path) -> Context:
    """The context of a finished run; raises `RunError` if there is none in ``folder``."""
    if not (folder / "experiment.toml").is_file():
        raise RunError(f"{folder} holds no run")
    return Context(Experiment.load(folder / "experiment.toml"), folder, store)


def list_runs(runs: Path) -> list[Path]:
    """Run folders, oldest first."""
    if not runs.is_dir():
        return []
    found = [path for path in runs.iterdir() if (path / "ledger.jsonl").is_file()]
    return sorted(found, key=lambda path: ((path / "ledger.jsonl").stat().st_mtime, path.name))


def find_run(name: str, runs: Path) -> Path:
    """Folder of a run by path, full id, or unambiguous start of an id."""
    if (Path(name) / "ledger.jsonl").is_file():
        return Path(name)
    matching = [path for path in list_runs(runs) if path.name.startswith(name)]
    exact = [path for path in matching if path.name == name]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    known = ", ".join(path.name for path in list_runs(runs)) or "none"
    raise RunError(f"{'no' if not matching else 'more than one'} run matches {name!r}; there are: {known}")
