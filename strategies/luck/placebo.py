"""Placebo of the timing: the positions of chosen tiers against the returns of other times.

A circular shift of positions against prices keeps the values, order and dependence of both; every relation in time
between them is gone, and so is knowledge of volatility. A position that is large when prices move much has a wider
spread of returns than a shifted one, whether or not it knows their direction. So the sum of returns earned is divided
by its own standard error (studentised), which keeps its spread at 1 with and without that knowledge. All shifts are
used, short ones too: shifts that leave out the neighbourhood of the real timing are not exchangeable with it where
positions remember for long.

Costs stay outside: the same positions cost the same at any time. That a permutation test needs a studentised statistic
where variances differ is Janssen 1997; its use for shifts is ours. It is valid for strategies that were not
chosen on the window it is run on: run it on the future window.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import simulate_paths
from strategies.trade.window import TradingWindow

LEVEL = 0.05
GROUP = 32  # strategies whose paths are held in memory at once: one group of the simulator's lanes
TIE = 1e-9  # statistics, of standard deviation 1, that differ by less count as equal: rounding of the transform


class Placebo(NamedTuple):
    """Timing statistic of each tier, its own p-value, and the p-value adjusted for the number of tiers."""

    n_shifts: int  # the real timing not counted
    statistic: dict[int, float]
    p_value: dict[int, float]
    adjusted: dict[int, float]


def p_value(real: float, null: np.ndarray) -> float:
    """Share of results as high or higher, the real one counted: (1 + #{null >= real})/(1 + n)."""
    return (1 + int((np.asarray(null) >= real).sum())) / (1 + len(null))


def draw_shifts(n_bars: int, n_shifts: int, seed: int) -> np.ndarray:
    """Shifts (n_shifts,) of 1 to ``n_bars - 1`` bars, drawn with replacement; a longer list goes on."""
    return np.random.default_rng(seed).integers(1, n_bars, n_shifts)


def timing_statistics(position: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Studentised return of a position at every circular shift.

    T_k = sum_t (a_(t-k) - mean a) r_t / sqrt(sum_t (a_(t-k) - mean a)^2 r_t^2), by fast Fourier transforms.

    Parameters
    ----------
    position, returns : (T,) array
        Share of equity held into each bar, and the return of the bar.

    Returns
    -------
    (T,) array
        By shift in bars, the real timing first; 0 where the position does not vary or nothing moves.
    """
    away = position - position.mean()
    if np.ptp(position) <= 1e-12 or not returns.any():
        return np.zeros(len(position))
    earned = _circular(away, returns)
    variance = _circular(away**2, returns**2)
    # sums of squares that the transform rounds to nothing
    floor = 1e-12 * (away @ away) * (returns @ returns) / len(returns)
    return earned / np.sqrt(np.maximum(variance, floor))


def _circular(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """sum_t a[t - k] b[t] for every circular shift k, (T,)."""
    return np.fft.irfft(np.fft.rfft(b) * np.conj(np.fft.rfft(a)), len(a))


def step_down(statistics: np.ndarray) -> np.ndarray:
    """p-values adjusted for several tests by the joint distribution of their statistics.

    From the largest statistic to the smallest, each is compared with the maximum, shift by shift, over itself and
    the smaller ones (Westfall & Young 1993; Romano & Wolf 2005), so tests that agree hardly count as several.

    Parameters
    ----------
    statistics : (K, n) array
        By shift and test, the real ones in row 0.

    Returns
    -------
    (n,) array
        The chance of one or more p-values at or below a level is at most this level where no test has an effect.
    """
    order = np.argsort(-statistics[0], kind="stable")
    adjusted, largest = np.empty(len(order)), np.full(len(statistics), -np.inf)
    for test in order[::-1]:
        largest = np.maximum(largest, statistics[:, test])
        adjusted[test] = np.mean(largest >= statistics[0, test] - TIE)
    adjusted[order] = np.maximum.accumulate(adjusted[order])
    return adjusted


def positions_held(params: np.ndarray, window: TradingWindow, rules: TradingRules, sizes: Sequence[int]) -> np.ndarray:
    """Share of equity that tiers hold after the open of each bar, (T, n).

    Parameters
    ----------
    params : (S, K + 3) array
        Strategies, best first: the tier of N is the first N rows, with equal capital at the start.
    window, rules
        As for `strategies.trade.simulate.simulate`.
    sizes : sequence of int
        Of the n tiers.
    """
    held, equity = np.zeros(len(window.open)), np.zeros(len(window.open))
    found, first = {}, 0
    for size in sorted(set(sizes)):
        while first < size:
            stop = min(first + GROUP, size)
            paths = simulate_paths(params[first:stop], window, rules)
            value = paths.position * paths.equity
            # what is held does not change between the open and the close
            at_open = value * (window.open / window.close)[:, None]
            held += at_open.sum(axis=1)
            equity += (paths.equity - value + at_open).sum(axis=1)
            first = stop
        found[size] = np.divide(held, equity, out=np.zeros_like(held), where=equity > 0)
    return np.column_stack([found[size] for size in sizes])


def timing_of_tiers(params: np.ndarray, window: TradingWindow, rules: TradingRules, sizes: Sequence[int]) -> np.ndarray:
    """`timing_statistics` of tiers, (T - 2, n), parameters as for `positions_held`.

    The first bar after a fill is left out: the price of the fill may be a bid or an ask, and its way back to the
    middle is a gain in a simulation only. What is known of one bar alone does not count therefore.

    Raises
    ------
    StrategyError
        If the window has fewer than four bars.
    """
    if len(window.open) < 4:
        raise StrategyError(f"a window of {len(window.open)} bars is too short to be shifted, 4 are needed")
    held = positions_held(params, window, rules, sizes)[:-2]
    returns = window.open[2:] / window.open[1:-1] - 1.0
    return np.column_stack([timing_statistics(column, returns) for column in held.T])


def placebo(params: np.ndarray, window: TradingWindow, rules: TradingRules, sizes: Sequence[int]) -> Placebo:
    """Test whether tiers hold more before prices rise than before they fall.

    Parameters
    ----------
    params, window, rules, sizes
        As for `positions_held`.

    Returns
    -------
    Placebo

    Raises
    ------
    ValueError
        If a tier is larger than S, or the window has fewer than four bars.
    """
    if not sizes or min(sizes) < 1 or max(sizes) > len(params):
        raise ValueError(f"tiers of {list(sizes)} cannot be taken from {len(params)} strategies")
    table = timing_of_tiers(params, window, rules, sizes)
    alone = [step_down(column[:, None])[0] for column in table.T]

    def by_size(values: Sequence[float] | np.ndarray) -> dict[int, float]:
        return dict(zip(sizes, map(float, values), strict=True))

    return Placebo(len(table) - 1, by_size(table[0]), by_size(alone), by_size(step_down(table)))


def verdict(adjusted: Mapping[int, float]) -> str:
    """``edge`` if the smallest p-value, adjusted for the number of tiers, is at most 5%.

    Otherwise ``no edge shown``. ValueError without p-values.
    """
    if not adjusted:
        raise ValueError("no p-values to judge")
    return "edge" if min(adjusted.values()) <= LEVEL else "no edge shown"
