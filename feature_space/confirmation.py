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


def confirm(
    matrix: NDArray[np.float32],
    random_matrices: Sequence[NDArray[np.float32]],
    classes: NDArray[np.int8],
    *,
    n_pairs: int,
    n_shifts: int,
    seed: int,
    weights: NDArray[np.float64] | None = None,
) -> Confirmation:
    """Measure a chosen set on bars that it was not chosen on.

    Parameters
    ----------
    matrix : (N, F) array of float32
        Chosen features of later, purged bars, in time order.
    random_matrices : sequence of (N, F) arrays of float32
        Random sets on the same bars.
    classes : (N,) array of int8
        Their label classes.
    n_pairs : int
        Cross-class pairs drawn for each measurement.
    n_shifts : int
        Circular shifts, short ones too: with long memory the real timing is not exchangeable with long ones alone.
    seed : int
        Seed of the pairs and shifts.
    weights : (n_bins,) array of float64, optional
        Weight of each distance bin; by default the Gaussian weight.

    Raises
    ------
    ValueError
        If a class is missing among the bars.
    """
    rng = np.random.default_rng(seed)
    n_bars, n_features = matrix.shape
    if weights is None:
        weights = near_zero_weights(n_features)
    rows = np.arange(n_bars)

    def measure(features: NDArray[np.float32], of: NDArray[np.int8]) -> MassEstimate:
        pairs = sample_pairs(of, rows, n_pairs, rng, cross=True)
        return estimate_mass(distances_nb(features, pairs.left, pairs.right), weights, n_features)

    real = measure(matrix, classes)
    others = [measure(features, classes).mass for features in random_matrices]
    shifts = rng.integers(1, n_bars, n_shifts)
    null = np.array([measure(matrix, np.roll(classes, shift)).mass for shift in shifts])
    return Confirmation(
        estimate=real,
        power=separation_power(real.mass),
        power_random=separation_power(float(np.median(others))) if others else float("nan"),
        p_value=(1 + int((null <= real.mass).sum())) / (1 + n_shifts),
    )
