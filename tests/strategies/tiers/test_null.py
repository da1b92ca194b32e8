from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from strategies.luck.timing import judge_timing
from strategies.search.islands import SearchSettings, islands, merge, run_island
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import PaperScore
from strategies.tiers.null import draw_shifts, p_value, search_and_judge
from strategies.tiers.selection import TierRule
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

SETTINGS = SearchSettings(n_strategies=24, island_size=24, sampler="random", batch=32, n_blocks=3, random_share=0.0)


def market(rng: np.random.Generator, n_bars: int, edge: float) -> SearchProblem:
    """Outputs that wander, of which two know the sign of the next four returns as well as ``edge`` says.

    What is known of the next return alone does not count: the test of timing leaves out the first bar after a fill.
    """
    returns = rng.normal(0, 0.004, n_bars + 4)
    noise = rng.normal(0, 1, (n_bars + 1, 4))
    for t in range(1, n_bars + 1):
        noise[t] += 0.8 * noise[t - 1]
    ahead = np.convolve(returns[1:], np.ones(4), "valid")
    known = np.sign(ahead)[:, None] * np.array([edge, -edge, 0.0, 0.0])
    outputs = 1 / (1 + np.exp(-noise[1:] - known))
    close = 100 * np.exp(np.cumsum(returns[:n_bars]))
    window = TradingWindow.of(outputs, np.r_[100.0, close[:-1]], close, 60_000 * np.arange(n_bars), 0.5)
    return SearchProblem(window, StrategySpace(4), TradingRules(), PaperScore())


def shifted(problem: SearchProblem, shift: int) -> SearchProblem:
    """The problem on shifted outputs."""
    return replace(problem, window=problem.window.shifted(shift))


def p_values(n_markets: int, repeats: int, edge: float) -> dict[str, np.ndarray]:
    """p-values of each statistic on markets of their own."""
    rows = []
    for seed in range(n_markets):
        rng = np.random.default_rng(seed)
        past, future = market(rng, 300, edge), market(rng, 300, edge)
        shifts = [np.r_[0, draw_shifts(300, repeats, 2 * seed + i)] for i in (0, 1)]
        found = [
            search_and_judge(shifted(past, a), shifted(future, b), replace(SETTINGS, seed=seed), (5,))
            for a, b in zip(*shifts, strict=True)
        ]
        table = np.array([(f.past_timing, f.tier_timing[5]) for f in found])
        rows.append([p_value(column[0], column[1:]) for column in table.T])
    return dict(zip(("past", "future"), np.array(rows).T, strict=True))


@pytest.mark.slow
def test_p_values_are_uniform_without_edge_and_small_with_one():
    repeats = 9
    for name, values in p_values(60, repeats, 0.0).items():
        # spread within each step of 1/10, uniform p-values are uniform on (0, 1)
        jitter = np.random.default_rng(0).uniform(0, 1 / (1 + repeats), values.size)
        assert kstest(values - jitter, "uniform").pvalue > 0.01, name
        assert 0.4 < values.mean() < 0.7, name
    for name, values in p_values(8, repeats, 2.0).items():
        assert values.mean() < 0.25, name


def test_found_is_what_the_pieces_give():
    rng = np.random.default_rng(4)
    past, future = market(rng, 400, 0.5), market(rng, 400, 0.5)
    found = search_and_judge(past, future, SETTINGS, TierRule((10, 3)))
    params = merge([run_island(t, past) for t in islands(SETTINGS)]).params
    score = evaluate_population(past, params)["score"]
    best = params[np.argsort(-score, kind="stable")[:10]]
    assert found.best_score == score.max()
    assert found.past_timing == judge_timing(best, past.window, past.rules, (3,)).statistic[3]
    assert found.tier_timing == judge_timing(best, future.window, future.rules, (10, 3)).statistic
    silent = np.full_like(future.window.outputs, np.nan)
    flat = replace(future, window=future.window._replace(outputs=silent))
    assert search_and_judge(past, flat, SETTINGS, TierRule((3,))).rank_correlation == 0.0
