"""Find and open runs, panels and cells for commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import progress_bars

if TYPE_CHECKING:
    from labelsearch.engine.executors.choice import Workers
    from labelsearch.engine.run import Run, RunError
    from labelsearch.panels.run import PanelRun
    from labelsearch.results.panel_run import PanelResults
    from labelsearch.results.run import Results
    from labelsearch.settings.experiment import Experiment


@contextmanager
def working_on(
    experiment: "Experiment", runs: Path, store: Path, workers: "Workers | None" = None, folder: Path | None = None
) -> Iterator["Run"]:
    """The locked run of an experiment, with progress bars; own files that are executed are named on stderr.

    Parameters
    ----------
    experiment : Experiment
    runs, store : Path
    workers : Workers, optional
    folder : Path, optional
        Of a run that lies elsewhere than in ``runs`` under its own id; of a cell, if it is one.

    Raises
    ------
    RunError
        If there are several markets or splits.
    """
    from labelsearch.engine.executors.choice import ALONE
    from labelsearch.panels.reopen import reopen_cell
    from labelsearch.results.run import is_cell
    from labelsearch.stages.plan import open_run

    if experiment.is_panel:
        raise _needs_a_cell(runs / experiment.run_id, experiment, "/experiment.toml")
    name_own_files(experiment)
    with progress_bars() as progress:
        if folder is not None and is_cell(folder):
            opened = reopen_cell(folder, store, workers=workers or ALONE, progress=progress)
        else:
            opened = open_run(experiment, runs, store, workers=workers or ALONE, progress=progress, folder=folder)
        with opened as run:
            yield run


@contextmanager
def working_on_panel(
    experiment: "Experiment", runs: Path, store: Path, workers: "Workers | None" = None
) -> Iterator["PanelRun"]:
    """As `working_on`, for an experiment of many markets or splits."""
    from labelsearch.engine.executors.choice import ALONE
    from labelsearch.panels.run import open_panel

    name_own_files(experiment)
    with (
        progress_bars() as progress,
        open_panel(experiment, runs, store, workers=workers or ALONE, progress=progress) as run,
    ):
        yield run


def name_own_files(experiment: "Experiment") -> None:
    """Say on stderr which of the user's own files are executed."""
    for path in experiment.own:
        click.echo(f"executing your own file {path}", err=True)


def cell_of(path: Path) -> Path | None:
    """Folder of the cell whose own settings a file holds; None for any other experiment file."""
    from labelsearch.results.run import is_cell

    return path.parent if path.name == "experiment.toml" and is_cell(path.parent) else None


def find_results(name: str, runs: Path, store: Path) -> "Results | PanelResults":
    """Results of a run, a cell or a panel, by path, id or start of an id.

    Raises
    ------
    RunError
        If there is none, or more than one.
    """
    from labelsearch.engine.run import RunError, find_run
    from labelsearch.results.panel_run import PanelResults, is_panel
    from labelsearch.results.run import Results

    try:
        folder = find_run(name, runs)
    except RunError:
        # a panel has no ledger before its verdict
        folder = next((path for path in (Path(name), runs / name) if is_panel(path)), Path())
        if not is_panel(folder):
            raise
    return PanelResults(folder, store) if is_panel(folder) else Results(folder, store)


def find_alone(name: str, runs: Path, store: Path) -> "Results":
    """Results of a run of one market and one split, as `find_results`.

    Raises
    ------
    RunError
        As `find_results`, and for a panel.
    """
    from labelsearch.results.run import Results

    results = find_results(name, runs, store)
    if isinstance(results, Results):
        return results
    raise _needs_a_cell(results.folder, results.experiment)


def finished(results: "Results", last: str = "belief") -> "Results":
    """The same results; `RunError` if the tiers, or what they are worth where ``last`` is belief, are not there."""
    from labelsearch.engine.run import RunError

    for stage in dict.fromkeys(("ensembles", last)):
        if stage not in results.done:
            again = f"labelsearch run {results.folder}/experiment.toml"
            raise RunError(f"{results.folder} has no {stage} yet; to finish the run: {again}")
    return results


def _needs_a_cell(panel: Path, experiment: "Experiment", file: str = "") -> "RunError":
    """Says which cell might be meant."""
    from labelsearch.engine.run import RunError
    from labelsearch.results.run import CELLS

    there = sorted(path.parent for path in (panel / CELLS).glob("*/*/experiment.toml"))
    cell = there[-1] if there else panel / CELLS / experiment.data.markets[0] / f"split-{len(experiment.splits)}"
    return RunError(f"{panel.name} has many markets or splits: name one of its cells, e.g. {cell.as_posix()}{file}")
