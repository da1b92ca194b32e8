"""Power by hand and by simulation; what is asked for is what is found; more than any number of markets is None."""

import numpy as np
import pytest
from scipy import stats

from strategies.luck.power import (
    detectable_sharpe,
    effective_markets,
    market_correlation,
    markets_needed,
    power_of,
    years_needed,
)


def test_years_and_markets_are_those_that_give_the_power():
    for sharpe in (0.5, 1.0, 2.0):
        for m, rho in ((1, 0.3), (12, 0.1), (33, 0.6)):
            m_eff = effective_markets(m, rho)
            years = years_needed(sharpe, m_eff)
            assert power_of(sharpe, years, m_eff) == pytest.approx(0.8)
            assert detectable_sharpe(years, m_eff) == pytest.approx(sharpe)
            needed = markets_needed(sharpe, years * 1.0001, rho)
            assert needed == m
            assert power_of(sharpe, years * 1.0001, effective_markets(needed, rho)) >= 0.8


def test_no_number_of_markets_counts_as_more_than_one_over_rho():
    assert effective_markets(10**6, 0.25) == pytest.approx(4.0, rel=1e-4)
    limit = years_needed(1.0, 4.0)
    assert markets_needed(1.0, limit * 0.999, 0.25) is None
    assert markets_needed(1.0, limit * 1.001, 0.25) > 1000
    assert markets_needed(0.0, 5.0, 0.1) is None
    assert markets_needed(-1.0, 5.0, 0.1) is None
    assert effective_markets(5, -0.1) == 5.0
    assert markets_needed(1.0, 4.0, -0.1) == markets_needed(1.0, 4.0, 0.0)


def test_the_power_of_books_that_are_simulated():
    """t of the mean of 6 markets that correlate at 0.3, over two years of days."""
    rng = np.random.default_rng(1)
    m, rho, years, sharpe = 6, 0.3, 2, 1.5
    passed = 0
    for _ in range(400):
        shocks = rho**0.5 * rng.standard_normal((years * 365, 1)) + (1 - rho) ** 0.5 * rng.standard_normal(
            (years * 365, m)
        )
        book = (shocks + sharpe / 365**0.5).mean(axis=1)
        passed += stats.ttest_1samp(book, 0).statistic >= 2.0
    expected = power_of(sharpe, years, effective_markets(m, rho), t=2.0)
    assert passed / 400 == pytest.approx(expected, abs=3 * (expected * (1 - expected) / 400) ** 0.5)


def test_correlation_of_markets_over_days_in_common():
    rng = np.random.default_rng(2)
    returns = rng.standard_normal((300, 5)) + rng.standard_normal((300, 1))
    full = np.corrcoef(returns.T)
    assert market_correlation(returns) == pytest.approx(full[np.triu_indices(5, 1)].mean())
    returns[:100, 1] = np.nan
    returns[50:, 2] = np.nan  # no day in common with the second
    returns[:, 3] = 0.0
    pairs = [np.corrcoef(*returns[slice(*days)][:, [i, j]].T)[0, 1] for i, j, days in (
        (0, 1, (100, 300)), (0, 2, (0, 50)), (0, 4, (0, 300)), (1, 4, (100, 300)), (2, 4, (0, 50)),
    )]  # fmt: skip
    assert market_correlation(returns) == pytest.approx(np.mean(pairs))
    assert market_correlation(returns[:, :1]) is None
    assert market_correlation(returns[:19]) is None


def test_bad_requests_are_refused():
    for wrong in (
        lambda: effective_markets(0, 0.5),
        lambda: effective_markets(3, 1.1),
        lambda: effective_markets(3, np.nan),
        lambda: detectable_sharpe(0.0),
        lambda: detectable_sharpe(1.0, -1.0),
        lambda: detectable_sharpe(1.0, power=1.0),
        lambda: power_of(1.0, -2.0),
        lambda: years_needed(1.0, 0.0),
        lambda: markets_needed(1.0, 1.0, 2.0),
        lambda: markets_needed(1.0, 0.0, 0.5),
    ):
        with pytest.raises(ValueError, match=r"not above 0|count for nothing|not between|cannot correlate"):
            wrong()
