import numpy as np
import pytest
from scipy import stats

from strategies.luck.placebo import draw_shifts, p_value, placebo_shift, shift_floor, verdict
from strategies.search.linear import StrategySpace
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

FREE = TradingRules(0.0)


def window(rng, n_bars=400, n_outputs=4, knows=0.0):
    """Prices at random and outputs that wander; with ``knows`` the first output sees the coming return."""
    returns = rng.normal(0, 0.01, n_bars + 1)
    close = 100 * np.exp(np.cumsum(returns[:-1]))
    outputs = rng.random((n_bars, n_outputs))
    outputs = (outputs + np.roll(outputs, 1, axis=0)) / 2
    if knows:
        outputs[:, 0] = (returns[1:] > 0) * knows
    return TradingWindow.of(outputs, np.r_[100.0, close[:-1]], close, 60_000 * np.arange(n_bars), 1.0)


def p_values(seed, knows=0.0):
    rng = np.random.default_rng(seed)
    space = StrategySpace(4, theta_buy=(0.5, 0.6), theta_sell=(0.4, 0.5), delta=(0.0, 0.05))
    params = space.sample(rng, 8)
    if knows:
        params[:, :4] = [1.0, 0.0, 0.0, 0.0]
        params[:, 0] -= 0.01 * np.arange(8)
    traded = window(rng, knows=knows)
    if knows:
        traded.outputs[:, 0] -= knows / 2
    return placebo_shift(params, traded, FREE, sizes=(8, 2), n_shifts=39, seed=seed).p_value


def test_p_is_uniform_where_outputs_know_nothing():
    """A placebo that compared in the wrong direction, or with itself, or too few shifts, would fail here."""
    values = np.array([[p[8], p[2]] for p in (p_values(seed) for seed in range(200))])
    for column in values.T:
        # p has 40 steps: spread it over its step before comparing with the uniform law
        spread = column - np.random.default_rng(0).random(len(column)) / 40
        assert stats.kstest(spread, "uniform").pvalue > 1e-3
        assert (column <= 0.05).mean() < 0.12


def test_p_is_minimal_where_an_output_knows_the_next_return():
    for seed in range(5):
        p = p_values(seed, knows=1.0)
        assert p == {8: 1 / 40, 2: 1 / 40}
        assert verdict(p) == "edge"


def test_shifts_keep_their_distance_and_repeat():
    rng = np.random.default_rng(3)
    traded = window(rng)
    params = StrategySpace(4).sample(rng, 3)
    a = placebo_shift(params, traded, TradingRules(), sizes=(3, 1), n_shifts=50, min_shift=90, seed=7)
    b = placebo_shift(params, traded, TradingRules(), sizes=(3, 1), n_shifts=50, min_shift=90, seed=7)
    np.testing.assert_array_equal(a.shifts, b.shifts)
    np.testing.assert_array_equal(a.null[3], b.null[3])
    assert len(set(a.shifts)) == 50
    assert a.shifts.min() >= 90
    assert a.shifts.max() <= 310
    short = placebo_shift(params, traded, TradingRules(), sizes=(1,), n_shifts=300, seed=7)
    assert short.shifts.min() >= 40
    assert short.shifts.max() <= 360


def test_bad_requests_are_refused():
    rng = np.random.default_rng(3)
    traded = window(rng)
    params = StrategySpace(4).sample(rng, 3)
    with pytest.raises(ValueError, match="tiers"):
        placebo_shift(params, traded, FREE, sizes=(4,), n_shifts=9, seed=0)
    with pytest.raises(ValueError, match="shifts"):
        placebo_shift(params, traded, TradingRules(), sizes=(3,), min_shift=200, n_shifts=2, seed=0)


def test_verdict_corrects_for_tiers():
    assert verdict({100: 0.0125, 20: 0.5, 10: 0.5, 5: 0.5}) == "edge"
    assert verdict({100: 0.02, 20: 0.5, 10: 0.5, 5: 0.5}) == "no edge shown"
    assert verdict({100: 0.02}) == "edge"
    with pytest.raises(ValueError, match="no p-values"):
        verdict({})


def test_placebo_pays_slippage():
    rng = np.random.default_rng(3)
    traded = window(rng)
    params = StrategySpace(4, theta_buy=(0.5, 0.6), theta_sell=(0.4, 0.5), delta=(0.0, 0.05)).sample(rng, 3)
    options = {"sizes": (3,), "n_shifts": 20, "seed": 7}
    free = placebo_shift(params, traded, FREE, **options)
    dear = placebo_shift(params, traded, TradingRules(0.0, 0.001), **options)
    assert dear.real[3] < free.real[3]
    assert (dear.null[3] < free.null[3]).all()


def test_shifts_are_long_both_ways_and_a_longer_list_begins_with_a_shorter():
    shifts = draw_shifts(1000, 500, 3, min_shift=200)
    assert shifts.min() >= 200
    assert shifts.max() <= 800
    assert draw_shifts(1000, 500, 3).min() >= 100
    np.testing.assert_array_equal(draw_shifts(1000, 20, 3, 200), shifts[:20])
    with pytest.raises(ValueError, match="100 bars cannot be shifted by 51"):
        draw_shifts(100, 5, 0, min_shift=51)


def test_shift_floor():
    assert (shift_floor(1000), shift_floor(1001), shift_floor(1000, 300)) == (100, 101, 300)


def test_p_value_by_hand():
    assert p_value(2.0, np.array([1.0, 2.0, 3.0])) == 0.75
    assert p_value(4.0, np.array([1.0, 2.0, 3.0])) == 0.25
