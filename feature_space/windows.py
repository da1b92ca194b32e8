"""Windows assembled from halves: moments of the last 2 w elements from two windows of w.

log2(k) passes over a part of the series that fits the cache, each the same for every element, so that
the compiler vectorises it. The result at ``t`` depends on the elements of its window alone, combined in a fixed order:
nothing is subtracted and nothing carried over.

The rows of an array are taken one by one and sliced before each loop: the compiler then sees that no index is negative
and that a loop writes one row only.
"""

import numpy as np
from numba import njit

TILE = 2048


@njit(cache=True, nogil=True, error_model="numpy")
def tile_size_nb(n, k):
    """Full windows computed at a time: a tile also reads the ``k - 1`` elements before it, so it is made longer.

    All tiles have one size; the last overlaps the one before, which changes no value.
    """
    return max(1, min(n - k + 1, max(TILE, 4 * k)))


@njit(cache=True, nogil=True, error_model="numpy")
def scale_nb(x, factor, out):
    """Factor times ``x``; a factor of 1 copies, faster than a slice assignment, which must allow for overlap."""
    for i in range(out.size):
        out[i] = factor * x[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_nb(x, y, out):
    """Elementwise sum of the first elements, as many as ``out`` has."""
    for i in range(out.size):
        out[i] = x[i] + y[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_scaled_nb(x, y, factor, out):
    """``x`` plus factor times ``y``, of the first elements, as many as ``out`` has."""
    for i in range(out.size):
        out[i] = x[i] + factor * y[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_to_nb(x, out):
    """Add ``x`` to ``out``, elementwise."""
    for i in range(out.size):
        out[i] += x[i]


@njit(cache=True, nogil=True, error_model="numpy")
def join_means_nb(older, newer, share, out):
    """Mean of two parts, ``share`` of the elements in the newer; exact where both are equal."""
    for i in range(out.size):
        out[i] = older[i] + (newer[i] - older[i]) * share


@njit(cache=True, nogil=True, error_model="numpy")
def join_squares_nb(older, newer, older_mean, newer_mean, weight, out):
    """Summed squared deviation of two parts (Chan, Golub and LeVeque, 1979)."""
    for i in range(out.size):
        gap = newer_mean[i] - older_mean[i]
        out[i] = older[i] + newer[i] + gap * gap * weight


@njit(cache=True, nogil=True, error_model="numpy")
def join_crosses_nb(older, newer, older_mean, newer_mean, weight, out):
    """Summed co-deviation with time of two parts."""
    for i in range(out.size):
        out[i] = older[i] + newer[i] + (newer_mean[i] - older_mean[i]) * weight


@njit(cache=True, nogil=True, error_model="numpy")
def join_moments_nb(older, newer, out, n_older, n_newer):
    """Moments, rows mean, perhaps square, perhaps cross, of ``n_newer`` elements and the ``n_older`` before them.

    Column i of ``newer`` is joined with column ``i - n_newer`` of ``older``. The first columns of ``out``, which have
    no older part, are left unchanged.
    """
    size, n = out.shape[1] - n_newer, n_older + n_newer
    mean, older_mean = newer[0][n_newer:], older[0][:size]
    join_means_nb(older_mean, mean, n_newer / n, out[0][n_newer:])
    if out.shape[0] > 1:
        weight = n_older * n_newer / n
        join_squares_nb(older[1][:size], newer[1][n_newer:], older_mean, mean, weight, out[1][n_newer:])
    if out.shape[0] > 2:
        weight = 0.5 * n_older * n_newer
        join_crosses_nb(older[2][:size], newer[2][n_newer:], older_mean, mean, weight, out[2][n_newer:])


@njit(cache=True, nogil=True, error_model="numpy")
def first_moments_nb(x, out):
    """Moments of all elements so far, one by one (Welford, 1962)."""
    mean = square = cross = 0.0
    for i in range(out.shape[1]):
        d = x[i] - mean
        mean += d / (i + 1)
        square += d * (x[i] - mean)
        cross += d * 0.5 * i
        moments = (mean, square, cross)
        for row in range(out.shape[0]):
            out[row, i] = moments[row]


@njit(cache=True, nogil=True, error_model="numpy")
def window_moments_nb(x, k, n_rows):
    """Mean, summed squared deviation, summed co-deviation with time: the first ``n_rows``; shape (n_rows, T)."""
    n = x.size
    out = np.empty((n_rows, n))
    first_moments_nb(x, out[:, : min(k - 1, n)])
    tile = tile_size_nb(n, k)
    # a column of `part` covers the last `width` elements, one of `whole` as many as the low bits of k so far
    part = np.zeros((n_rows, tile + k - 1))
    spare, whole, joined = np.zeros_like(part), np.zeros_like(part), np.zeros_like(part)
    for planned in range(k - 1, n, tile):
        start = min(planned, n - tile)
        scale_nb(x[start - k + 1 : start + tile], 1.0, part[0])
        for row in range(1, n_rows):
            scale_nb(part[0], 0.0, part[row])  # no deviation, but NaN where the element is NaN or inf
        width, reach = 1, 0
        while True:
            if k & width:
                if reach:
                    join_moments_nb(part, whole, joined, width, reach)
                    whole, joined = joined, whole
                else:
                    for row in range(n_rows):
                        scale_nb(part[row], 1.0, whole[row])
                reach += width
            if 2 * width > k:
                break
            join_moments_nb(part, part, spare, width, width)
            part, spare = spare, part
            width *= 2
        for row in range(n_rows):
            scale_nb(whole[row][k - 1 :], 1.0, out[row][start : start + tile])
    return out
