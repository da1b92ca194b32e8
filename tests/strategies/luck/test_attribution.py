import numpy as np
import pytest
from scipy import stats

from strategies.luck.attribution import mean_correlation, partial_rank_correlation, without_best_days


def test_without_best_days():
    returns = np.full(60, 0.001)
    returns[20:34] = 0.05
    returns[40] = 0.3  # a better day, but not a better fortnight
    got = without_best_days(returns)
    assert got.start == 20
    assert got.growth == pytest.approx(np.exp(returns.sum() - 14 * 0.05))
    assert without_best_days(returns[:14]) is None
    worst = without_best_days(np.full(20, -0.01))
    assert worst.growth == pytest.approx(np.exp(-0.06))


def test_mean_correlation():
    rows = np.random.default_rng(2).normal(size=(7, 30)) + np.random.default_rng(3).normal(size=30)
    full = np.corrcoef(rows)
    expected = full[np.triu_indices(7, 1)].mean()
    assert mean_correlation(rows) == pytest.approx(expected)
    assert mean_correlation(np.r_[rows, np.zeros((4, 30))]) == pytest.approx(expected)
    assert mean_correlation(rows[:1]) is None


def test_partial_rank_correlation():
    """x and y share only the control: their rank correlation is high, the partial one is not."""
    rng = np.random.default_rng(4)
    cause = rng.normal(size=(3000, 2))
    x, y = cause.sum(axis=1) + rng.normal(size=3000), cause.sum(axis=1) + rng.normal(size=3000)
    assert stats.spearmanr(x, y).statistic > 0.5
    assert abs(partial_rank_correlation(x, y, cause)) < 0.1
    one = cause[:, :1]
    xy, xz, yz = (stats.spearmanr(*p).statistic for p in ((x, y), (x, one), (y, one)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_rank_correlation(x, y, one) == pytest.approx(expected)
    assert partial_rank_correlation(x, x + y, x[:, None]) is None
