"""Where a result comes from: the market, a lucky fortnight, or one idea held many times over."""

from typing import NamedTuple

import numpy as np

from strategies.trade.correlation import unit_rows


class MarketFit(NamedTuple):
    """Returns explained by the market's: alpha a period, beta, and their t-values."""

    alpha: float
    beta: float
    alpha_t: float
    beta_t: float
    n_lags: int


def market_fit(returns: np.ndarray, market: np.ndarray, n_lags: int | None = None) -> MarketFit | None:
    """Least squares of returns (D,) on the market's (D,), with errors by Newey & West 1987.

    Parameters
    ----------
    returns, market : (D,) array
        Returns of the same periods.
    n_lags : int, optional
        Lags with Bartlett weights; by default floor(4 (D / 100)^(2/9)), Newey & West 1994.

    Returns
    -------
    MarketFit or None
        None below four periods, or if the market did not move. t is 0 where the error is 0.
    """
    n = len(returns)
    if n < 4 or np.ptp(market) == 0.0:
        return None
    if n_lags is None:
        n_lags = int(4 * (n / 100) ** (2 / 9))
    n_lags = min(n_lags, n - 1)
    design = np.column_stack([np.ones(n), market])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ returns
    scores = design * (returns - design @ coefficients)[:, None]
    meat = scores.T @ scores
    for lag in range(1, n_lags + 1):
        product = scores[lag:].T @ scores[:-lag]
        meat += (1.0 - lag / (n_lags + 1)) * (product + product.T)
    error = np.sqrt(np.maximum(np.diag(inverse @ meat @ inverse), 0.0))
    t = np.divide(coefficients, error, out=np.zeros(2), where=error > 0)
    (alpha, beta), (alpha_t, beta_t) = coefficients.tolist(), t.tolist()
    return MarketFit(alpha, beta, alpha_t, beta_t, n_lags)


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
