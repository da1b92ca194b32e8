"""A window of many markets to trade as one book: outputs, prices, costs and what is known of the universe.

Shapes: ``T`` rows of the common grid, ``M`` markets, ``K`` outputs, ``I`` intervals.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.book.rules import BookRules
from strategies.trade.window import DAY_MS, BarCosts, day_edges, days_present

LARGEST_DOUBT = float(np.log(3.0))  # entropy of three classes that are equally likely


class BookWindow(NamedTuple):
    """What kernels read, passed to them as it is; `book_window` makes it."""

    outputs: np.ndarray  # (T, I, K, M) at each close; NaN where there is none, and a wish then stays as it is
    open: np.ndarray  # (T, M); the close before where a market has no bar
    close: np.ndarray  # (T, M); the one before where a market has no bar
    traded: np.ndarray  # (T, M) bool, whether it has a bar
    member: np.ndarray  # (T, M) bool, whether it may be held, as known at the close
    inverse_sigma: np.ndarray  # (T, M) one over the volatility of a bar; 0 where it is no member
    beta: np.ndarray  # (T, M) to the basket; 0 where it is no member
    doubt: np.ndarray  # (T, M) entropy of the classes, 1 where they are equally likely or none are predicted
    band_unit: np.ndarray  # (T, M) cube root of what a trade costs, as a share
    last_row: np.ndarray  # (M,) int64, the last bar of a market that ends before the window does, T of others
    half_spread: np.ndarray  # (T, M) share
    impact: np.ndarray  # (T, M) share, for an order worth the starting cash
    funding: np.ndarray  # (T, M, 2) money due for each unit held long, at the open and within the bar
    borrow: np.ndarray  # (T, M) money due for each unit held short, at the open
    day_end: np.ndarray  # (T,) bool, the last row of its UTC day
    open_time: np.ndarray  # (T,) int64, ms since the epoch
    basket: np.ndarray  # (T,) return of the basket at each row
    months: float
    days_a_year: int

    def rows(self, rows: slice) -> "BookWindow":
        """The rows from one to a later one; months in proportion."""
        start, stop, _ = rows.indices(len(self.close))
        shared = ("last_row", "months", "days_a_year")
        cut = {name: field if name in shared else field[rows] for name, field in self._asdict().items()}
        cut["last_row"] = np.where(self.last_row < stop, self.last_row - start, stop - start)
        return BookWindow(**{**cut, "months": self.months * (stop - start) / len(self.close)})

    def shifted(self, shift: int) -> "BookWindow":
        """The same rows with outputs of all markets moved ``shift`` rows later, in a circle.

        What was known of each market moves with the market, so that what markets have in common stays.
        """
        if not shift:
            return self
        return self._replace(outputs=np.roll(self.outputs, shift, axis=0), doubt=np.roll(self.doubt, shift, axis=0))

    @property
    def day_edges(self) -> np.ndarray:
        """Rows (D + 1,) that cut the rows into UTC days."""
        return day_edges(self.open_time)

    @property
    def days(self) -> np.ndarray:
        """UTC days present, (D,) datetime64[D]."""
        return days_present(self.open_time)

    @property
    def basket_days(self) -> np.ndarray:
        """Returns (D,) of the basket by day, compounded."""
        edges = self.day_edges
        return np.exp(np.add.reduceat(np.log1p(np.maximum(self.basket, -1 + 1e-12)), edges[:-1])) - 1.0


class MarketWindow(NamedTuple):
    """One market's own bars in the window, and what it costs there; n of the T rows."""

    outputs: Sequence[np.ndarray]  # of each interval, (T, K) on the common grid already: the last closed value
    row: np.ndarray  # (n,) rows of the common grid at which it has bars
    open: np.ndarray  # (n,)
    close: np.ndarray  # (n,)
    costs: BarCosts
    half_spread: float  # where the costs do not say it bar by bar
    close_before: float  # last known before the window; NaN if there is none
    goes_on: bool = True  # False where it has no bar after these, though the window goes on


class Universe(NamedTuple):
    """What is known of all markets at the close of each row."""

    member: np.ndarray  # (T, M) bool
    sigma: np.ndarray  # (T, M)
    beta: np.ndarray  # (T, M)
    basket: np.ndarray  # (T,) return of the row


