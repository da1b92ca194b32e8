"""Stage: search strategies on the past window, island by island, then simulate every one of them in full."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.engine.executors.base import tell
from labelsearch.engine.files import Files
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.results.codec import npz_arrays, npz_bytes
from labelsearch.results.costs import TradingCosts
from labelsearch.results.outputs import Outputs
from labelsearch.results.search import Strategies
from strategies.search.islands import IslandResult, IslandTask, Problem, SearchSettings, islands, merge, run_island
from strategies.search.linear import StrategySpace
from strategies.search.problem import PooledProblem, SearchProblem, evaluate_population
from strategies.search.score import Score
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

TRIALS = "trials.npz"
P = TypeVar("P", bound=Problem)


@dataclass(frozen=True)
class TradingInputs:
    """What strategies trade on, and by which rules."""

    space: StrategySpace
    rules: TradingRules
    score: Score
    outputs: Stored[Outputs]
    costs: Stored[TradingCosts]

    def traded(self, name: str) -> TradingWindow:
        """Outputs and prices of a window, at its costs."""
        return self.outputs.value.window(name).at(self.costs.value.window(name))

    def problem(self, window: str, *, halved: bool = False) -> SearchProblem:
        """All of it in one window, for a search on one half of it where it is halved."""
        return SearchProblem(self.traded(window), self.space, self.rules, self.score, halved)


@dataclass(frozen=True)
class SearchInputs(TradingInputs):
    """All that the stage may know."""

    search_settings: SearchSettings


def spread(close: NDArray[np.float64]) -> float:
    """Standard deviation of the log returns between bars."""
    return float(np.diff(np.log(close)).std())


def island_unit(task: IslandTask, shared: Problem) -> Files:
    """Search one island: its trials."""
    return {TRIALS: npz_bytes(run_island(task, shared, tell)._asdict())}


def _island(files: Files) -> IslandResult:
    fields = npz_arrays(files[TRIALS])
    island, sampler = int(fields.pop("island")), str(fields.pop("sampler"))
    return IslandResult(island=island, sampler=sampler, **fields)


ORIGIN = ("island", "trial", "random", "blocks", "complete", "rung_score")  # columns that say where one comes from


def to_frame(
    names: Sequence[str],
    params: NDArray[np.float64],
    origin: Mapping[str, Any],
    figures: Mapping[str, NDArray[np.float64]],
) -> pd.DataFrame:
    """A row for each strategy: parameters, where it comes from, and its figures on the whole of past."""
    frame = pd.DataFrame(params, columns=list(names))
    for column in ORIGIN:
        frame[column] = np.asarray(origin[column])
    for column, values in figures.items():
        frame[column] = values
    return frame


def run(inputs: SearchInputs, work: Work) -> Strategies:
    """Search all islands and evaluate their strategies."""
    settings = inputs.search_settings
    return search_islands(inputs.problem("past", halved=settings.halved), settings, work, evaluate_population)


def search_islands(
    past: P, settings: SearchSettings, work: Work, evaluate: Callable[[P, NDArray[np.float64]], dict[str, Any]]
) -> Strategies:
    """Search all islands of a problem, each a unit, and evaluate every strategy on the whole of it."""
    tasks = {f"island-{task.index:03d}": task for task in islands(settings)}
    steps = {name: task.n_trials for name, task in tasks.items()}
    done = work.units(island_unit, tasks, past, steps=steps)
    population = merge([_island(files) for files in done.values()])
    names, params = past.space.names, population.params
    return Strategies(settings, names, to_frame(names, params, population._asdict(), evaluate(past, params)))


STAGE = Stage("search", SearchInputs, Strategies, run)


@dataclass(frozen=True)
class JudgeInputs(TradingInputs):
    """All that the stage may know where strategies were searched elsewhere.

    ``keep_score``: whether their score there stays that by which they are ranked.
    """

    tried: Stored[Strategies]
    keep_score: bool


def judge(inputs: JudgeInputs, work: Work) -> Strategies:
    """Evaluate strategies that were searched elsewhere on this past."""
    tried = inputs.tried.value
    figures = evaluate_population(inputs.problem("past", halved=tried.settings.halved), tried.params)
    frame = to_frame(inputs.space.names, tried.params, dict(tried.frame.items()), figures)
    if inputs.keep_score:
        frame["own_score"], frame["score"] = frame["score"], tried.frame["score"]
        for half in {"score_a", "score_b"} & set(tried.frame):
            frame[half] = tried.frame[half]
    return replace(tried, frame=frame)


JUDGED = Stage("search", JudgeInputs, Strategies, judge)


@dataclass(frozen=True)
class PooledSearchInputs:
    """All that the stage may know where strategies are searched for all markets."""

    markets: tuple[TradingInputs, ...]
    search_settings: SearchSettings


def run_pooled(inputs: PooledSearchInputs, work: Work) -> Strategies:
    """Search strategies by the mean of their scores, and evaluate them; figures are means over markets."""
    settings = inputs.search_settings
    past = PooledProblem(tuple(market.problem("past", halved=settings.halved) for market in inputs.markets))
    return search_islands(past, settings, work, evaluate_population)


POOLED = Stage("pooled search", PooledSearchInputs, Strategies, run_pooled)
