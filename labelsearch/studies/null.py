"""Study: where a result stands among those of outputs that know nothing.

Repetition 0 has the outputs as they are, the others shifted in a circle, on past and on future; all have the same
budget and the same seed. Repetition 0 is a look at the future.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from labelsearch.engine.files import Files
from labelsearch.engine.looks import Stretch
from labelsearch.engine.stage import Stage, Work
from labelsearch.results.codec import json_bytes, parse
from labelsearch.results.ensembles import tier_name
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.studies import NullResult, NullStatistic
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.tiers import Tiers
from labelsearch.stages.search import TradingInputs
from labelsearch.stages.seeds import Seeds
from strategies.search.islands import SearchSettings
from strategies.search.problem import SearchProblem
from strategies.tiers.null import Found, draw_shifts, p_value, search_and_judge
from strategies.tiers.selection import TierRule

FOUND = "found.json"
TIMING = "standard errors"


@dataclass(frozen=True)
class NullInputs(TradingInputs):
    """All that the study may know."""

    repeats: int
    n_strategies: int
    tiers: Tiers
    search_settings: SearchSettings
    future_stretch: Stretch
    seeds: Seeds


class Shifts(NamedTuple):
    """Bars by which the outputs of each window are shifted."""

    past: int
    future: int


class NullProblem(NamedTuple):
    """What all repetitions share."""

    past: SearchProblem
    future: SearchProblem
    settings: SearchSettings
    rule: TierRule


def null_unit(task: Shifts, shared: NullProblem) -> Files:
    """Search and judge once, both windows shifted."""
    past, future = (
        replace(problem, window=problem.window.shifted(shift))
        for problem, shift in ((shared.past, task.past), (shared.future, task.future))
    )
    return {FOUND: json_bytes(search_and_judge(past, future, shared.settings, shared.rule))}


def _shifts(inputs: NullInputs, window: str) -> list[int]:
    n_bars = len(inputs.outputs.value.window(window).close)
    return [0, *draw_shifts(n_bars, inputs.repeats, inputs.seeds("null", window)).tolist()]


def run(inputs: NullInputs, work: Work) -> NullResult:
    """Repeat search and tiers.

    Raises
    ------
    ExperimentError
        If there are fewer strategies than the largest tier holds, or no repetition.
    """
    sizes = inputs.tiers.descending
    if inputs.repeats < 1 or inputs.n_strategies < max(sizes[0], 3):
        raise ExperimentError(f"a null needs at least 1 repetition, and {max(sizes[0], 3)} strategies for its tiers")
    # the run's search at a smaller size; islands so that the share at random stays
    settings = replace(
        inputs.search_settings,
        n_strategies=inputs.n_strategies,
        island_size=min(inputs.search_settings.island_size, inputs.n_strategies),
        seed=inputs.seeds("null search"),
    )
    past, future = (inputs.problem(window) for window in WINDOWS)
    pairs = zip(*(_shifts(inputs, window) for window in WINDOWS), strict=True)
    tasks = {f"{index:04d}": Shifts(*pair) for index, pair in enumerate(pairs)}
    done = work.units(null_unit, tasks, NullProblem(past, future, settings, inputs.tiers.rule))
    found = [parse(Found, files[FOUND]) for files in done.values()]
    return NullResult(inputs.repeats, inputs.n_strategies, _statistics(found, sizes))


def _statistics(found: list[Found], sizes: tuple[int, ...]) -> tuple[NullStatistic, ...]:
    values: Mapping[tuple[str, str], list[float]] = {
        ("best past score", "%"): [entry.best_score for entry in found],
        (f"{tier_name(min(sizes))} past timing", TIMING): [entry.past_timing for entry in found],
        **{(f"{tier_name(n)} future timing", TIMING): [entry.tier_timing[n] for entry in found] for n in sizes},
        ("rank correlation", ""): [entry.rank_correlation for entry in found],
    }
    return tuple(
        NullStatistic(
            name, unit, real, tuple(sorted(shifted)), p_value(real, np.array(shifted)) if unit == TIMING else None
        )
        for (name, unit), (real, *shifted) in values.items()
    )


STAGE = Stage(
    "null",
    NullInputs,
    NullResult,
    run,
    looks_at=lambda inputs: (inputs.future_stretch,),
    study=True,
    extent=("repeats",),
)
