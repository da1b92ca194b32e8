"""Greedy ensemble selection with replacement: Caruana, Niculescu-Mizil, Crew & Ksikes 2004.

The figure is the Sharpe ratio of the ensemble's daily returns. By the score, which is nearly linear in the shares of
capital, the best strategy alone could hardly be improved.
"""

import numpy as np

from strategies.tiers.controls.folds import NotFitted

N_CANDIDATES = 300  # best strategies by past score
MOST_ADDED = 50
LEAST_DAYS = 3
LEAST_GAIN = 1e-9  # relative: less is rounding, as where a strategy is added to itself


def daily_sharpes(equity: np.ndarray) -> np.ndarray:
    """Mean over standard deviation (n,) of the daily returns of equity (n, D + 1); 0 where nothing moves."""
    before = equity[:, :-1]
    returns = np.divide(equity[:, 1:], before, out=np.ones_like(before), where=before > 0) - 1.0
    deviation = returns.std(axis=1)
    return np.divide(returns.mean(axis=1), deviation, out=np.zeros(len(equity)), where=deviation > 1e-12)


def select(equity: np.ndarray, most: int = MOST_ADDED) -> tuple[np.ndarray, float]:
    """Add the strategy that improves the ensemble most, one may come again, until none does.

    Parameters
    ----------
    equity : (n, D + 1) array
        Equity of each candidate at the ends of days, 1 at the start.
    most : int
        Strategies that are added.

    Returns
    -------
    ((n,) array of int64, float)
        How often each was added; its share of the capital is in proportion. And the daily Sharpe ratio.

    Raises
    ------
    NotFitted
        If there are fewer than three days, or no strategy earns anything.
    """
    if equity.shape[1] - 1 < LEAST_DAYS:
        raise NotFitted(f"past has {equity.shape[1] - 1} days, {LEAST_DAYS} are needed")
    counts = np.zeros(len(equity), dtype=np.int64)
    held, best = np.zeros(equity.shape[1]), 0.0
    for _ in range(most):
        found = daily_sharpes((held + equity) / (counts.sum() + 1.0))
        added = int(np.argmax(found))
        if not found[added] > best * (1.0 + LEAST_GAIN):
            break
        counts[added] += 1
        held, best = held + equity[added], float(found[added])
    if not counts.any():
        raise NotFitted("no strategy among the best by score earned anything")
    return counts, best
