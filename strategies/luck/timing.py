"""Test of timing: whether chosen tiers hold more before prices rise than before they fall.

The sum over bars of (position - mean position) x return is divided by its standard error, the root of the sum of the
squares of these products. Without knowledge of direction the products are martingale differences, and the ratio is
close to normal whatever the position knows of volatility and however long it remembers (Hall & Heyde 1980). The mean
leaves out the positions of the bars that follow, which may have been made of the return they would be multiplied by:
with them a position against the trend would seem to know, and one with the trend to be wrong (`timing_products`).

Costs stay outside: the same positions cost the same at any time. The test is valid for strategies that were not chosen
on the window it is run on: run it on the future window.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import simulate_paths
from strategies.trade.window import TradingWindow

GROUP = 32  # strategies whose paths are held in memory at once: one group of the simulator's lanes
MEMORY_SHARE = 0.25  # of the window: positions this far ahead may have been made of a return
DRAWS = 100_000  # of the joint distribution of tiers: the standard error of 0.05 is 0.0007


class Timing(NamedTuple):
    """Statistic of each tier, its own p-value, and the p-value adjusted for the number of tiers."""

    statistic: dict[int, float]
    p_value: dict[int, float]
    adjusted: dict[int, float]


def timing_products(position: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Martingale products of a position: (position - mean of positions that do not follow) x (return - mean return).

    With e_s the return of bar s less its expectation and x_t a position, E[x_t e_s] = 0 for t <= s, but a position
    made of past returns has E[x_t e_s] != 0 for t > s. So the mean of all positions takes sum_(t>s) E[x_t e_s] / T
    from each product on average, which is the bias of predictive regressions (Stambaugh 1999), and which adds up over
    the markets of a panel (Hjalmarsson 2006, who demeans recursively for this reason). The mean that leaves out the
    m_s = min(K, T - 1 - s) bars after s, K = T / 4, has no part in this: x_s less that mean is
    x_s - mean(x) + sum_(s < t <= s + m_s) (x_t - mean(x)) / (T - m_s), and no bias is left of a memory up to K.
    The mean return is subtracted so that the drift of prices does not enter; it brings back at most 4 % of the bias.

    Parameters
    ----------
    position, returns : (T,) array
        Share of equity held into each bar, and the return of the bar.

    Returns
    -------
    (T,) array
        0 where the position does not vary or nothing moves.
    """
    n = len(position)
    if np.ptp(position) <= 1e-12 or np.ptp(returns) == 0.0:
        return np.zeros(n)
    away = position - position.mean()
    before = np.r_[0.0, np.cumsum(away)]
    bar = np.arange(n)
    follows = np.minimum(int(MEMORY_SHARE * n), n - 1 - bar)
    following = before[bar + 1 + follows] - before[bar + 1]
    return (away + following / (n - follows)) * (returns - returns.mean())


def timing_statistic(position: np.ndarray, returns: np.ndarray) -> float:
    """Studentised return of a position, close to standard normal without knowledge of direction.

    Parameters
    ----------
    position, returns : (T,) array
        Share of equity held into each bar, and the return of the bar.

    Returns
    -------
    float
        0 where the position does not vary or nothing moves.
    """
    products = timing_products(position, returns)
    error = math.sqrt(float(np.sum(products**2)))
    return float(np.sum(products)) / error if error > 0.0 else 0.0


def cross_products(products: np.ndarray) -> np.ndarray:
    """Sums (n, n) of the products of each two columns of (T, n)."""
    n = products.shape[1]
    # sums one by one: a product of matrices may depend on the number of threads
    return np.array([[np.sum(products[:, i] * products[:, j]) for j in range(n)] for i in range(n)])


def as_correlation(found: np.ndarray) -> np.ndarray:
    """Correlation (n, n) of a covariance (n, n); a column without variance correlates with none."""
    scale = np.sqrt(np.diag(found))
    unit = np.divide(1.0, scale, out=np.zeros(len(scale)), where=scale > 0)
    found = found * unit[:, None] * unit[None, :]
    np.fill_diagonal(found, 1.0)
    return found


