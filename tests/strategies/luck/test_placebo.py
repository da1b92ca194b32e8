import numpy as np
import pytest
from scipy import stats

from strategies.luck.selection_bias import placebo_shift, rank_correlation, rank_interval, verdict
from strategies.search.linear import StrategySpace


def window(rng, n_bars=400, n_outputs=4, knows=0.0):
    """Prices at random and outputs that wander; with ``knows`` the first output sees the coming return."""
    returns = rng.normal(0, 0.01, n_bars + 1)
    close = 100 * np.exp(np.cumsum(returns[:-1]))
    outputs = rng.random((n_bars, n_outputs))
    outputs = (outputs + np.roll(outputs, 1, axis=0)) / 2
    if knows:
        outputs[:, 0] = (returns[1:] > 0) * knows
    return outputs, np.r_[100.0, close[:-1]], close


def p_values(seed, knows=0.0, **options):
    rng = np.random.default_rng(seed)
    space = StrategySpace(4, theta_buy=(0.5, 0.6), theta_sell=(0.4, 0.5), delta=(0.0, 0.05))
    params = space.sample(rng, 8)
    if knows:
        params[:, :4] = [1.0, 0.0, 0.0, 0.0]
        params[:, 0] -= 0.01 * np.arange(8)
        outputs, open_, close = window(rng, knows=knows)
        outputs[:, 0] -= knows / 2
    else:
        outputs, open_, close = window(rng)
    return placebo_shift(
        params, outputs, open_, close, sizes=(8, 2), n_shifts=39, seed=seed, fee=0.0, **options
    ).p_value


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
    outputs, open_, close = window(rng)
    params = StrategySpace(4).sample(rng, 3)
    a = placebo_shift(params, outputs, open_, close, sizes=(3, 1), n_shifts=50, min_shift=90, seed=7)
    b = placebo_shift(params, outputs, open_, close, sizes=(3, 1), n_shifts=50, min_shift=90, seed=7)
    np.testing.assert_array_equal(a.shifts, b.shifts)
    np.testing.assert_array_equal(a.null[3], b.null[3])
    assert len(set(a.shifts)) == 50
    assert a.shifts.min() >= 90
    assert a.shifts.max() <= 310
    short = placebo_shift(params, outputs, open_, close, sizes=(1,), n_shifts=300, seed=7)
    assert short.shifts.min() >= 40
    assert short.shifts.max() <= 360


def test_bad_requests_are_refused():
    rng = np.random.default_rng(3)
    outputs, open_, close = window(rng)
    params = StrategySpace(4).sample(rng, 3)
    with pytest.raises(ValueError, match="tiers"):
        placebo_shift(params, outputs, open_, close, sizes=(4,))
    with pytest.raises(ValueError, match="shifts"):
        placebo_shift(params, outputs, open_, close, sizes=(3,), min_shift=200, n_shifts=2)


def test_verdict_corrects_for_tiers():
    assert verdict({100: 0.0125, 20: 0.5, 10: 0.5, 5: 0.5}) == "edge"
    assert verdict({100: 0.02, 20: 0.5, 10: 0.5, 5: 0.5}) == "no edge shown"
    assert verdict({100: 0.02}) == "edge"
    with pytest.raises(ValueError, match="no p-values"):
        verdict({})


def test_rank_correlation():
    got = rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 4.0, 9.0, 16.0]))
    assert got.rho == pytest.approx(1.0)
    with pytest.raises(ValueError, match="three"):
        rank_correlation(np.ones(2), np.ones(2))


def test_rank_interval_covers_the_true_correlation_and_narrows():
    """Strategies differ in drift alone; an interval that resampled strategies would be far too narrow."""
    rng = np.random.default_rng(7)
    shared = rng.normal(size=(400, 3))  # near-duplicates: three ideas, held in 400 mixtures
    widths, hits = [], 0
    for trial in range(40):
        days = rng.normal(0, 1, (3, 60))
        score = shared[:, 0]
        low, high = rank_interval(score, shared @ days, n_reps=200, seed=trial)
        hits += low <= 0.0 <= high  # no drift: the expected correlation is 0
        widths.append(high - low)
    assert hits >= 30
    assert np.mean(widths) > 0.5
    certain = rank_interval(shared[:, 0], shared[:, :1] + rng.normal(0, 1e-3, (400, 60)), seed=1)
    assert certain[0] > 0.99
    short = rank_interval(shared[:, 0], shared @ rng.normal(0, 1, (3, 2)), seed=1)
    assert -1 <= short[0] <= short[1] <= 1


def test_rank_interval_is_that_of_plain_resampling():
    rng = np.random.default_rng(8)
    score, returns = rng.normal(size=30), rng.normal(size=(30, 20))
    drawn = np.random.default_rng(3)
    starts = drawn.integers(0, 20, size=(50, 4))
    rhos = []
    for row in starts:
        days = [(s + k) % 20 for s in row for k in range(6)][:20]
        rhos.append(stats.spearmanr(score, returns[:, days].sum(axis=1)).statistic)
    got = rank_interval(score, returns, block=6, n_reps=50, level=0.9, seed=3)
    np.testing.assert_allclose(got, np.quantile(rhos, [0.05, 0.95]), atol=1e-12)
    with pytest.raises(ValueError, match="rank correlation"):
        rank_interval(score[:5], returns)


def test_placebo_pays_slippage():
    rng = np.random.default_rng(3)
    outputs, open_, close = window(rng)
    params = StrategySpace(4, theta_buy=(0.5, 0.6), theta_sell=(0.4, 0.5), delta=(0.0, 0.05)).sample(rng, 3)
    options = {"sizes": (3,), "n_shifts": 20, "fee": 0.0, "seed": 7}
    free = placebo_shift(params, outputs, open_, close, **options)
    dear = placebo_shift(params, outputs, open_, close, slippage=0.001, **options)
    assert dear.real[3] < free.real[3]
    assert (dear.null[3] < free.null[3]).all()
