"""Numba kernels that make weights of a book from outputs: strengths, wishes, and weights without dollars and beta.

Arithmetic is strict IEEE, and sums over markets run from the first to the last: no bit depends on the number of threads
or on where rows are cut.

(1) Strength: the signal of a market moves its strength by the thresholds of a strategy, as it would move a position.
(2) Wish: twice the strength less 1, of all intervals, smoothed. (3) Weights: wishes over volatility, without dollars
and beta where the book is neutral, scaled to the gross exposure, no one above the cap.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import register_jitable

from strategies.book.rules import BEST, LONG, BookRules
from strategies.book.window import BookWindow
from strategies.trade.rules import HALF, LOGISTIC

ROUNDS = 8  # of scaling and capping; what does not fit by then is scaled down as a whole, by half a percent in the mean
TINY = 1e-12
LEAST_MEMBERS = 3  # that a neutral book can be made of
SAME = 1e-9  # share of the squares of betas: members whose betas differ by less have the same


class Cut(NamedTuple):
    """The window as kernels read it; Numba compiles a smaller tuple faster."""

    outputs: np.ndarray
    open: np.ndarray
    close: np.ndarray
    traded: np.ndarray
    member: np.ndarray
    inverse_sigma: np.ndarray
    beta: np.ndarray
    doubt: np.ndarray
    band_unit: np.ndarray
    last_row: np.ndarray
    half_spread: np.ndarray
    impact: np.ndarray
    funding: np.ndarray
    borrow: np.ndarray
    day_end: np.ndarray

    @classmethod
    def of(cls, window: BookWindow) -> "Cut":
        """Of a window."""
        return cls(*(getattr(window, name) for name in cls._fields))


@njit(cache=True, error_model="numpy")
def strengths_nb(
    params: np.ndarray, t: int, window: Cut, rules: BookRules, strength: np.ndarray, sums: np.ndarray
) -> None:
    """Move the strengths (I, M) of one strategy by the signals of a row; ``sums`` (M,) is scratch."""
    n_intervals, n_outputs, n_markets = window.outputs.shape[1:]
    buy, sell, delta = params[n_outputs], params[n_outputs + 1], params[n_outputs + 2]
    for i in range(n_intervals):
        for m in range(n_markets):
            sums[m] = 0.0
        for k in range(n_outputs):
            weight, outputs = params[k], window.outputs[t, i, k]
            for m in range(n_markets):
                sums[m] += weight * outputs[m]
        for m in range(n_markets):
            if np.isnan(sums[m]):
                continue
            if rules.signal_map == LOGISTIC:
                signal = 1.0 / (1.0 + np.exp(-sums[m]))
            else:
                signal = min(max(sums[m] + 0.5 if rules.signal_map == HALF else sums[m], 0.0), 1.0)
            held = strength[i, m]
            if (signal > buy and signal - held > delta) or (signal < sell and held - signal > delta):
                strength[i, m] = signal


@njit(cache=True, error_model="numpy")
def wishes_nb(params: np.ndarray, n_outputs: int, strength: np.ndarray, wish: np.ndarray) -> None:
    """Move the wishes (M,) of one strategy, in [-1, 1], towards its strengths (I, M)."""
    n_intervals, n_markets = strength.shape
    pace = 2.0 / (params[n_outputs + 5] + 1.0)  # of an exponential mean of that span
    total = 0.0
    for i in range(n_intervals if n_intervals > 1 else 0):
        total += params[n_outputs + 6 + i]
    for m in range(n_markets):
        if n_intervals == 1:
            aim = 2.0 * strength[0, m] - 1.0
        else:
            aim, signs = 0.0, 0.0
            for i in range(n_intervals):
                side = 2.0 * strength[i, m] - 1.0
                share = params[n_outputs + 6 + i] / total if total > 0.0 else 1.0 / n_intervals
                aim += share * side
                signs += 1.0 if side > 0.0 else -1.0 if side < 0.0 else 0.0
            aim *= abs(signs) / n_intervals
        wish[m] += pace * (aim - wish[m])


@register_jitable
def is_singular(count, s1, s2):
    """Whether dollars and beta are one: of numbers of members, sums of their betas, and of the squares of these."""
    return count * s2 - s1 * s1 <= SAME * count * s2


@njit(cache=True, error_model="numpy")
def project_nb(t: int, window: Cut, weights: np.ndarray) -> None:
    """Remove from weights (M,) of the members of a row their projection on dollars and beta: w - A (A'A)^-1 A'w.

    Fewer than three members hold nothing. Where all have the same beta the projection is singular, and dollars alone
    are removed.
    """
    n_markets = weights.shape[0]
    count, s1, s2, d0, d1 = 0.0, 0.0, 0.0, 0.0, 0.0
    for m in range(n_markets):
        if window.member[t, m]:
            beta = window.beta[t, m]
            count += 1.0
            s1 += beta
            s2 += beta * beta
            d0 += weights[m]
            d1 += beta * weights[m]
    if count < LEAST_MEMBERS:
        for m in range(n_markets):
            weights[m] = 0.0
        return
    if not is_singular(count, s1, s2):
        determinant = count * s2 - s1 * s1
        dollars, slope = (s2 * d0 - s1 * d1) / determinant, (count * d1 - s1 * d0) / determinant
    else:
        dollars, slope = d0 / count, 0.0
    for m in range(n_markets):
        if window.member[t, m]:
            weights[m] -= dollars + slope * window.beta[t, m]


@njit(cache=True, error_model="numpy")
def sizes_nb(weights: np.ndarray) -> tuple:
    """Sum and largest of the sizes of weights (M,)."""
    total, largest = 0.0, 0.0
    for m in range(weights.shape[0]):
        size = abs(weights[m])
        total += size
        largest = max(largest, size)
    return total, largest


@njit(cache=True, error_model="numpy")
def weigh_nb(t: int, window: Cut, rules: BookRules, wish: np.ndarray, weights: np.ndarray) -> None:
    """Weights (M,) from the wishes (M,) of a row, shares of equity; 0 of all that are no members."""
    n_markets = wish.shape[0]
    if rules.kind == BEST:
        best, largest = -1, 0.0
        for m in range(n_markets):
            weights[m] = 0.0
            if window.member[t, m] and abs(wish[m]) > largest:
                best, largest = m, abs(wish[m])
        if best >= 0:
            weights[best] = rules.gross if wish[best] > 0.0 else -rules.gross
        return
    is_long = rules.kind == LONG
    for m in range(n_markets):
        wanted = max(wish[m], 0.0) if is_long else wish[m]
        weights[m] = wanted * window.inverse_sigma[t, m]  # which is 0 outside the universe
    for _ in range(ROUNDS):
        if not is_long:
            project_nb(t, window, weights)
        total, largest = sizes_nb(weights)
        if total <= TINY:
            break
        scale = rules.gross / total
        fits = scale * largest <= rules.cap * (1.0 + 1e-9)
        for m in range(n_markets):
            weights[m] *= scale
            if not fits:
                weights[m] = min(max(weights[m], -rules.cap), rules.cap)
        if fits:
            break
    if not is_long:
        project_nb(t, window, weights)
    total, largest = sizes_nb(weights)
    if total <= TINY:
        for m in range(n_markets):
            weights[m] = 0.0
        return
    scale = min(1.0, rules.gross / total, rules.cap / largest)
    for m in range(n_markets):
        weights[m] *= scale


@njit(cache=True, error_model="numpy")
def band_nb(t: int, m: int, b: float, bk: float, window: Cut) -> float:
    """How far a market may stray from its wish, as a share of equity: b cost^(1/3) + b k cost^(1/3) doubt."""
    return window.band_unit[t, m] * (b + bk * window.doubt[t, m])
