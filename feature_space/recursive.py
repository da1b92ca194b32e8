"""Kernels of the indicators that are recursive means: they continue from a state, part by part.

Each takes a part of the input columns, integer parameters, ``state`` and ``out``. ``state``, (M, 2, 8) array of
float64, has a row for each exponential mean, see `smooth_part_nb`, and for each last element that enters the next
difference. The kernel updates it, so a series gives the same bits whole, in parts, or bar by bar.

Symbols in the docstrings: P volume-weighted price of the bar, W_k Wilder mean, a quotient by 0 gives 0.
"""

import numpy as np
from numba import njit

from feature_space.kernels import balance_to_nb, divide_nb, smooth_part_nb, steps_part_nb
from feature_space.windows import TILE, scale_nb


@njit(cache=True, nogil=True, error_model="numpy")
def macd_nb(price, a, b, state, out):
    """(EMA_a - EMA_b)(P)/P. State: both means."""
    slow = np.empty(TILE)
    for start in range(0, price.size, TILE):
        p, here = price[start : start + TILE], out[start : start + TILE]
        smooth_part_nb(p, 2.0 / (a + 1.0), state[0], here)
        smooth_part_nb(p, 2.0 / (b + 1.0), state[1], slow[: p.size])
        for i in range(here.size):
            here[i] = (here[i] - slow[i]) / p[i]


@njit(cache=True, nogil=True, error_model="numpy")
def macd_histogram_nb(price, a, b, c, state, out):
    """(M - EMA_c(M))/P with M = EMA_a - EMA_b. State: the means of a, b and c."""
    m, slow = np.empty(TILE), np.empty(TILE)
    for start in range(0, price.size, TILE):
        p, here = price[start : start + TILE], out[start : start + TILE]
        smooth_part_nb(p, 2.0 / (a + 1.0), state[0], m[: p.size])
        smooth_part_nb(p, 2.0 / (b + 1.0), state[1], slow[: p.size])
        for i in range(p.size):
            m[i] -= slow[i]
        smooth_part_nb(m[: p.size], 2.0 / (c + 1.0), state[2], here)
        for i in range(here.size):
            here[i] = (m[i] - here[i]) / p[i]


@njit(cache=True, nogil=True, error_model="numpy")
def trix_nb(price, k, state, out):
    """One-bar rate of change of a triple EMA_k(P). State: three means, and the last triple mean."""
    triple = np.empty(TILE + 1)
    for start in range(0, price.size, TILE):
        p, here = price[start : start + TILE], out[start : start + TILE]
        now = triple[1 : 1 + p.size]
        smooth_part_nb(p, 2.0 / (k + 1.0), state[0], now)
        smooth_part_nb(now, 2.0 / (k + 1.0), state[1], now)
        smooth_part_nb(now, 2.0 / (k + 1.0), state[2], now)
        triple[0], state[3, 0, 0] = state[3, 0, 0], triple[p.size]
        for i in range(here.size):
            here[i] = now[i] / triple[i] - 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def rsi_nb(close, k, state, out):
    """Centred RSI (U - D)/(U + D), U and D Wilder means of up and down moves. State: U, D, last close."""
    up, down = np.empty(TILE), np.empty(TILE)
    for start in range(0, close.size, TILE):
        here = out[start : start + TILE]
        steps_part_nb(close[start : start + TILE], state[2], here)
        for i in range(here.size):
            up[i] = here[i] if here[i] > 0.0 else 0.0
            down[i] = -here[i] if here[i] < 0.0 else 0.0
        smooth_part_nb(up[: here.size], 1.0 / k, state[0], up[: here.size])
        smooth_part_nb(down[: here.size], 1.0 / k, state[1], down[: here.size])
        balance_to_nb(up, down, here)


@njit(cache=True, nogil=True, error_model="numpy")
def directional_movement_nb(high, low, k, state, out):
    """(+DM - -DM)/(+DM + -DM), Wilder means of directional movement. State: +DM, -DM, last high, last low."""
    plus, minus = np.empty(TILE), np.empty(TILE)
    for start in range(0, high.size, TILE):
        here = out[start : start + TILE]
        steps_part_nb(high[start : start + TILE], state[2], plus)
        steps_part_nb(low[start : start + TILE], state[3], minus)
        for i in range(here.size):
            up, down = plus[i], -minus[i]
            plus[i] = up if up > down and up > 0.0 else 0.0
            minus[i] = down if down > up and down > 0.0 else 0.0
        smooth_part_nb(plus[: here.size], 1.0 / k, state[0], plus[: here.size])
        smooth_part_nb(minus[: here.size], 1.0 / k, state[1], minus[: here.size])
        balance_to_nb(plus, minus, here)


@njit(cache=True, nogil=True, error_model="numpy")
def keltner_nb(price, high, low, close, k, state, out):
    """(P - EMA_k)/ATR_k; 0 where ATR_k is below 1e-9 P: after a long time without movement both are rounding error.

    State: EMA, ATR, last close.
    """
    before, spread = np.empty(TILE + 1), np.empty(TILE)
    for start in range(0, price.size, TILE):
        top, bottom, p, here = high[start:], low[start:], price[start : start + TILE], out[start : start + TILE]
        n = p.size
        scale_nb(close[start:], 1.0, before[1 : n + 1])
        before[0], state[2, 0, 0] = state[2, 0, 0], before[n]
        for i in range(n):
            up = top[i] if top[i] > before[i] else before[i]
            spread[i] = up - (bottom[i] if bottom[i] < before[i] else before[i])
        smooth_part_nb(p, 2.0 / (k + 1.0), state[0], here)
        smooth_part_nb(spread[:n], 1.0 / k, state[1], spread[:n])
        for i in range(n):
            here[i] = (p[i] - here[i]) / spread[i] if spread[i] > 1e-9 * p[i] else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def force_nb(close, volume, k, state, out):
    """Force index EMA_k(dC V)/(C EMA_k(V)). State: both means, last close."""
    mean = np.empty(TILE)
    for start in range(0, close.size, TILE):
        c, v, here = close[start : start + TILE], volume[start : start + TILE], out[start : start + TILE]
        steps_part_nb(c, state[2], here)
        for i in range(here.size):
            here[i] *= v[i]
        smooth_part_nb(here, 2.0 / (k + 1.0), state[0], here)
        smooth_part_nb(v, 2.0 / (k + 1.0), state[1], mean[: v.size])
        for i in range(here.size):
            here[i] = divide_nb(here[i], c[i] * mean[i])
