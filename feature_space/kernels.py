"""Rolling kernels on plain float64 arrays. All windows trail: the value at ``t`` uses elements ``<= t`` only.

The first ``k - 1`` values use the elements there are. Sums over a window of ``k`` are put together from a running
part of the current block of ``k`` elements and the tails of the block before it; extremes and moments from
windows of half the length, see `feature_space.windows`. Nothing is ever subtracted, so errors do not build up,
a constant input has variance exactly 0, and a NaN or inf leaves the window when its element does. Sums and
moments over a NaN are NaN; extremes count it as -inf. The exponential means are recursive: a NaN or inf stays
in them for good. Computing on a prefix gives the same bits as cutting.

``error_model="numpy"``: without numba's check for a division by 0 the compiler may do eight divisions at once.
"""

import numpy as np
from numba import njit

from feature_space import windows

SHORT = 64  # up to here a sum is quicker from halves than in blocks


@njit(cache=True, nogil=True, error_model="numpy")
def divide_nb(numerator, denominator):
    """Quotient, 0 where the denominator is 0."""
    return numerator / denominator if denominator != 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_sum_nb(x, k):
    """Sum over the last ``k`` elements.

    Two blocks are summed at a time, each from both ends: four sums that need not wait for each other.
    """
    if k <= SHORT:
        return windows.window_sum_nb(x, k)
    n = x.size
    out = np.empty(n)
    heads, tails = np.zeros((2, k)), np.zeros((3, k + 1))
    head1, head2 = heads[0], heads[1]
    before, tail1, tail2 = tails[0], tails[1], tails[2]  # tail[j]: sum of the elements j.. of a block
    padded = np.zeros(2 * k)
    for start in range(0, n, 2 * k):
        size = min(2 * k, n - start)
        blocks = x[start : start + size]
        if size < 2 * k:  # what lies beyond the end reaches no value that is kept
            for j in range(size):
                padded[j] = blocks[j]
            blocks = padded
        block1, block2 = blocks[:k], blocks[k:]
        h1 = h2 = t1 = t2 = 0.0
        for j in range(k):
            h1 += block1[j]
            h2 += block2[j]
            t1 += block1[k - 1 - j]
            t2 += block2[k - 1 - j]
            head1[j], head2[j] = h1, h2
            tail1[k - 1 - j], tail2[k - 1 - j] = t1, t2
        windows.add_nb(before[1:], head1, out[start : start + k])
        windows.add_nb(tail1[1:], head2, out[start + k : start + 2 * k])
        before, tail2 = tail2, before
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
def rolling_mean_nb(x, k):
    """Mean over the last ``k`` elements."""
    out = rolling_sum_nb(x, k)
    divide_by_count_nb(out, k)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_max_nb(x, k):
    """Maximum over the last ``k`` elements, NaN skipped; -inf where there is none."""
    return windows.window_max_nb(x, k, 1.0, False)[0]


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_min_nb(x, k):
    """Minimum over the last ``k`` elements, NaN skipped; inf where there is none."""
    return windows.window_max_nb(x, k, -1.0, False)[0]


@njit(cache=True, nogil=True, error_model="numpy")
def bars_since_max_nb(x, k):
    """Steps back to the latest maximum of the last ``k`` elements, NaN skipped."""
    return windows.window_max_nb(x, k, 1.0, True)[1]


@njit(cache=True, nogil=True, error_model="numpy")
def bars_since_min_nb(x, k):
    """Steps back to the latest minimum of the last ``k`` elements, NaN skipped."""
    return windows.window_max_nb(x, k, -1.0, True)[1]


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_moments_nb(x, k):
    """Mean, summed squared deviation and summed co-deviation with time over the last ``k`` elements."""
    moments = windows.window_moments_nb(x, k, 3)
    return moments[0], moments[1], moments[2]


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_centre_nb(x, k):
    """Mean over the last ``k`` elements, slower than `rolling_mean_nb` but exact for a constant."""
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
def start_smooth_nb(x):
    """State of an exponential mean before ``x``: the last eight elements and the last eight means, all ``x[0]``."""
    return np.full((2, 8), x[0] if x.size else 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def smooth_part_nb(x, alpha, state, out):
    """Exponential mean ``y += alpha (x - y)`` of the next part of a series; ``out`` may be ``x``.

    The recursion is written out over eight steps, so that eight values are done at once. Formulas go through a
    series in parts because the memory of a long temporary array costs more than the arithmetic.
    """
    b = 1.0 - alpha
    b2, b4, b8 = b**2, b**4, b**8
    last, means = np.empty(x.size + 8), np.empty(x.size + 8)
    last[:8], means[:8] = state[0], state[1]
    windows.scale_nb(x, 1.0, last[8:])
    for i in range(x.size):
        newer = (last[i + 8] + b * last[i + 7]) + b2 * (last[i + 6] + b * last[i + 5])
        older = (last[i + 4] + b * last[i + 3]) + b2 * (last[i + 2] + b * last[i + 1])
        means[i + 8] = alpha * (newer + b4 * older)
    for i in range(x.size):
        means[i + 8] += b8 * means[i]
    windows.scale_nb(means[8:], 1.0, out)
    state[0], state[1] = last[x.size :], means[x.size :]


@njit(cache=True, nogil=True, error_model="numpy")
def smooth_nb(x, alpha):
    """Exponential mean ``y += alpha (x - y)``, started at the first element."""
    out, state = np.empty(x.size), start_smooth_nb(x)
    for start in range(0, x.size, windows.TILE):
        stop = start + windows.TILE
        smooth_part_nb(x[start:stop], alpha, state, out[start:stop])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def ema_nb(x, k):
    """Exponential moving average of span ``k``."""
    return smooth_nb(x, 2.0 / (k + 1.0))


@njit(cache=True, nogil=True, error_model="numpy")
def wilder_nb(x, k):
    """Wilder's mean: exponential with weight ``1/k``."""
    return smooth_nb(x, 1.0 / k)


@njit(cache=True, nogil=True, error_model="numpy")
def lag_nb(x, k):
    """The element ``k`` steps back; the first element where there is none."""
    out = np.empty(x.size)
    for i in range(min(k, x.size)):
        out[i] = x[0]
    windows.scale_nb(x[: max(x.size - k, 0)], 1.0, out[k:])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def steps_nb(x):
    """Change from the element before; 0 at the first."""
    out = np.zeros(x.size)
    for i in range(1, x.size):
        out[i] = x[i] - x[i - 1]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def steps_part_nb(x, start, out):
    """Changes from the element before at ``start`` and on, as many as ``out`` has; 0 at the first of all."""
    first = max(start, 1)
    now, before, later = x[first:], x[first - 1 :], out[first - start :]
    out[: first - start] = 0.0
    for i in range(later.size):
        later[i] = now[i] - before[i]
