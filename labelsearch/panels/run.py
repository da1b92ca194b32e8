"""Run a panel: all of its cells, then the verdict on them together."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from labelsearch.engine.executors.base import Executor
from labelsearch.engine.executors.choice import ALONE, Workers
from labelsearch.engine.run import Run, silent
from labelsearch.engine.stage import Progress
from labelsearch.panels.beside import put_beside, split_run
from labelsearch.panels.book.run import check_book, run_split
from labelsearch.panels.book.verdict import VERDICT as BOOK_VERDICT
from labelsearch.panels.cells import CellTask, Place, run_cells
from labelsearch.panels.pooling import Pooling
from labelsearch.panels.verdict import VERDICT, verdict_inputs
from labelsearch.results.panel_run import INTERVALS
from labelsearch.settings.cells import Cell, Cells, cells_of
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.roll import KEPT
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.cross_section import Beside
from labelsearch.stages.plan import CODE, opened
from labelsearch.stages.seeds import Seeds


@contextmanager
def open_panel(
    experiment: Experiment, runs: Path, store: Path, *, workers: Workers = ALONE, progress: Progress = silent
) -> Iterator["PanelRun"]:
    """The run of an experiment with many markets or splits, locked.

    Raises
    ------
    RunError
        If another process works on the run.
    ExperimentError
        As `labelsearch.settings.cells.cells_of` and `labelsearch.stages.plan.opened`.
    """
    # workers on other machines start elsewhere
    folder, store = (runs / experiment.run_id).absolute(), store.absolute()
    with opened(experiment, folder, store, workers) as (saved, executor):
        yield PanelRun(saved, cells_of(saved, store), Place(folder, store, workers.budget), executor, progress)


class PanelRun:
    """Cells and verdict of a panel in its folder."""

    def __init__(
        self, experiment: Experiment, cells: Cells, place: Place, executor: Executor, progress: Progress
    ) -> None:
        self.experiment, self.cells, self.place = experiment, cells, place
        self.executor, self.progress = executor, progress
        self._besides: dict[int, Beside] = {}  # by split

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.place.panel

    def do(self, *, classifier_seeds: int = 0) -> None:
        """Run everything that is not done yet.

        Parameters
        ----------
        classifier_seeds : int
            Repetitions of every cell with other seeds of its classifiers.
        """
        roll, pool = self.experiment.roll, self.experiment.pool
        pooled = pool.classifiers or pool.strategies
        is_kept = roll.refit != "everything" or roll.hyperparameters != "each"
        if self.experiment.book.is_one:
            check_book(self.experiment)
        if classifier_seeds and (pooled or is_kept or self.experiment.book.is_one):
            raise ExperimentError(
                "other seeds of the classifiers need cells that share nothing: no [pool], no refit, and "
                "hyperparameters of each split"
            )
        self.run_cells(classifier_seeds)
        run = Run(self.folder, {}, {}, CODE, self.executor, self.progress, budget=self.place.budget)
        if self.experiment.book.is_one:
            run.do(BOOK_VERDICT, **self._books(self.places()))
        else:
            run.do(VERDICT, **verdict_inputs(self.experiment, self.cells, self.place, classifier_seeds))

    def run_cells(self, classifier_seeds: int = 0) -> None:
        """Run all cells that are not done yet, as far as the verdict needs them."""
        roll, pool = self.experiment.roll, self.experiment.pool
        pooled = pool.classifiers or pool.strategies
        pooling = Pooling(self.experiment, self.cells, self.place, self.executor, self.progress)
        pooling.check()
        last = "outputs" if self.experiment.book.is_one else CellTask._field_defaults["last"]
        tasks = {
            cell.name: CellTask(cell, {}, last=last, classifier_seeds=classifier_seeds) for cell in self.cells.cells
        }
        kept = [name for name in KEPT[roll.refit] if not (name in ("features", "classifiers") and pool.classifiers)]
        # with [pool] classifiers it is what all markets share that keeps them
        earlier = roll.hyperparameters == "first" and not pool.classifiers
        first = {cell.market: cell for cell in reversed(self.cells.cells)}
        done = 0
        for cells in self._waves(first, pooled=pooled, is_kept=bool(kept or earlier)):
            wave = [self._task(tasks[cell.name], first[cell.market], kept, earlier=earlier) for cell in cells]
            if self.experiment.needs_cross_section:
                wave = self._beside(wave)
            if pooled:
                wave = pooling.tasks(wave)
            self._run(wave, done, len(tasks))
            done += len(wave)

    def places(self) -> list[Place]:
        """Where the outputs on bars of each interval of a book lie, the first of its own, once they are computed."""
        return [self.place, *map(self._at_interval, self.experiment.data.intervals[1:])]

    def _at_interval(self, interval: str) -> Place:
        """Where the outputs on bars of another interval lie, once they are computed."""
        experiment = self.experiment.at_interval(interval)
        place = replace(self.place, panel=self.place.panel / INTERVALS / interval)

        def tell(name: str, done: int, total: int) -> None:
            self.progress(f"{interval} {name}", done, total)

        PanelRun(experiment, cells_of(experiment, place.store), place, self.executor, tell).run_cells()
        return place

    def _books(self, places: Sequence[Place]) -> dict[str, object]:
        """Inputs of the verdict on a book, once its splits are searched; ``places`` by interval."""
        experiment, found = self.experiment, []
        for number in range(1, len(self.cells.splits) + 1):
            cells = self.cells.of(number)
            run = split_run(self.place, number, self.executor, self.progress)
            found.append(run_split(experiment, cells, places, self.beside(number).split, run))
        costs = experiment.costs
        return {
            "splits": self.cells.splits,
            "books": tuple(found),
            "absent": self.cells.absent,
            "sizes": experiment.tiers.descending,
            "beta_bound": experiment.book.beta_bound,
            "capital": costs.capital if costs.impact else None,
            "shifts": experiment.book.shifts,
            "null": experiment.null,
            "seeds": Seeds(experiment.seed),
        }

    def _waves(self, first: Mapping[str, Cell], *, pooled: bool, is_kept: bool) -> Iterator[list[Cell]]:
        """Cells that may be at work at once.

        Those of one split where markets share something; the first ones of their markets before those that keep some
        of their results.
        """
        if pooled:
            yield from (self.cells.of(number) for number in range(1, len(self.cells.splits) + 1))
        elif is_kept:
            yield [cell for cell in self.cells.cells if cell is first[cell.market]]
            yield [cell for cell in self.cells.cells if cell is not first[cell.market]]
        else:
            yield list(self.cells.cells)

    def beside(self, split: int) -> Beside:
        """The markets of a split side by side; their bars are read once."""
        if split not in self._besides:
            run = split_run(self.place, split, self.executor, self.progress)
            self._besides[split] = put_beside(self.experiment, self.cells.of(split), self.place, run)
        return self._besides[split]

    def _beside(self, tasks: Sequence[CellTask]) -> list[CellTask]:
        """The tasks with the other markets of their splits, where cells are compared with them."""
        found = {number: self.beside(number) for number in sorted({task.cell.split for task in tasks})}
        if not self.experiment.compares_markets:
            return list(tasks)
        return [task._replace(beside=found[task.cell.split]) for task in tasks]

    def _task(self, task: CellTask, first: Cell, kept: Sequence[str], *, earlier: bool) -> CellTask:
        """The task of a cell that keeps results of the first one of its market."""
        if task.cell is first:
            return task
        results = {name: self.place.recorded(first, name) for name in kept}
        tried = results.pop("search", None)
        return task._replace(
            adopted=results,
            judged=None if tried is None else (tried, False),
            earlier=self.place.recorded(first, "classifiers") if earlier else None,
        )

    def _run(self, tasks: Sequence[CellTask], done: int, total: int) -> None:
        if tasks:
            self.progress("cells", done, total)
            run_cells(tasks, self.place, self.executor, lambda count: self.progress("cells", done + count, total))
