"""What every stage is given: the experiment, its bars, and where to read and write."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feature_space.indicators import Inputs, make_inputs
from labelsearch.labels.windows import DAY_MS
from labelsearch.market.bars import Bars
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.pipeline.experiment import Experiment
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.sections import FeatureSpace

Progress = Callable[[str, int, int], None]  # stage, units done, units in all
SHARED = ("labels", "features", "classifiers", "outputs")  # stages that a run with other seeds may take over


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def unit_seed(seed: int, *names: object) -> int:
    """Seed of one unit of work: depends on the experiment's seed and the unit's names alone."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little") >> 1


def usable_bars(filled: NDArray[np.bool_], space: FeatureSpace) -> NDArray[np.bool_]:
    """True for bars (T,) that were traded and lie past the warm-up of every candidate feature."""
    usable = ~filled
    warm_up = max(i.warm_up(*(high for _, high in i.parameters.values())) for i in space.chosen())
    usable[: warm_up + (space.window if space.normalisation == "local" else 0)] = False
    return usable


def inputs_of(bars: Bars) -> Inputs:
    """Columns that indicators read."""
    return make_inputs(bars.vwap, bars.high, bars.low, bars.close, bars.volume, bars.trades)


def load_bars(experiment: Experiment, store: Path) -> Bars:
    """Bars from the start of train to the end of future, on a dense grid.

    Raises
    ------
    ExperimentError
        If the bars there are do not reach from the first to the last day of the windows.
    """
    data, windows = experiment.data, experiment.windows.named
    start, stop = windows["train"].start_ms, windows["future"].stop_ms
    if data.source == "synthetic":
        n_bars = (stop - start) // data.interval_ms
        return synthetic_bars(
            n_bars, data.market_seed, edge=data.edge, start=experiment.windows.train[0], symbol=data.symbol
        )
    bars = Store(store).load(data.symbol, data.interval, start, stop)
    if len(bars) == 0 or bars.open_time[0] >= start + DAY_MS or bars.open_time[-1] < stop - DAY_MS:
        have = f"{bars.index[0]:%Y-%m-%d} to {bars.index[-1]:%Y-%m-%d}" if len(bars) else "none"
        raise ExperimentError(
            f"the windows need bars from {experiment.windows.train[0]} to {experiment.windows.future[1]}, "
            f"but the store has {have} of them for {data.symbol}"
        )
    return bars.on_grid()


@dataclass(frozen=True)
class Reseed:
    """A run again with other seeds of one kind; stages that these seeds do not touch are those of the run itself.

    Attributes
    ----------
    kind : {"search", "classifier"}
        Whose seeds are others.
    number : int
        Which, from 1.
    of : Path
        Folder of the run.
    """

    kind: str
    number: int
    of: Path

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages that are run again."""
        return ("search",) if self.kind == "search" else ("classifiers", "outputs", "search")

    def touches(self, name: object) -> bool:
        """Whether seeds of units called ``name`` are others."""
        return name in (("search",) if self.kind == "search" else ("network", "samples", "calibration"))


@dataclass
class Context:
    """One run as its stages see it. Cheap to build anew in a worker process."""

    experiment: Experiment
    folder: Path
    store: Path
    workers: int = 1
    progress: Progress = silent
    reseed: Reseed | None = None

    @cached_property
    def bars(self) -> Bars:
        """All bars of the three windows, on the grid."""
        return load_bars(self.experiment, self.store)

    @cached_property
    def inputs(self) -> Inputs:
        """Columns that indicators read."""
        return inputs_of(self.bars)

    @cached_property
    def label_price(self) -> NDArray[np.float64]:
        """The price that labels read."""
        return self.bars.close if self.experiment.labels.price == "close" else self.bars.vwap

    def rows(self, window: str) -> slice:
        """Grid rows of a window."""
        return self.experiment.windows.named[window].rows(self.bars.open_time)

    @property
    def bars_per_day(self) -> int:
        """Grid rows of a day."""
        return DAY_MS // self.experiment.data.interval_ms

    @property
    def boundary(self) -> int:
        """First validation row of train."""
        train = self.rows("train")
        share = 1.0 - self.experiment.windows.validation_share
        return train.start + int((train.stop - train.start) * share)

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """Bars that may be fitted on: traded, and past the warm-up of every candidate feature."""
        return usable_bars(self.bars.filled, self.experiment.feature_space)

    def stage(self, name: str) -> Path:
        """Folder of a finished stage."""
        if self.reseed and name in SHARED and name not in self.reseed.stages:
            return self.reseed.of / name
        return self.folder / name

    def units(self, stage: str) -> Path:
        """Folder of the finished units of a stage that is still running."""
        return self.folder / ".units" / stage

    def seed(self, *names: object) -> int:
        """Seed of a unit of this experiment."""
        if self.reseed and self.reseed.touches(names[0]):
            names = (*names, self.reseed.kind, self.reseed.number)
        return unit_seed(self.experiment.seed, *names)

    def bare(self) -> "Context":
        """A picklable copy without bars and progress, for tasks of worker processes."""
        return Context(self.experiment, self.folder, self.store, reseed=self.reseed)

    def stage_progress(self, stage: str) -> Callable[[int, int], None]:
        """Progress of one stage."""
        return partial(self.progress, stage)