def correlation_of(positions: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Correlation (n, n) of the statistics of positions (T, n) without knowledge of direction."""
    return as_correlation(cross_products(np.column_stack([timing_products(column, returns) for column in positions.T])))


def p_of(statistic: float) -> float:
    """Chance that a standard normal number is as large or larger."""
    return 0.5 * math.erfc(statistic / math.sqrt(2.0))


def _root(correlation: np.ndarray) -> np.ndarray:
    """Lower triangle L with L L' = correlation, by Cholesky; tests that repeat others get no part of their own.

    Written out, because libraries may give other bits on other machines.
    """
    n = len(correlation)
    root = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            rest = correlation[i, j] - sum(root[i, k] * root[j, k] for k in range(j))
            root[i, j] = rest / root[j, j] if root[j, j] > 1e-6 else 0.0
        root[i, i] = math.sqrt(max(correlation[i, i] - sum(x * x for x in root[i, :i]), 0.0))
    return root


def step_down(statistic: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """p-values adjusted for several tests by the joint distribution of their statistics.

    From the largest statistic to the smallest, each is compared with the maximum over itself and the smaller ones
    of normal numbers of this correlation (Westfall & Young 1993; Romano & Wolf 2005), so tests that agree hardly
    count as several.

    Parameters
    ----------
    statistic : (n,) array
    correlation : (n, n) array

    Returns
    -------
    (n,) array
        The chance of one or more p-values at or below a level is at most this level where no test has an effect.
    """
    normal = np.random.default_rng(0).standard_normal((len(statistic), DRAWS))
    drawn = [sum(x * weight for x, weight in zip(normal, row, strict=True)) for row in _root(correlation)]
    order = np.argsort(-statistic, kind="stable")
    adjusted, largest = np.empty(len(order)), np.full(DRAWS, -np.inf)
    for test in order[::-1]:
        largest = np.maximum(largest, drawn[test])
        adjusted[test] = max((1 + int((largest >= statistic[test]).sum())) / (1 + DRAWS), p_of(statistic[test]))
    adjusted[order] = np.maximum.accumulate(adjusted[order])
    return adjusted


def adjusted_p(p_values: Sequence[float], products: np.ndarray) -> list[float]:
    """p-values of n tests adjusted by `step_down`.

    Parameters
    ----------
    p_values : sequence of float
        One-sided, of the single tests.
    products : (T, n) array
        What the tests sum, of mean 0 without an effect; its correlation is that of the tests.
    """
    from scipy.stats import norm

    statistic = norm.isf(np.clip(p_values, 1e-300, 1.0 - 1e-16))
    return [float(p) for p in step_down(statistic, as_correlation(cross_products(products)))]


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
    found, first, to_open = {}, 0, (window.open / window.close)[:, None]
    for size in sorted(set(sizes)):
        while first < size:
            stop = min(first + GROUP, size)
            paths = simulate_paths(params[first:stop], window, rules)
            # in place: a group takes as much memory as all else that judges tiers
            value, rest = paths.position, paths.equity
            value *= rest
            rest -= value
            value *= to_open  # what is held does not change between the open and the close
            held += value.sum(axis=1)
            rest += value
            equity += rest.sum(axis=1)
            first = stop
            del paths, value, rest
        found[size] = np.divide(held, equity, out=np.zeros_like(held), where=equity > 0)
    return np.column_stack([found[size] for size in sizes])


def held_and_returns(
    params: np.ndarray, window: TradingWindow, rules: TradingRules, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of tiers, as `positions_held` finds them, and returns that count, as `that_count` says."""
    return that_count(positions_held(params, window, rules, sizes), window.open)


def that_count(held: np.ndarray, open_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T - 2, n) and returns (T - 2,) that count, of what is held after each open (T,), (T, n).

    The first bar after a fill is left out: the price of the fill may be a bid or an ask, and its way back to the
    middle is a gain in a simulation only. What is known of one bar alone does not count therefore.

    Raises
    ------
    StrategyError
        If the window has fewer than four bars.
    """
    if len(open_) < 4:
        raise StrategyError(f"a window of {len(open_)} bars is too short to judge timing on, 4 are needed")
    return held[:-2], open_[2:] / open_[1:-1] - 1.0


def timing_of_tiers(params: np.ndarray, window: TradingWindow, rules: TradingRules, sizes: Sequence[int]) -> np.ndarray:
    """`timing_statistic` of tiers, (n,); parameters and errors as for `held_and_returns`."""
    held, returns = held_and_returns(params, window, rules, sizes)
    return np.array([timing_statistic(column, returns) for column in held.T])


def judge_timing(params: np.ndarray, window: TradingWindow, rules: TradingRules, sizes: Sequence[int]) -> Timing:
    """Test whether tiers hold more before prices rise than before they fall.

    Parameters
    ----------
    params, window, rules, sizes
        As for `positions_held`.

    Returns
    -------
    Timing

    Raises
    ------
    ValueError
        If a tier is larger than S, or the window has fewer than four bars.
    """
    if not sizes or min(sizes) < 1 or max(sizes) > len(params):
        raise ValueError(f"tiers of {list(sizes)} cannot be taken from {len(params)} strategies")
    held, returns = held_and_returns(params, window, rules, sizes)
    statistic = np.array([timing_statistic(column, returns) for column in held.T])

    def by_size(values: Sequence[float] | np.ndarray) -> dict[int, float]:
        return dict(zip(sizes, map(float, values), strict=True))

    adjusted = step_down(statistic, correlation_of(held, returns))
    return Timing(by_size(statistic), by_size([p_of(float(x)) for x in statistic]), by_size(adjusted))
