"""Rolling kernels on plain float64 arrays. All windows trail: the value at ``t`` uses elements ``<= t`` only.

The first ``k - 1`` values use the elements available. Sums come from `feature_space.sums`, extremes from
`feature_space.extremes`, moments from windows of half the length, see `feature_space.windows`. Nothing is ever
subtracted, so errors do not accumulate, a constant input has variance exactly 0, and a NaN or inf leaves the window
when its element does. Sums and moments over a NaN are NaN; extremes count it as -inf. The exponential means are
recursive: a NaN or inf stays in them for good. A prefix of the input gives a prefix of the output, bit for bit; so does
dropping a multiple of 2^m >= k elements from the front, once windows are full.

``error_model="numpy"``: without numba's check for a division by 0 the compiler can vectorise divisions.
"""

import numpy as np
from numba import njit

from feature_space import extremes, sums, windows


@njit(cache=True, nogil=True, error_model="numpy")
def divide_nb(numerator, denominator):
    """Quotient, 0 where the denominator is 0."""
    return numerator / denominator if denominator != 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def balance_to_nb(up, down, out):
    """(U - D)/(U + D) into ``out``, 0 where both are 0."""
    for i in range(out.size):
        out[i] = divide_nb(up[i] - down[i], up[i] + down[i])


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_sum_nb(x, k):
    """Sum over the last ``k`` elements."""
    out, state, size = np.empty(x.size), sums.sum_state_nb(k), sums.part_size_nb(k)
    for start in range(0, x.size, size):
        sums.sum_part_nb(x[start:], k, state, out[start : start + size])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def divide_by_count_nb(x, k):
    """Divide in place by the number of elements in the window: ``k``, fewer at the start."""
    for i in range(min(k, x.size)):
        x[i] /= i + 1
    full = x[k:]
    for i in range(full.size):
        full[i] /= k


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_extreme_nb(x, k, sign):
    """Maximum, with a ``sign`` of -1 minimum, over the last ``k`` elements."""
    out, state, size = np.empty(x.size), extremes.extreme_state_nb(k), extremes.extreme_part_size_nb(k)
    for start in range(0, x.size, size):
        extremes.extreme_part_nb(x[start:], k, sign, state, out[start : start + size])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_max_nb(x, k):
    """Maximum over the last ``k`` elements, NaN skipped; -inf where there is none."""
    return rolling_extreme_nb(x, k, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_min_nb(x, k):
    """Minimum over the last ``k`` elements, NaN skipped; inf where there is none."""
    return rolling_extreme_nb(x, k, -1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def bars_since_max_nb(x, k):
    """Steps back to the latest maximum of the last ``k`` elements, NaN skipped."""
    return extremes.window_age_nb(x, k, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def bars_since_min_nb(x, k):
    """Steps back to the latest minimum of the last ``k`` elements, NaN skipped."""
    return extremes.window_age_nb(x, k, -1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_moments_nb(x, k):
    """Mean, summed squared deviation and summed co-deviation with time over the last ``k`` elements."""
    moments = windows.window_moments_nb(x, k, 3)
    return moments[0], moments[1], moments[2]


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_centre_nb(x, k):
    """Mean over the last ``k`` elements; exact for a constant, unlike a sum divided by ``k``."""
    return windows.window_moments_nb(x, k, 1)[0]


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_std_nb(x, k):
    """Population standard deviation over the last ``k`` elements."""
    out = windows.window_moments_nb(x, k, 2)[1]
    divide_by_count_nb(out, k)
    for i in range(out.size):
        out[i] = np.sqrt(out[i])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def recur_nb(x, factor, last, out):
    """Recursion ``y_i = x_i + factor y_{i-8}``; ``last`` holds the last eight ``y``. ``out`` may be ``x``.

    Eight values stay in registers: a loop over an array would wait for each store before the next load.
    """
    whole = x.size // 8 * 8
    y0, y1, y2, y3, y4, y5, y6, y7 = last[0], last[1], last[2], last[3], last[4], last[5], last[6], last[7]
    for i in range(0, whole, 8):
        a, y = x[i : i + 8], out[i : i + 8]
        y0, y1, y2, y3 = a[0] + factor * y0, a[1] + factor * y1, a[2] + factor * y2, a[3] + factor * y3
        y4, y5, y6, y7 = a[4] + factor * y4, a[5] + factor * y5, a[6] + factor * y6, a[7] + factor * y7
        y[0], y[1], y[2], y[3], y[4], y[5], y[6], y[7] = y0, y1, y2, y3, y4, y5, y6, y7
    last[0], last[1], last[2], last[3], last[4], last[5], last[6], last[7] = y0, y1, y2, y3, y4, y5, y6, y7
    for i in range(whole, x.size):
        out[i] = x[i] + factor * last[0]
        for j in range(7):
            last[j] = last[j + 1]
        last[7] = out[i]


@njit(cache=True, nogil=True, error_model="numpy")
def smooth_part_nb(x, alpha, state, out):
    """Exponential mean ``y += alpha (x - y)`` of the next part of a series; ``out`` may be ``x``.

    ``state``, (2, 8) array of float64, holds the last eight elements and the last eight means; before the series all
    are the value that the mean starts from. The recursion is unrolled over eight steps, so that it vectorises: weighted
    sums of two and of eight elements come first. Formulas go through a series in parts because the memory of a long
    temporary array costs more than the arithmetic.
    """
    b = 1.0 - alpha
    b2, b4, b8 = b**2, b**4, b**8
    n = x.size
    last, pairs = np.empty(n + 8), np.empty(n + 8)
    windows.scale_nb(state[0], 1.0, last[:8])
    windows.scale_nb(x, 1.0, last[8:])
    windows.scale_nb(last[n:], 1.0, state[0])
    windows.add_scaled_nb(last[1:], last, b, pairs[1:])
    eights = last[8:]  # the elements are not needed any more
    for i in range(n):
        eights[i] = alpha * ((pairs[i + 8] + b2 * pairs[i + 6]) + b4 * (pairs[i + 4] + b2 * pairs[i + 2]))
    recur_nb(eights, b8, state[1], out)


@njit(cache=True, nogil=True, error_model="numpy")
def steps_part_nb(x, state, out):
    """Change from the element before, of the next part of a series; ``state[0, 0]`` is the last element so far."""
    before = state[0, 0]
    for i in range(min(1, x.size)):
        out[i] = x[i] - before
        state[0, 0] = x[x.size - 1]
    older, newer, later = x[: max(x.size - 1, 0)], x[1:], out[1 : x.size]
    for i in range(later.size):
        later[i] = newer[i] - older[i]
