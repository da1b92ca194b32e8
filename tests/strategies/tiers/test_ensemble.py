import numpy as np
import pytest

from strategies.tiers.ensemble import buy_and_hold, combine, tiers
from strategies.tiers.metrics import DAY_MS, daily_returns, max_drawdown, measure, sharpe


def test_tiers_by_hand():
    got = tiers(np.array([1.0, 3.0, np.nan, 3.0, -2.0, 5.0]), sizes=(6, 3, 1))
    assert got[6].tolist() == [5, 1, 3, 0, 4, 2]
    assert got[3].tolist() == [5, 1, 3]
    assert got[1].tolist() == [5]
    with pytest.raises(ValueError, match="tier of 7"):
        tiers(np.zeros(6), sizes=(7,))


def test_combine_by_hand():
    equity = np.array([[1.0, 1.0], [3.0, 1.0]])
    position = np.array([[0.0, 0.5], [1.0, 0.0]])
    got = combine(equity, position)
    np.testing.assert_allclose(got.equity, [1.0, 2.0])
    np.testing.assert_allclose(got.position, [0.25, 0.75])
    np.testing.assert_allclose(combine(2 * equity, position, initial=2.0).equity, got.equity)
    with pytest.raises(ValueError, match="do not fit"):
        combine(equity, position[:1])


def test_buy_and_hold_pays_one_entry():
    got = buy_and_hold(np.array([100.0, 1.0]), np.array([110.0, 220.0]), fee=0.1)
    np.testing.assert_allclose(got.equity, [1.0, 2.0])
    assert (got.position == 1).all()


def test_daily_returns_by_hand():
    time = np.array([0, DAY_MS - 1, DAY_MS, 3 * DAY_MS, 3 * DAY_MS + 5])
    equity = np.array([1.5, 1.1, 2.2, 9.0, 1.1])
    np.testing.assert_allclose(daily_returns(equity, time), [0.1, 1.0, -0.5])
    with pytest.raises(ValueError, match="do not fit"):
        daily_returns(equity, time[:-1])


def test_sharpe_and_drawdown_by_hand():
    assert sharpe(np.array([0.01, 0.03])) == pytest.approx(0.02 / (0.01 * 2**0.5) * 365**0.5)
    assert sharpe(np.array([0.01, 0.01])) == 0.0
    assert sharpe(np.array([0.01])) == 0.0
    assert max_drawdown(np.array([1.2, 0.9, 1.5, 1.0])) == pytest.approx(1 / 3)
    assert max_drawdown(np.array([0.6, 0.9])) == pytest.approx(0.4)


def test_measure_by_hand():
    got = measure(
        np.array([1.0, 1.21]), np.array([0.0, 0.5]), np.array([0, DAY_MS]), months=2.0, fills=5.0, initial=1.0
    )
    assert got.total_return == pytest.approx(21.0)
    assert got.monthly_return == pytest.approx(10.0)
    assert (got.trades_per_month, got.mean_position, got.max_drawdown) == (2.5, 25.0, 0.0)
