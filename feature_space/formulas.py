"""One kernel for each indicator formula: input columns, then integer parameters; one float64 array out.

Symbols in the docstrings: P volume-weighted price of the bar, Q = P V, N trades, r log return of the close,
TP = (H + L + C)/3, W_k Wilder mean, all windows trailing, a quotient by 0 gives 0.
"""

import numpy as np
from numba import njit

from feature_space.kernels import (
    bars_since_max_nb,
    divide_nb,
    ema_nb,
    lag_nb,
    rolling_max_nb,
    rolling_mean_nb,
    rolling_min_nb,
    rolling_moments_nb,
    rolling_std_nb,
    rolling_sum_nb,
    steps_nb,
    wilder_nb,
)


@njit(cache=True, nogil=True)
def ratio_nb(numerator, denominator):
    """Elementwise quotient, 0 where the denominator is 0."""
    out = np.empty(numerator.size)
    for i in range(out.size):
        out[i] = divide_nb(numerator[i], denominator[i])
    return out


@njit(cache=True, nogil=True)
def balance_nb(up, down):
    """(U - D)/(U + D), 0 where both are 0."""
    return ratio_nb(up - down, up + down)


@njit(cache=True, nogil=True)
def log_ratio_nb(numerator, denominator):
    """ln(a/b), 0 where either is not positive."""
    out = np.zeros(numerator.size)
    for i in range(out.size):
        if numerator[i] > 0.0 and denominator[i] > 0.0:
            out[i] = np.log(numerator[i] / denominator[i])
    return out


@njit(cache=True, nogil=True)
def price_to_sma_nb(price, k):
    """P/SMA_k(P) - 1."""
    return price / rolling_mean_nb(price, k) - 1.0


@njit(cache=True, nogil=True)
def price_to_vwap_nb(price, value, volume, k):
    """P/(sum_k Q / sum_k V) - 1."""
    values, volumes = rolling_sum_nb(value, k), rolling_sum_nb(volume, k)
    out = np.zeros(price.size)
    for i in range(out.size):
        if values[i] > 0.0:
            out[i] = price[i] * volumes[i] / values[i] - 1.0
    return out


@njit(cache=True, nogil=True)
def macd_nb(price, a, b):
    """(EMA_a - EMA_b)(P)/P."""
    return (ema_nb(price, a) - ema_nb(price, b)) / price


@njit(cache=True, nogil=True)
def macd_histogram_nb(price, a, b, c):
    """(M - EMA_c(M))/P with M = EMA_a - EMA_b."""
    m = ema_nb(price, a) - ema_nb(price, b)
    return (m - ema_nb(m, c)) / price


@njit(cache=True, nogil=True)
def trix_nb(price, k):
    """One-bar rate of change of a triple EMA_k(P)."""
    triple = ema_nb(ema_nb(ema_nb(price, k), k), k)
    return triple / lag_nb(triple, 1) - 1.0


@njit(cache=True, nogil=True)
def time_correlation_nb(price, k):
    """Correlation of P with time over k bars."""
    _, square, cross = rolling_moments_nb(price, k)
    out = np.zeros(price.size)
    for i in range(out.size):
        n = float(min(i + 1, k))
        if square[i] > 0.0 and n > 1.0:
            r = cross[i] / np.sqrt(square[i] * (n * (n * n - 1.0) / 12.0))
            out[i] = min(max(r, -1.0), 1.0)
    return out


@njit(cache=True, nogil=True)
def momentum_nb(close, k):
    """C_t/C_{t-k} - 1."""
    return close / lag_nb(close, k) - 1.0


@njit(cache=True, nogil=True)
def rsi_nb(close, k):
    """Centred RSI (U - D)/(U + D), U and D Wilder means of up and down moves."""
    moves = steps_nb(close)
    return balance_nb(wilder_nb(np.maximum(moves, 0.0), k), wilder_nb(np.maximum(-moves, 0.0), k))


@njit(cache=True, nogil=True)
def stochastic_nb(high, low, close, k):
    """2(C - LL_k)/(HH_k - LL_k) - 1, 0 in a flat window."""
    top, bottom = rolling_max_nb(high, k), rolling_min_nb(low, k)
    return ratio_nb((close - bottom) - (top - close), top - bottom)


