"""Returns without the market's, and rows scaled so that their products are correlations."""

import numpy as np

NOTHING = 1e-9  # share of its length below which what is left of a row is an error of rounding
AT_ONCE = 4096  # rows: what lies between is as large as they are


def unit_rows(rows: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Each of the rows (S, D) less its mean and divided by its length; all 0 for a row that does not vary.

    A row varies if its length without the mean is above ``least`` times its length with it.
    """
    unit = np.empty_like(rows)
    for first in range(0, len(rows), AT_ONCE):
        some = rows[first : first + AT_ONCE]
        centred = np.subtract(some, some.mean(axis=1, keepdims=True), out=unit[first : first + AT_ONCE])
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        floor = least * np.linalg.norm(some, axis=1, keepdims=True) if least else 0.0
        varies = length > floor
        np.divide(centred, length, out=centred, where=varies)
        centred[~varies[:, 0]] = 0.0
    return unit


def residual_returns(returns: np.ndarray, market: np.ndarray) -> np.ndarray:
    """Daily returns (S, D) less beta times the market's (D,), by least squares; beta is 0 where the market stood still.

    >>> residual_returns(np.array([[0.02, -0.01, 0.03]]), np.array([0.01, -0.01, 0.0])).round(4).tolist()
    [[0.005, 0.005, 0.03]]
    """
    centred = market - market.mean()
    square = centred @ centred
    if not square > 0:
        return returns
    # a sum for each strategy by itself: a product of matrices has other last digits for other numbers of strategies
    beta = (returns * centred).sum(axis=1) / square
    return returns - beta[:, None] * market


def unit_residuals(returns: np.ndarray, market: np.ndarray) -> np.ndarray:
    """Residual returns of strategies, less their mean and scaled to unit length, so that products are correlations.

    Parameters
    ----------
    returns : (S, D) array
        Daily returns.
    market : (D,) array
        Daily returns of the market.

    Returns
    -------
    (S, D) array
        All 0 for a strategy of which nothing is left, because it never moved or only held a share of the market.
    """
    residual = residual_returns(returns, market)
    left = np.linalg.norm(residual, axis=1) > NOTHING * np.linalg.norm(returns, axis=1)
    return unit_rows(np.where(left[:, None], residual, 0.0), NOTHING)
