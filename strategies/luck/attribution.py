"""Where a result comes from: a lucky fortnight, or one idea held many times over. From the market: `panel.hac_fit`."""

from typing import NamedTuple

import numpy as np

from strategies.trade.correlation import unit_rows


class WithoutBest(NamedTuple):
    """Growth without the best stretch of days, and the first day of that stretch, counted from 0."""

    growth: float
    start: int


def without_best_days(log_returns: np.ndarray, n_days: int = 14) -> WithoutBest | None:
    """Growth of one curve without the ``n_days`` in a row that earned most.

    Parameters
    ----------
    log_returns : (D,) array
        Daily logarithmic returns.
    n_days : int
        Length of the stretch.

    Returns
    -------
    WithoutBest or None
        None if the window is no longer than the stretch.
    """
    if len(log_returns) <= n_days:
        return None
    total = np.r_[0.0, np.cumsum(log_returns)]
    earned = total[n_days:] - total[:-n_days]
    start = int(np.argmax(earned))
    return WithoutBest(float(np.exp(total[-1] - earned[start])), start)


def mean_correlation(rows: np.ndarray) -> float | None:
    """Mean correlation of all pairs of rows (S, D); rows that do not vary are left out, None below two."""
    unit = unit_rows(rows)
    unit = unit[unit.any(axis=1)]
    n = len(unit)
    if n < 2:
        return None
    return float(((unit.sum(axis=0) ** 2).sum() - n) / (n * (n - 1)))


def partial_rank_correlation(x: np.ndarray, y: np.ndarray, controls: np.ndarray) -> float | None:
    """Spearman's rho of x and y (S,) given the controls (S, C).

    Pearson's correlation of what is left of the ranks of x and y after least squares on the ranks of the
    controls; None if nothing is left.
    """
    from scipy.stats import rankdata

    ranks = np.column_stack([rankdata(column) for column in (*controls.T, x, y)])
    ranks -= ranks.mean(axis=0)
    design, outcome = ranks[:, :-2], ranks[:, -2:]
    left = outcome - design @ np.linalg.lstsq(design, outcome, rcond=None)[0]
    scale = np.linalg.norm(left, axis=0)
    if (scale <= 1e-9 * np.linalg.norm(outcome, axis=0)).any():
        return None
    return float(left[:, 0] @ left[:, 1] / (scale[0] * scale[1]))
