"""Stage: search strategies on the past window, island by island, then simulate every one of them in full."""

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.engine.executors.base import tell
from labelsearch.engine.files import Files
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.results.outputs import Outputs
from labelsearch.results.search import Strategies
from strategies.search.islands import IslandResult, IslandTask, Population, SearchSettings, islands, merge, run_island
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import Score
from strategies.trade.rules import TradingRules

TRIALS = "trials.npz"


@dataclass(frozen=True)
class TradingInputs:
    """What strategies trade on, and by which rules."""

    space: StrategySpace
    rules: TradingRules
    score: Score
    outputs: Stored[Outputs]

    def problem(self, window: str) -> SearchProblem:
        """All of it in one window."""
        return SearchProblem(self.outputs.value.window(window), self.space, self.rules, self.score)


@dataclass(frozen=True)
class SearchInputs(TradingInputs):
    """All that the stage may know."""

    search_settings: SearchSettings


def spread(close: NDArray[np.float64]) -> float:
    """Standard deviation of the log returns between bars."""
    return float(np.diff(np.log(close)).std())


def island_unit(task: IslandTask, shared: SearchProblem) -> Files:
    """Search one island: its trials."""
    file = io.BytesIO()
    np.savez(file, **run_island(task, shared, tell)._asdict())
    return {TRIALS: file.getvalue()}


def _island(files: Files) -> IslandResult:
    with np.load(io.BytesIO(files[TRIALS]), allow_pickle=False) as file:
        fields = {name: file[name] for name in IslandResult._fields}
    fields["island"], fields["sampler"] = int(fields["island"]), str(fields["sampler"])
    return IslandResult(**fields)


def to_frame(past: SearchProblem, population: Population) -> pd.DataFrame:
    """A row for each strategy: parameters, where it comes from, and its figures on the whole of past."""
    frame = pd.DataFrame(population.params, columns=list(past.space.names))
    for column in ("island", "trial", "random", "blocks", "complete", "rung_score"):
        frame[column] = getattr(population, column)
    for column, values in evaluate_population(past, population.params).items():
        frame[column] = values
    return frame


def run(inputs: SearchInputs, work: Work) -> Strategies:
    """Search all islands and evaluate their strategies."""
    past = inputs.problem("past")
    tasks = {f"island-{task.index:03d}": task for task in islands(inputs.search_settings)}
    steps = {name: task.n_trials for name, task in tasks.items()}
    done = work.units(island_unit, tasks, past, steps=steps)
    population = merge([_island(files) for files in done.values()])
    return Strategies(inputs.search_settings, past.space.names, to_frame(past, population))


STAGE = Stage("search", SearchInputs, Strategies, run)
