"""Test of timing over many markets and splits: whether tiers hold more before prices rise than before they fall.

A cell is one market in one split. Its products of position and return are those of `strategies.luck.timing`, weighted
by the cell's share of the capital. Products of several markets are not independent,
since markets share their moves and tiers their ideas. So products of the same time are summed first, and the sum over
all times is divided by the root of the sum of the squares of these sums (Driscoll & Kraay 1998 without lags: sums of
martingale differences over markets are martingale differences themselves). Per-market statistics are dependent, and
no rule for independent tests, such as a product of p-values, may combine them.

Bars of markets may differ: hours beside days, or days that close at different hours. Returns of bars that overlap
share moves although they do not begin at the same time, and a market that trades little follows others late (Epps
1979). So products of each two markets are also multiplied where one's bar begins before the other's has ended, or
within `REACH_MS` after it. Two bars of one market need none of this: the test of one market in one split is
`strategies.luck.timing.timing_statistic`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from strategies.luck.timing import (
    as_correlation,
    cross_products,
    held_and_returns,
    p_of,
    step_down,
    timing_products,
)
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

REACH_MS = 3_600_000  # of minutes of coins, correlations approach those of hours and days within the hour


class CellPath(NamedTuple):
    """What n tiers held of one market in one split, and what the market did."""

    market: str
    split: int
    open_time: np.ndarray  # (T,) int64, ms: when the return begins, rising
    held: np.ndarray  # (T, n) share of equity, fixed before the return begins
    returns: np.ndarray  # (T,) from open to open


class PanelTiming(NamedTuple):
    """Statistic, its own p-value and the p-value adjusted for the number of tiers, by size of the tier.

    The statistics of single markets and splits are for display: they depend on each other.
    """

    statistic: dict[int, float]
    p_value: dict[int, float]
    adjusted: dict[int, float]
    by_market: dict[str, dict[int, float]]
    by_split: dict[int, dict[int, float]]


class _Sums(NamedTuple):
    """Weighted sums of products over the rows of some cells; they may be added."""

    total: np.ndarray  # (n,) of products
    alone: np.ndarray  # (n,) of squares of products
    together: np.ndarray  # (n, n) of products of sums of the same time
    across: np.ndarray  # (n,) of products of different markets whose bars overlap but do not begin together

    def plus(self, other: "_Sums") -> "_Sums":
        """Sum of both."""
        return _Sums(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def statistic(self) -> np.ndarray:
        """Studentised totals (n,); 0 where nothing is held, or what is held cancels at each time."""
        # covariances of other times may be negative by chance; then they are not counted
        variance = np.diag(self.together) + 2.0 * np.maximum(self.across, 0.0)
        seen = variance > 1e-20 * self.alone
        return np.divide(self.total, np.sqrt(variance), out=np.zeros(len(self.total)), where=seen)


class _Products(NamedTuple):
    """Weighted products of a cell."""

    start: np.ndarray  # (T,) ms
    end: np.ndarray  # (T,) ms, when the next return begins
    values: np.ndarray  # (T, n)


def cell_path(
    market: str, split: int, params: np.ndarray, window: TradingWindow, rules: TradingRules, sizes: Sequence[int]
) -> CellPath:
    """Simulate the tiers of a split in one market; the first bar after a fill is left out.

    Parameters
    ----------
    market, split
        Name of the cell.
    params, window, rules, sizes
        As for `strategies.luck.timing.held_and_returns`, which says why.

    Raises
    ------
    StrategyError
        If the window has fewer than four bars.
    """
    held, returns = held_and_returns(params, window, rules, sizes)
    return CellPath(market, split, window.open_time[1:-1], held, returns)


def _products_of(cell: CellPath, weight: float) -> _Products:
    """Products of a cell times its share of the capital."""
    values = np.column_stack([timing_products(column, cell.returns) for column in cell.held.T])
    start = cell.open_time
    last = start[-1] - start[-2] if len(start) > 1 else 0
    return _Products(start, np.r_[start[1:], start[-1] + last], weight * values)


def _by_time(place: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Sums (n, columns) of the rows of values at each place."""
    return np.column_stack([np.bincount(place, column, n) for column in values.T])


