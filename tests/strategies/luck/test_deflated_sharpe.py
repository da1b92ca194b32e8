import numpy as np
import pytest
from scipy import stats

from strategies.luck.deflated_sharpe import (
    SharpeMoments,
    deflated_sharpe,
    effective_trials,
    expected_maximum,
    probabilistic_sharpe,
    sharpe_moments,
    sharpe_ratios,
)

PAPER = SharpeMoments(2.5 / 250**0.5, 1250, -3.0, 10.0)


def test_worked_example_of_the_paper():
    """Bailey & Lopez de Prado 2014: SR 2.5 a year of 250 days, 100 trials of variance 1/2 a year."""
    assert expected_maximum(100, 0.5 / 250) == pytest.approx(0.1132, abs=1e-4)
    assert deflated_sharpe(PAPER, 100, 0.5 / 250) == pytest.approx(0.9004, abs=1e-4)


def test_normal_returns_deflate_less():
    """The same paper: with normal returns 88 trials give what 46 give with these."""
    normal = PAPER._replace(skewness=0.0, kurtosis=3.0)
    assert deflated_sharpe(PAPER, 46, 0.5 / 250) == pytest.approx(0.9505, abs=1e-3)
    assert deflated_sharpe(normal, 88, 0.5 / 250) == pytest.approx(0.9505, abs=1e-3)


def test_one_trial_is_the_probabilistic_ratio():
    assert deflated_sharpe(PAPER, 1, 0.5 / 250) == probabilistic_sharpe(PAPER)
    assert expected_maximum(0.5, 1.0) == 0.0
    assert expected_maximum(1.2, 1.0) == 0.0


def test_expected_maximum_is_that_of_normal_draws():
    rng = np.random.default_rng(1)
    for n in (10, 1000):
        drawn = rng.normal(0, 0.3, (4000, n)).max(axis=1)
        assert expected_maximum(n, 0.09) == pytest.approx(drawn.mean(), rel=0.03)


@pytest.mark.slow
def test_probabilities_are_uniform_for_returns_without_edge():
    """Skewed returns: leaving out the moments, or a wrong sign of the skewness, fails here."""
    rng = np.random.default_rng(3)
    returns = rng.gamma(0.5, 1.0, (4000, 250))
    returns = -(returns - 0.5) + 0.1  # long left tail
    true = 0.1 / 0.5**0.5
    p = np.array([probabilistic_sharpe(sharpe_moments(row), true) for row in returns])
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        # the ratio is biased by order 1 / n: its median moves, its tails hardly
        slack = 0.04 if level == 0.5 else 0.025
        assert (p < level).mean() == pytest.approx(level, abs=slack)


def test_moments():
    returns = np.random.default_rng(0).gamma(2.0, 1.0, 500)
    got = sharpe_moments(returns)
    assert got.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert got.skewness == pytest.approx(stats.skew(returns))
    assert got.kurtosis == pytest.approx(stats.kurtosis(returns) + 3)
    assert sharpe_moments(np.zeros(5)) == (0.0, 5, 0.0, 3.0)
    np.testing.assert_array_equal(sharpe_ratios(np.full((2, 9), 0.1)), 0.0)
    np.testing.assert_array_equal(sharpe_ratios(np.ones((2, 1))), 0.0)
    with pytest.raises(ValueError, match="two returns"):
        probabilistic_sharpe(SharpeMoments(0.1, 1, 0.0, 3.0))


def test_effective_trials():
    rng = np.random.default_rng(0)
    ideas = rng.normal(size=(40, 300))
    assert effective_trials(ideas, n_reps=1000) == pytest.approx(40, rel=0.3)
    copies = np.repeat(ideas, 20, axis=0)
    assert effective_trials(copies, n_reps=1000) == pytest.approx(effective_trials(ideas, n_reps=1000), rel=1e-6)
    assert effective_trials(np.repeat(ideas[:1], 70, axis=0) + 3.0) < 1.5
    assert effective_trials(ideas + rng.normal(size=(40, 1))) == pytest.approx(effective_trials(ideas), rel=1e-6)
    near = ideas[:5].repeat(50, axis=0) + 0.1 * rng.normal(size=(250, 300))
    assert 4 < effective_trials(near, n_reps=1000) < 12
    rare = np.zeros((60, 120))
    rare[np.arange(60), np.arange(60)] = -0.05  # lost once: no deviation at all in a window without that day
    assert effective_trials(np.r_[rare, ideas[:5, :120]]) < 65
    assert effective_trials(rare[:1].repeat(60, axis=0)) < 3
    assert effective_trials(np.zeros((3, 10))) == pytest.approx(1.0)
    assert effective_trials(rng.normal(size=(5, 2))) == 1.0
    assert effective_trials(rng.normal(size=(30, 4))) <= 30 * (1 + 1e-9)
