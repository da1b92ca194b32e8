"""What it is worth to act on a label: mean return of events, after costs.

Events are bars whose probability passes a quantile that was fitted on earlier bars; one begins when the one before it
has ended. A buy event is bought at the next open and sold at the open after the horizon of the label; a sell event is
the same move with the other sign. Intervals resample days.

Luck is judged before costs: classifiers know volatility, and events of shifted features, which do not, have a smaller
standard error, so that costs would weigh more in theirs.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

N_RESAMPLES = 500
LEAST_EVENTS = 10
LEAST_DAYS = 5


class Figure(NamedTuple):
    """A figure and its 95 % interval over blocks of time, where it was asked for."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Worth(NamedTuple):
    """Events of both sides, in shares of what is invested."""

    events: int
    mean: float | None  # after costs; None with too few events
    low: float | None  # 95 % interval
    high: float | None
    t: float | None  # mean over its standard error, by days
    t_before_costs: float | None  # the same of the mean before costs, by which luck is judged
    buy: float | None
    sell: float | None


@njit(cache=True, nogil=True)
def take_events_nb(passes, rows, horizon):
    """Which bars begin an event, (N,) array of bool: those that pass and lie after the end of the event before.

    Parameters
    ----------
    passes : (N,) array of bool
    rows : (N,) array of int64
        Sorted.
    horizon : int
        Bars that an event is held.
    """
    out = np.zeros(passes.size, dtype=np.bool_)
    free = rows[0] if rows.size else 0
    for i in range(passes.size):
        if passes[i] and rows[i] >= free:
            out[i] = True
            free = rows[i] + horizon
    return out


def later_returns(
    open_price: NDArray[np.float64], rows: NDArray[np.int64], horizon: int, stop: int
) -> NDArray[np.float64]:
    """Return from the next open over ``horizon`` bars, (N,); NaN where that lies at or beyond ``stop``."""
    there = rows + 1 + horizon < stop
    out = np.full(rows.size, np.nan)
    own = rows[there]
    out[there] = open_price[own + 1 + horizon] / open_price[own + 1] - 1.0
    return out


def worth_of(
    sides: list[tuple[NDArray[np.float64], NDArray[np.int64]]], costs: float, seed: int, *, interval: bool = True
) -> Worth:
    """Worth of events.

    Parameters
    ----------
    sides : list of ((N,) array, (N,) array)
        Signed returns of the buy and of the sell events, and their days.
    costs : float
        Of two fills.
    seed : int
        Of the resampling.
    interval : bool
        Whether days are resampled.
    """
    gains = [returns - costs for returns, _ in sides]
    both, days = np.concatenate(gains), np.concatenate([its for _, its in sides])
    if both.size < LEAST_EVENTS or len(which := np.unique(days)) < LEAST_DAYS:
        return Worth(both.size, None, None, None, None, None, None, None)
    place = np.searchsorted(which, days)
    sums, counts = np.bincount(place, both), np.bincount(place).astype(np.float64)
    mean = float(sums.sum() / counts.sum())
    error = float(np.sqrt(((sums - counts * mean) ** 2).sum()) / counts.sum())
    low = high = None
    if interval:
        drawn = np.random.default_rng(seed).integers(0, len(which), (N_RESAMPLES, len(which)))
        low, high = map(float, np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (0.025, 0.975)))
    each = [float(its.mean()) if its.size else None for its in gains]
    t_values = (mean / error, (mean + costs) / error) if error > 0 else (None, None)
    return Worth(both.size, mean, low, high, *t_values, *each)
