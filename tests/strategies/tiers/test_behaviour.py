"""Planted behaviours are found, and figures are those of other libraries."""

import numpy as np
import pytest

from strategies.tiers.behaviour import (
    behaviour_map,
    block_order,
    correlations,
    pair_correlation,
)
from strategies.trade.correlation import unit_residuals


@pytest.fixture(scope="module")
def planted():
    """Two ideas, each held by 20 strategies with noise of their own, on top of any share of the market; 90 days."""
    rng = np.random.default_rng(3)
    market = rng.normal(0.0, 0.02, 90)
    ideas = rng.normal(0.0, 0.01, (2, 90))
    group = np.arange(40) % 2
    beta = rng.uniform(-1.0, 2.0, (40, 1))
    return beta * market + ideas[group] + rng.normal(0.0, 0.001, (40, 90)), market, group


def test_two_groups_are_two_clusters(planted):
    returns, market, group = planted
    found = behaviour_map(unit_residuals(returns, market))
    first = found.points[:, 0]
    lower, upper = sorted((first[group == 0], first[group == 1]), key=np.mean)
    assert lower.max() < 0.0 < upper.min()
    assert np.ptp(lower) < 0.2 * (upper.mean() - lower.mean())
    assert found.shares[0] > 0.9 > 0.1 > found.shares[1]
    assert found.points[np.abs(first).argmax(), 0] > 0  # the sign of a component is fixed


def test_a_map_is_the_same_by_rows_and_by_columns(planted):
    returns, market, _ = planted
    unit = unit_residuals(returns, market)
    wide, tall = behaviour_map(unit), behaviour_map(unit[:, :30])  # 40 strategies on 90 days, and on 30
    centred = unit[:, :30] - unit[:, :30].mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(tall.points), np.abs(left[:, :2] * values[:2]), atol=1e-4)
    np.testing.assert_allclose(tall.shares, values[:2] ** 2 / (values**2).sum(), atol=1e-4)
    assert wide.points.shape == (40, 2)


def test_a_map_has_the_same_bits_for_any_number_of_threads(planted):
    from threadpoolctl import threadpool_limits

    returns, market, _ = planted
    rng = np.random.default_rng(0)
    many = np.repeat(returns, 8, axis=0) + rng.normal(0, 0.002, (320, 90))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            unit = unit_residuals(many, market)
            found.append((behaviour_map(unit).points.tobytes(), correlations(unit).tobytes()))
    assert found[0] == found[1]


def test_correlations_are_numpys(planted):
    returns, market, _ = planted
    beta = ((returns * (market - market.mean())).sum(axis=1) / ((market - market.mean()) ** 2).sum())[:, None]
    wanted = np.corrcoef(returns - beta * market)
    unit = unit_residuals(returns, market)
    np.testing.assert_allclose(correlations(unit), wanted, atol=5.1e-5)
    pairs = wanted[np.triu_indices(40, 1)]
    assert pair_correlation(unit) == pytest.approx((pairs.mean(), pairs.max()), abs=1e-4)


def test_an_order_puts_groups_side_by_side(planted):
    returns, market, group = planted
    order = block_order(correlations(unit_residuals(returns, market)))
    assert sorted(order.tolist()) == list(range(40))
    assert (np.diff(group[order]) != 0).sum() == 1
    assert block_order(np.eye(2)).tolist() == [0, 1]


def test_what_only_holds_the_market_has_no_behaviour():
    rng = np.random.default_rng(1)
    market = rng.normal(0.0, 0.02, 60)
    own = rng.normal(0.0, 0.01, 60)
    unit = unit_residuals(np.array([np.zeros(60), 0.7 * market, market, own]), market)
    assert unit.any(axis=1).tolist() == [False, False, False, True]
    assert correlations(unit).tolist() == np.eye(4).tolist()
    assert pair_correlation(unit) is None
    still = behaviour_map(unit[:3])
    assert not still.points.any()
    assert still.shares == (0.0, 0.0)
    assert behaviour_map(np.empty((0, 60))).points.shape == (0, 2)
    assert behaviour_map(unit[3:]).shares == (0.0, 0.0)
