"""Many markets side by side: which of them belong to the universe at each bar, their basket, and their beta to it.

Everything at a bar is known at its close, and is made of a bounded number of bars before it, so that a longer or a
shorter history has the same bits once the windows are full.

Shapes: ``T`` bars of the common grid, ``M`` markets.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from labelsearch.compiled import threaded
from labelsearch.market.bars import Bars
from labelsearch.market.rules import BarError
from labelsearch.market.trading_costs import traded_value

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST_SHARE = 0.5  # of the bars of a window: with fewer, beta and volatility are not known


class UniverseTerms(NamedTuple):
    """Which markets belong to the universe, and how they are measured; lengths in days, or sessions of a calendar."""

    size: int = 0  # the most liquid ones, chosen on the first bar of each month; 0: all
    history_days: int = 60  # since its first bar, before a market may join
    liquidity_days: int = 30  # over which traded value is compared
    beta_days: int = 60
    volatility_days: int = 30


@dataclass(frozen=True, eq=False)
class CrossSection:
    """Markets on their common grid; every array is known at the close of its row."""

    markets: tuple[str, ...]
    open_time: NDArray[np.int64]  # (T,) ms since the epoch
    close: Floats  # (T, M) the last one known, NaN before the first
    traded: Flags  # (T, M) whether the market has this bar
    returns: Floats  # (T, M) simple, since its bar before; 0 where it has none
    eligible: Flags  # (T, M) whether it belongs to the basket
    member: Flags  # (T, M) whether it may be traded as well: beta and volatility are known
    basket: Floats  # (T,) simple return of equal parts of those eligible a bar before
    beta: Floats  # (T, M) to the basket, trailing; NaN where not known
    sigma: Floats  # (T, M) trailing standard deviation of returns of a bar; NaN where not known

    def column(self, market: str) -> int:
        """Its number; `BarError` for an unknown one."""
        if market not in self.markets:
            raise BarError(f"{market} is none of the markets {', '.join(self.markets)}")
        return self.markets.index(market)


def cross_section(bars: Sequence[Bars], terms: UniverseTerms) -> CrossSection:
    """Put markets side by side.

    Parameters
    ----------
    bars : sequence of Bars
        On their grid or not, of one interval; a market may begin later and end earlier than others.
    terms : UniverseTerms

    Returns
    -------
    CrossSection

    Raises
    ------
    BarError
        If there are fewer than two markets, one comes twice, or their intervals differ.
    """
    names = tuple(its.symbol for its in bars)
    if len(bars) < 2 or len(set(names)) < len(names):
        raise BarError(f"a cross-section needs two markets or more, and none twice, not {', '.join(names) or 'none'}")
    if len({its.interval_ms for its in bars}) > 1:
        raise BarError("the markets of a cross-section need bars of one interval")
    open_time = functools.reduce(np.union1d, [its.open_time for its in bars])
    close, traded = np.full((len(open_time), len(bars)), np.nan), np.zeros((len(open_time), len(bars)), dtype=np.bool_)
    value = np.zeros_like(close)
    for m, its in enumerate(its.present() for its in bars):
        rows = np.searchsorted(open_time, its.open_time)
        close[rows, m], traded[rows, m] = its.close, True
        if terms.size:
            value[rows, m] = traded_value(its)
    _carry_nb(close)
    before = np.vstack([np.full((1, len(bars)), np.nan), close[:-1]])
    has = traded & np.isfinite(before)
    returns = np.where(has, close / np.where(has, before, 1.0) - 1.0, 0.0)
    a_day = bars[0].bars_a_day
    eligible = _eligible(open_time, value, traded, terms, a_day)
    basket = basket_returns(returns, traded, eligible)
    beta = threaded(trailing_beta_nb)(returns, has, basket, max(terms.beta_days * a_day, 2))
    sigma = threaded(trailing_deviation_nb)(returns, has, max(terms.volatility_days * a_day, 2))
    member = eligible & np.isfinite(beta) & (np.nan_to_num(sigma) > 0.0)
    return CrossSection(names, open_time, close, traded, returns, eligible, member, basket, beta, sigma)


def _eligible(open_time: NDArray[np.int64], value: Floats, traded: Flags, terms: UniverseTerms, a_day: int) -> Flags:
    """Which markets (T, M) belong to the basket at the close of each row.

    A market has to have begun ``history_days`` ago and to have a bar within the last day. With a size, the ones of the
    largest value traded over ``liquidity_days`` are chosen at the first row of each month, from the rows before.
    """
    n_rows = len(traded)
    row = np.arange(n_rows)[:, None]
    last = np.maximum.accumulate(np.where(traded, row, -n_rows - a_day), axis=0)
    began = np.where(traded.any(axis=0), traded.argmax(axis=0), n_rows)
    fit = (row - last <= a_day) & (row - began >= terms.history_days * a_day)
    if not terms.size:
        return fit
    month = open_time.astype("datetime64[ms]").astype("datetime64[M]")
    edges = [0, *(np.flatnonzero(month[1:] != month[:-1]) + 1).tolist(), n_rows]
    chosen = np.zeros_like(fit)
    for first, stop in pairwise(edges):
        liquid = np.where(fit[first], value[max(first - terms.liquidity_days * a_day, 0) : first].sum(axis=0), 0.0)
        order = np.argsort(-liquid, kind="stable")[: terms.size]
        chosen[first:stop, order[liquid[order] > 0.0]] = True
    return fit & chosen


def basket_returns(returns: Floats, traded: Flags, eligible: Flags) -> Floats:
    """Mean return (T,) of the markets (T, M) that were eligible a bar before and have this bar; 0 without any."""
    held = np.vstack([np.zeros((1, returns.shape[1]), dtype=np.bool_), eligible[:-1]]) & traded
    count = held.sum(axis=1)
    total = np.where(held, returns, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.zeros(len(returns)), where=count > 0)


@njit(cache=True)
def _carry_nb(close: np.ndarray) -> None:
    """Fill NaN (T, M) with the value of the row before."""
    for t in range(1, close.shape[0]):
        for m in range(close.shape[1]):
            if np.isnan(close[t, m]):
                close[t, m] = close[t - 1, m]


@njit(cache=True)
def slope_nb(returns: np.ndarray, has: np.ndarray, basket: np.ndarray, m: int, first: int, stop: int) -> float:
    """Least-squares slope of the returns of market ``m`` on those of the basket, over the rows that it has.

    NaN where it has fewer than `LEAST_SHARE` of the rows, or the basket does not move.
    """
    count, mean_x, mean_y = 0, 0.0, 0.0
    for s in range(first, stop):
        if has[s, m]:
            count += 1
            mean_x += basket[s]
            mean_y += returns[s, m]
    if count < LEAST_SHARE * (stop - first) or count < 2:
        return np.nan
    mean_x /= count
    mean_y /= count
    xx, xy = 0.0, 0.0
    for s in range(first, stop):
        if has[s, m]:
            x = basket[s] - mean_x
            xx += x * x
            xy += x * (returns[s, m] - mean_y)
    return xy / xx if xx > 0.0 else np.nan


@njit(cache=True)
def deviation_nb(returns: np.ndarray, has: np.ndarray, m: int, first: int, stop: int) -> float:
    """Standard deviation of the returns of market ``m`` over the rows that it has; NaN as for `slope_nb`."""
    count, mean = 0, 0.0
    for s in range(first, stop):
        if has[s, m]:
            count += 1
            mean += returns[s, m]
    if count < LEAST_SHARE * (stop - first) or count < 2:
        return np.nan
    mean /= count
    square = 0.0
    for s in range(first, stop):
        if has[s, m]:
            square += (returns[s, m] - mean) ** 2
    return np.sqrt(square / count)


@njit(cache=True, parallel=True)
def trailing_beta_nb(returns: np.ndarray, has: np.ndarray, basket: np.ndarray, window: int) -> np.ndarray:
    """`slope_nb` (T, M) over the last ``window`` rows; NaN before the first full window."""
    n_rows, n_markets = returns.shape
    out = np.full((n_rows, n_markets), np.nan)
    for m in prange(n_markets):
        for t in range(window - 1, n_rows):
            out[t, m] = slope_nb(returns, has, basket, m, t - window + 1, t + 1)
    return out


@njit(cache=True, parallel=True)
def trailing_deviation_nb(returns: np.ndarray, has: np.ndarray, window: int) -> np.ndarray:
    """`deviation_nb` (T, M) over the last ``window`` rows; NaN before the first full window."""
    n_rows, n_markets = returns.shape
    out = np.full((n_rows, n_markets), np.nan)
    for m in prange(n_markets):
        for t in range(window - 1, n_rows):
            out[t, m] = deviation_nb(returns, has, m, t - window + 1, t + 1)
    return out
