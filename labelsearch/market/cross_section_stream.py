"""The cross-section row by row: bounded work and memory, the same bits as `labelsearch.market.cross_section`."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from labelsearch.market.cross_section import (
    Flags,
    Floats,
    Grid,
    UniverseTerms,
    basket_returns,
    deviation_nb,
    most_liquid,
    slope_nb,
)

NEVER = np.iinfo(np.int64).max // 2  # a row that does not come
# arrays of a stream that are its state
_KEPT = ("returns", "has", "basket", "value", "close", "began", "last", "eligible", "chosen")


class SectionRow(NamedTuple):
    """One row of a `labelsearch.market.cross_section.CrossSection`, known at its close; (M,) arrays."""

    close: Floats
    traded: Flags
    has: Flags
    returns: Floats
    eligible: Flags
    member: Flags
    basket: float
    beta: Floats
    sigma: Floats


@njit(cache=True)
def last_beta_nb(returns: np.ndarray, has: np.ndarray, basket: np.ndarray, window: int, out: np.ndarray) -> None:
    """Slope (M,) over the last ``window`` rows into ``out``, which is left as it is where the window is 0."""
    for m in range(out.size):
        if window:
            out[m] = slope_nb(returns, has, basket, m, basket.size - window, basket.size)


@njit(cache=True)
def last_deviation_nb(returns: np.ndarray, has: np.ndarray, window: int, out: np.ndarray) -> None:
    """As `last_beta_nb`, the standard deviation."""
    for m in range(out.size):
        if window:
            out[m] = deviation_nb(returns, has, m, returns.shape[0] - window, returns.shape[0])


class CrossSectionStream:
    """Markets side by side from their bars of one time after the other.

    Memory and work depend on the longest window and the number of markets, not on the number of rows so far.

    Parameters
    ----------
    n_markets : int
    terms : UniverseTerms
    bars_a_day : int
        Of their calendar and interval.
    """

    def __init__(self, n_markets: int, terms: UniverseTerms, bars_a_day: int) -> None:
        self.terms, self.a_day = terms, bars_a_day
        self.n_rows = 0
        self._beta, self._sigma = (max(days * bars_a_day, 2) for days in (terms.beta_days, terms.volatility_days))
        n_kept = max(self._beta, self._sigma)
        self._returns, self._has = np.zeros((n_kept, n_markets)), np.zeros((n_kept, n_markets), dtype=np.bool_)
        self._basket = np.zeros(n_kept)
        self._value = np.zeros((terms.liquidity_days * bars_a_day if terms.size else 0, n_markets))
        self._close = np.full(n_markets, np.nan)
        self._began, self._last = np.full(n_markets, NEVER), np.full(n_markets, -NEVER)
        self._eligible, self._chosen = np.zeros((2, n_markets), dtype=np.bool_)
        self._month: np.datetime64 = np.datetime64("NaT", "M")

    def update(self, open_time: int, close: Floats, value: Floats | None = None) -> SectionRow:
        """Take the bars that open at one time.

        Parameters
        ----------
        open_time : int
            Ms since the epoch; rising, with no bar of the grid left out, even one that no market has.
        close : (M,) array of float64
            NaN for a market without this bar.
        value : (M,) array of float64, optional
            Value traded, 0 without the bar; needed where the terms choose by it.
        """
        t, before, traded = self.n_rows, self._close, np.isfinite(close)
        self._close = np.where(traded, close, before)
        has = traded & (t - self._last <= self.a_day + 1)  # no return bridges a longer gap
        returns = np.where(has, close / np.where(has, before, 1.0) - 1.0, 0.0)
        self._last = np.where(traded, t, self._last)
        self._began = np.where(traded & ~has, t, self._began)
        held, self._eligible = self._eligible, self._choose(open_time)
        both = (np.vstack([its, its]) for its in (returns, traded, held))
        basket = float(basket_returns(*both)[1])
        for kept, row in ((self._returns, returns), (self._has, has), (self._basket, basket)):
            kept[:-1] = kept[1:].copy()
            kept[-1] = row
        if self.terms.size:
            assert value is not None, "the terms choose by the value traded"
            self._value[:-1] = self._value[1:].copy()
            self._value[-1] = np.where(traded, value, 0.0)
        self.n_rows += 1
        beta, sigma = np.full((2, len(close)), np.nan)
        last_beta_nb(self._returns, self._has, self._basket, self._beta if self.n_rows >= self._beta else 0, beta)
        last_deviation_nb(self._returns, self._has, self._sigma if self.n_rows >= self._sigma else 0, sigma)
        member = self._eligible & np.isfinite(beta) & (np.nan_to_num(sigma) > 0.0)
        return SectionRow(self._close.copy(), traded, has, returns, self._eligible.copy(), member, basket, beta, sigma)

    def advance(self, grid: Grid, basket: Floats) -> None:
        """Take all rows up to now at once; later bits are those after `update` row by row.

        Parameters
        ----------
        grid : Grid
            By `labelsearch.market.cross_section.side_by_side` with the same terms, one row or more.
        basket : (T,) array of float64
            Returns of the basket.

        Raises
        ------
        ValueError
            If the stream has taken a row already.
        """
        if self.n_rows:
            raise ValueError("a cross-section can take many rows at once only before its first one")
        self.n_rows = n = len(grid.open_time)
        row = np.arange(n)[:, None]
        self._close = grid.close[-1].copy()
        self._last = np.where(grid.traded, row, -NEVER).max(axis=0)
        began = np.where(grid.traded & ~grid.has, row, -NEVER).max(axis=0)
        self._began = np.where(began < 0, NEVER, began)
        self._eligible = grid.eligible[-1].copy()
        for kept, rows in ((self._returns, grid.returns), (self._has, grid.has), (self._basket, basket)):
            kept[max(len(kept) - n, 0) :] = rows[max(n - len(kept), 0) :]
        if self.terms.size:
            self._value[max(len(self._value) - n, 0) :] = grid.value[max(n - len(self._value), 0) :]
            self._month = np.datetime64(int(grid.open_time[-1]), "ms").astype("datetime64[M]")
            self._chosen = most_liquid(grid.open_time, grid.value, grid.fit, self.terms, self.a_day)[-1].copy()

    def state(self) -> dict[str, NDArray]:
        """The arrays that `restore` needs, as for ``np.savez``."""
        kept = {name: getattr(self, f"_{name}").copy() for name in _KEPT}
        return {**kept, "n_rows": np.array(self.n_rows), "month": np.array(self._month.astype(np.int64))}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Continue from the state of a stream of the same markets and terms; ValueError for another."""
        for name in _KEPT:
            if state[name].shape != getattr(self, f"_{name}").shape:
                raise ValueError("the state of a cross-section belongs to other markets or terms")
            setattr(self, f"_{name}", state[name].copy())
        self.n_rows = int(state["n_rows"])
        self._month = np.datetime64(int(state["month"]), "M")

    def _choose(self, open_time: int) -> Flags:
        """Which markets belong to the basket at the close of this row."""
        t, terms = self.n_rows, self.terms
        fit = (t - self._last <= self.a_day) & (t - self._began >= terms.history_days * self.a_day)
        if not terms.size:
            return fit
        month = np.datetime64(open_time, "ms").astype("datetime64[M]")
        if month != self._month:
            self._month = month
            n_known = min(t, len(self._value))
            liquid = np.where(fit, self._value[len(self._value) - n_known :].sum(axis=0), 0.0)
            order = np.argsort(-liquid, kind="stable")[: terms.size]
            self._chosen = np.zeros_like(fit)
            self._chosen[order[liquid[order] > 0.0]] = True
        return fit & self._chosen
