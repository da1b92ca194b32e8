"""Costs of trading and holding, bar by bar, from what a venue charges and what the market shows.

Everything is known when it is paid: impact is measured on days that are over, and funding is priced at the mark or at
the last close before it is due.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.bars import Bars
from labelsearch.market.funding import Funding
from labelsearch.market.rules import BarError
from labelsearch.market.times import DAY_MS, time_text

HOUR_MS = 3_600_000
Floats = NDArray[np.float64]


class CostTerms(NamedTuple):
    """What a venue charges, and how orders move its prices.

    ``spread``: ``fixed``, ``quotes`` or ``estimated``. ``impact``: Y of the square-root law. ``capital``: in the quote
    currency. ``funding``: ``none``, ``base`` (a fixed rate) or ``store``. ``funding_ms``: between two payments.
    ``borrow``: rate a day.
    """

    spread: str = "fixed"
    impact: float = 0.0
    capital: float = 0.0
    impact_days: int = 30
    funding: str = "none"
    funding_rate: float = 0.0
    funding_ms: int = 0
    borrow: float = 0.0


NO_TERMS = CostTerms()


def worth(bars: Bars) -> Floats:
    """Value traded in each bar (T,), as it stands; `traded_value` checks that it is known."""
    return bars.volume * bars.vwap if bars.quote_volume is None else bars.quote_volume


def traded_value(bars: Bars) -> Floats:
    """Value traded in each bar (T,), quote currency.

    Raises
    ------
    BarError
        If volume times price is no number, or all bars have the same volume, as those without it have.
    """
    if len(bars) > 1 and bars.quote_volume is None and (bars.volume == bars.volume[0]).all():
        raise BarError(f"{bars.symbol}: all bars have a volume of {bars.volume[0]:g}: what is traded is not known")
    with np.errstate(over="ignore"):
        value = worth(bars)
    if bars.quote_volume is None and not np.isfinite(value).all():
        row = int(np.argmin(np.isfinite(value)))
        raise BarError(f"{bars.symbol}: the value traded at {time_text(bars.open_time[row])} is too large for a number")
    return value


class Impact:
    """How far orders move the price, by the square-root law: Y sigma sqrt(Q / V) (Toth et al. 2011).

    V is the median value traded in a day and sigma the standard deviation of daily log returns, over the last
    ``impact_days`` days with bars that are over. A capital above V counts as V: the law was measured on orders far
    smaller than a day's volume.

    Parameters
    ----------
    terms : CostTerms
    """

    def __init__(self, terms: CostTerms) -> None:
        self.terms = terms
        self._days: deque[tuple[float, float]] = deque(maxlen=terms.impact_days + 1)  # value traded, last close
        self._day, self._value, self._close = -1, 0.0, 0.0
        self.beyond = 0  # days on which the capital is more than V
        self._today = np.nan

    def of(self, open_time: NDArray[np.int64], value: Floats, close: Floats) -> Floats:
        """Share (T,) by which an order worth the capital moves the open of each of the next bars; NaN if not known yet.

        The bits do not depend on how many bars are handed over at once.
        """
        day = open_time // DAY_MS
        edges = np.r_[0, np.flatnonzero(day[1:] != day[:-1]) + 1, len(day)]
        found = np.empty(len(day))
        for first, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if day[first] != self._day:
                self._turn(int(day[first]))
            found[first:stop] = self._today
            # a cumulative sum runs from the first to the last, as bars that come one by one
            self._value = float(np.cumsum(np.r_[self._value, value[first:stop]])[-1])
            self._close = float(close[stop - 1])
        return found

    def _turn(self, day: int) -> None:
        if self._day >= 0:
            self._days.append((self._value, self._close))
        self._day, self._value, self._today = day, 0.0, np.nan
        if len(self._days) == self._days.maxlen:
            values, closes = np.array(self._days).T
            volume, capital = float(np.median(values[1:])), self.terms.capital
            self.beyond += capital > volume
            deviation = float(np.diff(np.log(closes)).std(ddof=1))
            self._today = self.terms.impact * deviation * (capital / max(volume, capital)) ** 0.5

    def state(self) -> Floats:
        """Numbers that `restore` needs."""
        now = (self._day, self._value, self._close, self.beyond, self._today)
        return np.array([*now, *(number for pair in self._days for number in pair)])

    def restore(self, state: Floats) -> None:
        """Go on where another was."""
        day, self._value, self._close, beyond, self._today = map(float, state[:5])
        self._day, self.beyond = int(day), int(beyond)
        self._days.clear()
        self._days.extend(zip(state[5::2].tolist(), state[6::2].tolist(), strict=True))


def funding_due(
    funding: Funding,
    open_time: NDArray[np.int64],
    close: Floats,
    interval_ms: int,
    last_close: float,
    since: int | None = None,
) -> Floats:
    """Money due for each unit held long (T, 2), at the open of each bar and within it.

    Parameters
    ----------
    funding : Funding
        Payments; those before ``since`` and after the end of the last bar are left out. One between two bars is due at
        the open of the later.
    open_time, close : (T,) arrays
    interval_ms : int
        Length of a bar.
    last_close : float
        Before the first bar.
    since : int, optional
        By default, the open of the first bar.
    """
    due = np.zeros((len(open_time), 2))
    inside = (funding.time >= (open_time[0] if since is None else since)) & (funding.time < open_time[-1] + interval_ms)
    time, rate, mark = funding.time[inside], funding.rate[inside], funding.mark[inside]
    row = np.searchsorted(open_time, time, side="right") - 1
    late = (row < 0) | (time >= open_time[np.maximum(row, 0)] + interval_ms)
    row = row + late
    within = (~late & (time > open_time[row])).astype(np.int64)
    known = np.r_[last_close, close[:-1]][row]
    np.add.at(due, (row, within), rate * np.where(np.isnan(mark), known, mark))
    return due


def borrow_due(borrow: float, open_time: NDArray[np.int64], close: Floats, last_time: int, last_close: float) -> Floats:
    """Money due for each unit held short (T,), at the open of each bar: a 24th of the rate a day at each full hour.

    Parameters
    ----------
    borrow : float
        Rate a day.
    open_time, close : (T,) arrays
    last_time, last_close : int and float
        Of the bar before the first; what was due until the first bar is due there.
    """
    hours = np.diff(np.r_[last_time, open_time] // HOUR_MS)
    return borrow / 24.0 * hours * np.r_[last_close, close[:-1]]


def base_funding(symbol: str, terms: CostTerms, start_ms: int, stop_ms: int) -> Funding:
    """Payments of a fixed rate at every full interval in [start_ms, stop_ms)."""
    step = terms.funding_ms
    time = np.arange(-(-start_ms // step) * step, stop_ms, step)
    return Funding(symbol, time, np.full(len(time), terms.funding_rate), np.full(len(time), np.nan))
