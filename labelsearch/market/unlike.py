"""Markets unlike each other: correlations of returns, with and without what all share, and a greedy choice.

Shapes: ``T`` days, ``M`` markets.
"""

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.rules import BarError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
LEAST_COMMON = 20  # days on which both of a pair have a return: with fewer, their correlation is not known


def shared_return(returns: Floats, has: Flags) -> Floats:
    """Mean return (T,) of the markets (T, M) that have one; 0 where none has."""
    count = has.sum(axis=1)
    return np.divide(np.where(has, returns, 0.0).sum(axis=1), count, out=np.zeros(len(returns)), where=count > 0)


def without_beta(returns: Floats, has: Flags, basket: Floats) -> Floats:
    """What is left (T, M) of returns after a least-squares line on those of a basket (T,); 0 where there is none.

    The line of a market is that of all its own rows, so that its rest has a mean of 0 and no correlation with the
    basket. A market is part of its basket: among M markets that share nothing else, rests correlate at -1 / (M - 1).
    """
    rest = np.zeros_like(returns)
    for m in range(returns.shape[1]):
        rows = has[:, m]
        x, y = basket[rows], returns[rows, m]
        if len(x):
            x, y = x - x.mean(), y - y.mean()
            xx = x @ x
            rest[rows, m] = y - (x @ y / xx if xx > 0.0 else 0.0) * x
    return rest


def correlations(returns: Floats, has: Flags) -> Floats:
    """Correlation (M, M) of each pair of markets on the days that both have.

    NaN with fewer than `LEAST_COMMON` such days, or where one of the two does not move on them.
    """
    own = has.sum(axis=0)
    mean = np.divide(np.where(has, returns, 0.0).sum(axis=0), own, out=np.zeros(len(own)), where=own > 0)
    centred = np.where(has, returns - mean, 0.0)
    here = has.astype(np.float64)
    n = here.T @ here
    with np.errstate(invalid="ignore", divide="ignore"):
        sums, squares = centred.T @ here, (centred**2).T @ here  # of the row's market, on the days of both
        covariance = centred.T @ centred - sums * sums.T / n
        spread = squares - sums**2 / n
        moves = spread > 1e-12 * squares  # else what is left is rounding
        rho = covariance / np.sqrt(spread * spread.T)
    return np.where((n >= LEAST_COMMON) & moves & moves.T, np.clip(rho, -1.0, 1.0), np.nan)


def unlike(rho: Floats, start: int, count: int) -> list[int]:
    """Markets chosen one after the other, each the one whose largest correlation with those so far is least.

    Correlations (M, M) count by their size: a market that mirrors another is no other market. One whose correlation
    with any of those chosen is not known is not chosen, so that fewer than ``count`` may be found. Of equal ones the
    first is chosen.

    Raises
    ------
    BarError
        If there is no such start, or nothing to choose.
    """
    if not 0 <= start < len(rho) or count < 1:
        raise BarError(f"no market {start} to start from among {len(rho)}, or {count} to choose")
    chosen, worst = [start], np.abs(rho[start])
    worst[start] = np.nan
    while len(chosen) < count and np.isfinite(worst).any():
        best = int(np.nanargmin(worst))
        chosen.append(best)
        worst = np.maximum(worst, np.abs(rho[best]))  # NaN stays NaN
        worst[best] = np.nan
    return chosen
