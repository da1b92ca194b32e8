import numpy as np
import pytest

from strategies.tiers import metrics
from strategies.tiers.metrics import daily_returns, days_a_year, max_drawdown, measure, sharpe
from strategies.trade.pool import Account, Paid
from strategies.trade.rules import TradingRules
from strategies.trade.window import DAY_MS, TradingWindow
from tests.naive import metrics as naive

RULES = TradingRules(0.001)


def window(open_time, months):
    """Bars at a price of 1."""
    ones = np.ones(len(open_time))
    return TradingWindow.of(ones[:, None], ones, ones, open_time, months)


def account(equity, position, traded=None, fills=0.0, others=0.0):
    """An account that never moved capital, and paid so much beside fees in every bar."""
    traded = np.zeros(len(equity)) if traded is None else traded
    paid = Paid(RULES.fee_share * traded, *(k * np.full(len(equity), others) for k in (1, 2, 3, 4)))
    return Account(np.asarray(equity, dtype=float), np.asarray(position, dtype=float), traded, fills, 0.0, paid)


def test_measure_as_its_slow_twin():
    rng = np.random.default_rng(3)
    time = np.sort(rng.choice(60 * 24, 500, replace=False)) * (DAY_MS // 24)
    seen = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        equity, market = np.exp(np.cumsum(rng.normal(0, 0.01, (2, 500)), axis=1))
        position = np.where(rng.random(500) < 0.3, 0.0, rng.uniform(-1, 1, 500))
        traded = np.where(rng.random(500) < 0.1, rng.random(500), 0.0)
        args = account(equity, position, traded, 33.0, 1e-5), window(time, 1.7), market
        got, wanted = measure(*args), naive.metrics(*args)
        assert set(wanted) == set(got._fields)
        for name, value in got._asdict().items():
            assert value is wanted[name] is None or value == pytest.approx(wanted[name], rel=1e-9), name
        seen.add(got.recovery_days is None)
    assert seen == {True, False}


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


def test_a_year_has_the_days_of_the_calendar():
    every = np.arange("2021-03-01", "2021-04-11", dtype="datetime64[D]")  # from a Monday to a Sunday
    weekdays = every[np.is_busday(every)]
    assert days_a_year(every) == 365
    assert days_a_year(weekdays) == 252
    assert days_a_year(every[np.is_busday(every, weekmask="1111101")]) == 252  # from Sunday evening, as currencies
    assert days_a_year(weekdays[:5]) == 365  # a week without a Saturday between says nothing
    rng = np.random.default_rng(0)
    equity = np.cumprod(1.0 + rng.normal(0.001, 0.01, 30))
    for days, year in ((weekdays[:30], 252), (every[:30], 365)):
        time = days.astype("datetime64[ms]").astype(np.int64)
        found, returns = measure(account(equity, np.ones(30)), window(time, 1.0)), daily_returns(equity, time)
        assert found.sharpe == sharpe(returns, year)
        assert found.volatility_pct == 100.0 * metrics.volatility(returns, year)
        assert found.sortino == metrics.sortino(returns, year)


def test_measure_by_hand():
    got = measure(account([1.0, 1.21], [0.0, 0.5], fills=5.0), window(np.array([0, DAY_MS]), 2.0))
    assert got.total_return_pct == pytest.approx(21.0)
    assert got.monthly_return_pct == pytest.approx(10.0)
    assert (got.trades_per_month, got.mean_position_pct, got.max_drawdown_pct) == (2.5, 25.0, 0.0)


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
    bars = window(DAY_MS * np.arange(3), 0.1)
    got = measure(account(np.ones(3), np.zeros(3)), bars, np.ones(3))
    nothing = {"sortino", "calmar", "matched_return_pct", "break_even_bp", "beta"}
    assert {name for name, value in got._asdict().items() if value is None} == nothing
    zero = (got.sharpe, got.volatility_pct, got.turnover_per_month, got.fees_pct, got.invested_pct, got.recovery_days)
    assert zero == (0,) * 6
    alone = measure(account([1.0, 0.9, 1.2], np.ones(3)), bars)
    assert (alone.matched_return_pct, alone.beta) == (None, None)
    assert alone.sortino is not None


def test_the_market_against_itself():
    market = np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 400)))
    bars = window(DAY_MS // 10 * np.arange(400), 1.3)
    got = measure(account(market, np.ones(400), fills=1.0), bars, market)
    assert got.beta == pytest.approx(1.0)
    assert got.matched_return_pct == pytest.approx(got.total_return_pct)
    assert got.invested_pct == got.mean_position_pct == 100.0
