"""Exact histograms of L1 distances over all pairs of two sets of bars.

Features in [-1, 1] are rounded to whole steps, as many as keep the distance of any pair within 16 bits: 2340 steps for
28 features. Distances are then integers, whose sums do not depend on their order, and 16-bit lanes process twice as
many pairs per cycle as float32. Memory is bounded by the sets themselves and one table of counts per thread, whatever
the number of pairs.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from feature_space import FeatureError
from labelsearch.compiled import threaded

ROWS = 128  # bars of the first set that one task compares with the whole second set
COLUMNS = 512  # bars of the second set at a time: distances and features of a tile stay in the nearest cache
SHIFT = 4  # 16 distances share a bin
N_BINS = 1 << (16 - SHIFT)


class Histogram(NamedTuple):
    """Counts of distances in equal bins: bin ``b`` holds distances in [b, b + 1) * ``width``."""

    counts: NDArray[np.int64]  # (N_BINS,)
    width: float

    @property
    def centres(self) -> NDArray[np.float64]:
        """Distance at the middle of each bin."""
        return (np.arange(self.counts.size, dtype=np.float64) + 0.5) * self.width

    @property
    def n_pairs(self) -> int:
        """Pairs counted."""
        return int(self.counts.sum())


def n_steps(n_features: int) -> int:
    """Steps that each feature is rounded to, so that distances stay below 2^16."""
    if not 1 <= n_features <= 4096:
        raise FeatureError(f"exact histograms take 1 to 4096 features, not {n_features}")
    return min(65535 // n_features, 32767)


def quantise(matrix: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Features in [-1, 1], (N, F), as whole steps, (F, N); ValueError for values outside or NaN."""
    if not (np.abs(matrix) <= 1.0).all():
        raise ValueError("features must lie in [-1, 1]")
    steps = n_steps(matrix.shape[1])
    return np.ascontiguousarray(np.rint((matrix.T.astype(np.float64) + 1.0) * (0.5 * steps)).astype(np.uint16))


@njit(cache=True)
def _tile_nb(left, right, i, start, stop, distances):
    """Distances of bar ``i`` of the first set to bars ``start`` to ``stop`` of the second."""
    n = stop - start
    for j in range(n):
        distances[j] = 0
    for f in range(left.shape[0]):
        x = left[f, i]
        row = right[f, start:stop]  # a slice from 0: an index that could be negative would not vectorise
        for j in range(n):
            y = row[j]
            # the larger minus the smaller stays within 16 bits
            distances[j] += max(x, y) - min(x, y)


@njit(cache=True)
def _count_rows_nb(left, right, first, last):
    """Counts of the distances of bars ``first`` to ``last`` of the first set to all of the second."""
    counts = np.zeros(N_BINS, dtype=np.int64)
    distances = np.empty(COLUMNS, dtype=np.uint16)
    for start in range(0, right.shape[1], COLUMNS):
        stop = min(start + COLUMNS, right.shape[1])
        for i in range(first, last):
            _tile_nb(left, right, i, start, stop, distances)
            for j in range(stop - start):
                counts[distances[j] >> SHIFT] += 1
    return counts


@njit(cache=True, parallel=True)
def count_pairs_nb(left, right):
    """Counts of all distances between two sets of bars, (F, A) and (F, B) of uint16; (N_BINS,) array of int64."""
    n_tasks = (left.shape[1] + ROWS - 1) // ROWS
    total = np.zeros(N_BINS, dtype=np.int64)
    for task in prange(n_tasks):
        first = np.int64(task) * ROWS
        total += _count_rows_nb(left, right, first, min(first + ROWS, left.shape[1]))
    return total


def all_pairs(left: NDArray[np.floating], right: NDArray[np.floating]) -> Histogram:
    """Histogram over all pairs of a bar of ``left`` (A, F) and one of ``right`` (B, F), features in [-1, 1]."""
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"the sets have {left.shape[1]} and {right.shape[1]} features")
    width = (1 << SHIFT) * 2.0 / n_steps(left.shape[1])
    return Histogram(threaded(count_pairs_nb)(quantise(left), quantise(right)), width)


def cross_class(matrix: NDArray[np.floating], classes: NDArray[np.int8]) -> Histogram:
    """Histogram over all pairs of bars of different classes.

    Parameters
    ----------
    matrix : (N, F) array of float
        Features in [-1, 1].
    classes : (N,) array of int8
        Class 0, 1 or 2 of each bar.

    Raises
    ------
    FeatureError
        If only one class occurs, or a feature lies outside [-1, 1].
    """
    sets = [quantise(matrix[classes == c]) for c in range(3)]
    sets = sorted((s for s in sets if s.shape[1]), key=lambda s: s.shape[1])
    if len(sets) < 2:
        raise FeatureError("the label has no cross-class pairs: only one class occurs")
    counts = np.zeros(N_BINS, dtype=np.int64)
    for i, small in enumerate(sets):
        for large in sets[i + 1 :]:
            counts += threaded(count_pairs_nb)(small, large)
    return Histogram(counts, (1 << SHIFT) * 2.0 / n_steps(matrix.shape[1]))
