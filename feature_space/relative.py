"""Kernels of the relative indicators: what differs between markets, by windows that trail.

Symbols in the docstrings: r log return of the close, b log return of the basket of all markets, F rate of funding paid
within the bar, Q value traded; a quotient by 0 and the logarithm of what is not positive give 0.
"""

import numpy as np
from numba import njit

from feature_space.elementary import log_nb
from feature_space.kernels import (
    divide_by_count_nb,
    divide_nb,
    rolling_centre_nb,
    rolling_max_nb,
    rolling_sum_nb,
)
from feature_space.windows import TILE

ROUNDING = 1e-12  # share of a sum of squares below which a deviation from the mean is only rounding error


@njit(cache=True, nogil=True, error_model="numpy")
def mean_nb(x, k):
    """Mean of the last ``k`` elements, of fewer at the start."""
    out = rolling_sum_nb(x, k)
    divide_by_count_nb(out, k)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def log_mean_nb(x, k, scale):
    """``scale`` ln(mean_k x); 0 where the mean is not positive."""
    out = mean_nb(x, k)
    for i in range(out.size):
        out[i] = scale * log_nb(out[i]) if out[i] > 0.0 else 0.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def volatility_level_nb(log_return, k):
    """0.5 ln(mean_k r^2)."""
    return log_mean_nb(log_return * log_return, k, 0.5)


@njit(cache=True, nogil=True, error_model="numpy")
def value_level_nb(value, k):
    """ln(mean_k Q)."""
    return log_mean_nb(value, k, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def range_level_nb(high, low, close, k):
    """ln(mean_k (H - L)/C)."""
    width = np.empty(close.size)
    for i in range(width.size):
        width[i] = (high[i] - low[i]) / close[i]
    return log_mean_nb(width, k, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def add_powers_nb(x, centre, square, cube):
    """Add the second and third power of the distances of ``x`` from the centre, elementwise."""
    for i in range(square.size):
        d = x[i] - centre[i]
        square[i] += d * d
        cube[i] += d * d * d


@njit(cache=True, nogil=True, error_model="numpy")
def skewness_nb(log_return, k):
    """mean_k (r - m)^3/sd_k^3, m the mean."""
    n, centre = log_return.size, rolling_centre_nb(log_return, k)
    square, cube = np.zeros(n), np.zeros(n)
    for start in range(0, n, TILE):
        stop = min(start + TILE, n)
        for back in range(min(k, stop)):
            first = max(start, back)
            x = log_return[first - back : stop - back]
            add_powers_nb(x, centre[first:stop], square[first:stop], cube[first:stop])
    divide_by_count_nb(square, k)
    divide_by_count_nb(cube, k)
    for i in range(n):
        cube[i] = divide_nb(cube[i], square[i] * np.sqrt(square[i]))
    return cube


@njit(cache=True, nogil=True, error_model="numpy")
def from_high_nb(high, close, k):
    """C/HH_k - 1."""
    out = rolling_max_nb(high, k)
    for i in range(out.size):
        out[i] = close[i] / out[i] - 1.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def deviations_nb(x, y, k):
    """Sums of the squared deviation of x, of y, and of their product, over the last ``k`` elements, (3, T).

    What is only rounding error is 0.
    """
    out = np.empty((3, x.size))
    sum_x, sum_y = rolling_sum_nb(x, k), rolling_sum_nb(y, k)
    out[0], out[1], out[2] = rolling_sum_nb(x * x, k), rolling_sum_nb(y * y, k), rolling_sum_nb(x * y, k)
    for i in range(x.size):
        n = min(i + 1, k)
        xx, yy = out[0, i] - sum_x[i] * sum_x[i] / n, out[1, i] - sum_y[i] * sum_y[i] / n
        moves = xx > ROUNDING * out[0, i] and yy > ROUNDING * out[1, i]
        out[0, i] = xx if xx > ROUNDING * out[0, i] else 0.0
        out[1, i] = yy if yy > ROUNDING * out[1, i] else 0.0
        out[2, i] = out[2, i] - sum_x[i] * sum_y[i] / n if moves else 0.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def beta_nb(log_return, basket, k):
    """Least-squares slope of r on b over k bars."""
    sums = deviations_nb(basket, log_return, k)
    out = np.empty(basket.size)
    for i in range(out.size):
        out[i] = divide_nb(sums[2, i], sums[0, i])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def correlation_nb(log_return, basket, k):
    """corr(r, b) over k bars."""
    sums = deviations_nb(basket, log_return, k)
    out = np.empty(basket.size)
    for i in range(out.size):
        r = divide_nb(sums[2, i], np.sqrt(sums[0, i]) * np.sqrt(sums[1, i]))
        r = r if r < 1.0 else 1.0
        out[i] = r if r > -1.0 else -1.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def residual_level_nb(log_return, basket, k):
    """0.5 ln of the variance over k bars of what r keeps when its part of b is taken away."""
    sums = deviations_nb(basket, log_return, k)
    out = np.empty(basket.size)
    for i in range(out.size):
        left = sums[1, i] - divide_nb(sums[2, i] * sums[2, i], sums[0, i])
        out[i] = 0.5 * log_nb(left / min(i + 1, k)) if left > ROUNDING * sums[1, i] else 0.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def beta_free_nb(log_return, basket, k, b):
    """sum_k r - beta sum_k b, beta over ``b`` bars."""
    out, common, beta = rolling_sum_nb(log_return, k), rolling_sum_nb(basket, k), beta_nb(log_return, basket, b)
    for i in range(out.size):
        out[i] -= beta[i] * common[i]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def add_path_nb(way, step, total, square):
    """Take the way back one step further, and add it and its square, elementwise."""
    for i in range(way.size):
        total[i] += way[i]
        square[i] += way[i] * way[i]
        way[i] += step[i]


@njit(cache=True, nogil=True, error_model="numpy")
def distance_nb(log_return, basket, k):
    """(D - SMA_k(D))/sd_k of D = ln(price/level of the basket).

    D is taken relative to its last value, from the steps of the window alone: it has no other beginning.
    """
    n, ahead = basket.size, log_return - basket
    way, total, square = np.zeros(n), np.zeros(n), np.zeros(n)
    for start in range(0, n, TILE):
        stop = min(start + TILE, n)
        for back in range(min(k, stop)):
            first = max(start, back)
            here = slice(first, stop)
            add_path_nb(way[here], ahead[first - back : stop - back], total[here], square[here])
    divide_by_count_nb(total, k)
    divide_by_count_nb(square, k)
    for i in range(n):
        spread = square[i] - total[i] * total[i]
        # the mean of the way back is how far D is above its own mean
        total[i] = total[i] / np.sqrt(spread) if spread > ROUNDING * square[i] else 0.0
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def against_mean_nb(x, a, b):
    """mean_a - mean_b."""
    out, long = mean_nb(x, a), mean_nb(x, b)
    for i in range(out.size):
        out[i] -= long[i]
    return out
