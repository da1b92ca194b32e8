"""What is fitted once for all markets of a split: feature sets with networks, strategies, or both.

The results lie in ``pooled/split-<number>`` of the run; cells use them in place of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labelsearch.engine.executors.base import Executor
from labelsearch.engine.stage import Progress, Stage, Stored
from labelsearch.panels.beside import split_run
from labelsearch.panels.cells import CellTask, Place, open_cell, run_cells
from labelsearch.settings.cells import Cells, boundary_ms
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages import classifiers, features, outputs, search
from labelsearch.stages.plan import RunValues
from labelsearch.stages.seeds import Seeds


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
        values = {task.cell.market: self._values(task) for task in tasks}
        boundaries = {task.cell.market: self._boundary(task, values[task.cell.market]) for task in tasks}
        labels = {task.cell.market: self.place.recorded(task.cell, "labels") for task in tasks}
        shared, seeds = next(iter(values.values())), Seeds(self.experiment.seed, (("split", split),))
        pooled = self._do(
            split,
            features.POOLED,
            keep=("classifiers", "search", "tiers"),
            **_some(shared, ("separation", "normalisation", "candidates")),
            seeds=seeds,
            markets=tuple(
                features.MarketFeatures(
                    market,
                    **_some(its, ("train_bars", "train_view")),
                    boundary=boundaries[market],
                    labels=labels[market],
                )
                for market, its in values.items()
            ),
        )
        sets = {task.cell.market: self._share(task, features.SHARE, pooled) for task in tasks}
        names = (
            *("label_kinds", "label_price", "train", "past", "warm_up", "bars_before_future"),
            *("view_before_future", "across"),
        )
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
                classifiers.PooledMarket(
                    labels=labels[market], features=sets[market], boundary=boundaries[market], **_some(its, names)
                )
                for market, its in values.items()
            ),
        )
        found = [
            task._replace(adopted={**task.adopted, "features": sets[task.cell.market], "classifiers": networks})
            for task in tasks
        ]
        if self.experiment.feature_space.normalisation == "rank":
            return self._outputs(found, values, networks)
        return found

    def _outputs(self, tasks: list[CellTask], values: Mapping[str, RunValues], networks: Stored[Any]) -> list[CellTask]:
        """Outputs of all markets at once, as each needs the features of the others."""
        names = ("bars", "train", "past", "future", "view")
        pooled = self._do(
            tasks[0].cell.split,
            outputs.POOLED,
            keep=(),
            label_kinds=next(iter(values.values()))["label_kinds"],
            classifiers=networks,
            markets=tuple(
                outputs.PooledOutputMarket(
                    market=task.cell.market,
                    features=task.adopted["features"],
                    **_some(values[task.cell.market], names),
                )
                for task in tasks
            ),
        )
        return [
            task._replace(adopted={**task.adopted, "outputs": self._share(task, outputs.SHARE, pooled)})
            for task in tasks
        ]

    def _values(self, task: CellTask) -> RunValues:
        return RunValues(task.cell.experiment, self.place.store, task.beside)

    def _boundary(self, task: CellTask, values: RunValues) -> int:
        """First validation row of a market; that of the date of all where its train begins later than theirs."""
        own, windows = task.cell.experiment.windows, self.cells.splits[task.cell.split - 1]
        if own.train[0] == windows.train[0]:
            return int(values.boundary)
        day = boundary_ms(windows, self.experiment.data.interval_ms)
        return int(np.searchsorted(values.bars.open_time, day))

    def _share(self, task: CellTask, stage: Stage[Any, Any], pooled: Stored[Any]) -> Stored[Any]:
        """A market's own of a result of all."""
        with open_cell(task, self.place) as run:
            return run.do(stage, pooled=pooled, market=task.cell.market)

    def _strategies(self, tasks: list[CellTask]) -> list[CellTask]:
        self._cells([task._replace(last="outputs") for task in tasks], "outputs")
        split = tasks[0].cell.split
        markets = []
        for task in tasks:
            values = self._values(task)
            terms = _some(values, ("space", "rules", "score"))
            seen, costs = (self.place.recorded(task.cell, name) for name in ("outputs", "costs"))
            markets.append(search.TradingInputs(**terms, outputs=seen, costs=costs))
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
        result = split_run(self.place, split, self.executor, self.progress).do(stage, **given)
        self.kept.setdefault(stage.name, result)
        return result

    def _cells(self, tasks: Sequence[CellTask], stage: str) -> None:
        name = f"{stage} {tasks[0].cell.split}"
        self.progress(name, 0, len(tasks))
        run_cells(tasks, self.place, self.executor, lambda done: self.progress(name, done, len(tasks)))


def _some(values: RunValues, names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names}
