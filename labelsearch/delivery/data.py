"""What figures show: one function for each, whether a page draws it, a picture, or a table repeats it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.labels.base import BUY, NEUTRAL, SELL
from labelsearch.labels.describe import marks
from labelsearch.labels.spans import DAY_MS
from labelsearch.results.ensembles import Curves
from labelsearch.results.features import DistanceHistograms
from labelsearch.results.run import Results

SHOWN_DAYS = 7  # of a label in close-up


class Buckets(NamedTuple):
    """Stretches of equal length that a long series is thinned to."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]  # after the last

    @property
    def last(self) -> NDArray[np.int64]:
        """Index of the last value of each stretch."""
        return self.ends - 1

    @property
    def length(self) -> int:
        """Values in a stretch; the last may be shorter."""
        return int(self.ends[0] - self.starts[0])

    def lowest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lowest value of each stretch."""
        return np.minimum.reduceat(values, self.starts)

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean value of each stretch."""
        return np.add.reduceat(values, self.starts) / (self.ends - self.starts)


def buckets(n: int, most: int) -> Buckets:
    """At most ``most`` stretches of ``n`` values."""
    starts = np.arange(0, n, max(-(-n // most), 1))
    return Buckets(starts, np.r_[starts[1:], n])


class CurvePoints(NamedTuple):
    """One curve in stretches: equity at the end, drawdown at its lowest, position on average."""

    time: pd.DatetimeIndex  # of the last bar of each stretch
    equity: NDArray[np.float64]
    drawdown_pct: NDArray[np.float64]  # below the peak so far, the start counted as one; not above 0
    position_pct: NDArray[np.float64]


def curve_points(curves: Curves, name: str, most: int) -> CurvePoints:
    """A curve by name, in at most ``most`` stretches."""
    column = curves.names.index(name)
    equity = curves.equity[:, column]
    parts = buckets(len(equity), most)
    peak = np.maximum.accumulate(np.maximum(equity, 1.0))
    return CurvePoints(
        curves.index[parts.last],
        equity[parts.last],
        100.0 * parts.lowest(equity / peak - 1.0),
        100.0 * parts.mean(curves.position[:, column]),
    )


class DistanceShares(NamedTuple):
    """Shares of pairs by distance, of pairs across classes and within them; edges has one more element."""

    edges: NDArray[np.float64]
    cross: NDArray[np.float64]
    same: NDArray[np.float64]


def distance_shares(found: DistanceHistograms) -> DistanceShares:
    """Shares from counts."""
    counts = (np.array(kind, dtype=np.float64) for kind in (found.cross, found.same))
    shares = (kind / max(kind.sum(), 1.0) for kind in counts)
    return DistanceShares(np.linspace(0.0, found.top, len(found.cross) + 1), *shares)


@dataclass(frozen=True)
class Decile:
    """Strategies of a tenth of the ranking by past score, and what they did on future; 1 is the best tenth."""

    decile: int
    lowest_score: float
    highest_score: float
    mean_monthly_pct: float
    median_monthly_pct: float
    mean_position_pct: float


def deciles(results: Results) -> tuple[Decile, ...]:
    """Future of all strategies by decile of past score."""
    past, future = results.strategies.frame, results.ensembles.future
    decile = past["score"].rank(method="first", ascending=False).sub(1).mul(10).floordiv(len(past)).astype(int)
    found = []
    for number, members in future.groupby(decile):
        scores, returns = past.loc[members.index, "score"], members["monthly_return_pct"]
        figures = (scores.min(), scores.max(), returns.mean(), returns.median(), members["mean_position_pct"].mean())
        found.append(Decile(int(str(number)) + 1, *map(float, figures)))
    return tuple(found)


class MarkedPrice(NamedTuple):
    """The price of train with the bars that a label marks, and the week in which it marks most; no later price."""

    time: pd.DatetimeIndex  # (T,) UTC
    price: NDArray[np.float64]  # (T,)
    marked: NDArray[np.int8]  # (T,)
    week: slice

    def per_day(self, side: int) -> pd.Series:
        """Marked bars of a side on each day."""
        return pd.Series(self.marked == side).groupby(self.time.floor("D")).sum()


def marked_price(results: Results, label: str) -> MarkedPrice:
    """What a label marks on train."""
    bars, rows = results.bars, results.rows("train")
    values = results.labels.values[label]
    traded = np.zeros(values.value.size, dtype=np.bool_)
    traded[rows] = ~bars.filled[rows]
    marked = marks(values, traded)[rows]
    price = bars.close if results.experiment.labels.price == "close" else bars.vwap
    time = bars.open_time[rows]
    week = busiest_stretch(marked, int(np.searchsorted(time, time[0] + SHOWN_DAYS * DAY_MS)))
    return MarkedPrice(bars.index[rows], price[rows], marked, week)


def busiest_stretch(marked: NDArray[np.int8], n_bars: int) -> slice:
    """The ``n_bars`` in which a label marks most, of stretches that start every half of their length.

    A side counts no more than twice the other, so that a stretch shows both where it can.
    """
    starts = np.arange(0, max(marked.size - n_bars, 0) + 1, max(n_bars // 2, 1))

    def weight(start: int) -> int:
        part = marked[start : start + n_bars]
        part = part[part != NEUTRAL]
        sides = [int(np.count_nonzero(part == side)) for side in (BUY, SELL)]
        return min(sum(sides), 3 * min(sides))

    best = max(map(int, starts), key=weight)
    return slice(best, min(best + n_bars, marked.size))


def swarm_heights(values: NDArray[np.float64], low: float, high: float, n_bins: int = 60) -> NDArray[np.float64]:
    """Heights in [-0.4, 0.4] that keep near values apart, (N,): each bin is filled from its middle outwards."""
    bins = np.floor((values - low) / max(high - low, 1e-12) * n_bins).astype(int)
    heights = np.zeros(values.size)
    largest = 1
    for b in np.unique(bins):
        members = np.flatnonzero(bins == b)
        steps = (np.arange(members.size) + 1) // 2
        heights[members] = np.where(np.arange(members.size) % 2, steps, -steps)
        largest = max(largest, int(steps[-1]))
    return 0.4 * heights / max(largest, 6)
