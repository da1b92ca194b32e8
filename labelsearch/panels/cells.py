"""Run the cells of a panel. A cell is a run of its own, so it resumes, and is read, as any other run.

Cells are units of the panel's executor, and each runs within one process: a small cell would spend longer on starting
processes than on its work. Where there are fewer cells than workers, the units of each cell are spread instead. No
result depends on which it is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from labelsearch.engine.budget import UNLIMITED, Budget, BudgetError, Rationed
from labelsearch.engine.executors.base import Executor
from labelsearch.engine.executors.choice import ALONE, Workers
from labelsearch.engine.files import Files
from labelsearch.engine.run import Run, recorded, silent
from labelsearch.engine.stage import Progress, Stored
from labelsearch.errors import InputError
from labelsearch.results.classifiers import Classifiers
from labelsearch.results.run import CELLS
from labelsearch.results.search import Strategies
from labelsearch.settings.cells import Cell
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.classifiers import KNOWN
from labelsearch.stages.cross_section import Beside
from labelsearch.stages.plan import CODE, STAGES, open_run
from labelsearch.stages.search import JUDGED
from labelsearch.studies.seeds import repeat_with_other_seeds

STOPPED = "stopped"


@dataclass(frozen=True)
class Place:
    """Where the cells of a panel lie, and the imported bars; and what their work may take."""

    panel: Path
    store: Path
    budget: Budget = UNLIMITED

    def folder(self, cell: Cell) -> Path:
        """Folder of a cell."""
        return self.panel / CELLS / cell.name

    def recorded(self, cell: Cell, stage: str) -> Stored[Any]:
        """The latest result of a stage of a cell."""
        return recorded(self.folder(cell), STAGES[stage])


class CellTask(NamedTuple):
    """A cell, and what was made for it elsewhere.

    ``adopted``: results by the name of their stage. ``judged``: strategies that are evaluated instead of searched, and
    whether they keep their score. ``earlier``: classifiers whose hyper-parameters serve instead of searched ones.
    ``last``: the stage to end with. ``classifier_seeds``: repetitions of all of it with other seeds of the
    classifiers. ``beside``: the other markets, where they are compared.
    """

    cell: Cell
    adopted: dict[str, Stored[Any]]
    judged: tuple[Stored[Strategies], bool] | None = None
    earlier: Stored[Classifiers] | None = None
    last: str = "ensembles"
    classifier_seeds: int = 0
    beside: Beside | None = None


def open_in_panel(
    experiment: Experiment,
    folder: Path,
    store: Path,
    workers: Workers,
    progress: Progress,
    beside: Beside | None = None,
) -> AbstractContextManager[Run]:
    """The run of a cell in its folder, ``<panel>/cells/<market>/split-<number>``, locked.

    It may copy results of the same market from other panels of the folder of runs, and its looks are counted there.
    """
    panel, market = folder.parents[2], folder.parent.name
    return open_run(
        experiment,
        panel.parent,
        store,
        workers=workers,
        progress=progress,
        folder=folder,
        base=Run(panel, STAGES, {}, CODE),
        kin=(panel.parent, f"*/{CELLS}/{market}/*"),
        beside=beside,
    )


@contextmanager
def open_cell(task: CellTask, place: Place, workers: Workers = ALONE, progress: Progress = silent) -> Iterator[Run]:
    """As `open_in_panel`, with results made elsewhere; errors that the user can mend name the cell."""
    cell = task.cell
    try:
        with open_in_panel(cell.experiment, place.folder(cell), place.store, workers, progress, task.beside) as run:
            for name, result in task.adopted.items():
                run.adopt(STAGES[name], result)
            yield run
    except InputError as error:
        raise ExperimentError(f"{cell.market}, split {cell.split}: {error}") from error


def run_cell(task: CellTask, place: Place, workers: Workers = ALONE, progress: Progress = silent) -> None:
    """Run a cell up to a stage."""
    cell = task.cell
    with open_cell(task, place, workers, progress) as run:
        run.do(STAGES["costs"])  # what is wrong with them is told before anything is trained
        if task.earlier is not None:
            run.adopt(STAGES["classifiers"], run.do(KNOWN, earlier=task.earlier))
        if task.judged is not None:
            tried, keep_score = task.judged
            run.adopt(STAGES["search"], run.do(JUDGED, tried=tried, keep_score=keep_score))
        run.do(STAGES[task.last])
        if task.classifier_seeds:
            seed, search = cell.experiment.seed, cell.experiment.search
            repeat_with_other_seeds(run, seed, search, search=0, classifier=task.classifier_seeds)


def cell_unit(task: CellTask, shared: Place) -> Files:
    """Run a cell within this process; its results lie in its folder. One file says so if the budget ended it."""
    try:
        # memory is that of all processes together, which only the first of them sees
        run_cell(task, shared, Workers(1, budget=Budget(shared.budget.until)))
    except BudgetError as error:
        return {STOPPED: str(error).encode()}
    return {}


def run_cells(tasks: Sequence[CellTask], place: Place, executor: Executor, progress: Callable[[int], None]) -> None:
    """Run some cells.

    Parameters
    ----------
    tasks : sequence of CellTask
    place : Place
    executor : Executor
    progress : callable
        Called with the number of cells that are done.

    Raises
    ------
    BudgetError
        If the budget ended before them.
    """
    if len(tasks) < executor.workers:
        for number, task in enumerate(tasks, 1):
            run_cell(task, place, Workers(lent=executor, budget=place.budget))
            progress(number)
        return
    named = {task.cell.name: task for task in tasks}
    rationed = Rationed(named, place.budget)
    results = executor.results(cell_unit, rationed, place, dict.fromkeys(named, 1), progress)
    with closing(results):
        stopped = [files[STOPPED].decode() for _, files in results if STOPPED in files]
    if stopped:
        raise BudgetError(stopped[0])
    rationed.check()
