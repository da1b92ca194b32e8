"""Whether a feature set tells the classes of later bars apart, by the discriminant that was fitted on earlier ones."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.discriminant import KINDS, RIDGE, STEPS


class Discriminant(NamedTuple):
    """Fitted regressions of a set of F features, one for each of the K kinds of pairs that occur.

    ``value`` of a bar: ``intercept + features @ linear + features**2 @ square``, 1 for the first class of the kind, -1
    for the second.
    """

    kinds: tuple[int, ...]
    intercept: NDArray[np.float64]  # (K,)
    linear: NDArray[np.float64]  # (F, K)
    square: NDArray[np.float64]  # (F, K)

    def values(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Values of bars with features (N, F), (N, K)."""
        x = np.rint(matrix.astype(np.float64) * STEPS) / STEPS
        return np.asarray(self.intercept + x @ self.linear + (x * x) @ self.square)


def fit_discriminant(products: NDArray[np.float64], rows: tuple[int, ...]) -> Discriminant:
    """Discriminant of a set on all folds.

    Parameters
    ----------
    products : (3, N_FOLDS, 2C + 1, 2C + 1) array of float64
        As `feature_space.discriminant.class_products`.
    rows : tuple of int
        Candidates of the set.
    """
    n = (products.shape[-1] - 1) // 2
    wanted = np.array([0, *(1 + row for row in rows), *(1 + n + row for row in rows)])
    units = np.r_[1.0, np.full(len(rows), STEPS), np.full(len(rows), STEPS * STEPS)]
    total = products.sum(axis=1)[:, wanted[:, None], wanted] / units / units[:, None]
    kinds, intercepts, weights = [], [], []
    for kind, (a, b) in enumerate(KINDS):
        if min(total[a, 0, 0], total[b, 0, 0]) <= 0:
            continue
        first, second = total[a] / total[a, 0, 0], total[b] / total[b, 0, 0]
        both, with_target = 0.5 * (first + second), 0.5 * (first[0, 1:] - second[0, 1:])
        means = both[0, 1:]
        covariance = both[1:, 1:] - np.outer(means, means)
        penalty = np.diag(RIDGE * np.maximum(np.diag(covariance), 1e-12))
        own = np.linalg.solve(covariance + penalty, with_target) if len(rows) else np.zeros(0)
        kinds.append(kind)
        weights.append(own)
        intercepts.append(-float(means @ own))
    columns = np.array(weights).reshape(len(kinds), 2 * len(rows)).T
    return Discriminant(tuple(kinds), np.array(intercepts), columns[: len(rows)], columns[len(rows) :])


class LaterValues(NamedTuple):
    """Later, purged bars of one market, in time order."""

    values: NDArray[np.float64]  # (N, K) as `Discriminant.values`
    classes: NDArray[np.int8]  # (N,)


def later_errors(markets: list[LaterValues], kinds: tuple[int, ...], shifts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the variance of the class that is left on later bars, by kind, with classes shifted against features.

    Parameters
    ----------
    markets : list of LaterValues
    kinds : tuple of int
        The K kinds.
    shifts : (S,) array of int64
        Bars that the classes are rolled by, the same for all markets; 0 for the real timing.

    Returns
    -------
    (S, K) array of float64
        NaN for a kind of which a class is missing.
    """
    sums, counts = np.zeros((len(shifts), 2, len(kinds))), np.zeros((2, len(kinds)))
    for market in markets:
        for k, kind in enumerate(kinds):
            for side, target in enumerate((1.0, -1.0)):
                squared = (target - market.values[:, k]) ** 2
                where = np.flatnonzero(market.classes == KINDS[kind][side])
                counts[side, k] += len(where)
                for s, shift in enumerate(shifts):
                    sums[s, side, k] += squared[(where + shift) % len(squared)].sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums / counts).mean(axis=1))