def _sums_at_times(parts: Sequence[_Products], reach_ms: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of products that begin at the same time (K, n), and of those that began before and reach to it (K, n)."""
    times, place = np.unique(np.concatenate([part.start for part in parts]), return_inverse=True)
    values = np.concatenate([part.values for part in parts])
    ended = np.searchsorted(times, np.concatenate([part.end for part in parts]) + reach_ms)
    begun = _by_time(place, values, len(times))
    gone = _by_time(ended, values, len(times) + 1)[:-1]
    return begun, np.cumsum(begun, axis=0) - begun - np.cumsum(gone, axis=0)


def _sums_of_market(part: _Products) -> _Sums:
    """Sums of one cell, whose bars do not overlap."""
    squares = cross_products(part.values)
    return _Sums(part.values.sum(axis=0), np.diag(squares), squares, np.zeros(part.values.shape[1]))


def _sums_of_split(parts: Sequence[_Products], markets: Sequence[_Sums], reach_ms: int) -> _Sums:
    """Sums over the markets of a split, one part and its own sums each."""
    begun, reaching = _sums_at_times(parts, reach_ms)
    across = np.sum(begun * reaching, axis=0)
    for part in parts:  # what reaches within a market is no pair of markets
        across = across - np.sum(np.prod(_sums_at_times([part], reach_ms), axis=0), axis=0)
    total, alone = (np.sum(column, axis=0) for column in zip(*(sums[:2] for sums in markets), strict=True))
    return _Sums(total, alone, cross_products(begun), across)


def _check(cells: Sequence[CellPath], sizes: Sequence[int]) -> None:
    """Refuse cells that do not make a panel, with a ValueError."""
    if not cells or not sizes or len(set(sizes)) < len(sizes):
        raise ValueError(f"{len(cells)} cells and tiers of {list(sizes)} make no panel")
    seen: set[tuple[int, str]] = set()
    spans: dict[int, tuple[int, int]] = {}
    for cell in cells:
        name, n = f"{cell.market} in split {cell.split}", len(cell.returns)
        if (cell.split, cell.market) in seen:
            raise ValueError(f"{name} comes twice")
        seen.add((cell.split, cell.market))
        if n < 1 or len(cell.open_time) != n or cell.held.shape != (n, len(sizes)):
            raise ValueError(f"{name}: {len(cell.open_time)} times, positions {cell.held.shape} and {n} returns")
        if (np.diff(cell.open_time) <= 0).any():
            raise ValueError(f"{name}: times do not rise")
        if not (np.isfinite(cell.held).all() and np.isfinite(cell.returns).all()):
            raise ValueError(f"{name}: positions or returns that are no numbers")
        first, last = spans.get(cell.split, (cell.open_time[0], cell.open_time[-1]))
        spans[cell.split] = min(first, cell.open_time[0]), max(last, cell.open_time[-1])
    order = sorted(spans, key=lambda split: spans[split])
    for split, later in pairwise(order):
        if spans[later][0] <= spans[split][1]:
            raise ValueError(f"splits {split} and {later} overlap")


def judge_panel_timing(cells: Sequence[CellPath], sizes: Sequence[int], *, reach_ms: int = REACH_MS) -> PanelTiming:
    """Test whether tiers hold more before prices rise than before they fall, over all markets and splits.

    Parameters
    ----------
    cells : sequence of CellPath
        In any order. Each split's capital is shared equally by its cells, whether or not they last to its end.
    sizes : sequence of int
        Of the n tiers, in the order of the columns of ``held``.
    reach_ms : int
        How long after the end of a bar other markets may still follow it.

    Returns
    -------
    PanelTiming
        The test is valid for tiers that were chosen before the splits they are judged on.

    Raises
    ------
    ValueError
        If a cell comes twice, its shapes do not fit, its times do not rise, a value is not finite, splits overlap in
        time, or there are no cells or tiers.
    """
    _check(cells, sizes)
    of_split: dict[int, list[CellPath]] = {}
    # sums in a fixed order: the same bits for any order of cells
    for cell in sorted(cells, key=lambda cell: (cell.split, cell.market)):
        of_split.setdefault(cell.split, []).append(cell)
    by_split: dict[int, _Sums] = {}
    by_market: dict[str, _Sums] = {}
    for split, members in of_split.items():
        parts = [_products_of(cell, 1.0 / len(members)) for cell in members]
        markets = [_sums_of_market(part) for part in parts]
        by_split[split] = _sums_of_split(parts, markets, reach_ms)
        for cell, own in zip(members, markets, strict=True):
            by_market[cell.market] = by_market[cell.market].plus(own) if cell.market in by_market else own
    sums = list(by_split.values())
    panel = sums[0]
    for other in sums[1:]:
        panel = panel.plus(other)

    def by_size(values: Sequence[float] | np.ndarray) -> dict[int, float]:
        return dict(zip(sizes, map(float, values), strict=True))

    statistic = panel.statistic
    # tiers correlate within a time as they do between times; sums of the same time always make a correlation
    adjusted = step_down(statistic, as_correlation(panel.together))
    return PanelTiming(
        by_size(statistic),
        by_size([p_of(float(x)) for x in statistic]),
        by_size(adjusted),
        {market: by_size(by_market[market].statistic) for market in sorted(by_market)},
        {split: by_size(found.statistic) for split, found in by_split.items()},
    )
