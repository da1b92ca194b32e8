"""How strategies behave beside each other: a map of their residual returns, their correlations, and blocks of those.

Everything is rounded, since later digits depend on how many threads multiply matrices.
"""

from typing import NamedTuple

import numpy as np

from strategies.trade.correlation import NOTHING

DECIMALS = 4


class BehaviourMap(NamedTuple):
    """Strategies as points.

    Attributes
    ----------
    points : (S, 2) array
        Coordinates on the first two principal components, to four decimals; 0 on a component without variance.
    shares : tuple of float
        Share of the variance that each of the two explains.
    """

    points: np.ndarray
    shares: tuple[float, float]


class PairCorrelation(NamedTuple):
    """Mean and largest correlation of all pairs."""

    mean: float
    largest: float


def behaviour_map(unit: np.ndarray) -> BehaviourMap:
    """Principal components (Hotelling, 1933) of rows (S, D) of unit length.

    Rows of unit length lie apart by sqrt(2 - 2 correlation), so what is near on the map trades alike as far as two
    components can show it. The sign of a component is free: the point furthest from 0 gets a positive one, the first of
    equals.

    >>> behaviour_map(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).points[:, 0].tolist()
    [-0.4714, -0.4714, 0.9428]
    """
    from scipy.linalg import eigh

    n, n_days = unit.shape
    centred = unit - unit.mean(axis=0) if n else unit
    total = float((centred**2).sum())
    points, shares = np.zeros((n, 2)), [0.0, 0.0]
    if total <= NOTHING:
        return BehaviourMap(points, (0.0, 0.0))
    # the smaller of two products has the same eigenvalues
    by_rows = n <= n_days
    square = centred @ centred.T if by_rows else centred.T @ centred
    size = len(square)
    values, vectors = eigh(square, subset_by_index=(max(size - 2, 0), size - 1))
    for k, value in enumerate(values[::-1]):
        if value > NOTHING * total:
            vector = vectors[:, -1 - k]
            own = np.round(vector * value**0.5 if by_rows else centred @ vector, DECIMALS)
            points[:, k] = own * np.sign(own[np.argmax(np.abs(own))]) + 0.0
            shares[k] = round(float(value) / total, DECIMALS)
    return BehaviourMap(points, (shares[0], shares[1]))


def correlations(unit: np.ndarray) -> np.ndarray:
    """Correlation matrix (S, S) of rows (S, D) of unit length, to four decimals; 0 with a row that does not vary."""
    found = np.clip(np.round(unit @ unit.T, DECIMALS), -1.0, 1.0) + 0.0
    np.fill_diagonal(found, 1.0)
    return found


def pair_correlation(unit: np.ndarray) -> PairCorrelation | None:
    """Over all pairs of rows (S, D) of unit length that vary; None with fewer than two of them."""
    moved = unit[unit.any(axis=1)]
    if len(moved) < 2:
        return None
    pairs = correlations(moved)[np.triu_indices(len(moved), 1)]
    return PairCorrelation(round(float(pairs.mean()), DECIMALS), float(pairs.max()))


def block_order(correlation: np.ndarray) -> np.ndarray:
    """An order (S,) of the rows of a correlation matrix (S, S) in which those that correlate are neighbours.

    The leaves of average linkage (Sokal & Michener, 1958) by the distance 1 - correlation, ordered so that neighbours
    are as near as they can be (Bar-Joseph et al., 2001).
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(correlation) < 3:
        return np.arange(len(correlation))
    distance = squareform(1.0 - correlation, checks=False)
    return np.asarray(leaves_list(linkage(distance, "average", optimal_ordering=True)), dtype=np.int64)
