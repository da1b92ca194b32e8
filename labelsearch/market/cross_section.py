"""Many markets side by side: which of them belong to the universe at each bar, their basket, and their beta to it.

Everything at a bar is known at its close, and is made of a bounded number of bars before it, so that a longer or a
shorter history has the same bits once the windows are full.

A symbol is not an asset: what comes after a gap of more rows than a day has may be another coin, or the same in other
units. No return bridges such a gap, and the history of the market begins anew after it.

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
from labelsearch.market.unlike import shared_return

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST_SHARE = 0.5  # of the bars of a window: with fewer, beta and volatility are not known


class UniverseTerms(NamedTuple):
    """Which markets belong to the universe, and how they are measured; lengths in days, or sessions of a calendar."""

    size: int = 0  # the most liquid ones, chosen on the first bar of each month; 0: all
    history_days: int = 60  # since its first bar, or its first after a gap of more than a day, before a market may join
    liquidity_days: int = 30  # over which traded value is compared
    beta_days: int = 60
    volatility_days: int = 30


@dataclass(frozen=True, eq=False)
class CrossSection:
    """Markets on their common grid; every array is known at the close of its row."""

    markets: tuple[str, ...]
    open_time: NDArray[np.int64]  # (T,) ms since the epoch, all bars of the grids of the markets
    close: Floats  # (T, M) the last one known, NaN before the first
    traded: Flags  # (T, M) whether the market has this bar
    has: Flags  # (T, M) whether it also has a return: a bar before, and no gap of more than a day between them
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


class Grid(NamedTuple):
    """Markets on their common grid, without what is measured against their basket; fields as in `CrossSection`."""

    markets: tuple[str, ...]
    open_time: NDArray[np.int64]
    close: Floats
    value: Floats  # (T, M) traded in the bar, quote currency; 0 without one, and everywhere if it was not asked for
    traded: Flags
    has: Flags
    returns: Floats
    fit: Flags  # (T, M) whether it has the history, and a bar within the last day
    eligible: Flags


def side_by_side(bars: Sequence[Bars], terms: UniverseTerms, *, value: bool | None = None) -> Grid:
    """Put markets on one grid and choose those of the universe.

    Parameters
    ----------
    bars : sequence of Bars
        As for `cross_section`.
    terms : UniverseTerms
    value : bool, optional
        Whether the value traded is needed; by default where markets are chosen by it.

    Raises
    ------
    BarError
        As `cross_section`.
    """
    names = tuple(its.symbol for its in bars)
    if len(bars) < 2 or len(set(names)) < len(names):
        raise BarError(f"a cross-section needs two markets or more, and none twice, not {', '.join(names) or 'none'}")
    if len({(its.interval_ms, its.calendar) for its in bars}) > 1:
        raise BarError("the markets of a cross-section need bars of one interval and one calendar")
    # rows that no market has, but the grid of one, are kept: a market sees every bar of its grid beside the others
    open_time = functools.reduce(np.union1d, [its.open_time for its in bars])
    present = [its.present() for its in bars]
    if not len(open_time):
        raise BarError("the markets of a cross-section have no bars")
    close, traded = np.full((len(open_time), len(bars)), np.nan), np.zeros((len(open_time), len(bars)), dtype=np.bool_)
    worth = np.zeros_like(close)
    for m, its in enumerate(present):
        rows = np.searchsorted(open_time, its.open_time)
        close[rows, m], traded[rows, m] = its.close, True
        if terms.size if value is None else value:
            worth[rows, m] = traded_value(its)
    _carry_nb(close)
    a_day = bars[0].bars_a_day
    has = _joined(traded, a_day)
    before = np.vstack([np.ones((1, len(bars))), close[:-1]])
    returns = np.where(has, close / np.where(has, before, 1.0) - 1.0, 0.0)
    fit = _fit(traded, traded & ~has, terms.history_days * a_day, a_day)
    eligible = fit & most_liquid(open_time, worth, fit, terms, a_day) if terms.size else fit
    return Grid(names, open_time, close, worth, traded, has, returns, fit, eligible)


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
        If there are fewer than two markets, one comes twice, their intervals or calendars differ, or none has a bar.
    """
    return measured(side_by_side(bars, terms), terms, bars[0].bars_a_day)


def measured(grid: Grid, terms: UniverseTerms, a_day: int) -> CrossSection:
    """Markets on their common grid, of so many bars a day, with their basket and what is measured against it."""
    names, open_time, close, _, traded, has, returns, _, eligible = grid
    basket = basket_returns(returns, traded, eligible)
    beta = threaded(trailing_beta_nb)(returns, has, basket, max(terms.beta_days * a_day, 2))
    sigma = threaded(trailing_deviation_nb)(returns, has, max(terms.volatility_days * a_day, 2))
    member = eligible & np.isfinite(beta) & (np.nan_to_num(sigma) > 0.0)
    return CrossSection(names, open_time, close, traded, has, returns, eligible, member, basket, beta, sigma)


def _joined(traded: Flags, a_day: int) -> Flags:
    """Whether a bar (T, M) follows one of the same market, with at most a day's rows between them."""
    row = np.arange(len(traded))[:, None]
    last = np.maximum.accumulate(np.where(traded, row, -1), axis=0)
    before = np.vstack([np.full((1, traded.shape[1]), -1), last[:-1]])
    return traded & (before >= 0) & (row - before <= a_day + 1)


def _fit(traded: Flags, first_bars: Flags, history: int, a_day: int) -> Flags:
    """Which markets (T, M) have a bar within the last day and began ``history`` rows ago, without a long gap since."""
    row = np.arange(len(traded))[:, None]
    never = -len(traded) - a_day
    last = np.maximum.accumulate(np.where(traded, row, never), axis=0)
    began = np.maximum.accumulate(np.where(first_bars, row, never), axis=0)
    return (row - last <= a_day) & (row - began >= history)


def month_starts(open_time: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first row of each month, (N,), the very first row among them."""
    month = open_time.astype("datetime64[ms]").astype("datetime64[M]")
    return np.r_[0, np.flatnonzero(month[1:] != month[:-1]) + 1]


def liquidity(value: Floats, row: int, terms: UniverseTerms, a_day: int) -> Floats:
    """Value traded (M,) over the ``liquidity_days`` before a row."""
    return value[max(row - terms.liquidity_days * a_day, 0) : row].sum(axis=0)


def most_liquid(open_time: NDArray[np.int64], value: Floats, fit: Flags, terms: UniverseTerms, a_day: int) -> Flags:
    """Which markets (T, M) are the most liquid ones of their month, among those fit at its first row."""
    chosen = np.zeros_like(fit)
    for first, stop in pairwise([*month_starts(open_time).tolist(), len(fit)]):
        liquid = np.where(fit[first], liquidity(value, first, terms, a_day), 0.0)
        order = np.argsort(-liquid, kind="stable")[: terms.size]
        chosen[first:stop, order[liquid[order] > 0.0]] = True
    return chosen


def basket_returns(returns: Floats, traded: Flags, eligible: Flags) -> Floats:
    """Mean return (T,) of the markets (T, M) that were eligible a bar before and have this bar; 0 without any."""
    held = np.vstack([np.zeros((1, returns.shape[1]), dtype=np.bool_), eligible[:-1]]) & traded
    return shared_return(returns, held)


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
