"""The null: search and tiers once more, on outputs shifted against the prices in a circle.

The test of timing judges strategies already chosen; here the choice itself is repeated, so that the numbers are
those of the whole procedure where outputs know nothing, of volatility neither.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from strategies.luck.resample import rank_correlation
from strategies.luck.timing import timing_of_tiers
from strategies.search.islands import SearchSettings, islands, merge, run_island
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.tiers.selection import TierRule, select


class Found(NamedTuple):
    """Results of one search."""

    best_score: float  # on past
    past_timing: float  # studentised return of the smallest tier on past, as in the test of timing
    tier_timing: dict[int, float]  # of each tier on future
    rank_correlation: float  # past score against future return; 0 where one of them is constant


def draw_shifts(n_bars: int, n_shifts: int, seed: int) -> np.ndarray:
    """Shifts (n_shifts,) of 1 to ``n_bars - 1`` bars, drawn with replacement; a longer list goes on."""
    return np.random.default_rng(seed).integers(1, n_bars, n_shifts)


def p_value(real: float, null: np.ndarray) -> float:
    """Share of results as high or higher, the real one counted: (1 + #{null >= real})/(1 + n)."""
    return (1 + int((np.asarray(null) >= real).sum())) / (1 + len(null))


def search_and_judge(past: SearchProblem, future: SearchProblem, settings: SearchSettings, rule: TierRule) -> Found:
    """Search on past, form the tiers, and judge them on future; in this process, from the settings' seed.

    Where a tier cannot be formed, the largest that can stands for it.
    """
    past = replace(past, halved=settings.halved)
    params = merge([run_island(task, past) for task in islands(settings)]).params
    figures = evaluate_population(past, params)
    score = figures["score"]
    later = evaluate_population(future, params)
    best = params[select(past, params, figures, rule).largest]
    sizes = [min(n, len(best)) for n in rule.sizes]
    past_timing = timing_of_tiers(best, past.window, past.rules, [min(sizes)])[0]
    timing = timing_of_tiers(best, future.window, future.rules, sizes)
    constant = np.ptp(score) == 0 or np.ptp(later["monthly_return_pct"]) == 0
    return Found(
        float(score.max()),
        float(past_timing),
        dict(zip(rule.sizes, timing.tolist(), strict=True)),
        0.0 if constant else rank_correlation(score, later["monthly_return_pct"]),
    )
