import numpy as np
import pytest

from strategies.tiers.metrics import daily_returns
from strategies.trade.equity_grid import equity_grid, log_returns_of, returns_of
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import simulate, simulate_paths
from strategies.trade.window import DAY_MS

RULES = TradingRules(0.001, 0.0005)


def test_same_bits_as_one_simulation(market, make):
    params = make[1](2, 37)
    edges = np.array([0, 1, 300, 301, 1024, 1999, 2000])
    grid = equity_grid(params, market, RULES, edges)
    paths = simulate_paths(params, market, RULES)
    np.testing.assert_array_equal(grid.equity[:, 1:], paths.equity[edges[1:] - 1].T)
    np.testing.assert_array_equal(grid.equity[:, 0], 1.0)
    for column, stop in enumerate(edges[1:], 1):
        state = simulate(params, market.rows(slice(0, stop)), RULES)
        np.testing.assert_array_equal(grid.fills[:, column], state.fills)
        np.testing.assert_array_equal(grid.position_sum[:, column], state.position_sum)
    assert grid.fills[:, -1].max() > 50


def test_days_are_those_of_daily_returns(market, make):
    window = market._replace(open_time=1_500_000_000_000 + 60_000 * np.r_[np.arange(1500), 4000 + np.arange(500)])
    edges = window.day_edges
    assert edges[0] == 0
    assert edges[-1] == 2000
    assert len(edges) - 1 == len(np.unique(window.open_time // DAY_MS))
    params = make[1](2, 3)
    paths = simulate_paths(params, window, RULES)
    returns = returns_of(equity_grid(params, window, RULES).equity)
    for s in range(3):
        np.testing.assert_array_equal(
            returns[s], np.diff(np.r_[1, paths.equity[edges[1:] - 1, s]]) / np.r_[1, paths.equity[edges[1:-1] - 1, s]]
        )
        np.testing.assert_allclose(returns[s], daily_returns(paths.equity[:, s], window.open_time), atol=1e-15)


def test_returns_of_lost_equity_are_zero():
    equity = np.array([[1.0, 0.5, 0.0, 0.0]])
    np.testing.assert_array_equal(returns_of(equity), [[-0.5, -1.0, 0.0]])
    assert np.isfinite(log_returns_of(equity)).all()


@pytest.mark.parametrize("edges", [[], [1, 5], [0, 5, 5], [0, 5, 2001]])
def test_edges_that_do_not_rise_within_the_window(market, make, edges):
    with pytest.raises(ValueError, match="edges"):
        equity_grid(make[1](2, 3), market, RULES, np.array(edges, dtype=int))
