"""Rolling kernels on plain float64 arrays. All windows trail: the value at ``t`` uses elements ``<= t`` only.

The first ``k - 1`` values use the elements there are. Sums, extremes and moments over a window of ``k`` are
put together from a running part of the current block of ``k`` elements and the stored tails of the block
before it. Nothing is ever subtracted, so errors do not build up, a constant input has variance exactly 0, and a
NaN or inf leaves the window when its element does. Sums and moments over a NaN are NaN; extremes skip it. The
exponential means are recursive: a NaN or inf stays in them for good. Computing on a prefix gives the same bits
as cutting.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def divide_nb(numerator, denominator):
    """Quotient, 0 where the denominator is 0."""
    if denominator == 0.0:
        return 0.0
    return numerator / denominator


@njit(cache=True, nogil=True)
def rolling_sum_nb(x, k):
    """Sum over the last ``k`` elements."""
    n = x.size
    out = np.empty(n)
    tail = np.zeros(k + 1)  # tail[j]: sum of elements j.. of the previous block
    for start in range(0, n, k):
        stop = min(start + k, n)
        head = 0.0
        for i in range(start, stop):
            head += x[i]
            out[i] = tail[i - start + 1] + head
        if stop - start == k:
            total = 0.0
            for j in range(k - 1, -1, -1):
                total += x[start + j]
                tail[j] = total
    return out


@njit(cache=True, nogil=True)
def rolling_mean_nb(x, k):
    """Mean over the last ``k`` elements."""
    out = rolling_sum_nb(x, k)
    for i in range(out.size):
        out[i] /= min(i + 1, k)
    return out


@njit(cache=True, nogil=True)
def rolling_max_nb(x, k):
    """Maximum over the last ``k`` elements, NaN skipped; -inf where there is none."""
    n = x.size
    out = np.empty(n)
    tail = np.full(k + 1, -np.inf)
    for start in range(0, n, k):
        stop = min(start + k, n)
        head = -np.inf
        for i in range(start, stop):
            head = max(head, x[i])
            out[i] = max(tail[i - start + 1], head)
        if stop - start == k:
            best = -np.inf
            for j in range(k - 1, -1, -1):
                best = max(best, x[start + j])
                tail[j] = best
    return out


@njit(cache=True, nogil=True)
def rolling_min_nb(x, k):
    """Minimum over the last ``k`` elements, NaN skipped; inf where there is none."""
    return -rolling_max_nb(-x, k)


@njit(cache=True, nogil=True)
def rolling_moments_nb(x, k):
    """Mean, summed squared deviation and summed co-deviation with time over the last ``k`` elements.

    Blocks are merged by the pairwise update of Chan, Golub and LeVeque (1979).
    """
    n = x.size
    mean, square, cross = np.empty(n), np.empty(n), np.empty(n)
    tail_mean, tail_square, tail_cross = np.zeros(k + 1), np.zeros(k + 1), np.zeros(k + 1)
    for start in range(0, n, k):
        stop = min(start + k, n)
        m = s = c = 0.0
        for i in range(start, stop):
            nb = i - start + 1
            d = x[i] - m
            m += d / nb
            s += d * (x[i] - m)
            c += d * 0.5 * (nb - 1)
            na = k - nb if start > 0 else 0
            if na == 0:
                mean[i], square[i], cross[i] = m, s, c
                continue
            gap = m - tail_mean[nb]
            share = na * nb / (na + nb)
            mean[i] = tail_mean[nb] + gap * (nb / (na + nb))
            square[i] = tail_square[nb] + s + gap * gap * share
            cross[i] = tail_cross[nb] + c + gap * 0.5 * (na + nb) * share
        if stop - start == k:
            m = s = c = 0.0
            for j in range(k - 1, -1, -1):
                value = x[start + j]
                na = k - j
                d = value - m
                m += d / na
                s += d * (value - m)
                c -= d * 0.5 * (na - 1)
                tail_mean[j], tail_square[j], tail_cross[j] = m, s, c
    return mean, square, cross


@njit(cache=True, nogil=True)
def rolling_std_nb(x, k):
    """Population standard deviation over the last ``k`` elements."""
    _, square, _ = rolling_moments_nb(x, k)
    for i in range(square.size):
        square[i] = np.sqrt(square[i] / min(i + 1, k))
    return square


@njit(cache=True, nogil=True)
def smooth_nb(x, alpha):
    """Exponential mean ``y += alpha (x - y)``, started at the first element."""
    out = np.empty(x.size)
    y = x[0] if x.size else 0.0
    for i in range(x.size):
        y += alpha * (x[i] - y)
        out[i] = y
    return out


@njit(cache=True, nogil=True)
def ema_nb(x, k):
    """Exponential moving average of span ``k``."""
    return smooth_nb(x, 2.0 / (k + 1.0))


@njit(cache=True, nogil=True)
def wilder_nb(x, k):
    """Wilder's mean: exponential with weight ``1/k``."""
    return smooth_nb(x, 1.0 / k)


@njit(cache=True, nogil=True)
def lag_nb(x, k):
    """The element ``k`` steps back; the first element where there is none."""
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = x[max(i - k, 0)]
    return out


@njit(cache=True, nogil=True)
def steps_nb(x):
    """Change from the element before; 0 at the first."""
    return x - lag_nb(x, 1)


@njit(cache=True, nogil=True)
def bars_since_max_nb(x, k):
    """Steps back to the latest maximum of the last ``k`` elements, NaN skipped, by a monotonic queue."""
    n = x.size
    out = np.empty(n)
    queue = np.empty(n, dtype=np.int64)
    head = tail = 0
    for i in range(n):
        while tail > head and (x[queue[tail - 1]] <= x[i] or np.isnan(x[queue[tail - 1]])):
            tail -= 1
        queue[tail] = i
        tail += 1
        if queue[head] <= i - k:
            head += 1
        out[i] = i - queue[head]
    return out
