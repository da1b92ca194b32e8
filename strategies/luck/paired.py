"""The mean difference of two accounts that were traded on the same days."""

from typing import NamedTuple

import numpy as np

from strategies.luck.panel import LEAST_DAYS, WEEK, fixed_b_widening
from strategies.luck.resample import block_weights

REPS = 2000
LEVEL = 0.95


class Difference(NamedTuple):
    """Mean difference of daily returns, and its interval; None where that cannot be told."""

    mean: float
    interval: tuple[float, float] | None  # 95%


def paired_difference(returns: np.ndarray, other: np.ndarray, *, seed: int = 0, n_reps: int = REPS) -> Difference:
    """Mean of returns (D,) less other returns (D,) of the same days.

    Days are resampled in circular blocks of D^(1/3) days, at least a week, the same for both, so that what both share
    does not widen the interval. Percentiles are widened as those of `strategies.luck.panel.block_interval`. There is no
    interval below ten days, or where both are the same on all days.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    if returns.shape != other.shape or returns.ndim != 1 or not len(returns):
        raise ValueError(f"returns {returns.shape} and {other.shape} are not of the same days")
    difference = returns - other
    n, mean = len(difference), float(difference.mean())
    if n < LEAST_DAYS or not np.ptp(difference) > 0:
        return Difference(mean, None)
    block = min(max(round(n ** (1 / 3)), WEEK), n // 3)
    weight = block_weights(np.random.default_rng(seed), n, block, n_reps)
    drawn = np.einsum("rd,d->r", weight, difference) / n  # its own sums, for any number of threads
    tail = (1.0 - LEVEL) / 2.0
    ends = mean + fixed_b_widening(LEVEL, n, block) * (np.quantile(drawn, [tail, 1.0 - tail]) - mean)
    return Difference(mean, (float(ends[0]), float(ends[1])))
