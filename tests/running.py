"""Runs in one call."""

from pathlib import Path

from labelsearch.engine.executors.choice import Workers
from labelsearch.engine.run import silent
from labelsearch.engine.stage import Progress
from labelsearch.panels.run import open_panel
from labelsearch.settings.experiment import Experiment
from labelsearch.stages.plan import STAGES, open_run


def run_experiment(
    experiment: Experiment,
    runs: Path,
    store: Path,
    *,
    last: str = "belief",
    workers: int = 1,
    progress: Progress = silent,
) -> Path:
    """Folder of a run whose stages up to ``last`` are done."""
    with open_run(experiment, runs, store, workers=Workers(workers), progress=progress) as run:
        run.do(STAGES[last])
    return run.folder


def run_panel(experiment: Experiment, runs: Path, store: Path, *, workers: int = 1) -> Path:
    """Folder of a panel whose cells are run and judged."""
    with open_panel(experiment, runs, store, workers=Workers(workers)) as run:
        run.do()
    return run.folder
