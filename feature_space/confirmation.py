"""Whether a chosen feature set separates the classes of bars it was not chosen on, and better than chance.

Under the null the label is shifted circularly against the features: it keeps its class counts and its autocorrelation,
but no relation to the features of the same bars.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.separation import (
    MassEstimate,
    distances_nb,
    estimate_mass,
    near_zero_weights,
    sample_pairs,
    separation_power,
)


class Confirmation(NamedTuple):
    """Separation power on later bars, that of random sets, and the p-value against circular shifts."""

    estimate: MassEstimate
    power: float
    power_random: float  # median over the random sets
    p_value: float  # (1 + shifts with at least this power)/(1 + shifts)


class LaterBars(NamedTuple):
    """Later, purged bars of one market, in time order."""

    matrix: NDArray[np.float32]  # (N, F) chosen features
    random_matrices: Sequence[NDArray[np.float32]]  # (N, F) each, random sets
    classes: NDArray[np.int8]  # (N,)


def confirm(
    markets: Sequence[LaterBars],
    *,
    n_pairs: int,
    n_shifts: int,
    seed: int,
    weights: NDArray[np.float64] | None = None,
) -> Confirmation:
    """Measure a chosen set on bars that it was not chosen on.

    Pairs are drawn within each market, as many in each; the labels of all are shifted by the same number of bars, so
    that what markets have in common stays.

    Parameters
    ----------
    markets : sequence of LaterBars
        One or more, with as many random sets each.
    n_pairs : int
        Cross-class pairs drawn for each measurement, in all.
    n_shifts : int
        Circular shifts, short ones too: with long memory the real timing is not exchangeable with long ones alone.
    seed : int
        Seed of the pairs and shifts.
    weights : (n_bins,) array of float64, optional
        Weight of each distance bin; by default the Gaussian weight.

    Raises
    ------
    ValueError
        If a class is missing among the bars of a market.
    """
    rng = np.random.default_rng(seed)
    n_features = markets[0].matrix.shape[1]
    if weights is None:
        weights = near_zero_weights(n_features)
    each = max(n_pairs // len(markets), 1)
    matrices, classes = [market.matrix for market in markets], [market.classes for market in markets]

    def measure(features: Sequence[NDArray[np.float32]], of: Sequence[NDArray[np.int8]]) -> MassEstimate:
        distances = []
        for matrix, its_classes in zip(features, of, strict=True):
            pairs = sample_pairs(its_classes, np.arange(len(matrix)), each, rng, cross=True)
            distances.append(distances_nb(matrix, pairs.left, pairs.right))
        return estimate_mass(np.concatenate(distances), weights, n_features)

    real = measure(matrices, classes)
    others = [measure(s, classes).mass for s in zip(*(market.random_matrices for market in markets), strict=True)]
    shifts = rng.integers(1, min(len(matrix) for matrix in matrices), n_shifts)
    null = np.array([measure(matrices, [np.roll(c, shift) for c in classes]).mass for shift in shifts])
    return Confirmation(
        estimate=real,
        power=separation_power(real.mass),
        power_random=separation_power(float(np.median(others))) if others else float("nan"),
        p_value=(1 + int((null <= real.mass).sum())) / (1 + n_shifts),
    )
