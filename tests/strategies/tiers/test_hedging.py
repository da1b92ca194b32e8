"""Hedges: traded as strategies are, and told from noise."""

import numpy as np
import pytest

from strategies.luck.timing import adjusted_p
from strategies.tiers.hedging import (
    combined,
    hedge_figures,
    hedge_share,
    paired,
    sharpe_gain,
    sharpe_influence,
    trade_wishes,
    wish_outputs,
)
from strategies.tiers.metrics import sharpe
from strategies.trade.rules import CLIP, TradingRules
from strategies.trade.window import BarCosts, TradingWindow
from tests.naive import hedges as naive

HOUR = 3_600_000


def window(n=400, seed=0) -> TradingWindow:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    open_ = np.r_[100.0, close[:-1]] * np.exp(rng.normal(0, 0.001, n))
    time = HOUR * np.sort(rng.choice(3 * n, n, replace=False))
    found = TradingWindow.of(np.zeros((n, 1)), open_, close, time, 1.0)
    funding = np.where(rng.random((n, 2)) < 0.05, rng.normal(0, 0.05, (n, 2)), 0.0)
    return found.at(BarCosts(rng.uniform(0, 1e-3, n), np.full(n, 1e-4), funding, np.full(n, 1e-3)))


def wishes(times, seed=1, n=3):
    rng = np.random.default_rng(seed)
    found = [np.clip(np.cumsum(rng.normal(0, 0.2, len(times))), -1, 1) for _ in range(n)]
    found[0][rng.random(len(times)) < 0.5] = np.nan
    return found


@pytest.mark.parametrize("short", [False, True])
def test_wishes_are_traded_as_the_plain_simulator_does_and_combined_in_equal_parts(short):
    bars = window()
    times = np.r_[bars.open_time[0] - HOUR, bars.open_time[2::3]]  # one of them before the window
    wanted = wishes(times)
    rules = TradingRules(0.001, short=short, signal_map=CLIP)
    holdings = trade_wishes(wanted, times, bars, rules._replace(signal_map=0))
    curves, both = naive.wishes_traded(wanted, times.tolist(), bars, rules)
    np.testing.assert_allclose(holdings.equity.T, curves, rtol=1e-9)
    account = combined(holdings, rules)
    np.testing.assert_allclose(account.equity, both, rtol=1e-9)
    assert (holdings.position.min() < -0.5) == short
    paid = account.paid
    assert min(paid.fees.sum(), paid.spread.sum(), paid.impact.sum(), np.abs(paid.funding).sum()) > 0
    assert (paid.borrow.sum() > 0) == short


def test_trading_does_not_look_ahead():
    bars = window()
    times, rules = bars.open_time[::3], TradingRules(0.001, short=True)
    wanted = wishes(times)
    whole = combined(trade_wishes(wanted, times, bars, rules), rules)
    for cut in (5, 100, 333):
        known = int(np.searchsorted(times, bars.open_time[cut - 1], side="right"))
        part = trade_wishes([w[:known] for w in wanted], times[:known], bars.rows(slice(0, cut)), rules)
        assert combined(part, rules).equity.tobytes() == whole.equity[:cut].tobytes()


def test_a_wish_is_seen_at_its_own_bar_alone():
    bars = window(6)
    times = bars.open_time[[1, 4]]
    both, long = (wish_outputs(np.array([-1.0, 0.5]), times, bars, short=short)[:, 0] for short in (True, False))
    nan = np.nan
    np.testing.assert_array_equal(both, [nan, 0.0, nan, nan, 0.75, nan])
    np.testing.assert_array_equal(long, [nan, 0.0, nan, nan, 0.5, nan])


