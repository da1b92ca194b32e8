"""The plan of a run: its stages, and where the values that they declare come from."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from feature_space.feature_set import warm_up_of
from labelsearch.classifiers.kinds import NETWORKS
from labelsearch.engine.executors.base import Executor
from labelsearch.engine.executors.choice import ALONE, Workers
from labelsearch.engine.files import remove_left_overs
from labelsearch.engine.key import Code
from labelsearch.engine.looks import Stretch
from labelsearch.engine.run import LEDGER, Run, locked, silent
from labelsearch.engine.stage import Progress, Stage
from labelsearch.errors import InputError
from labelsearch.labels.base import OfMarket
from labelsearch.market.bars import Bars
from labelsearch.market.funding import Funding
from labelsearch.market.store import Store
from labelsearch.results.cross_section import MarketView
from labelsearch.settings.bars import load_bars
from labelsearch.settings.cost import check_memory
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.own import activate, active
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages import belief, classifiers, controls, costs, ensembles, features, labels, outputs, search
from labelsearch.stages.cross_section import Beside
from labelsearch.stages.search import spread
from labelsearch.stages.seeds import Seeds
from strategies.search.score import Score
from strategies.tiers.controls.control import CONTROLS
from strategies.tiers.ranking import RANKINGS
from strategies.trade.capital import CAPITAL_RULES

STAGES: dict[str, Stage[Any, Any]] = {
    stage.name: stage
    for stage in (
        costs.STAGE,
        labels.STAGE,
        features.STAGE,
        classifiers.STAGE,
        outputs.STAGE,
        search.STAGE,
        controls.STAGE,
        ensembles.STAGE,
        belief.STAGE,
    )
}
# what moves or describes results without computing them is no part of a key
CODE = Code(("labelsearch", "feature_space", "strategies"), ("labelsearch.engine", "labelsearch.settings"))


SCRATCH = ".scratch"  # folder of a run for what its worker processes share


class RunValues(Mapping[str, object]):
    """Everything that a stage may declare besides results, each resolved when it is first asked for.

    Parameters
    ----------
    experiment : Experiment
        Activated.
    store : Path
        Folder of imported bars.
    beside : Beside, optional
        The other markets, where this one is compared with them.
    """

    def __init__(self, experiment: Experiment, store: Path, beside: Beside | None = None) -> None:
        self.experiment, self.store, self.beside = experiment, store, beside

    def __getitem__(self, name: str) -> object:
        if name not in _NAMES:
            raise KeyError(name)
        activate(self.experiment.own)  # another experiment may have been at work in this process
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)

    @cached_property
    def bars(self) -> Bars:
        """All bars of the three windows, on the grid."""
        return load_bars(self.experiment, self.store)

    def __getattr__(self, name: str) -> object:
        """Sections and windows of the experiment, by their names."""
        if name in _WINDOWS:
            return self.experiment.windows.named[name]
        if name in _SECTIONS:
            return getattr(self.experiment, name)
        raise AttributeError(name)

    @cached_property
    def funding(self) -> Funding | None:
        """Payments of funding from the start of past, if they are those of the store."""
        if self.experiment.costs.terms.funding != "store":
            return None
        windows, data = self.experiment.windows.named, self.experiment.data
        if data.source != "store":
            raise ExperimentError("[costs] funding: a generated market has none in the store: choose base or none")
        return Store(self.store).load_funding(data.symbol, windows["past"].start_ms, windows["future"].stop_ms)

    @cached_property
    def train_bars(self) -> Bars:
        """Bars of train alone."""
        return self.bars.rows(0, self._rows("train").stop)

    @cached_property
    def bars_before_future(self) -> Bars:
        """Bars before the future window."""
        return self.bars.rows(0, self._rows("future").start)

    @cached_property
    def view(self) -> MarketView | None:
        """What the market knows of the others at its bars, where it is compared with them."""
        if self.beside is None:
            return None
        return self.beside.split.value.view(self.bars.symbol, self.bars.open_time)

    @property
    def train_view(self) -> MarketView | None:
        """That of train alone."""
        return self.view and self.view.before(self._rows("train").stop)

    @property
    def view_before_future(self) -> MarketView | None:
        """That before the future window."""
        return self.view and self.view.before(self._rows("future").start)

    @cached_property
    def across(self) -> OfMarket:
        """Labels that compare markets, of the bars before the future window."""
        if self.beside is None:
            return {}
        return self.beside.split.value.labels_of(self.bars.symbol, self.bars_before_future.open_time)

    @property
    def future_stretch(self) -> Stretch:
        """The future window of the market, by which looks at it are counted."""
        span = self.experiment.windows.named["future"]
        return Stretch(self.experiment.data.market, span.start_ms, span.stop_ms)

    def _rows(self, window: str) -> slice:
        return self.experiment.windows.named[window].rows(self.bars.open_time)

    @property
    def boundary(self) -> int:
        """First validation row of train; that of one date where markets are compared."""
        if self.beside is not None:
            return int(np.searchsorted(self.bars.open_time, self.beside.boundary_ms))
        train = self._rows("train")
        share = 1.0 - self.experiment.windows.validation_share
        return train.start + int((train.stop - train.start) * share)

    normalisation = property(lambda self: self.experiment.feature_space.normaliser())
    candidates = property(lambda self: self.experiment.feature_space.chosen())
    warm_up = property(lambda self: warm_up_of(self.candidates, self.normalisation))
    network_kind = property(lambda self: NETWORKS.find(self.experiment.network.kind))
    # early exit is measured after the search, and changes no network
    network = property(lambda self: replace(self.experiment.network, early_exit=0.0))
    network_budget = property(lambda self: replace(self.network, kind=""))
    early_exit = property(lambda self: self.experiment.network.early_exit)
    label_kinds = property(lambda self: self.experiment.label_kinds())
    label_price = property(lambda self: self.experiment.labels.price)
    space = property(lambda self: self.experiment.search.space(self.experiment.output_names))
    search_settings = property(lambda self: self.experiment.search.settings(self.seeds("search")))
    rules = property(lambda self: self.experiment.rules())
    label_ranges = property(lambda self: self.experiment.label_ranges())
    fill_costs = property(lambda self: self.experiment.costs.fee_share + self.experiment.costs.half_spread)
    cost_terms = property(lambda self: self.experiment.costs.terms)
    ranking = property(lambda self: RANKINGS[self.experiment.tiers.ranking])
    controls_asked = property(lambda self: tuple(map(CONTROLS.find, self.experiment.tiers.controls)))
    stacking_bars = property(lambda self: controls.stacking_horizon(self.experiment.label_kinds()))
    capital_rule = property(lambda self: CAPITAL_RULES[self.experiment.tiers.capital])
    seeds = classifier_seeds = property(lambda self: Seeds(self.experiment.seed))

    @property
    def score(self) -> Score:
        """The score, paced by the volatility of past over that of train where the experiment says so."""
        score = self.experiment.make_score()
        if self.experiment.score["rate"] == "fixed":
            return score
        past, train = (self._volatility(window) for window in ("past", "train"))
        return score.paced(past / train)

    def _volatility(self, window: str) -> float:
        """Standard deviation of the log returns between the traded bars of a window."""
        rows = self._rows(window)
        return spread(self.bars.close[rows][~self.bars.filled[rows]])


_WINDOWS = ("train", "past", "future")
_SECTIONS = ("separation", "tiers", "label_space")
_NAMES = (
    *_WINDOWS,
    *_SECTIONS,
    *(name for name in vars(RunValues) if not name.startswith("_")),
)


def _visible(experiment: Experiment, folder: Path, store: Path) -> tuple[Path, ...]:
    """What workers on other machines read: cells their bars and results, all of them the user's own files."""
    cells = (folder / SCRATCH, *((store,) if experiment.data.source == "store" else ())) if experiment.is_panel else ()
    return (*cells, *map(Path, experiment.own))


