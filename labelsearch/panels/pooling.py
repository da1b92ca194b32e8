"""What is fitted once for all markets of a split: feature sets with networks, strategies, or both.

The results lie in ``pooled/split-<number>`` of the run; cells use them in place of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labelsearch.engine.executors.base import Executor
from labelsearch.engine.run import Run
from labelsearch.engine.stage import Progress, Stage, Stored
from labelsearch.panels.cells import CellTask, Place, open_cell, run_cells
from labelsearch.settings.cells import Cells
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages import classifiers, features, search
from labelsearch.stages.plan import CODE, STAGES, RunValues
from labelsearch.stages.seeds import Seeds

POOLED = "pooled"


@dataclass
class Pooling:
    """Fits what markets share, split by split.

    Parameters
    ----------
    experiment : Experiment
        Of the panel.
    cells : Cells
    place : Place
    executor : Executor
    progress : callable
        As of `labelsearch.engine.run.Run`.
    """

    experiment: Experiment
    cells: Cells
    place: Place
    executor: Executor
    progress: Progress
    kept: dict[str, Stored[Any]] = field(default_factory=dict)  # of the first split, by stage

    def check(self) -> None:
        """Raise `ExperimentError` for what later splits could not keep."""
        refit, pool = self.experiment.roll.refit, self.experiment.pool
        if pool.strategies and refit == "tiers":
            raise ExperimentError("[pool] strategies are ranked for all markets, which refit = tiers does not do")
        first = {cell.market for cell in self.cells.of(1)}
        late = [cell for cell in self.cells.cells if cell.market not in first]
        if pool.classifiers and refit != "everything" and late:
            raise ExperimentError(
                f"{late[0].market} joins in split {late[0].split}, and refit = {refit} keeps what was fitted in the "
                "first: leave it out, or refit everything"
            )

    def tasks(self, tasks: Sequence[CellTask]) -> list[CellTask]:
        """Fit what the cells of one split share; their tasks with what they adopt.

        Parameters
        ----------
        tasks : sequence of CellTask
            Of all cells of the split.
        """
        found = list(tasks)
        if self.experiment.pool.classifiers:
            found = self._classifiers(found)
        if self.experiment.pool.strategies:
            found = self._strategies(found)
        return found

    def _classifiers(self, tasks: list[CellTask]) -> list[CellTask]:
        self._cells([task._replace(last="labels") for task in tasks], "labels")
        split = tasks[0].cell.split
        values = {task.cell.market: RunValues(task.cell.experiment, self.place.store) for task in tasks}
        labels = {task.cell.market: self.place.recorded(task.cell, "labels") for task in tasks}
        shared, seeds = next(iter(values.values())), Seeds(self.experiment.seed, (("split", split),))
        pooled = self._do(
            split,
            features.POOLED,
            keep=("classifiers", "search", "tiers"),
            **_some(shared, ("separation", "normalisation", "candidates")),
            seeds=seeds,
            markets=tuple(
                features.MarketFeatures(market, **_some(its, ("train_bars", "boundary")), labels=labels[market])
                for market, its in values.items()
            ),
        )
        sets = {task.cell.market: self._share(task, pooled) for task in tasks}
        names = ("label_kinds", "label_price", "train", "past", "boundary", "warm_up", "bars_before_future")
        stage: Stage[Any, Any] = classifiers.POOLED
        earlier: dict[str, Stored[Any]] = {}
        if self.experiment.roll.hyperparameters == "first" and stage.name in self.kept:
            stage, earlier = classifiers.KNOWN_POOLED, {"earlier": self.kept[stage.name]}
        networks = self._do(
            split,
            stage,
            keep=("search", "tiers"),
            **earlier,
            **_some(shared, ("network", "network_kind")),
            classifier_seeds=seeds,
            markets=tuple(
                classifiers.PooledMarket(labels=labels[market], features=sets[market], **_some(its, names))
                for market, its in values.items()
            ),
        )
        return [
            task._replace(adopted={**task.adopted, "features": sets[task.cell.market], "classifiers": networks})
            for task in tasks
        ]

    def _share(self, task: CellTask, pooled: Stored[Any]) -> Stored[Any]:
        """A market's own feature sets of those of all."""
        with open_cell(task.cell, self.place, task.adopted) as run:
            return run.do(features.SHARE, pooled=pooled, market=task.cell.market)

    def _strategies(self, tasks: list[CellTask]) -> list[CellTask]:
        self._cells([task._replace(last="outputs") for task in tasks], "outputs")
        split = tasks[0].cell.split
        markets = []
        for task in tasks:
            values = RunValues(task.cell.experiment, self.place.store)
            terms = _some(values, ("space", "rules", "score"))
            outputs, costs = (self.place.recorded(task.cell, name) for name in ("outputs", "costs"))
            markets.append(search.TradingInputs(**terms, outputs=outputs, costs=costs))
        seeds = Seeds(self.experiment.seed, (("split", split),))
        found = self._do(
            split,
            search.POOLED,
            keep=(),
            markets=tuple(markets),
            search_settings=self.experiment.search.settings(seeds("search")),
        )
        return [task._replace(judged=(found, True)) for task in tasks]

    def _do(self, split: int, stage: Stage[Any, Any], keep: Sequence[str], **given: object) -> Stored[Any]:
        """A pooled stage of a split, or its result of the first split where ``refit`` is one of ``keep``."""
        if self.experiment.roll.refit in keep and stage.name in self.kept:
            return self.kept[stage.name]
        runs = self.place.panel.parent
        folder = self.place.panel / POOLED / f"split-{split}"

        def progress(name: str, done: int, total: int) -> None:
            self.progress(f"{name} {split}", done, total)

        root = Run(self.place.panel, STAGES, {}, CODE)
        run = Run(
            folder, {}, {}, CODE, self.executor, progress, root, (runs, f"*/{POOLED}/split-{split}"), self.place.budget
        )
        result = run.do(stage, **given)
        self.kept.setdefault(stage.name, result)
        return result

    def _cells(self, tasks: Sequence[CellTask], stage: str) -> None:
        name = f"{stage} {tasks[0].cell.split}"
        self.progress(name, 0, len(tasks))
        run_cells(tasks, self.place, self.executor, lambda done: self.progress(name, done, len(tasks)))


def _some(values: RunValues, names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names}
