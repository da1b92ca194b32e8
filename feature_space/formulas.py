"""Kernels of the windowed indicators: input columns, then integer parameters; a (T,) array of float64 out.

Symbols in the docstrings: P volume-weighted price of the bar, Q = P V, r log return of the close,
TP = (H + L + C)/3, all windows trailing, a quotient by 0 gives 0.

Ratios of sums go through a series in parts, as recursive means do: nothing but the result is as long as the series.
"""

import numpy as np
from numba import njit

from feature_space.elementary import log_nb
from feature_space.extremes import extreme_part_nb, extreme_part_size_nb, extreme_state_nb
from feature_space.kernels import (
    balance_to_nb,
    bars_since_max_nb,
    bars_since_min_nb,
    divide_by_count_nb,
    divide_nb,
    rolling_centre_nb,
    rolling_moments_nb,
)
from feature_space.sums import part_size_nb, sum_part_nb, sum_state_nb
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
def ratio_of_sums_nb(above, below, k, of_above, of_below, out):
    """Quotient of sums over k of the next part into ``out``, 0 where the lower sum is 0."""
    numerator, denominator = np.empty(out.size), np.empty(out.size)
    sum_part_nb(above, k, of_above, numerator)
    sum_part_nb(below, k, of_below, denominator)
    for i in range(out.size):
        out[i] = divide_nb(numerator[i], denominator[i])


@njit(cache=True, nogil=True, error_model="numpy")
def balance_of_sums_nb(up, down, k, of_up, of_down, out):
    """(U - D)/(U + D) into ``out``, U and D sums over k of the next part; 0 where both are 0."""
    ups, downs = np.empty(out.size), np.empty(out.size)
    sum_part_nb(up, k, of_up, ups)
    sum_part_nb(down, k, of_down, downs)
    balance_to_nb(ups, downs, out)


