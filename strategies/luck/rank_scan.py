"""Rank correlations of many series with many others, in several markets, and how sure each of them is.

Ranks are taken once, over all bars of a market. Blocks of days are then resampled, the same days for all markets and
all series: what a resample needs are sums over each day. The standard deviation over resamples makes intervals and a
t-value, with as many degrees of freedom as there are blocks less one: p-values that survive thousands of tests lie far
beyond what counting resamples can tell.

Blocks of b days see too little of what bars h days apart share: where a feature moves slowly and a target sums h days,
products correlate along a triangle of h days, of whose area blocks see 1 - h/(3b). Deviations are divided by the root
of that, which is too much where features move fast.

Shapes: ``T`` bars, ``D`` days, ``F`` features, ``K`` targets, ``M`` markets, ``R`` resamples.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from strategies.luck.resample import block_weights

N_REPS = 499
LEVEL = 0.95  # of intervals
LEAST_BLOCKS = 5  # in the days: with fewer, nothing is said about how sure a correlation is


class Blocks(NamedTuple):
    """How the days of one target are resampled."""

    days: int  # of a block
    overlap: float  # days that a value of the target spans


class DaySums(NamedTuple):
    """Sums over each day of standardised ranks and their products; 0 on days without bars."""

    n: np.ndarray  # (D,)
    x: np.ndarray  # (D, F)
    y: np.ndarray  # (D, K)
    xx: np.ndarray  # (D, F)
    yy: np.ndarray  # (D, K)
    xy: np.ndarray  # (D, F, K)


class RankScan(NamedTuple):
    """All correlations; row 0 is the mean over markets, or the only market; NaN where a series never changes."""

    rho: np.ndarray  # (1 + M, F, K), or (1, F, K) of one market
    low: np.ndarray  # interval by the deviation of the resamples
    high: np.ndarray
    p: np.ndarray  # two-sided


def standard_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks (N, T) of each row with mean 0 and mean square 1, ties at their mean; 0 for a row of one value."""
    from scipy.stats import rankdata

    if not values.shape[1]:
        return np.zeros(values.shape)
    ranks = rankdata(values, axis=1) - (values.shape[1] + 1) / 2
    scale = np.sqrt((ranks**2).mean(axis=1, keepdims=True))
    return np.divide(ranks, scale, out=np.zeros_like(ranks), where=scale > 0.0)


def day_sums(features: np.ndarray, targets: np.ndarray, day: np.ndarray, n_days: int) -> DaySums:
    """Sums of one market.

    Parameters
    ----------
    features, targets : (F, T) and (K, T) arrays
        At the same bars.
    day : (T,) array of int
        Rising, in [0, n_days): the same days in all markets.
    n_days : int
    """
    x, y = standard_ranks(features), standard_ranks(targets)
    sums = DaySums(
        n=np.bincount(day, minlength=n_days).astype(np.float64),
        x=np.zeros((n_days, len(x))),
        y=np.zeros((n_days, len(y))),
        xx=np.zeros((n_days, len(x))),
        yy=np.zeros((n_days, len(y))),
        xy=np.zeros((n_days, len(x), len(y))),
    )
    edges = np.flatnonzero(np.r_[True, day[1:] != day[:-1], True]) if len(day) else np.zeros(1, dtype=np.int64)
    for first, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        a, b, d = x[:, first:stop], y[:, first:stop], day[first]
        sums.x[d], sums.y[d] = a.sum(axis=1), b.sum(axis=1)
        sums.xx[d], sums.yy[d] = (a * a).sum(axis=1), (b * b).sum(axis=1)
        sums.xy[d] = a @ b.T
    return sums


def weighted_correlations(weight: np.ndarray, sums: DaySums) -> np.ndarray:
    """Correlation (R, F, K) of the ranks when each day counts as often as a row of ``weight`` (R, D) says."""
    n = weight @ sums.n
    n = np.where(n > 0.0, n, np.nan)[:, None]
    x, y = weight @ sums.x / n, weight @ sums.y / n
    spread_x, spread_y = weight @ sums.xx / n - x**2, weight @ sums.yy / n - y**2
    shape = (len(weight), *sums.xy.shape[1:])
    cross = (weight @ sums.xy.reshape(len(sums.n), -1)).reshape(shape) / n[:, :, None]
    spread = spread_x[:, :, None] * spread_y[:, None, :]
    known = spread > 1e-18
    rho = (cross - x[:, :, None] * y[:, None, :]) / np.sqrt(np.where(known, spread, 1.0))
    return np.where(known, rho, np.nan)


