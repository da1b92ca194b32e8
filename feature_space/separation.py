"""Separation power of a feature set: how far apart bars of different label classes lie.

The distance of two bars is the L1 norm between their feature vectors. The distances of cross-class pairs are put
into a histogram on [0, 2n] for n features; separation power is 1/(eps + area weighted towards zero)
(Balcerak & Schmelzer 2020). The weight exp(-(d/(0.1 n))^2) is our reconstruction, and so is `quantile`: weight 1
below a given distance.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from feature_space import FeatureError

EPSILON = 1e-6
N_BINS = 3600  # for separation power; plots sum neighbouring bins


@dataclass(frozen=True)
class Pairs:
    """Fixed bar pairs: row numbers ``left`` and ``right``, each a (M,) array of int64."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]


def sample_pairs(
    classes: NDArray[np.int8],
    rows: NDArray[np.int64],
    n_pairs: int,
    rng: np.random.Generator,
    *,
    cross: bool,
    balanced: bool = False,
) -> Pairs:
    """Draw pairs uniformly from all cross-class (or all same-class) pairs.

    Parameters
    ----------
    classes : (T,) array of int8
        Label class of every bar: 0 buy, 1 neutral, 2 sell.
    rows : (N,) array of int64
        Bars that may be drawn.
    n_pairs : int
        Number M of pairs, drawn with replacement.
    balanced : bool
        Draw the kinds of pairs (buy-sell, buy-neutral, ..) equally often, however many pairs of each exist.

    Raises
    ------
    FeatureError
        If no such pair exists.
    """
    members = [rows[classes[rows] == c] for c in range(3)]
    kinds = [(a, b) for a in range(3) for b in range(a, 3) if (a != b) == cross]
    sizes = np.array([len(members[a]) * (len(members[b]) - (a == b)) / (2 - cross) for a, b in kinds])
    if sizes.sum() <= 0:
        wanted = "cross-class pairs: only one class occurs" if cross else "same-class pairs: no class occurs twice"
        raise FeatureError(f"the label has no {wanted}")
    if balanced:
        sizes = (sizes > 0).astype(float)
    counts = rng.multinomial(n_pairs, sizes / sizes.sum())
    left, right = [], []
    for (a, b), count in zip(kinds, counts, strict=True):
        if count:
            i = rng.integers(0, len(members[a]), count)
            # within a class the second index skips the first, so that no bar is paired with itself
            j = (
                rng.integers(0, len(members[b]), count)
                if a != b
                else (i + rng.integers(1, len(members[a]), count)) % len(members[a])
            )
            left.append(members[a][i])
            right.append(members[b][j])
    return Pairs(np.concatenate(left), np.concatenate(right))


@njit(cache=True, nogil=True)
def distances_nb(x, left, right):
    """L1 distance of each pair of ``x`` (T, F), (M,) array of float64."""
    out = np.zeros(left.size)
    for m in range(left.size):
        total = 0.0
        for f in range(x.shape[1]):
            total += abs(np.float64(x[left[m], f]) - np.float64(x[right[m], f]))
        out[m] = total
    return out


@njit(cache=True)
def histogram_nb(values, n_bins, top):
    """Counts of ``values`` in ``n_bins`` equal bins on [0, top], (n_bins,) array of int64."""
    counts = np.zeros(n_bins, dtype=np.int64)
    for value in values:
        counts[min(int(value * (n_bins / top)), n_bins - 1)] += 1
    return counts


def near_zero_weights(n_features: int, n_bins: int = N_BINS, quantile: float | None = None) -> NDArray[np.float64]:
    """Weight of each bin, at the bin centres: Gaussian, or 1 below the distance ``quantile``."""
    centres = (np.arange(n_bins) + 0.5) * (2.0 * n_features / n_bins)
    if quantile is not None:
        return (centres < quantile).astype(np.float64)
    return np.exp(-((centres / (0.1 * n_features)) ** 2))


def near_zero_mass(distances: NDArray[np.float64], weights: NDArray[np.float64], n_features: int) -> float:
    """Weighted area of the relative histogram of ``distances``."""
    counts = histogram_nb(distances, weights.size, 2.0 * n_features)
    return float(counts @ weights) / distances.size


class MassEstimate(NamedTuple):
    """Near-zero mass from independent random pairs, and its standard error."""

    mass: float
    standard_error: float

    def power_interval(self, z: float = 1.96) -> tuple[float, float]:
        """Separation power at the ends of mass -+ z standard errors, lower end first."""
        low, high = self.mass + z * self.standard_error, max(self.mass - z * self.standard_error, 0.0)
        return separation_power(low), separation_power(high)


def estimate_mass(distances: NDArray[np.float64], weights: NDArray[np.float64], n_features: int) -> MassEstimate:
    """Mean weight of pairs drawn independently from all, as `sample_pairs` draws them.

    Parameters
    ----------
    distances : (M,) array of float64
    weights : (n_bins,) array of float64
        Weight of each distance bin on [0, 2 n_features].
    """
    bins = np.minimum((distances * (weights.size / (2.0 * n_features))).astype(np.int64), weights.size - 1)
    drawn = weights[bins]
    return MassEstimate(float(drawn.mean()), float(drawn.std(ddof=1) / np.sqrt(drawn.size)))


def separation_power(mass: float) -> float:
    """1/(eps + near-zero mass)."""
    return 1.0 / (EPSILON + mass)
