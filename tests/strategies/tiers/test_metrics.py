import numpy as np
import pytest

from strategies.tiers import metrics
from strategies.tiers.metrics import DAY_MS, measure
from tests.naive import metrics as naive


def test_measure_as_its_slow_twin():
    rng = np.random.default_rng(3)
    time = np.sort(rng.choice(60 * 24, 500, replace=False)) * (DAY_MS // 24)
    seen = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        equity, market = np.exp(np.cumsum(rng.normal(0, 0.01, (2, 500)), axis=1))
        position = np.where(rng.random(500) < 0.3, 0.0, rng.uniform(-1, 1, 500))
        traded = np.where(rng.random(500) < 0.1, rng.random(500), 0.0)
        got = measure(equity, position, time, months=1.7, fills=33.0, traded=traded, fee=0.001, market=market)
        wanted = naive.metrics(equity, position, time.tolist(), 1.7, 33.0, traded, 0.001, market)
        assert set(wanted) == set(got._fields)
        for name, value in got._asdict().items():
            assert value is wanted[name] is None or value == pytest.approx(wanted[name], rel=1e-9), name
        seen.add(got.recovery_days is None)
    assert seen == {True, False}


def test_ratios_by_hand():
    assert metrics.volatility(np.array([0.01, 0.03])) == pytest.approx(0.01 * 2**0.5 * 365**0.5)
    assert metrics.sortino(np.array([0.03, -0.01, 0.01, 0.0])) == pytest.approx(0.0075 / 0.005 * 365**0.5)
    assert metrics.calmar(1.1, 0.2, 6.0) == pytest.approx(0.21 / 0.2)
    assert metrics.market_beta(np.array([0.5, 1.5]), np.array([0.0, 2.0])) == pytest.approx(0.5)
    # twice the volatility: 1.2 * 0.8; at its own: 1.1 * 0.9
    market = np.array([0.2, -0.2])
    assert metrics.matched_return(np.array([0.1, -0.1]), market) == pytest.approx(-0.04)
    assert metrics.matched_return(market, market) == pytest.approx(-0.04)
    assert metrics.matched_return(np.array([0.1, -0.6]), np.array([0.5, -0.9])) == -1.0  # ruined by the leverage


def test_recovery_by_hand():
    time = DAY_MS * np.array([0, 1, 2, 4, 7, 8])
    # two falls; the larger, from 1.5 to 0.9, ends on day 1 and is made good on day 7
    assert metrics.recovery_days(np.array([1.5, 0.9, 1.2, 1.4, 1.5, 1.3]), time) == 6.0
    assert metrics.recovery_days(np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.3]), time) == 2.0  # from the start's 1
    assert metrics.recovery_days(np.array([1.5, 0.9, 1.2, 1.4, 1.4, 1.4]), time) is None
    assert metrics.recovery_days(np.array([1.0, 1.1, 1.2, 1.3, 1.4, 1.5]), time) == 0.0


def test_what_has_nothing_to_divide_by_is_none():
    time = DAY_MS * np.arange(3)
    got = measure(np.ones(3), np.zeros(3), time, months=0.1, fills=0, market=np.ones(3))
    nothing = {"sortino", "calmar", "matched_return", "beta"}
    assert {name for name, value in got._asdict().items() if value is None} == nothing
    assert (got.sharpe, got.volatility, got.turnover, got.fees, got.invested, got.recovery_days) == (0,) * 6
    alone = measure(np.array([1.0, 0.9, 1.2]), np.ones(3), time, months=0.1, fills=0)
    assert (alone.matched_return, alone.beta) == (None, None)
    assert alone.sortino is not None


def test_the_market_against_itself():
    rng = np.random.default_rng(1)
    market = np.exp(np.cumsum(rng.normal(0, 0.01, 400)))
    got = measure(market, np.ones(400), DAY_MS // 10 * np.arange(400), months=1.3, fills=1, market=market)
    assert got.beta == pytest.approx(1.0)
    assert got.matched_return == pytest.approx(got.total_return)
    assert got.invested == got.mean_position == 100.0