def bent(sums: DaySums, memory: int) -> np.ndarray:
    """How far correlations (F, K) of a finite sample lie below the true ones, to be added to them.

    A mean over the sample contains the bars after each one: a feature made of past moves is then set against moves that
    it already holds (Kendall 1954, Stambaugh 1999). Where features know nothing, the sample loses the covariance of the
    two means, that is of each feature with the targets of up to ``memory`` days before it.
    """
    cumulated = np.vstack([np.zeros((1, sums.y.shape[1])), np.cumsum(sums.y, axis=0)])
    day = np.arange(len(sums.n))
    before = cumulated[day] - cumulated[np.maximum(day - memory, 0)]
    n = max(float(sums.n.sum()), 1.0)
    return (sums.x.T @ (before + sums.y) - sums.xy.sum(axis=0)) / n**2


def scan_ranks(
    markets: Sequence[DaySums], blocks: Sequence[Blocks], *, memory: int = 0, n_reps: int = N_REPS, seed: int = 0
) -> RankScan:
    """Correlations of every feature with every target, in each market and in the mean over markets.

    Parameters
    ----------
    markets : sequence of DaySums
        Over the same days; days without a bar in any market, as weekends, do not count.
    blocks : sequence of Blocks
        For each target (K,).
    memory : int
        Days that features look back, for `bent`; 0: they do not look back at what the targets are made of.
    n_reps : int
        Resamples.
    seed : int
        Of the blocks.

    Raises
    ------
    ValueError
        Without markets, or if the days hold fewer than `LEAST_BLOCKS` blocks of any target.
    """
    open_days = np.flatnonzero(np.sum([sums.n for sums in markets], axis=0)) if markets else np.zeros(0)
    if markets and len(open_days) < len(markets[0].n):
        markets = [DaySums(*(array[open_days] for array in sums)) for sums in markets]
    n_days, n_features, n_targets = markets[0].xy.shape if markets else (0, 0, 0)
    longest = max((its.days for its in blocks), default=0)
    if not n_days or longest * LEAST_BLOCKS > n_days:
        raise ValueError(f"{n_days} days do not hold {LEAST_BLOCKS} blocks of {longest}")
    n_rows = len(markets) + (len(markets) > 1)
    found = RankScan(*(np.full((n_rows, n_features, n_targets), np.nan) for _ in range(4)))
    for block in sorted(set(blocks)):
        chosen = [k for k in range(n_targets) if blocks[k] == block]
        drawn = block_weights(np.random.default_rng(seed), n_days, block.days, n_reps)
        weight = np.vstack([np.ones(n_days), drawn])
        total, count = np.zeros((n_reps + 1, n_features, len(chosen))), np.zeros((n_reps + 1, n_features, len(chosen)))
        for m, sums in enumerate(markets):
            part = sums._replace(y=sums.y[:, chosen], yy=sums.yy[:, chosen], xy=sums.xy[:, :, chosen])
            rho = weighted_correlations(weight, part)
            rho += bent(part, memory) if memory else 0.0
            total += np.nan_to_num(rho)
            count += np.isfinite(rho)
            if len(markets) > 1:
                _judge(found, m + 1, chosen, rho, block, n_days)
        mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        _judge(found, 0, chosen, mean, block, n_days)
    return found


def _judge(found: RankScan, row: int, chosen: list[int], rho: np.ndarray, block: Blocks, n_days: int) -> None:
    """Fill in a row from a correlation and its resamples (1 + R, F, k)."""
    from scipy.stats import t

    known = np.isfinite(rho[0])
    resampled = np.where(known & np.isfinite(rho[1:]), rho[1:], np.where(known, rho[0], 0.0))
    n_blocks = n_days // block.days
    # blocks that are drawn from n differ from their own mean by less than from the true one
    seen = (1.0 - 1.0 / n_blocks) * (1.0 - min(block.overlap / block.days, 1.0) / 3.0)
    deviation = resampled.std(axis=0, ddof=1) / np.sqrt(seen)
    known &= deviation > 0.0
    value = np.where(known, rho[0], 0.0)
    reach = deviation * t.ppf((1 + LEVEL) / 2, n_blocks - 1)
    p = 2.0 * t.sf(np.abs(value) / np.where(known, deviation, 1.0), n_blocks - 1)
    figures = value, np.maximum(value - reach, -1.0), np.minimum(value + reach, 1.0), p
    for array, values in zip(found, figures, strict=True):
        array[row][:, chosen] = np.where(known, values, np.nan)


def adjusted(p: np.ndarray) -> np.ndarray:
    """Smallest false-discovery rate at which each test is a discovery, whatever the tests share.

    Benjamini & Yekutieli (2001); NaN where no test was made.
    """
    from scipy.stats import false_discovery_control

    made = np.isfinite(p)
    out = np.full(p.shape, np.nan)
    if made.any():
        out[made] = false_discovery_control(p[made], method="by")
    return out
