"""Hansen's test of superior predictive ability (2005): whether the best of many strategies beats the market.

The test of arch does not studentise the statistic, whatever ``studentize`` is; here the differences are divided by
their standard deviation before, which gives Hansen's studentised statistic.
"""

from typing import NamedTuple

import numpy as np


class SuperiorAbility(NamedTuple):
    """p-values of "none is better than the benchmark"; the consistent one is Hansen's own."""

    lower: float
    consistent: float
    upper: float  # White's reality check
    n_strategies: int
    block: int


def long_run_deviation(differences: np.ndarray, block: float) -> np.ndarray:
    """Standard deviation (S,) of sqrt(D) times the mean of each column of (D, S) under the stationary bootstrap.

    The kernel of Politis & Romano 1994 for a mean block length of ``block`` periods.
    """
    n = len(differences)
    centred = differences - differences.mean(axis=0)
    variance = (centred**2).sum(axis=0) / n
    stay = 1.0 - 1.0 / block
    for lag in range(1, n):
        weight = (1.0 - lag / n) * stay**lag + lag / n * stay ** (n - lag)
        variance += 2.0 * weight * (centred[:-lag] * centred[lag:]).sum(axis=0) / n
    return np.sqrt(np.maximum(variance, 0.0))


def superior_ability(
    log_returns: np.ndarray, market: np.ndarray, *, block: int | None = None, n_reps: int = 1000, seed: int = 0
) -> SuperiorAbility | None:
    """Test whether any strategy has a higher mean log return than the market.

    Parameters
    ----------
    log_returns : (S, D) array
        Daily logarithmic returns of the strategies.
    market : (D,) array
        Those of the benchmark.
    block : int, optional
        Mean block length of the stationary bootstrap in days; D^(1/3) by default, the rate of Politis & White 2004.
    n_reps : int
        Bootstrap samples.
    seed : int
        Of the bootstrap.

    Returns
    -------
    SuperiorAbility or None
        None below ten days, or if every strategy is the market.
    """
    from arch.bootstrap import SPA

    differences = np.ascontiguousarray((log_returns - market).T)
    n_days = len(differences)
    if n_days < 10:
        return None
    block = block or max(round(n_days ** (1 / 3)), 2)
    deviation = long_run_deviation(differences, block)
    varies = deviation > 1e-12
    if not varies.any():
        return None
    losses = -differences[:, varies] / deviation[varies]
    test = SPA(np.zeros(n_days), losses, block_size=block, reps=n_reps, bootstrap="stationary", seed=seed)
    test.compute()
    lower, consistent, upper = (float(test.pvalues[name]) for name in ("lower", "consistent", "upper"))
    return SuperiorAbility(lower, consistent, upper, int(varies.sum()), block)
