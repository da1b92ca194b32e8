"""Half A is what the search sees, half B what it is selected on; seams belong to neither."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from strategies.search.budget import Spending, blocks_of
from strategies.search.halves import LEAST_DAYS, N_PARTS, halves
from strategies.search.islands import SearchSettings, islands, run_island
from strategies.search.linear import StrategySpace
from strategies.search.problem import PooledProblem, SearchProblem, evaluate_population
from strategies.search.score import PaperScore, Record
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import simulate
from strategies.trade.window import TradingWindow

HOUR = 3_600_000
SMALL = SearchSettings(n_strategies=96, island_size=48, halved=True, seed=3)


def problem(n_days: int = 40, seed: int = 0) -> SearchProblem:
    """Hours of a random walk; of some days a part is missing."""
    rng = np.random.default_rng(seed)
    kept = rng.random(24 * n_days) > 0.05
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, len(kept))))[kept]
    times = np.arange(len(kept))[kept] * HOUR
    window = TradingWindow.of(rng.random((len(close), 3)), np.r_[100.0, close[:-1]], close, times, n_days / 30.4)
    return SearchProblem(window, StrategySpace(3), TradingRules(), PaperScore(), halved=True)


@pytest.mark.parametrize("n_days", [6, 7, 11, 23, 24, 40, 121, 365])
def test_halves_interleave_and_leave_seams_out(n_days):
    found = halves(n_days)
    assert not (found.a & found.b).any()
    n_parts = min(N_PARTS, n_days // LEAST_DAYS // 2 * 2)
    seams = ~(found.a | found.b)
    assert seams.sum() == n_parts - 1
    turns = found.a[~seams]
    order = [half for half, before in zip(turns, [not turns[0], *turns[:-1]], strict=True) if half != before]
    assert order == [True, False] * (n_parts // 2)
    assert abs(int(found.a.sum()) - int(found.b.sum())) <= n_parts
    # the day before each seam belongs to the part before it, the day after it to the next
    for day in np.flatnonzero(seams):
        assert found.a[day - 1] != found.a[day + 1]


def test_a_window_too_short_for_halves_is_refused():
    with pytest.raises(ValueError, match="5 days cannot be cut into halves, 6 can"):
        halves(5)
    with pytest.raises(ValueError, match="halves"):
        problem(5)


def test_blocks_cover_the_rows_of_half_a_once():
    its = problem()
    rows = np.concatenate([np.arange(r.start, r.stop) for block in blocks_of(its.searched, 27) for r in block])
    edges = its.window.day_edges
    day = np.searchsorted(edges, np.arange(len(its.window.close)), side="right") - 1
    np.testing.assert_array_equal(rows, np.flatnonzero(halves(len(edges) - 1).a[day]))


@pytest.mark.parametrize("budget", ["blocks", "prefix"])
def test_the_search_does_not_see_half_b(budget):
    its = problem()
    settings = replace(SMALL, budget=budget)
    edges = its.window.day_edges
    day = np.searchsorted(edges, np.arange(len(its.window.close)), side="right") - 1
    hidden = halves(len(edges) - 1).b[day]
    changed = its.window.outputs.copy()
    changed[hidden] = np.random.default_rng(9).random((hidden.sum(), 3))
    price = np.where(hidden, its.window.close * 1.5, its.window.close)
    other = replace(its, window=its.window._replace(outputs=changed, close=price))
    for task in islands(settings):
        one, two = run_island(task, its), run_island(task, other)
        np.testing.assert_array_equal(one.params, two.params)
        np.testing.assert_array_equal(one.rung_score, two.rung_score)
    seen = replace(its, window=its.window._replace(close=np.where(~hidden, its.window.close * 1.5, its.window.close)))
    assert not np.array_equal(
        run_island(islands(settings)[0], seen).rung_score, run_island(islands(settings)[0], its).rung_score
    )


def test_scores_of_halves_as_day_by_day():
    its = problem()
    params = its.space.sample(np.random.default_rng(2), 12)
    got, whole = evaluate_population(its, params), evaluate_population(replace(its, halved=False), params)
    for name, values in whole.items():
        np.testing.assert_array_equal(got[name], values)
    window, edges = its.window, its.window.day_edges
    found = halves(len(edges) - 1)
    for half, days in found._asdict().items():
        growth, fills, held, bars = np.ones(12), np.zeros(12), np.zeros(12), 0
        state = None
        for day, (start, stop) in enumerate(itertools.pairwise(edges)):
            before = state
            state = simulate(params, window.rows(slice(start, stop)), its.rules, before)
            if days[day]:
                growth *= state.equity / (before.equity if before else 1.0)
                fills += state.fills - (before.fills if before else 0)
                held += state.position_sum - (before.position_sum if before else 0.0)
                bars += stop - start
        record = Record(growth, fills, held / bars, window.months * bars / len(window.close))
        np.testing.assert_allclose(got[f"score_{half}"], its.score.pieces(record)["score"], rtol=1e-9)


def test_pooled_markets_are_halved_each():
    markets = PooledProblem((problem(40, 1), problem(60, 2)))
    params = markets.space.sample(np.random.default_rng(2), 5)
    got = evaluate_population(markets, params)
    alone = [evaluate_population(one, params)["score_b"] for one in markets.markets]
    np.testing.assert_allclose(got["score_b"], np.mean(alone, axis=0))


def test_nothing_is_held_over_rows_that_are_left_out():
    its = problem()
    params = its.space.sample(np.random.default_rng(2), 9)
    spending = Spending(its, params, 4, 3, "prefix")
    spending.up_to(4)
    growth = np.ones(9)
    for rows in its.searched:
        growth *= simulate(params, its.window.rows(rows), its.rules).equity
    np.testing.assert_allclose(spending.state.equity, growth, rtol=1e-12)
