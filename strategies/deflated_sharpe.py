"""Probabilistic and deflated Sharpe ratio: Bailey & Lopez de Prado 2012 and 2014.

A Sharpe ratio here is a day's (or whatever the period of the returns is), without annualisation.
"""

from typing import NamedTuple

import numpy as np

EULER_GAMMA = 0.5772156649015329


class SharpeMoments(NamedTuple):
    """What the ratio's error depends on."""

    sharpe: float  # mean over sample standard deviation of the returns
    n: int  # returns
    skewness: float
    kurtosis: float  # 3 for the normal law


def sharpe_ratios(returns: np.ndarray) -> np.ndarray:
    """Sharpe ratios (S,) of the rows of returns (S, D); 0 for a row that does not vary."""
    returns = np.atleast_2d(returns)
    if returns.shape[1] < 2:
        return np.zeros(len(returns))
    mean, deviation = returns.mean(axis=1), returns.std(axis=1, ddof=1)
    varies = deviation > 1e-9 * np.sqrt((returns**2).mean(axis=1))
    return np.divide(mean, deviation, out=np.zeros_like(mean), where=varies)


def sharpe_moments(returns: np.ndarray) -> SharpeMoments:
    """Moments of one series of returns (D,); those of the normal law if it does not vary."""
    from scipy.stats import kurtosis, skew

    ratio = float(sharpe_ratios(returns)[0])
    if ratio == 0.0 and np.ptp(returns) == 0.0:
        return SharpeMoments(0.0, len(returns), 0.0, 3.0)
    return SharpeMoments(ratio, len(returns), float(skew(returns)), float(kurtosis(returns, fisher=False)))


def probabilistic_sharpe(moments: SharpeMoments, benchmark: float = 0.0) -> float:
    """Probability that the true ratio is above ``benchmark``, which has the period of the returns.

    PSR = Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)).

    Raises
    ------
    ValueError
        If there are fewer than two returns.
    """
    from scipy.stats import norm

    sr, n, skewness, kurtosis = moments
    if n < 2:
        raise ValueError("a Sharpe ratio needs at least two returns")
    spread = 1.0 - skewness * sr + (kurtosis - 1.0) / 4.0 * sr**2
    # kurtosis >= 1 + skewness^2 makes the spread positive; moments given by hand may not hold to that
    return float(norm.cdf((sr - benchmark) * np.sqrt(n - 1) / np.sqrt(max(spread, 1e-12))))


def expected_maximum(n_trials: float, variance: float) -> float:
    """Ratio that the best of ``n_trials`` independent tries shows by luck alone, if none is any good.

    Parameters
    ----------
    n_trials : float
        Tries; an effective number may be fractional. One try or fewer expects 0.
    variance : float
        Of the tries' Sharpe ratios.
    """
    from scipy.stats import norm

    if n_trials <= 1.0:
        return 0.0
    first = norm.ppf(1.0 - 1.0 / n_trials)
    second = norm.ppf(1.0 - 1.0 / (n_trials * np.e))
    return max(float(np.sqrt(variance) * ((1.0 - EULER_GAMMA) * first + EULER_GAMMA * second)), 0.0)


def deflated_sharpe(moments: SharpeMoments, n_trials: float, variance: float) -> float:
    """Probability that the true ratio is above 0 once the choice among ``n_trials`` is paid for.

    Parameters and source as for `expected_maximum`; the ratio of the chosen one in ``moments``.
    """
    return probabilistic_sharpe(moments, expected_maximum(n_trials, variance))


def effective_trials(returns: np.ndarray) -> float:
    """Number of different strategies among the rows of returns (S, D): the effective rank of their correlations.

    The exponential of the entropy of the shares that the eigenvalues of the correlation matrix have in their
    sum (Roy & Vetterli 2007): S for uncorrelated rows, 1 for copies. Unlike a count of clusters it has no threshold to
    choose. It cannot exceed D - 1, so with many strategies and few days it is a floor.
    Rows that do not vary are one strategy together.
    """
    centred = returns - returns.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1)
    varies = length > 1e-9 * np.maximum(np.linalg.norm(returns, axis=1), 1e-300)
    idle = 0.0 if varies.all() else 1.0
    if not varies.any():
        return idle
    singular = np.linalg.svd(centred[varies] / length[varies, None], compute_uv=False)
    share = singular**2 / (singular**2).sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum())) + idle
