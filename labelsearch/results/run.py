"""The results of a run, read when they are asked for. Opening a run executes no code of its user."""

import tomllib
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from labelsearch.engine.ledger import Event, Ledger
from labelsearch.engine.looks import Look, look_number
from labelsearch.engine.run import LEDGER, LOOKS, RunError, current_events, done_events, recorded_folder
from labelsearch.engine.stage import Result
from labelsearch.market.bars import Bars
from labelsearch.results.belief import Belief
from labelsearch.results.classifiers import Classifiers
from labelsearch.results.controls import Controls
from labelsearch.results.costs import TradingCosts
from labelsearch.results.ensembles import Ensembles
from labelsearch.results.explanation import Explanation
from labelsearch.results.features import FeatureSets
from labelsearch.results.hedges import Hedges
from labelsearch.results.labels import LabelSeries
from labelsearch.results.outputs import Outputs
from labelsearch.results.search import Strategies
from labelsearch.results.space import Space
from labelsearch.results.studies import NullResult, SeedsResult, WalkForward
from labelsearch.settings.bars import load_bars
from labelsearch.settings.experiment import Experiment
from strategies.trade.window import TradingWindow

R = TypeVar("R", bound=Result)
POOLED = "pooled"  # folder of a panel; below it, in folders split-<number>, lies what the markets of a split share
CELLS = "cells"  # folder of a panel; below it a cell is a run in a folder <market>/split-<number>
STAGE_NAMES = ("costs", "labels", "features", "classifiers", "outputs", "search", "controls", "ensembles", "belief")


def is_cell(folder: Path) -> bool:
    """Whether a folder holds a cell of a panel."""
    return (folder / "experiment.toml").is_file() and folder.absolute().parents[1].name == CELLS


def _of(stage: str, kind: type[R]) -> "cached_property[R]":
    """The result of a stage, read when it is first asked for."""
    return cached_property(lambda results: results._load(stage, kind))