@njit(cache=True, nogil=True)
def cci_nb(typical, k):
    """Commodity channel index (TP - SMA_k)/(0.015 MAD_k)."""
    # not `rolling_mean_nb`: this mean is exact for a constant, where rounding would be divided by rounding
    mean, _, _ = rolling_moments_nb(typical, k)
    out = np.zeros(typical.size)
    for i in range(out.size):
        first = max(i - k + 1, 0)
        spread = 0.0
        for j in range(first, i + 1):
            spread += abs(typical[j] - mean[i])
        out[i] = divide_nb(typical[i] - mean[i], 0.015 * spread / (i + 1 - first))
    return out


@njit(cache=True, nogil=True)
def directional_movement_nb(high, low, k):
    """(+DM - -DM)/(+DM + -DM), Wilder means of directional movement."""
    n = high.size
    plus, minus = np.zeros(n), np.zeros(n)
    for i in range(1, n):
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        if up > down and up > 0.0:
            plus[i] = up
        elif down > up and down > 0.0:
            minus[i] = down
    return balance_nb(wilder_nb(plus, k), wilder_nb(minus, k))


@njit(cache=True, nogil=True)
def aroon_nb(high, low, k):
    """Aroon oscillator over k steps: (steps since the low - steps since the high)/k."""
    return (bars_since_max_nb(-low, k + 1) - bars_since_max_nb(high, k + 1)) / k


@njit(cache=True, nogil=True)
def bollinger_nb(price, k):
    """(P - SMA_k)/sd_k."""
    return ratio_nb(price - rolling_mean_nb(price, k), rolling_std_nb(price, k))


@njit(cache=True, nogil=True)
def keltner_nb(price, high, low, close, k):
    """(P - EMA_k)/ATR_k; 0 where ATR_k is below 1e-9 P: after long rest only rounding is left of either."""
    before = lag_nb(close, 1)
    true_range = np.maximum(high, before) - np.minimum(low, before)
    distance, spread = price - ema_nb(price, k), wilder_nb(true_range, k)
    out = np.zeros(price.size)
    for i in range(out.size):
        if spread[i] > 1e-9 * price[i]:
            out[i] = distance[i] / spread[i]
    return out


@njit(cache=True, nogil=True)
def volatility_ratio_nb(log_return, a, b):
    """0.5 ln(mean_a r^2 / mean_b r^2)."""
    square = log_return * log_return
    return 0.5 * log_ratio_nb(rolling_mean_nb(square, a), rolling_mean_nb(square, b))


@njit(cache=True, nogil=True)
def semivariance_nb(log_return, k):
    """(sum r+^2 - sum r-^2)/(sum of both) over k bars."""
    up, down = np.maximum(log_return, 0.0), np.maximum(-log_return, 0.0)
    return balance_nb(rolling_sum_nb(up * up, k), rolling_sum_nb(down * down, k))


@njit(cache=True, nogil=True)
def efficiency_nb(close, k):
    """Efficiency ratio (C_t - C_{t-k})/sum of absolute moves over k bars."""
    return ratio_nb(close - lag_nb(close, k), rolling_sum_nb(np.abs(steps_nb(close)), k))


@njit(cache=True, nogil=True)
def activity_nb(x, a, b):
    """ln(SMA_a/SMA_b)."""
    return log_ratio_nb(rolling_mean_nb(x, a), rolling_mean_nb(x, b))


@njit(cache=True, nogil=True)
def signed_volume_nb(close, volume, k):
    """sum_k sign(dC) V / sum_k V."""
    return ratio_nb(rolling_sum_nb(np.sign(steps_nb(close)) * volume, k), rolling_sum_nb(volume, k))


@njit(cache=True, nogil=True)
def money_flow_nb(typical, volume, k):
    """Centred money flow index: balance of TP V in rising and in falling bars."""
    flow, moves = typical * volume, steps_nb(typical)
    up, down = np.zeros(flow.size), np.zeros(flow.size)
    for i in range(flow.size):
        if moves[i] > 0.0:
            up[i] = flow[i]
        elif moves[i] < 0.0:
            down[i] = flow[i]
    return balance_nb(rolling_sum_nb(up, k), rolling_sum_nb(down, k))


@njit(cache=True, nogil=True)
def chaikin_nb(high, low, close, volume, k):
    """Chaikin money flow: sum_k V (2C - H - L)/(H - L) / sum_k V."""
    place = ratio_nb((close - low) - (high - close), high - low)
    return ratio_nb(rolling_sum_nb(place * volume, k), rolling_sum_nb(volume, k))


@njit(cache=True, nogil=True)
def force_nb(close, volume, k):
    """Force index EMA_k(dC V)/(C EMA_k(V))."""
    return ratio_nb(ema_nb(steps_nb(close) * volume, k), close * ema_nb(volume, k))
