"""The null: search and tiers once more, on outputs shifted against the prices as in `strategies.luck.placebo`.

The placebo shifts under strategies already chosen; here the choice itself is repeated, so that the numbers are those of
the whole procedure where outputs know nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from strategies.luck.resample import rank_correlation
from strategies.search.islands import SearchSettings, islands, merge, run_island
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import monthly_return_pct
from strategies.tiers.ensemble import TIER_SIZES, tiers


class Found(NamedTuple):
    """Results of one search; returns in percent a month."""

    best_score: float  # on past
    tier_return_pct: dict[int, float]  # on future
    rank_correlation: float  # past score against future return; 0 where one of them is constant


def search_and_judge(
    past: SearchProblem, future: SearchProblem, settings: SearchSettings, sizes: Sequence[int] = TIER_SIZES
) -> Found:
    """Search on past, form the tiers, and judge them on future; in this process, from the settings' seed."""
    params = merge([run_island(task, past) for task in islands(settings)]).params
    score = evaluate_population(past, params)["score"]
    later = evaluate_population(future, params)
    growth = {n: later["value"][members].mean() for n, members in tiers(score, sizes).items()}
    constant = np.ptp(score) == 0 or np.ptp(later["monthly_return_pct"]) == 0
    return Found(
        float(score.max()),
        {n: float(monthly_return_pct(g, future.window.months)) for n, g in growth.items()},
        0.0 if constant else rank_correlation(score, later["monthly_return_pct"]),
    )
