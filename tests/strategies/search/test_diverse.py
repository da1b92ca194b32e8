"""Quality-diversity search: a pure function of its seed, with climbs that end at unlike strategies."""

from dataclasses import replace

import numpy as np
import pytest

from strategies import StrategyError
from strategies.search.boxed_cma import BoxedCma
from strategies.search.budget import Behaviour, spending
from strategies.search.diverse import DiverseSampler, measures_of
from strategies.search.islands import SearchSettings, _study, islands, merge, run_island
from strategies.search.problem import PooledProblem, evaluate_population
from strategies.tiers.selection import TierRule, market_returns, select
from strategies.trade.correlation import residual_returns
from strategies.trade.equity_grid import equity_grid, returns_of
from tests.strategies.search.test_halves import problem

SETTINGS = SearchSettings(n_strategies=400, island_size=400, sampler="diverse", random_share=0.0, n_pilot=48, seed=5)


def whole(n_days: int = 40, seed: int = 0):
    return replace(problem(n_days, seed), halved=False)


def test_an_island_is_a_pure_function_of_its_seed():
    its = whole()
    (task,) = islands(SETTINGS)
    one, two = run_island(task, its), run_island(task, its)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    (other,) = islands(replace(SETTINGS, seed=6))
    assert not np.array_equal(run_island(other, its).params, one.params)
    low, high = its.space.bounds.T
    assert ((one.params >= low) & (one.params <= high)).all()
    # rung scores are those of the simulator, whatever the search made of them
    rows = np.flatnonzero(one.complete)[:5]
    alone = spending(its, one.params[rows], SETTINGS.n_blocks, SETTINGS.eta, SETTINGS.budget)
    np.testing.assert_array_equal(alone.up_to(SETTINGS.n_blocks), one.rung_score[rows])


def test_the_batch_that_is_asked_for_at_once_does_not_stop_it():
    """Generations wait for trials that are out; others are at random meanwhile."""
    its = whole()
    for batch in (1, 7, 100):
        (task,) = islands(replace(SETTINGS, n_strategies=150, island_size=150, batch=batch, n_pilot=20))
        assert len(np.unique(run_island(task, its).params, axis=0)) == 150


def test_climbs_find_more_than_chance_and_end_unlike():
    its = whole(60, 3)
    task = islands(replace(SETTINGS, n_strategies=1500, island_size=1500))[0]
    found = run_island(task, its).params
    by_chance = its.space.sample(np.random.default_rng(0), 1500)
    best, chance = (evaluate_population(its, params)["score"].max() for params in (found, by_chance))
    assert best > chance
    sampler = _climbed(task, its)
    assert len(sampler.ends) >= 2
    ends = np.array(sampler.ends)
    alike = np.corrcoef(ends) - np.eye(len(ends))
    assert np.median(alike.max(axis=1)) <= SETTINGS.most_alike + 0.05


def _climbed(task, its) -> DiverseSampler:
    """The sampler after a search."""
    import strategies.search.islands as module

    kept = []
    original = module._study
    try:
        module._study = lambda *args: kept.append(original(*args)) or kept[0]
        run_island(task, its)
    finally:
        module._study = original
    return kept[0].sampler


def test_what_is_alike_to_the_end_of_a_climb_is_worth_less():
    its = whole()
    sampler = _study(islands(SETTINGS)[0], its.space.distributions()).sampler
    rng = np.random.default_rng(1)
    end, other = rng.normal(size=(2, 12))
    residual = np.vstack([end, 2.0 * end, -end, other])
    behaviour = Behaviour(residual, np.ones(4), np.ones(4))
    score = np.array([5.0, 5.0, 5.0, 5.0])
    np.testing.assert_array_equal(sampler.objective([0, 1, 2, 3], score, behaviour, complete=True), score)
    sampler.ends.append(end)
    sampler._best, sampler._pilot_scores = 10.0, [-20.0, 0.0, 4.0]
    got = sampler.objective([0, 1, 2, 3], score, behaviour, complete=True)
    np.testing.assert_allclose(got[:3], [-5.0, -5.0, 5.0])  # 10 less at a correlation of 1
    assert got[3] == 5.0
    early = Behaviour(residual[:, :3], np.ones(4), np.ones(4))
    np.testing.assert_array_equal(sampler.objective([0, 1, 2, 3], score, early, complete=False), score)


