"""Rank correlation of past and future, and its interval by resampled blocks of days.

That the past score ranks future returns is a claim of Balcerak & Schmelzer 2020.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads

MOST_AT_ONCE, MOST_VALUES = 50, 2_500_000


def block_weights(rng: np.random.Generator, n_days: int, block: int, n_reps: int) -> np.ndarray:
    """Number of times (n_reps, n_days) that each day comes in windows resampled by circular blocks of days."""
    block = max(min(block, n_days // 3), 1)
    starts = rng.integers(0, n_days, size=(n_reps, -(-n_days // block)))
    days = ((starts[:, :, None] + np.arange(block)) % n_days).reshape(n_reps, -1)[:, :n_days]
    return np.stack([np.bincount(row, minlength=n_days) for row in days]).astype(np.float64)


def rank_correlation(past_score: np.ndarray, future_return: np.ndarray) -> float:
    """Spearman's rho of past score and future return, (S,) each; ValueError below three strategies."""
    from scipy.stats import spearmanr

    if len(past_score) < 3:
        raise ValueError("a rank correlation needs at least three strategies")
    return float(spearmanr(past_score, future_return).statistic)


def reps_at_once(n_strategies: int) -> int:
    """Repetitions that are held together, so that memory stays bounded however many strategies there are."""
    return max(1, min(MOST_AT_ONCE, MOST_VALUES // n_strategies))


def rank_interval(
    past_score: np.ndarray,
    log_returns: np.ndarray,
    *,
    block: int = 7,
    n_reps: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """How far Spearman's rho of past score and future return depends on the days of the future, by circular blocks.

    Days are resampled, the same for all strategies. Resampling strategies would be wrong: they are
    near-duplicates that share the same market, so thousands of them hold little more than one of them does.

    Parameters
    ----------
    past_score : (S,) array
        Scores; only the future is resampled.
    log_returns : (S, D) array
        Daily logarithmic returns on the future window.
    block : int
        Days in a block; no more than a third of the window is used.
    n_reps : int
        Resampled futures.
    level : float
        Probability inside the interval.
    seed : int
        Of the blocks.

    Returns
    -------
    (float, float)
        Percentiles. They cover the correlation of this very future, not that of a true ranking, which the noise of
        the future hides: a resampled future has it on top once more. Without an order the interval
        lies above 0 in 5 to 13% of futures of 7 to 134 days (simulated), where 2.5% would be right.

    Raises
    ------
    ValueError
        Below three strategies, or if the shapes do not fit.
    """
    from scipy.stats import rankdata

    n_strategies, n_days = log_returns.shape
    if len(past_score) != n_strategies or n_strategies < 3 or n_days < 1:
        raise ValueError(f"{len(past_score)} scores and returns {log_returns.shape} make no rank correlation")
    weight = block_weights(np.random.default_rng(seed), n_days, block, n_reps)
    ranks = rankdata(past_score) - (n_strategies + 1) / 2
    scale = np.sqrt(ranks @ ranks)
    rhos = np.empty(n_reps)
    at_once = reps_at_once(n_strategies)
    with ThreadPoolExecutor(get_num_threads()) as pool:  # sorting, most of the time, holds no lock
        for first in range(0, n_reps, at_once):
            futures = weight[first : first + at_once] @ log_returns.T
            resampled = np.stack(list(pool.map(rankdata, futures))) - (n_strategies + 1) / 2
            spread = scale * np.sqrt((resampled**2).sum(axis=1))
            rho = np.divide(resampled @ ranks, spread, out=np.zeros(len(resampled)), where=spread > 0)
            rhos[first : first + at_once] = rho
    low, high = np.quantile(rhos, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