@contextmanager
def opened(
    experiment: Experiment, folder: Path, store: Path, workers: Workers
) -> Iterator[tuple[Experiment, Executor]]:
    """The experiment as it lies in a folder, which is locked, and how its units are executed.

    The user's own files are executed. A folder that is new and refused is removed.

    Raises
    ------
    RunError
        If another process works on the folder.
    OwnFileError, ExperimentError
        If the experiment needs more memory than there is; as `labelsearch.settings.experiment.Experiment.activate`.
    """
    experiment.activate()
    check_memory(experiment)
    is_new = not folder.exists()
    with locked(folder):
        remove_left_overs(folder)
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
        try:
            saved = experiment.save(folder)
            saved.activate()
            (folder / SCRATCH).mkdir()
            own = [Path(path).absolute() for path in saved.own]
            prepare = partial(activate, own, proved=active())
            code_here = partial(CODE.digest_of, __name__)
            with workers.open(prepare, folder / SCRATCH, code_here, _visible(saved, folder, store)) as executor:
                yield saved, executor
        except InputError:
            if is_new and not any(folder.rglob(LEDGER)):
                shutil.rmtree(folder)  # refused before anything was done
            raise
        finally:
            shutil.rmtree(folder / SCRATCH, ignore_errors=True)


@contextmanager
def open_run(
    experiment: Experiment,
    runs: Path,
    store: Path,
    *,
    workers: Workers = ALONE,
    progress: Progress = silent,
    folder: Path | None = None,
    base: Run | None = None,
    kin: tuple[Path, str] | None = None,
    beside: Beside | None = None,
) -> Iterator[Run]:
    """The run of an experiment of one market and one split, locked.

    Parameters
    ----------
    experiment : Experiment
    runs, store : Path
        Folder of runs, and of imported bars.
    workers : Workers
        Where the units of a stage are executed; no result depends on it.
    progress : callable
        Called with the stage, its steps done and its steps in all; (0, 0) for one that was done before.
    folder : Path, optional
        Of a run that lies elsewhere than in ``runs`` under its own id.
    base, kin : optional
        See `labelsearch.engine.run.Run`.
    beside : Beside, optional
        See `RunValues`.

    Raises
    ------
    RunError
        If another process works on the run.
    OwnFileError, ExperimentError
        As `opened`, and if there are several markets or splits, or others to compare with are missing.
    """
    if experiment.is_panel:
        raise ExperimentError(
            f"{experiment.name} has several markets or splits: `labelsearch run` runs them, and each cell lies in a "
            "folder of its own"
        )
    if beside is None:
        experiment.check_markets()
    folder = folder or runs / experiment.run_id
    with opened(experiment, folder, store, workers) as (saved, executor):
        yield Run(folder, STAGES, RunValues(saved, store, beside), CODE, executor, progress, base, kin, workers.budget)
