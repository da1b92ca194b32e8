"""Stage: search strategies on the past window, island by island, then simulate every one of them in full."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.pipeline.context import Context
from labelsearch.pipeline.sections import Score, Search
from labelsearch.pipeline.stages import outputs as output_stage
from labelsearch.pipeline.units import run_units, tell
from strategies.search.budget import Problem, evaluate_population
from strategies.search.linear import StrategySpace
from strategies.search.score import ScoreSettings
from strategies.search.search import IslandResult, IslandTask, Population, SearchSettings, islands, merge, run_island
from strategies.tiers.ranking import criterion
from strategies.trade.equity_grid import day_edges, equity_grid


def strategy_space(context: Context) -> StrategySpace:
    """Parameters of a strategy: a buy and a sell weight for each label, and three thresholds."""
    return space_of(context.experiment.search, 2 * len(context.experiment.label_kinds()))


def space_of(s: Search, n_outputs: int) -> StrategySpace:
    """Parameters of a strategy: a weight for each output, and three thresholds."""
    return StrategySpace(n_outputs, s.signal_map, s.weight, s.theta_buy, s.theta_sell, s.delta)


def volatility(context: Context, window: str) -> float:
    """Standard deviation of the log returns between the traded bars of a window."""
    rows = context.rows(window)
    return spread(context.bars.close[rows][~context.bars.filled[rows]])


def spread(close: NDArray[np.float64]) -> float:
    """Standard deviation of the log returns between bars."""
    return float(np.diff(np.log(close)).std())


def problem(context: Context, window: str) -> Problem:
    """Outputs and prices of a window with what strategies are judged by."""
    pace = 1.0
    if context.experiment.score.rate == "volatility":
        pace = volatility(context, "past") / volatility(context, "train")
    seen = output_stage.load(context, window)
    months = context.experiment.windows.named[window].months
    return make_problem(seen, months, context.experiment.search, context.experiment.score, pace)


def make_problem(
    seen: output_stage.WindowOutputs, months: float, search: Search, score: Score, pace: float = 1.0
) -> Problem:
    """Outputs and prices with what strategies are judged by; ``pace`` multiplies the trades that are asked for."""
    return Problem(
        seen.outputs,
        seen.open,
        seen.close,
        months=months,
        space=space_of(search, seen.outputs.shape[1]),
        fee=search.fee,
        slippage=search.slippage / 10_000.0,
        short=search.side == "both",
        score=ScoreSettings(score.target_trades * pace, score.target_position, score.position_weight),
    )


def search_settings(context: Context) -> SearchSettings:
    """Settings of the islands, seeded by the experiment."""
    return settings_of(context.experiment.search, context.seed("search"))


def settings_of(s: Search, seed: int) -> SearchSettings:
    """Settings of the islands."""
    return SearchSettings(
        n_strategies=s.n_strategies,
        island_size=min(s.island_size, s.n_strategies),
        sampler=s.sampler,
        random_share=s.random_share,
        budget=s.budget,
        seed=seed,
    )


def island_unit(task: tuple[Context, IslandTask], folder: Path) -> None:
    """Search one island and write its trials."""
    context, island = task
    result = run_island(island, problem(context, "past"), tell)
    fields: dict[str, Any] = result._asdict()
    np.savez(folder / "trials.npz", **fields)


def _load_island(folder: Path) -> IslandResult:
    with np.load(folder / "trials.npz") as file:
        fields = {name: file[name] for name in IslandResult._fields}
    fields["island"], fields["sampler"] = int(fields["island"]), str(fields["sampler"])
    return IslandResult(**fields)


def to_frame(past: Problem, population: Population) -> pd.DataFrame:
    """A row for each strategy: parameters, where it comes from, and its figures on the whole of past."""
    frame = pd.DataFrame(population.params, columns=list(past.space.names))
    for column in ("island", "trial", "random", "blocks", "complete", "rung_score"):
        frame[column] = getattr(population, column)
    for column, values in evaluate_population(past, population.params).items():
        frame[column] = values
    return frame


def run(context: Context, folder: Path) -> dict[str, Any]:
    """Write ``strategies.parquet``, one row a strategy, and ``search.json``."""
    tasks = {f"island-{task.index:03d}": (context.bare(), task) for task in islands(search_settings(context))}
    units = context.units("search")
    run_units(
        island_unit,
        tasks,
        units,
        workers=context.workers,
        steps={name: task.n_trials for name, (_, task) in tasks.items()},
        progress=context.stage_progress("search"),
    )
    population = merge([_load_island(units / name) for name in tasks])
    past = problem(context, "past")
    frame = to_frame(past, population)
    frame.to_parquet(folder / "strategies.parquet", compression="zstd")
    counts = {"trials": len(frame), "pruned": population.n_pruned, "random": int(population.random.sum())}
    settings = dataclasses.asdict(search_settings(context))
    (folder / "search.json").write_text(json.dumps({**counts, "settings": settings}, indent=1))
    return {"strategy_trials": len(frame), "strategy_trials_pruned": population.n_pruned}


def ranking(context: Context, population: pd.DataFrame) -> NDArray[np.float64]:
    """What tiers are formed by (S,), the best highest: the score, or another criterion over past."""
    name = context.experiment.tiers.ranking
    if name == "score":
        return population["score"].to_numpy()
    past = problem(context, "past")
    edges = day_edges(output_stage.load(context, "past").open_time)
    grid = equity_grid(population[list(past.space.names)].to_numpy(), past, edges)
    return criterion(name, grid, edges, past.months, past.score)


def load(context: Context) -> pd.DataFrame:
    """All strategies with their past figures."""
    return pd.read_parquet(context.stage("search") / "strategies.parquet")
