"""Which strategies tiers hold, against obvious loops."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from strategies import StrategyError
from strategies.search.halves import halves
from strategies.search.problem import evaluate_population
from strategies.tiers.ranking import PastRecord, criterion
from strategies.tiers.selection import TierRule, bets_of_tiers, formed, market_returns, select, shrinkage
from strategies.tiers.unlike import effective_bets
from strategies.trade.correlation import residual_returns
from strategies.trade.equity_grid import equity_grid, returns_of
from tests.strategies.search.test_halves import problem

N = 300


@pytest.fixture(scope="module")
def population():
    its = problem(60, 7)
    params = its.space.sample(np.random.default_rng(1), N)
    return its, params, evaluate_population(its, params)


def test_without_a_limit_tiers_are_the_best_of_all(population):
    its, params, figures = population
    past = replace(its, halved=False)
    found = select(past, params, figures, TierRule((20, 5)))
    order = np.argsort(-figures["score"], kind="stable")
    assert {n: rows.tolist() for n, rows in found.members.items()} == {20: order[:20].tolist(), 5: order[:5].tolist()}
    np.testing.assert_array_equal(
        found.returns, returns_of(equity_grid(params[order[:20]], past.window, past.rules).equity)
    )
    with pytest.raises(StrategyError, match="a tier of 301 cannot be taken from 300"):
        select(past, params, figures, TierRule((N + 1,)))


@pytest.mark.parametrize("halved", [False, True])
def test_unlike_tiers_as_an_obvious_loop(population, halved):
    its, params, figures = population
    past = replace(its, halved=halved)
    shifted = {name: values + 30.0 if name.startswith("score") else values for name, values in figures.items()}
    found = select(past, params, shifted, TierRule((100, 10, 5), 0.8))
    by = shifted["score_b" if halved else "score"]
    allowed = (shifted["score_a"] > 0) & (shifted["score_b"] > 0) if halved else shifted["score"] > 0
    returns = returns_of(equity_grid(params, past.window, past.rules).equity)
    rest = residual_returns(returns, market_returns(past.window))
    taken: list[int] = []
    for row in np.argsort(-by, kind="stable"):
        moved = [np.corrcoef(rest[row], rest[other])[0, 1] for other in taken if rest[row].any() and rest[other].any()]
        still_again = not rest[row].any() and any(not rest[other].any() for other in taken)
        if allowed[row] and not still_again and all(rho <= 0.8 for rho in moved) and len(taken) < 100:
            taken.append(int(row))
    assert found.n_unlike == len(taken)
    assert tuple(found.members) == formed(len(taken), (100, 10, 5))
    assert found.largest.tolist() == taken[: len(found.largest)]


def test_a_population_without_a_good_strategy_has_its_best_one(population):
    its, params, figures = population
    poor = {**figures, **{name: figures[name] - 1e3 for name in ("score", "score_a", "score_b")}}
    found = select(its, params, poor, TierRule((20, 5), 0.7))
    assert {n: rows.tolist() for n, rows in found.members.items()} == {1: [int(np.argmax(figures["score_b"]))]}
    assert found.n_unlike == 1


def test_other_rankings_see_half_b_alone(population):
    its, params, figures = population
    found = select(its, params, figures, TierRule((10,), 1.0, "deflated_sharpe"))
    grid = equity_grid(params, its.window, its.rules)
    edges = its.window.day_edges
    days = halves(len(edges) - 1).b
    record = PastRecord(grid, edges, its.window.months, its.score).only(days)
    np.testing.assert_allclose(record.scores(0, record.n_days), figures["score_b"], rtol=1e-9)
    np.testing.assert_allclose(returns_of(record.grid.equity), returns_of(grid.equity)[:, days], rtol=1e-9, atol=1e-15)
    assert found.largest.tolist() == np.argsort(-criterion("deflated_sharpe", record), kind="stable")[:10].tolist()


def test_shrinkage_by_hand():
    rng = np.random.default_rng(3)
    truth = rng.normal(10.0, 3.0, 4000)
    a, b = truth + rng.normal(0.0, 3.0, 4000), truth + rng.normal(0.0, 3.0, 4000)
    a[:500], b[:500] = -5.0, 90.0  # poor on A: they do not count
    found = shrinkage(a, b)
    among = a > 0
    assert found.n == among.sum()
    assert found.mean == pytest.approx(b[among].mean())
    assert found.correlation == pytest.approx(spearmanr(a[among], b[among]).statistic)
    # what a score on B is worth: close to the truth, which the score itself is not
    best = np.flatnonzero(among)[np.argsort(-b[among])[:200]]
    assert found.of(b[best]).mean() == pytest.approx(truth[best].mean(), abs=0.5)
    assert b[best].mean() > truth[best].mean() + 2.0
    assert shrinkage(-np.ones(5), np.arange(5.0)).n == 5  # none is positive: all count
    assert shrinkage(np.arange(1.0, 9.0), -np.arange(8.0)).correlation == 0.0  # no order is turned round
    assert shrinkage(np.ones(8), np.arange(8.0)).of(np.array([7.0])) == pytest.approx(3.5)


def test_bets_of_tiers(population):
    its, params, _ = population
    returns = returns_of(equity_grid(params[:10], its.window, its.rules).equity)
    market = market_returns(its.window)
    close = its.window.close[its.window.day_edges[1:] - 1]
    np.testing.assert_allclose(market[1:], close[1:] / close[:-1] - 1.0)
    assert market[0] == pytest.approx(close[0] / its.window.open[0] - 1.0)
    found = bets_of_tiers(returns, market, (10, 4))
    assert found == {n: effective_bets(residual_returns(returns[:n], market)) for n in (10, 4)}
    assert 1.0 <= found[4] <= 4.0
    # what only holds a share of the market is no bet, whatever rounding leaves of it
    assert bets_of_tiers(np.vstack([0.7 * market, returns[:1]]), market, (2, 1)) == {2: 1.0, 1: 0.0}
