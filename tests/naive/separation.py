"""Slow plain twins of the exact pair histograms."""

import numpy as np


def pair_counts(left, right, steps: int, per_bin: int, n_bins: int) -> np.ndarray:
    """Counts of L1 distances between features rounded to whole steps, pair by pair."""
    counts = np.zeros(n_bins, dtype=np.int64)
    for a in left:
        for b in right:
            distance = 0
            for x, y in zip(a, b, strict=True):
                distance += abs(round((float(x) + 1) * steps / 2) - round((float(y) + 1) * steps / 2))
            counts[distance // per_bin] += 1
    return counts


def cross_class_counts(matrix, classes, steps: int, per_bin: int, n_bins: int) -> np.ndarray:
    """The same over all pairs of bars whose classes differ."""
    counts = np.zeros(n_bins, dtype=np.int64)
    for i in range(len(matrix)):
        for j in range(i):
            if classes[i] != classes[j]:
                counts += pair_counts(matrix[i : i + 1], matrix[j : j + 1], steps, per_bin, n_bins)
    return counts
