"""Probabilistic and deflated Sharpe ratio: Bailey & Lopez de Prado 2012 and 2014.

A Sharpe ratio here is a day's (or whatever the period of the returns is), without annualisation.
"""

from typing import NamedTuple

import numpy as np

from strategies.luck.resample import block_weights, reps_at_once
from strategies.trade.correlation import unit_rows

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

    >>> round(probabilistic_sharpe(SharpeMoments(sharpe=0.1, n=365, skewness=0.0, kurtosis=3.0)), 4)
    0.9715

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

    >>> round(deflated_sharpe(SharpeMoments(0.1, 365, 0.0, 3.0), n_trials=100, variance=0.05**2), 4)
    0.3068
    """
    return probabilistic_sharpe(moments, expected_maximum(n_trials, variance))


def effective_trials(returns: np.ndarray, *, block: int = 7, n_reps: int = 200, seed: int = 0) -> float:
    """Number of independent tries whose best would look as good as the best of these, if none had an edge.

    The mean of every strategy is taken away, so that none has an edge; days are resampled in circular blocks, the
    same for all strategies; the mean over samples of the best Sharpe ratio, in units of the deviation that chance gives
    one ratio, is turned into a number by `expected_maximum`. Near-duplicates count as much as they
    add to the best, with no threshold to choose, as a count of clusters would need.

    Parameters
    ----------
    returns : (S, D) array
        Returns of all strategies that were tried.
    block : int
        Days in a block; no more than a third of D is used.
    n_reps : int
        Resampled windows.
    seed : int
        Of the blocks.

    Returns
    -------
    float
        Between 1 and S.
    """
    n_strategies, n_days = returns.shape
    if n_days < 3:
        return 1.0
    # the length over the whole window: one that traded on two days alone has none in windows without them
    unit = unit_rows(returns, least=1e-9)
    weight = block_weights(np.random.default_rng(seed), n_days, block, n_reps)
    best = np.empty(n_reps)
    at_once = reps_at_once(n_strategies)
    for first in range(0, n_reps, at_once):
        best[first : first + at_once] = (weight[first : first + at_once] @ unit.T).max(axis=1)
    seen = float(best.mean())  # the sum of weighted unit rows has deviation 1
    low, high = 0.0, float(np.log(n_strategies))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expected_maximum(np.exp(middle), 1.0) < seen else (low, middle)
    return float(np.exp(high))