@njit(cache=True, nogil=True, error_model="numpy")
def log_ratio_to_nb(numerator, denominator, factor, scale, out):
    """``scale`` ln(factor a/b) into ``out``; 0 where a or b is not positive."""
    for i in range(out.size):
        known = numerator[i] > 0.0 and denominator[i] > 0.0
        out[i] = scale * log_nb(factor * numerator[i] / denominator[i] if known else 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def log_mean_ratio_to_nb(x, start, a, b, scale, states, out):
    """``scale`` ln(SMA_a/SMA_b), a <= b, from the sums of the part at ``start``; 0 where one is not positive."""
    short, long = np.empty(out.size), np.empty(out.size)
    sum_part_nb(x, a, states[0], short)
    sum_part_nb(x, b, states[1], long)
    head = max(min(b - start, out.size), 0)
    for i in range(head):
        short[i] *= (start + i + 1.0) / min(start + i + 1.0, a)
    log_ratio_to_nb(short[:head], long[:head], 1.0, scale, out[:head])
    log_ratio_to_nb(short[head:], long[head:], b / a, scale, out[head:])


@njit(cache=True, nogil=True, error_model="numpy")
def price_to_sma_nb(price, k):
    """P/SMA_k(P) - 1, as k P/sum_k P - 1: one division."""
    out, state, size = np.empty(price.size), sum_state_nb(k), part_size_nb(k)
    total = np.empty(size)
    for start in range(0, out.size, size):
        now, here = price[start : start + size], out[start : start + size]
        sum_part_nb(now, k, state, total[: here.size])
        head = max(min(k - start, here.size), 0)
        for i in range(head):
            here[i] = (start + i + 1.0) * now[i] / total[i] - 1.0
        later, sums, full = now[head:], total[head:], here[head:]
        for i in range(full.size):
            full[i] = k * later[i] / sums[i] - 1.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def price_to_vwap_nb(price, value, volume, k):
    """P/(sum_k Q / sum_k V) - 1."""
    out, size = np.empty(price.size), part_size_nb(k)
    of_value, of_volume = sum_state_nb(k), sum_state_nb(k)
    values, volumes = np.empty(size), np.empty(size)
    for start in range(0, out.size, size):
        p, here = price[start:], out[start : start + size]
        sum_part_nb(value[start:], k, of_value, values[: here.size])
        sum_part_nb(volume[start:], k, of_volume, volumes[: here.size])
        for i in range(here.size):
            here[i] = p[i] * volumes[i] / values[i] - 1.0 if values[i] > 0.0 else 0.0
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
    out, size = np.empty(close.size), extreme_part_size_nb(k)
    of_high, of_low = extreme_state_nb(k), extreme_state_nb(k)
    tops, bottoms = np.empty(size), np.empty(size)
    for start in range(0, out.size, size):
        c, here = close[start:], out[start : start + size]
        extreme_part_nb(high[start:], k, 1.0, of_high, tops[: here.size])
        extreme_part_nb(low[start:], k, -1.0, of_low, bottoms[: here.size])
        for i in range(here.size):
            here[i] = divide_nb((c[i] - bottoms[i]) - (tops[i] - c[i]), tops[i] - bottoms[i])
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
    out, size = np.empty(log_return.size), max(part_size_nb(a), part_size_nb(b))
    states, square = (sum_state_nb(a), sum_state_nb(b)), np.empty(size)
    for start in range(0, out.size, size):
        r, here = log_return[start : start + size], out[start : start + size]
        for i in range(r.size):
            square[i] = r[i] * r[i]
        log_mean_ratio_to_nb(square, start, a, b, 0.5, states, here)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def semivariance_nb(log_return, k):
    """(sum r+^2 - sum r-^2)/(sum of both) over k bars."""
    out, size = np.empty(log_return.size), part_size_nb(k)
    of_up, of_down = sum_state_nb(k), sum_state_nb(k)
    up, down = np.empty(size), np.empty(size)
    for start in range(0, out.size, size):
        r, here = log_return[start:], out[start : start + size]
        for i in range(here.size):
            up[i] = r[i] * r[i] if r[i] > 0.0 else 0.0
            down[i] = r[i] * r[i] if r[i] < 0.0 else 0.0
        balance_of_sums_nb(up, down, k, of_up, of_down, here)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def efficiency_nb(close, k):
    """Efficiency ratio (C_t - C_{t-k})/sum of absolute moves over k bars."""
    out, state, size = np.empty(close.size), sum_state_nb(k), part_size_nb(k)
    moves, way = np.zeros(size), np.empty(size)
    for start in range(0, out.size, size):
        here, first = out[start : start + size], 1 if start == 0 else 0  # the first bar has no change
        now, before, later = close[start + first :], close[start + first - 1 :], moves[first:]
        for i in range(here.size - first):
            later[i] = abs(now[i] - before[i])
        sum_part_nb(moves, k, state, way[: here.size])
        head = max(min(k - start, here.size), 0)
        for i in range(head):
            here[i] = divide_nb(close[start + i] - close[0], way[i])
        last, back, rest, full = close[start + head :], close[max(start + head - k, 0) :], way[head:], here[head:]
        for i in range(full.size):
            full[i] = divide_nb(last[i] - back[i], rest[i])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def activity_nb(x, a, b):
    """ln(SMA_a/SMA_b)."""
    out, size = np.empty(x.size), max(part_size_nb(a), part_size_nb(b))
    states = sum_state_nb(a), sum_state_nb(b)
    for start in range(0, out.size, size):
        log_mean_ratio_to_nb(x[start:], start, a, b, 1.0, states, out[start : start + size])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def signed_volume_nb(close, volume, k):
    """sum_k sign(dC) V / sum_k V."""
    out, size = np.empty(close.size), part_size_nb(k)
    of_signed, of_volume = sum_state_nb(k), sum_state_nb(k)
    signed = np.zeros(size)
    for start in range(0, out.size, size):
        v, here = volume[start:], out[start : start + size]
        first = 1 if start == 0 else 0  # the first bar has no change
        now, before, later, its = close[start + first :], close[start + first - 1 :], signed[first:], v[first:]
        for i in range(here.size - first):
            up, down = now[i] > before[i], now[i] < before[i]
            later[i] = its[i] if up else (-its[i] if down else 0.0)
        ratio_of_sums_nb(signed, v, k, of_signed, of_volume, here)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def money_flow_nb(typical, volume, k):
    """Centred money flow index: balance of TP V in rising and in falling bars.

    TP, a third of a sum, can differ in its last digit where the sums are equal: that is not a move.
    """
    out, size = np.empty(typical.size), part_size_nb(k)
    of_up, of_down = sum_state_nb(k), sum_state_nb(k)
    up, down = np.zeros(size), np.zeros(size)
    for start in range(0, out.size, size):
        here, first = out[start : start + size], 1 if start == 0 else 0  # the first bar has no change
        now, before, v = typical[start + first :], typical[start + first - 1 :], volume[start + first :]
        rise, fall = up[first:], down[first:]
        for i in range(here.size - first):
            flow, move, rounding = now[i] * v[i], now[i] - before[i], 1e-12 * now[i]
            rise[i] = flow if move > rounding else 0.0
            fall[i] = flow if move < -rounding else 0.0
        balance_of_sums_nb(up, down, k, of_up, of_down, here)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def chaikin_nb(high, low, close, volume, k):
    """Chaikin money flow: sum_k V (2C - H - L)/(H - L) / sum_k V."""
    out, size = np.empty(close.size), part_size_nb(k)
    of_placed, of_volume = sum_state_nb(k), sum_state_nb(k)
    placed = np.empty(size)
    for start in range(0, out.size, size):
        top, bottom, c, v, here = high[start:], low[start:], close[start:], volume[start:], out[start : start + size]
        for i in range(here.size):
            placed[i] = v[i] * divide_nb((c[i] - bottom[i]) - (top[i] - c[i]), top[i] - bottom[i])
        ratio_of_sums_nb(placed, v, k, of_placed, of_volume, here)
    return out
