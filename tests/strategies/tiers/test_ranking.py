import numpy as np
import pytest

from strategies.luck.deflated_sharpe import expected_maximum, sharpe_moments, sharpe_ratios
from strategies.search.budget import Problem, evaluate_population
from strategies.search.linear import StrategySpace
from strategies.tiers.ranking import CRITERIA, criterion
from strategies.trade.equity_grid import EquityGrid, equity_grid, returns_of

EDGES = np.arange(0, 2001, 100)


@pytest.fixture(scope="module")
def window():
    rng = np.random.default_rng(2)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.003, 2000)))
    problem = Problem(rng.random((2000, 4)), np.r_[100.0, close[:-1]], close, months=0.6, space=StrategySpace(4))
    params = problem.space.sample(rng, 60)
    return problem, params, equity_grid(params, problem, EDGES)


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_ranks_all_and_knows_no_later_day(name, window):
    _, _, grid = window
    early = EquityGrid(*(column[:, :11] for column in grid))
    later = EquityGrid(*(np.hstack([column[:, :11], column[:, 11:] * 1.1]) for column in grid))
    values = criterion(name, early, EDGES[:11], 0.3)
    assert values.shape == (60,)
    assert np.isfinite(values).all()
    assert len(np.unique(values)) > 30
    again = criterion(name, EquityGrid(*(column[:, :11] for column in later)), EDGES[:11], 0.3)
    np.testing.assert_array_equal(values, again)


def test_score_and_return_are_those_of_the_search(window):
    problem, params, grid = window
    found = evaluate_population(problem, params)
    np.testing.assert_allclose(criterion("score", grid, EDGES, 0.6), found["score"], rtol=1e-12)
    np.testing.assert_allclose(criterion("return", grid, EDGES, 0.6), found["value"], rtol=1e-12)


def test_a_trailing_window_starts_where_it_starts(window):
    _, _, grid = window
    part = EquityGrid(*(column[:, 5:16] for column in grid))
    rescaled = EquityGrid(part.equity / part.equity[:, :1], part.fills - part.fills[:, :1], part.position_sum)
    for name in CRITERIA:
        np.testing.assert_allclose(
            criterion(name, part, EDGES[5:16], 0.3), criterion(name, rescaled, EDGES[5:16], 0.3), rtol=1e-9
        )


def test_median_forgives_one_lucky_part():
    """Steady gains against one jump of the same total: the median sees the steady one only."""
    steady, lucky = np.linspace(0, 0.2, 17), np.where(np.arange(17) > 8, 0.2, 0.0)
    equity = np.exp([steady, lucky])
    grid = EquityGrid(equity, np.tile(np.arange(17) * 50.0, (2, 1)), np.tile(np.arange(17) * 50.0, (2, 1)))
    edges = np.arange(17) * 100
    by_score, by_median = (criterion(name, grid, edges, 1.0) for name in ("score", "median"))
    assert by_score[0] == pytest.approx(by_score[1])
    assert by_median[0] > by_median[1] + 10
    assert by_median[1] == pytest.approx(0.0, abs=1e-9)


def test_deflated_sharpe_is_the_published_statistic(window):
    from scipy.stats import norm

    _, _, grid = window
    returns = returns_of(grid.equity)
    values = criterion("deflated_sharpe", grid, EDGES, 0.6)
    variance = sharpe_ratios(returns).var()
    for row in (0, 7, 33):
        sr, n, skewness, kurtosis = sharpe_moments(returns[row])
        spread = np.sqrt(1 - skewness * sr + (kurtosis - 1) / 4 * sr**2)
        wanted = (sr - expected_maximum(60, float(variance))) * np.sqrt(n - 1) / spread
        assert values[row] == pytest.approx(wanted, rel=1e-9)
        assert 0 <= norm.cdf(values[row]) <= 1


def test_near_duplicates_stand_behind_all_that_are_none(window):
    problem, params, _ = window
    twice = np.vstack([params, params[:10] * (1 + 1e-9)])
    grid = equity_grid(twice, problem, EDGES)
    values = criterion("uncrowded", grid, EDGES, 0.6)
    daily = returns_of(grid.equity)
    trades = grid.fills[:, -1] / 0.6
    net = criterion("score", grid, EDGES, 0.6) - 0.02 * trades
    first: list[int] = []
    for place in np.argsort(-net, kind="stable"):
        moves = daily[place].any()
        if not any(moves and daily[i].any() and np.corrcoef(daily[i], daily[place])[0, 1] >= 0.95 for i in first):
            first.append(int(place))
    behind = sorted(set(range(70)) - set(first))
    assert len(behind) >= 10
    assert values[first].min() > values[behind].max()
    np.testing.assert_allclose(values[first], net[first])


def test_bad_requests_are_refused(window):
    _, _, grid = window
    with pytest.raises(ValueError, match="choose from score"):
        criterion("luck", grid, EDGES, 0.6)
    with pytest.raises(ValueError, match="two days"):
        criterion("score", EquityGrid(*(c[:, :2] for c in grid)), EDGES[:2], 0.1)
