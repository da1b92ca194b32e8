"""Exact histograms of L1 distances over all pairs of two sets of bars.

Features in [-1, 1] are rounded to whole steps, as many as keep the distance of any pair within 16 bits: 2340 steps for
28 features. Distances are then integers, whose sums do not depend on their order, and 16-bit lanes process twice as
many pairs per cycle as float32. As |x - y| = 2 max(x, y) - x - y, a distance is twice the sum of the larger values less
the sums of both bars: two operations per feature in place of four, with the same integers. Memory is bounded by the
sets themselves and one table of counts per thread, whatever the number of pairs.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from feature_space import FeatureError
from labelsearch.compiled import threaded

ROWS = 128  # bars of the first set that one task compares with the whole second set, an even number
COLUMNS = 2048  # bars of the second set at a time: long enough for the loops, and features of a tile stay in the cache
TOGETHER = 4  # features added in one pass over a tile
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
def _add_larger_nb(left, i, right, f, start, stop, first, second):
    """Add the larger value of each pair, of features ``f`` to ``f + 3``, for two bars of the first set.

    Eight values of two bars stay in registers, so that each value of the second set is read once for both and each sum
    once for four features.
    """
    a0, a1, a2, a3 = left[i, f], left[i, f + 1], left[i, f + 2], left[i, f + 3]
    b0, b1, b2, b3 = left[i + 1, f], left[i + 1, f + 1], left[i + 1, f + 2], left[i + 1, f + 3]
    # slices from 0: an index that could be negative would not vectorise
    row0, row1, row2, row3 = (
        right[f, start:stop],
        right[f + 1, start:stop],
        right[f + 2, start:stop],
        right[f + 3, start:stop],
    )
    for j in range(first.size):
        y0, y1, y2, y3 = row0[j], row1[j], row2[j], row3[j]
        first[j] += (max(a0, y0) + max(a1, y1)) + (max(a2, y2) + max(a3, y3))
        second[j] += (max(b0, y0) + max(b1, y1)) + (max(b2, y2) + max(b3, y3))


@njit(cache=True)
def _count_nb(larger, sum_left, sum_right, counts):
    """Count the distances of one bar, from the sums of the larger values; these sums are overwritten."""
    for j in range(larger.size):
        # both differences are sums of what one bar has above the other: all stays within 16 bits
        larger[j] = np.uint16((larger[j] - sum_left) + (larger[j] - sum_right[j])) >> SHIFT
    for j in range(larger.size):
        counts[larger[j]] += 1


@njit(cache=True)
def _count_rows_nb(left, right, sum_left, sum_right, first, last):
    """Counts of the distances of bars ``first`` to ``last`` of the first set to all of the second."""
    counts = np.zeros(N_BINS, dtype=np.int64)
    sums = np.empty((2, COLUMNS), dtype=np.uint16)
    for start in range(0, right.shape[1], COLUMNS):
        stop = min(start + COLUMNS, right.shape[1])
        here, there = sums[0, : stop - start], sums[1, : stop - start]
        for i in range(first, last, 2):
            here[:] = 0
            there[:] = 0
            for f in range(0, right.shape[0], TOGETHER):
                _add_larger_nb(left, i, right, f, start, stop, here, there)
            _count_nb(here, sum_left[i], sum_right[start:stop], counts)
            if i + 1 < last:
                _count_nb(there, sum_left[i + 1], sum_right[start:stop], counts)
    return counts


@njit(cache=True, parallel=True)
def _count_all_nb(left, right, sum_left, sum_right):
    """Counts of all distances between two sets of bars as `count_pairs` lays them out."""
    n_tasks = (sum_left.size + ROWS - 1) // ROWS
    total = np.zeros(N_BINS, dtype=np.int64)
    for task in prange(n_tasks):
        first = np.int64(task) * ROWS
        total += _count_rows_nb(left, right, sum_left, sum_right, first, min(first + ROWS, sum_left.size))
    return total


def count_pairs(left: NDArray[np.uint16], right: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Counts of all distances between two sets of quantised bars, (F, A) and (F, B); (N_BINS,) array of int64."""
    more = -left.shape[0] % TOGETHER  # features that are 0 in both sets add nothing
    bars = np.pad(left.T, ((0, left.shape[1] % 2), (0, more)))  # contiguous by bar; an odd one more is not counted
    sums = [one.sum(axis=0, dtype=np.uint16) for one in (left, right)]
    return threaded(_count_all_nb)(np.ascontiguousarray(bars), np.pad(right, ((0, more), (0, 0))), *sums)


def all_pairs(left: NDArray[np.floating], right: NDArray[np.floating]) -> Histogram:
    """Histogram over all pairs of a bar of ``left`` (A, F) and one of ``right`` (B, F), features in [-1, 1]."""
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"the sets have {left.shape[1]} and {right.shape[1]} features")
    width = (1 << SHIFT) * 2.0 / n_steps(left.shape[1])
    return Histogram(count_pairs(quantise(left), quantise(right)), width)


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
            counts += count_pairs(small, large)
    return Histogram(counts, (1 << SHIFT) * 2.0 / n_steps(matrix.shape[1]))