class Results:
    """What a run holds.

    Parameters
    ----------
    folder : Path
    store : Path
        Folder of imported bars; read for `bars` alone.

    Raises
    ------
    RunError
        If there is no run in the folder; later, if a result is asked for whose stage is not done, or whose files are
        not those that the ledger records.
    """

    def __init__(self, folder: Path, store: Path = Path("store")) -> None:
        if not (folder / "experiment.toml").is_file():
            raise RunError(f"{folder} holds no run")
        self.folder, self.store = folder, store
        # of the runs that this one counts looks and tries with
        self.runs = folder.absolute().parents[3] if is_cell(folder) else folder.parent
        self.ledger = Ledger(folder / LEDGER)

    @property
    def name(self) -> str:
        """Name of the folder; of a cell, after those of its panel and market."""
        if is_cell(self.folder):
            folder = self.folder.absolute()
            return f"{folder.parents[2].name}/{folder.parent.name}/{folder.name}"
        return self.folder.name

    @cached_property
    def experiment(self) -> Experiment:
        """The settings."""
        return Experiment.load(self.folder / "experiment.toml")

    @property
    def done(self) -> dict[str, Event]:
        """The latest record of each finished stage, in order."""
        events = done_events(self.ledger)
        return {name: events[name] for name in STAGE_NAMES if name in events}

    def _load(self, stage: str, kind: type[R]) -> R:
        if stage not in self.done:
            again = f"labelsearch {stage} {self.folder}/experiment.toml"
            raise RunError(f"{self.folder} has no {stage} yet; to compute them: {again}")
        return kind.load(recorded_folder(self.folder, self.done[stage]))

    labels = _of("labels", LabelSeries)
    features = _of("features", FeatureSets)
    classifiers = _of("classifiers", Classifiers)
    outputs = _of("outputs", Outputs)
    costs = _of("costs", TradingCosts)
    strategies = _of("search", Strategies)
    controls = _of("controls", Controls)
    ensembles = _of("ensembles", Ensembles)
    belief = _of("belief", Belief)

    def traded(self, window: str) -> TradingWindow:
        """Outputs and prices of a window, at its costs."""
        return self.outputs.window(window).at(self.costs.window(window))

    def _studies(self, name: str, kind: type[R]) -> list[R]:
        """All results of a study that belong to what the run holds now, oldest first."""
        return [kind.load(recorded_folder(self.folder, event)) for event in current_events(self.folder, name)]

    @cached_property
    def null(self) -> NullResult | None:
        """The latest null, None without one."""
        return next(iter(reversed(self._studies("null", NullResult))), None)

    @cached_property
    def seeds(self) -> SeedsResult:
        """Tables with other seeds; empty without any."""
        return next(iter(reversed(self._studies("seeds", SeedsResult))), SeedsResult())

    @cached_property
    def walk_forwards(self) -> list[WalkForward]:
        """Every walk forward, oldest first."""
        return self._studies("walk-forward", WalkForward)

    @cached_property
    def hedges(self) -> list[Hedges]:
        """The latest hedges on each window."""
        return list({found.window: found for found in self._studies("hedges", Hedges)}.values())

    @cached_property
    def explanations(self) -> dict[str, Explanation]:
        """The latest explanation of each label that has one."""
        return {found.figures.label: found for found in self._studies("explanation", Explanation)}

    @cached_property
    def space(self) -> Space | None:
        """The latest search over labels of this run, or of one beside it that asked the same; None without one."""
        own = self._studies("space", Space)
        if own:
            return own[-1]
        asked = _asked_of(self.folder)
        for folder in sorted(path.parent for path in self.runs.glob(f"*/{LEDGER}")):
            if asked is not None and folder != self.folder and _asked_of(folder) == asked:
                for event in reversed(current_events(folder, "space")):
                    return Space.load(recorded_folder(folder, event))
        return None

    @cached_property
    def bars(self) -> Bars:
        """All bars of the three windows, on the grid."""
        return load_bars(self.experiment, self.store)

    def rows(self, window: str) -> slice:
        """Grid rows of a window."""
        return self.experiment.windows.named[window].rows(self.bars.open_time)

    @property
    def look(self) -> Look | None:
        """Which look at its future window the ensembles were; None where that is not on record."""
        event = self.done.get("ensembles")
        return look_number(Ledger(self.runs / LOOKS), event["key"]) if event else None

    @property
    def trial_counts(self) -> dict[str, int]:
        """Trials behind the ensembles by kind, those of compared networks among them."""
        total: dict[str, int] = {}
        done = self.done
        made = {"features": "features", "classifiers": "classifiers", "search": "strategies"}
        # a result that was made in another run is entered there with its counts
        elsewhere = [getattr(self, made[n]).trial_counts for n in made if n in done and not done[n]["counts"]]
        compared = [event for event in self.ledger.stages() if event["stage"] == "comparison"]
        for counts in (*(event["counts"] for event in (*done.values(), *compared)), *elsewhere):
            for name, count in counts.items():
                total[name] = total.get(name, 0) + count
        return total

    @property
    def counted_strategies(self) -> int:
        """Strategies tried so far on this past window of these bars, by every run of the folder and its other seeds.

        Each search counts once.
        """
        own = _past_of(self.folder)
        counts = {}
        patterns = ("*", "*/seeds/*", f"*/{CELLS}/*/*", f"*/{CELLS}/*/*/seeds/*")
        for path in (path for pattern in patterns for path in self.runs.glob(f"{pattern}/{LEDGER}")):
            run = path.parents[2] if path.parents[1].name == "seeds" else path.parent
            if _past_of(run) == own:
                for event in Ledger(path).stages():
                    if event["stage"] == "search":
                        counts[event["key"]] = event["counts"].get("strategy_trials", 0)  # none if made elsewhere
        return max(sum(counts.values()), self.belief.sharpe.n_trials)


def _asked_of(folder: Path) -> list[object] | None:
    """What a search over labels depends on in the settings of a run; None where that cannot be read."""
    names = ("seed", "data", "windows", "labels", "feature_space", "costs", "label_space", "label_range")
    try:
        settings = tomllib.loads((folder / "experiment.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # a folder beside this run may hold anything
    return [settings.get(name) for name in names]


def _past_of(folder: Path) -> tuple[object, ...] | None:
    """What the past window of a run shows, its bars and its days; None where that cannot be read."""
    try:
        settings = tomllib.loads((folder / "experiment.toml").read_text(encoding="utf-8"))
        bars = tuple(settings["data"].get(name) for name in ("source", "symbol", "interval", "edge", "market_seed"))
        return (*bars, *settings["windows"]["past"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # a folder beside this run may hold anything
