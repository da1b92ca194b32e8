import numpy as np
import pytest
from scipy import stats

from strategies.luck.resample import MOST_AT_ONCE, rank_correlation, rank_interval, reps_at_once


def test_rank_correlation():
    x, y = np.random.default_rng(0).normal(size=(2, 20))
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1.0)
    assert rank_correlation(x, y) == stats.spearmanr(x, y).statistic
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


def test_many_strategies_are_resampled_in_smaller_parts(monkeypatch):
    rng = np.random.default_rng(5)
    score, returns = rng.normal(size=300), rng.normal(0, 0.01, (300, 40))
    expected = rank_interval(score, returns, n_reps=60, seed=2)
    assert reps_at_once(20_000) == MOST_AT_ONCE
    monkeypatch.setattr("strategies.luck.resample.MOST_VALUES", 900)
    assert reps_at_once(300) == 3
    assert reps_at_once(10**9) == 1
    assert rank_interval(score, returns, n_reps=60, seed=2) == pytest.approx(expected, rel=1e-12)
