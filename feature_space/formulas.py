"""Kernels of the windowed indicators: input columns, then integer parameters; a (T,) array of float64 out.

Symbols in the docstrings: P volume-weighted price of the bar, Q = P V, r log return of the close,
TP = (H + L + C)/3, all windows trailing, a quotient by 0 gives 0.
"""

import numpy as np
from numba import njit

from feature_space.elementary import log_nb
from feature_space.kernels import (
    bars_since_max_nb,
    bars_since_min_nb,
    divide_by_count_nb,
    divide_nb,
    rolling_centre_nb,
    rolling_max_nb,
    rolling_min_nb,
    rolling_moments_nb,
    rolling_sum_nb,
)
from feature_space.windows import TILE, window_moments_nb


@njit(cache=True, nogil=True, error_model="numpy")
def log_return_nb(close):
    """Log return, 0 at the first bar; the same bits on every machine, unlike numpy's logarithm."""
    out = np.zeros(close.size)
    before, now, later = close[: max(close.size - 1, 0)], close[1:], out[1:]
    for i in range(later.size):
        ratio = now[i] / before[i]
        later[i] = log_nb(ratio) if 0.0 < ratio < np.inf else np.nan
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def ratio_nb(numerator, denominator):
    """Elementwise quotient, 0 where the denominator is 0."""
    out = np.empty(numerator.size)
    for i in range(out.size):
        out[i] = divide_nb(numerator[i], denominator[i])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def balance_nb(up, down):
    """(U - D)/(U + D), 0 where both are 0."""
    out = np.empty(up.size)
    for i in range(out.size):
        out[i] = divide_nb(up[i] - down[i], up[i] + down[i])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def log_ratio_to_nb(numerator, denominator, factor, scale, out):
    """``scale`` ln(factor a/b) into ``out``; 0 where a or b is not positive."""
    for i in range(out.size):
        known = numerator[i] > 0.0 and denominator[i] > 0.0
        out[i] = scale * log_nb(factor * numerator[i] / denominator[i] if known else 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def log_mean_ratio_nb(x, a, b, scale):
    """``scale`` ln(SMA_a/SMA_b), a <= b, from the sums; 0 where one is not positive."""
    short, long, out = rolling_sum_nb(x, a), rolling_sum_nb(x, b), np.empty(x.size)
    head = min(b, x.size)
    for i in range(head):
        short[i] *= (i + 1.0) / min(i + 1.0, a)
    log_ratio_to_nb(short[:head], long[:head], 1.0, scale, out[:head])
    log_ratio_to_nb(short[head:], long[head:], b / a, scale, out[head:])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def price_to_sma_nb(price, k):
    """P/SMA_k(P) - 1, as k P/sum_k P - 1: one division."""
    out = rolling_sum_nb(price, k)
    for i in range(min(k, out.size)):
        out[i] = (i + 1.0) * price[i] / out[i] - 1.0
    now, full = price[k:], out[k:]
    for i in range(full.size):
        full[i] = k * now[i] / full[i] - 1.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def price_to_vwap_nb(price, value, volume, k):
    """P/(sum_k Q / sum_k V) - 1."""
    values, out = rolling_sum_nb(value, k), rolling_sum_nb(volume, k)
    for i in range(out.size):
        out[i] = price[i] * out[i] / values[i] - 1.0 if values[i] > 0.0 else 0.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def time_correlation_nb(price, k):
    """Correlation of P with time over k bars."""
    _, square, out = rolling_moments_nb(price, k)
    for i in range(min(k, out.size)):
        square[i] *= (i + 1.0) * (i * (i + 2.0)) / 12.0  # the summed squared deviation of the times
    full = square[k:]
    for i in range(full.size):
        full[i] *= k * (k * k - 1.0) / 12.0
    for i in range(out.size):
        r = out[i] / np.sqrt(square[i]) if square[i] > 0.0 else 0.0
        r = r if r < 1.0 else 1.0
        out[i] = r if r > -1.0 else -1.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def momentum_nb(close, k):
    """C_t/C_{t-k} - 1."""
    out = np.empty(close.size)
    for i in range(min(k, close.size)):
        out[i] = close[i] / close[0] - 1.0
    now, before, later = close[k:], close[: max(close.size - k, 0)], out[k:]
    for i in range(later.size):
        later[i] = now[i] / before[i] - 1.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def stochastic_nb(high, low, close, k):
    """2(C - LL_k)/(HH_k - LL_k) - 1, 0 in a flat window."""
    out, bottom = rolling_max_nb(high, k), rolling_min_nb(low, k)
    for i in range(out.size):
        out[i] = divide_nb((close[i] - bottom[i]) - (out[i] - close[i]), out[i] - bottom[i])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def add_distances_nb(x, centre, out):
    """Add the distances of ``x`` from the centre to ``out``, elementwise."""
    for i in range(out.size):
        out[i] += abs(x[i] - centre[i])


@njit(cache=True, nogil=True, error_model="numpy")
def cci_nb(typical, k):
    """Commodity channel index (TP - SMA_k)/(0.015 MAD_k)."""
    # `rolling_centre_nb` is exact for a constant; otherwise one rounding error would be divided by another
    centre, spread = rolling_centre_nb(typical, k), np.zeros(typical.size)
    n = typical.size
    for start in range(0, n, TILE):
        stop = min(start + TILE, n)
        for back in range(min(k, stop)):
            first = max(start, back)
            add_distances_nb(typical[first - back : stop - back], centre[first:stop], spread[first:stop])
    divide_by_count_nb(spread, k)
    for i in range(n):
        spread[i] = divide_nb(typical[i] - centre[i], 0.015 * spread[i])
    return spread


@njit(cache=True, nogil=True, error_model="numpy")
def aroon_nb(high, low, k):
    """Aroon oscillator over k steps: (steps since the low - steps since the high)/k."""
    out, since_high = bars_since_min_nb(low, k + 1), bars_since_max_nb(high, k + 1)
    for i in range(out.size):
        out[i] = (out[i] - since_high[i]) / k
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def bollinger_nb(price, k):
    """(P - SMA_k)/sd_k."""
    moments = window_moments_nb(price, k, 2)
    out, square = moments[0], moments[1]
    divide_by_count_nb(square, k)
    for i in range(out.size):
        out[i] = divide_nb(price[i] - out[i], np.sqrt(square[i]))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def volatility_ratio_nb(log_return, a, b):
    """0.5 ln(mean_a r^2 / mean_b r^2)."""
    return log_mean_ratio_nb(log_return * log_return, a, b, 0.5)


@njit(cache=True, nogil=True, error_model="numpy")
def semivariance_nb(log_return, k):
    """(sum r+^2 - sum r-^2)/(sum of both) over k bars."""
    up, down = np.empty(log_return.size), np.empty(log_return.size)
    for i in range(up.size):
        r = log_return[i]
        up[i] = r * r if r > 0.0 else 0.0
        down[i] = r * r if r < 0.0 else 0.0
    return balance_nb(rolling_sum_nb(up, k), rolling_sum_nb(down, k))


@njit(cache=True, nogil=True, error_model="numpy")
def efficiency_nb(close, k):
    """Efficiency ratio (C_t - C_{t-k})/sum of absolute moves over k bars."""
    moves, out = np.zeros(close.size), np.empty(close.size)
    for i in range(1, close.size):
        moves[i] = abs(close[i] - close[i - 1])
    way = rolling_sum_nb(moves, k)
    for i in range(min(k, close.size)):
        out[i] = divide_nb(close[i] - close[0], way[i])
    now, before, later_way, later = close[k:], close[: max(close.size - k, 0)], way[k:], out[k:]
    for i in range(later.size):
        later[i] = divide_nb(now[i] - before[i], later_way[i])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def activity_nb(x, a, b):
    """ln(SMA_a/SMA_b)."""
    return log_mean_ratio_nb(x, a, b, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def signed_volume_nb(close, volume, k):
    """sum_k sign(dC) V / sum_k V."""
    signed = np.zeros(close.size)
    for i in range(1, close.size):
        up, down = close[i] > close[i - 1], close[i] < close[i - 1]
        signed[i] = volume[i] if up else (-volume[i] if down else 0.0)
    return ratio_nb(rolling_sum_nb(signed, k), rolling_sum_nb(volume, k))


@njit(cache=True, nogil=True, error_model="numpy")
def money_flow_nb(typical, volume, k):
    """Centred money flow index: balance of TP V in rising and in falling bars.

    TP, a third of a sum, can differ in its last digit where the sums are equal: that is not a move.
    """
    up, down = np.zeros(typical.size), np.zeros(typical.size)
    for i in range(1, typical.size):
        flow = typical[i] * volume[i]
        move, rounding = typical[i] - typical[i - 1], 1e-12 * typical[i]
        up[i] = flow if move > rounding else 0.0
        down[i] = flow if move < -rounding else 0.0
    return balance_nb(rolling_sum_nb(up, k), rolling_sum_nb(down, k))


@njit(cache=True, nogil=True, error_model="numpy")
def chaikin_nb(high, low, close, volume, k):
    """Chaikin money flow: sum_k V (2C - H - L)/(H - L) / sum_k V."""
    placed = np.empty(close.size)
    for i in range(placed.size):
        placed[i] = volume[i] * divide_nb((close[i] - low[i]) - (high[i] - close[i]), high[i] - low[i])
    return ratio_nb(rolling_sum_nb(placed, k), rolling_sum_nb(volume, k))
