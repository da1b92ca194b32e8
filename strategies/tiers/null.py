"""What the search finds where there is nothing to find: search and tiers again on outputs shifted against the prices.

A circular shift keeps the outputs' values, order and dependence, and the prices; only what the outputs know of the
prices is gone. The placebo of `strategies.luck.selection_bias` shifts under strategies already chosen; here the
choice itself is repeated: the numbers are what the whole procedure makes of luck.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from strategies.luck.selection_bias import rank_correlation
from strategies.search.budget import Problem, evaluate_population
from strategies.search.score import monthly_return
from strategies.search.search import SearchSettings, islands, merge, run_island
from strategies.tiers.ensemble import TIER_SIZES, tiers


class Found(NamedTuple):
    """What one search came to; returns in percent a month."""

    best_score: float  # on past
    tier_return: dict[int, float]  # on future
    rank_correlation: float  # past score against future return; 0 where one of them is constant


def shifted(problem: Problem, shift: int) -> Problem:
    """The same window with its outputs moved ``shift`` bars on, in a circle."""
    return replace(problem, outputs=np.roll(problem.outputs, shift, axis=0)) if shift else problem


def draw_shifts(n_bars: int, n_shifts: int, seed: int, min_shift: int = 1) -> np.ndarray:
    """Shifts (n_shifts,) no shorter, either way round, than ``min_shift`` and a tenth of the window.

    Raises
    ------
    ValueError
        If the window is too short to be shifted by so much.
    """
    least = max(-(-n_bars // 10), min_shift)
    if 2 * least > n_bars:
        raise ValueError(f"a window of {n_bars} bars cannot be shifted by {least} or more either way")
    return np.random.default_rng(seed).integers(least, n_bars - least + 1, n_shifts)


def search_and_judge(
    past: Problem, future: Problem, settings: SearchSettings, sizes: Sequence[int] = TIER_SIZES
) -> Found:
    """Search on past, form the tiers, and judge them on future; in this process, from the settings' seed."""
    params = merge([run_island(task, past) for task in islands(settings)]).params
    score = evaluate_population(past, params)["score"]
    later = evaluate_population(future, params)
    growth = {n: later["value"][members].mean() for n, members in tiers(score, sizes).items()}
    constant = np.ptp(score) == 0 or np.ptp(later["monthly_return"]) == 0
    return Found(
        float(score.max()),
        {n: float(monthly_return(g, future.months)) for n, g in growth.items()},
        0.0 if constant else rank_correlation(score, later["monthly_return"]).rho,
    )


def p_value(real: float, null: np.ndarray) -> float:
    """Share of results as high or higher, the real one counted: (1 + #{null >= real})/(1 + n)."""
    return (1 + int((np.asarray(null) >= real).sum())) / (1 + len(null))