def test_pairs_against_their_plain_twin():
    rng = np.random.default_rng(0)
    base, hedge = rng.normal(0, 0.02, (2, 300))
    np.testing.assert_allclose(paired(base, hedge, 0.4, 0.001), naive.paired(base, hedge, 0.4, 0.001), atol=1e-15)
    assert (paired(base, hedge, 0.4, 0.001) <= paired(base, hedge, 0.4, 0.0)).all()
    np.testing.assert_allclose(paired(base, hedge, 0.0, 0.001), base, atol=1e-15)
    assert hedge_share(base, 3.0 * base) == pytest.approx(0.25)
    assert hedge_share(base[:9], hedge[:9]) is None
    assert hedge_share(base, np.zeros(300)) is None


def planted(rng, n=500):
    """A base that is long a factor, and its basket."""
    factor = rng.normal(0.0, 0.02, n)
    return factor, 0.8 * factor + rng.normal(0.001, 0.005, n)


def test_a_planted_hedge_is_found():
    rng = np.random.default_rng(4)
    factor, base = planted(rng, 1000)
    hedge = -0.8 * factor + rng.normal(0.0, 0.004, 1000)  # short the factor
    share = hedge_share(base[:500], hedge[:500])
    figures, pair = hedge_figures(base[500:], hedge[500:], factor[500:], share, cost=0.001, year=365, seed=1)
    assert figures.correlation < -0.8
    assert figures.beta == pytest.approx(-0.8, abs=0.05)
    assert figures.share_pct == pytest.approx(50.0, abs=3.0)
    assert figures.drawdown_pair_pct < 0.5 * figures.drawdown_base_pct
    assert figures.sharpe_pair > figures.sharpe_base + 1.0
    assert figures.gain.low > 0
    assert figures.gain.p_value < 0.02
    assert figures.gain.value == pytest.approx(figures.sharpe_pair - figures.sharpe_base, rel=1e-2)
    assert sharpe(pair) == figures.sharpe_pair


def test_useless_hedges_are_seldom_called_one():
    """Noise without a gain, in all sizes: a one-sided test at 5 % finds about as many; adjusted for five, fewer."""
    rng, n_trials = np.random.default_rng(7), 200
    raw = family = 0
    for seed in range(n_trials):
        _, base = planted(rng, 250)
        base = base + 0.001
        products, p_values = [], []
        for _ in range(5):
            hedge = rng.normal(0.0, 0.01, 250)
            pair = paired(base, hedge, 0.4, 0.0005)
            gain = sharpe_gain(pair, base, year=365, seed=seed, n_reps=200)
            p_values.append(gain.p_value)
            products.append(sharpe_influence(pair) - sharpe_influence(base))
        raw += p_values[0] <= 0.05
        if seed < 60:
            family += min(adjusted_p(p_values, np.column_stack(products))) <= 0.05
    assert raw <= 0.08 * n_trials
    assert family <= 6


def test_a_hedge_that_holds_nothing_is_none():
    rng = np.random.default_rng(2)
    factor, base = planted(rng)
    nothing = np.zeros(500)
    figures, pair = hedge_figures(base, nothing, factor, hedge_share(base, nothing), cost=0.001, year=365, seed=1)
    assert pair is None
    assert (figures.correlation, figures.share_pct, figures.gain, figures.drawdown_pair_pct) == (None,) * 4
    assert (figures.beta, figures.sharpe_hedge, figures.return_hedge_pct) == (0.0, 0.0, 0.0)
    assert sharpe_gain(base[:9], base[:9], year=365, seed=1) is None


def test_influence_is_the_derivative_of_the_ratio():
    rng = np.random.default_rng(3)
    returns = rng.normal(0.001, 0.01, 200)
    ratio = lambda w: (w @ returns) / np.sqrt(w @ returns**2 - (w @ returns) ** 2)  # noqa: E731
    whole, step = np.full(200, 1 / 200), 1e-6
    for day in (0, 17, 199):
        moved = (1 - step) * whole
        moved[day] += step
        assert (ratio(moved) - ratio(whole)) / step == pytest.approx(sharpe_influence(returns)[day], abs=1e-3)
    assert sharpe_influence(returns).mean() == pytest.approx(0.0, abs=1e-12)
    assert not sharpe_influence(np.ones(5)).any()