def test_behaviour_is_without_beta_and_in_parts():
    its = whole()
    params = its.space.sample(np.random.default_rng(4), 6)
    spent = spending(its, params, 9, 3, "blocks")
    spent.up_to(3)
    spent.keep(np.array([1, 4]))
    spent.up_to(9)
    got = spent.behaviour()
    alone = spending(its, params[[1, 4]], 9, 3, "blocks")
    alone.up_to(9)
    for a, b in zip(got, alone.behaviour(), strict=True):
        np.testing.assert_array_equal(a, b)
    equity, market = np.ones((2, 9)), []
    for column, block in enumerate(alone.order):
        (rows,) = alone.blocks[block]
        window = its.window.rows(rows)
        own = spending(replace(its, window=window), params[[1, 4]], 1, 3, "blocks")
        own.up_to(1)
        equity[:, column] = own.state.equity
        market.append(window.close[-1] / window.open[0] - 1.0)
    np.testing.assert_allclose(got.residual, residual_returns(equity - 1.0, np.array(market)), atol=1e-12)
    np.testing.assert_allclose(got.mean_position, alone.state.position_sum / len(its.window.close))
    coordinates = measures_of(got, np.eye(9)[:2])
    assert coordinates.shape == (2, 4)
    np.testing.assert_allclose(coordinates[:, 3], 0.5 * got.mean_position)


def test_several_markets_at_once():
    its = PooledProblem((whole(40, 1), whole(60, 2)))
    (task,) = islands(replace(SETTINGS, n_strategies=200, island_size=200))
    found = run_island(task, its)
    spent = spending(its, found.params[:3], 27, 3, "blocks")
    spent.up_to(9)
    assert spent.behaviour().residual.shape == (3, 18)
    np.testing.assert_array_equal(spent.behaviour().residual[:, ::2], spent.parts[0].behaviour().residual)


def test_halves_and_islands_together():
    its = problem(60, 4)
    settings = replace(SETTINGS, n_strategies=600, island_size=300, random_share=0.2, halved=True)
    params = merge([run_island(task, its) for task in islands(settings)]).params
    figures = evaluate_population(its, params)
    found = select(its, params, figures, TierRule((20, 5), 0.7))
    positive = (figures["score_a"] > 0) & (figures["score_b"] > 0)
    if positive.any():
        assert positive[found.largest].all()
        assert (np.diff(figures["score_b"][found.largest]) <= 0).all()
    returns = returns_of(equity_grid(params[found.largest], its.window, its.rules).equity)
    np.testing.assert_array_equal(found.returns, returns)
    if len(returns) > 1:
        rest = np.corrcoef(residual_returns(returns, market_returns(its.window)))
        assert (rest - np.eye(len(rest))).max() <= 0.7 + 1e-12


def test_points_outside_lie_on_the_edge():
    cma = BoxedCma(0.5, 3, batch_size=400, seed=1, lower_bounds=np.zeros(3), upper_bounds=1.0)
    cma.reset(np.array([0.0, 0.5, 1.0]))
    points = cma.ask()
    assert points.min() == 0.0
    assert points.max() == 1.0
    assert (points == 0.0).mean() > 0.05
    order = np.argsort(-points.sum(axis=1))
    cma.tell(order, np.sort(points.sum(axis=1))[::-1], 200)
    assert cma.ask().mean() > points.mean()
    assert not cma.check_stop(np.zeros(400))


@pytest.mark.parametrize("wrong", [{"capacity": 0}, {"n_pilot": 0}, {"most_alike": 1.0}, {"most_alike": -0.1}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(StrategyError, match="capacity and n_pilot"):
        replace(SETTINGS, **wrong)