def book_window(
    markets: Sequence[MarketWindow],
    universe: Universe,
    open_time: np.ndarray,
    months: float,
    rules: BookRules,
    days_a_year: int = 0,
    pairs: Sequence[int] | None = None,
) -> BookWindow:
    """Align markets on the rows of a common grid.

    Parameters
    ----------
    markets : sequence of MarketWindow
        In the order of the columns of the universe.
    universe : Universe
    open_time : (T,) array
        ms since the epoch, rising.
    months : float
        Length in calendar months.
    rules : BookRules
        The fee is part of what decides how far positions may stray.
    days_a_year : int
        Days with bars in a year, 0 if only those here say it.
    pairs : sequence of int, optional
        See `doubt_of`.

    Raises
    ------
    StrategyError
        If shapes do not fit, or a member has no volatility.
    """
    n_rows, n_markets = len(open_time), len(markets)
    if any(field.shape != (n_rows, n_markets) for field in (universe.member, universe.sigma, universe.beta)):
        raise StrategyError(f"the universe {universe.member.shape} does not fit {n_rows} rows and {n_markets} markets")
    member = np.ascontiguousarray(universe.member, dtype=np.bool_)
    if not (np.isfinite(universe.beta[member]).all() and (universe.sigma[member] > 0).all()):
        raise StrategyError("a member of the universe has no beta or no volatility")
    aligned = _aligned(markets, n_rows)
    outputs = np.stack([np.stack(market.outputs) for market in markets], axis=-1)  # (I, T, K, M)
    inverse = np.where(member, 1.0 / np.where(member, universe.sigma, 1.0), 0.0)
    outputs = np.ascontiguousarray(outputs.transpose(1, 0, 2, 3), dtype=np.float64)
    return BookWindow(
        outputs=outputs,
        member=member,
        inverse_sigma=inverse,
        beta=np.where(member, universe.beta, 0.0),
        doubt=doubt_of(outputs, pairs),
        band_unit=np.cbrt(rules.fee_share + aligned["half_spread"]),
        **aligned,
        day_end=np.r_[np.diff(open_time // DAY_MS) != 0, True] if n_rows else np.empty(0, dtype=np.bool_),
        open_time=np.ascontiguousarray(open_time, dtype=np.int64),
        basket=np.ascontiguousarray(universe.basket, dtype=np.float64),
        months=float(months),
        days_a_year=int(days_a_year),
    )


def last_closed(grid: np.ndarray, step_ms: int, open_time: np.ndarray, length_ms: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of the bars of another interval is the last that has closed when each row of a grid closes.

    Parameters
    ----------
    grid : (T,) array of int64
        When rows open, ms.
    step_ms : int
        Length of a row.
    open_time : (N,) array of int64
        When bars open.
    length_ms : int
        Their length.

    Returns
    -------
    ((T,) array of int64, (T,) array of bool)
        Number of the bar, and whether there is one, which closed less than a bar of its own ago: else the market is
        silent.
    """
    closes = open_time + length_ms
    last = np.searchsorted(closes, grid + step_ms, side="right") - 1
    at = np.maximum(last, 0)
    return at, (last >= 0) & (grid + step_ms - closes[at] < length_ms)


def _aligned(markets: Sequence[MarketWindow], n_rows: int) -> dict[str, np.ndarray]:
    """Prices and costs of all markets on the rows of the grid, by the names of `BookWindow`."""
    n_markets = len(markets)
    prices = np.full((2, n_rows, n_markets), np.nan)
    traded = np.zeros((n_rows, n_markets), dtype=np.bool_)
    half_spread, impact, borrow = np.zeros((3, n_rows, n_markets))
    funding = np.zeros((n_rows, n_markets, 2))
    last_row = np.full(n_markets, n_rows, dtype=np.int64)
    for m, market in enumerate(markets):
        rows = market.row
        traded[rows, m] = True
        prices[0, rows, m], prices[1, rows, m] = market.open, market.close
        costs = market.costs
        half_spread[:, m] = market.half_spread
        for out, values in ((half_spread, costs.half_spread), (impact, costs.impact), (borrow, costs.borrow)):
            if len(values):
                out[rows, m] = values
        if len(costs.funding):
            funding[rows, m] = costs.funding
        if not market.goes_on and len(rows):
            last_row[m] = rows[-1]
        _carry(prices[:, :, m], market.close_before)
    return {
        "open": np.ascontiguousarray(prices[0]),
        "close": np.ascontiguousarray(prices[1]),
        "traded": traded,
        "last_row": last_row,
        "half_spread": half_spread,
        "impact": impact,
        "funding": funding,
        "borrow": borrow,
    }


def _carry(prices: np.ndarray, before: float) -> None:
    """Fill the rows without a bar of open and close (2, T) with the close before them; 1 where there is none yet."""
    close, missing = prices[1], np.isnan(prices[1])
    index = np.maximum.accumulate(np.where(missing, -1, np.arange(close.size)))
    known = np.where(index >= 0, close[np.maximum(index, 0)], before if np.isfinite(before) else 1.0)
    prices[0] = np.where(missing, known, prices[0])
    prices[1] = known


def doubt_of(outputs: np.ndarray, pairs: Sequence[int] | None = None) -> np.ndarray:
    """Mean entropy (T, M) of the classes of outputs (T, I, K, M), of buy and sell of each label, in shares of ln 3.

    Parameters
    ----------
    outputs : (T, I, K, M) array
    pairs : sequence of int, optional
        Column of each probability of buy, with that of sell in the next; by default every other one from the first,
        or none where K is odd. Any other column is a label of its own, of which no doubt is known: it counts as 1, as
        do probabilities that are missing.
    """
    n_outputs = outputs.shape[2]
    if pairs is None:
        pairs = () if n_outputs % 2 else range(0, n_outputs, 2)
    buy, sell = (outputs[:, :, [column + side for column in pairs]] for side in (0, 1))
    n_labels = n_outputs - len(pairs)
    entropy = np.full((*outputs.shape[:2], n_labels, outputs.shape[3]), LARGEST_DOUBT)
    known = np.zeros_like(buy)
    for share in (buy, sell, 1.0 - buy - sell):
        inside = share > 0
        known -= np.where(inside, share * np.log(np.where(inside, share, 1.0)), 0.0)
    known[np.isnan(buy)] = LARGEST_DOUBT
    entropy[:, :, : len(pairs)] = known
    return np.ascontiguousarray(np.clip(entropy.mean(axis=(1, 2)) / LARGEST_DOUBT, 0.0, 1.0))
