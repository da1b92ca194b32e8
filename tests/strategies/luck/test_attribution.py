import numpy as np
import pytest
from scipy import stats

from strategies.luck.attribution import market_fit, mean_correlation, partial_rank_correlation, without_best_days


@pytest.mark.parametrize("n_lags", [0, 5, None])
def test_market_fit_as_statsmodels(n_lags):
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, 134)
    market = rng.normal(0.001, 0.03, 134) + np.r_[0, noise[:-1]]
    returns = 0.002 + 0.6 * market + np.convolve(noise, np.ones(4), "same")
    got = market_fit(returns, market, n_lags)
    lags = 4 if n_lags is None else n_lags
    assert got.n_lags == lags
    options = {"maxlags": lags, "use_correction": False}
    expected = sm.OLS(returns, sm.add_constant(market)).fit(cov_type="HAC", cov_kwds=options)
    np.testing.assert_allclose((got.alpha, got.beta), expected.params, rtol=1e-9)
    np.testing.assert_allclose((got.alpha_t, got.beta_t), expected.tvalues, rtol=1e-9)


def test_market_fit_of_little():
    assert market_fit(np.ones(3), np.arange(3.0)) is None
    assert market_fit(np.arange(9.0), np.ones(9)) is None
    idle = market_fit(np.zeros(9), np.arange(9.0))
    assert idle[:4] == (0.0, 0.0, 0.0, 0.0)


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
