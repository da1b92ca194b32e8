"""Simulate books: thousands over the same markets, or one account along given weights; state in and state out."""

from typing import NamedTuple

import numpy as np

from labelsearch.compiled import threaded
from strategies.book import kernels
from strategies.book.rules import N_OWN, BookRules
from strategies.book.weights import Cut
from strategies.book.window import BookWindow
from strategies.trade.rules import N_THRESHOLDS

CHUNK = 256  # rows whose weights are held at once for all members of a tier


class BookState(NamedTuple):
    """Where S books over M markets stand after a row; money is in their starting cash."""

    totals: np.ndarray  # (S, N_TOTALS), columns as in `strategies.book.kernels`
    held: np.ndarray  # (S, 2, M) units, and the weight that an order for the next row asks for, NaN for none
    strength: np.ndarray  # (S, I, M) in [0, 1]
    wish: np.ndarray  # (S, M) in [-1, 1]

    def total(self, column: int) -> np.ndarray:
        """One of the totals, (S,)."""
        return self.totals[:, column]

    def take(self, index: np.ndarray) -> "BookState":
        """State of some of the books."""
        return BookState(*(field[index] for field in self))

    def copy(self) -> "BookState":
        """A state that may be changed."""
        return BookState(*(field.copy() for field in self))


def initial_state(n_books: int, n_markets: int, n_intervals: int = 1) -> BookState:
    """All cash, nothing held, no wish."""
    totals = np.zeros((n_books, kernels.N_TOTALS))
    totals[:, [kernels.CASH, kernels.EQUITY, kernels.DAY_EQUITY, kernels.PEAK]] = 1.0
    held = np.zeros((n_books, 2, n_markets))
    held[:, kernels.PENDING] = np.nan
    return BookState(totals, held, np.full((n_books, n_intervals, n_markets), 0.5), np.zeros((n_books, n_markets)))


def flatten(state: BookState) -> BookState:
    """The same equity, all in cash without a fee, no order and no wish; totals go on."""
    fresh = initial_state(len(state.totals), state.wish.shape[1], state.strength.shape[1])
    totals = state.totals.copy()
    totals[:, kernels.CASH] = totals[:, kernels.DAY_EQUITY] = totals[:, kernels.EQUITY]
    return fresh._replace(totals=totals)


class Account(NamedTuple):
    """Path of one account over T rows and M markets."""

    equity: np.ndarray  # (T,) at the close
    weight: np.ndarray  # (T, M) share of equity held at the close
    change: np.ndarray  # (T, M) units bought at the open, below 0 if sold
    closed: np.ndarray  # (T, M) units bought at the close, where a market or its split ends
    paid: np.ndarray  # (T, M, 6) money traded, and paid for fees, half spread, impact, funding and borrowing
    totals: np.ndarray  # (N_TOTALS,) at the end
    held: np.ndarray  # (2, M) at the end


def _record(n_rows: int, n_markets: int) -> kernels.Record:
    weight, change, closed = (np.zeros((n_rows, n_markets)) for _ in range(3))
    return kernels.Record(np.zeros(n_rows), weight, change, closed, np.zeros((n_rows, n_markets, kernels.N_PAID)))


NO_RECORD = _record(0, 0)


def check_params(params: np.ndarray, window: BookWindow) -> np.ndarray:
    """Parameters (S, P) as contiguous float64; ValueError if they do not fit the outputs."""
    n_intervals, n_outputs = window.outputs.shape[1:3]
    wanted = n_outputs + N_THRESHOLDS + N_OWN + (n_intervals if n_intervals > 1 else 0)
    if params.ndim != 2 or params.shape[1] != wanted:
        raise ValueError(f"params {params.shape} do not fit {n_outputs} outputs of {n_intervals} intervals")
    return np.ascontiguousarray(params, dtype=np.float64)


def fresh(params: np.ndarray, window: BookWindow) -> BookState:
    """The state in which these books begin."""
    return initial_state(len(params), window.close.shape[1], window.outputs.shape[1])


def simulate_books(
    params: np.ndarray, window: BookWindow, rules: BookRules, state: BookState | None = None, *, days: bool = False
) -> tuple[BookState, np.ndarray]:
    """Simulate S books over T rows.

    Parameters
    ----------
    params : (S, P) array
        K weights, theta_buy, theta_sell, delta, band, doubt, span, and a weight of each of several intervals.
    window : BookWindow
    rules : BookRules
    state : BookState, optional
        Where to go on from; it is not changed.
    days : bool
        Whether to return returns of days.

    Returns
    -------
    (BookState, (S, D) array)
        The state after the last row, and simple returns of the UTC days, (S, 0) unless asked for.

    Raises
    ------
    ValueError
        If params do not fit the outputs.
    """
    params = check_params(params, window)
    after = (fresh(params, window) if state is None else state).copy()
    daily = np.zeros((len(params), int(window.day_end.sum()) if days else 0))
    run = threaded(kernels.simulate_books_nb)
    run(params, Cut.of(window), rules, *after, daily, NO_RECORD)
    return after, daily


def mean_weights(
    params: np.ndarray, window: BookWindow, rules: BookRules, sizes: tuple[int, ...], state: BookState | None = None
) -> tuple[np.ndarray, BookState]:
    """Mean weights (n, T, M) that the first strategies of each tier want, by size, and the state after.

    Sums run from the first strategy to the last. Weights of neutral books are neutral, and so is their mean.
    """
    params = check_params(params, window)
    after = (fresh(params, window) if state is None else state).copy()
    n_rows, n_markets = window.close.shape
    out = np.empty((len(sizes), n_rows, n_markets))
    run = threaded(kernels.weights_nb)
    for first in range(0, n_rows, CHUNK):
        part = window.rows(slice(first, first + CHUNK))
        wanted = np.empty((len(params), len(part.close), n_markets))
        run(params, Cut.of(part), rules, after.strength, after.wish, wanted)
        total = np.zeros_like(wanted[0])
        done = 0
        for tier in np.argsort(sizes):
            for s in range(done, min(sizes[tier], len(params))):
                total += wanted[s]
            done = sizes[tier]
            out[tier, first : first + CHUNK] = total / sizes[tier]
    return out, after


def band_of(params: np.ndarray, n_outputs: int) -> tuple[float, float]:
    """Mean of b, and of b k, of the strategies (S, P) of a tier."""
    at = n_outputs + N_THRESHOLDS
    return float(params[:, at].mean()), float((params[:, at] * params[:, at + 1]).mean())


def trade_weights(
    weights: np.ndarray,
    band: tuple[float, float],
    window: BookWindow,
    rules: BookRules,
    before: tuple[np.ndarray, np.ndarray] | None = None,
) -> Account:
    """Trade one account towards weights (T, M).

    Parameters
    ----------
    weights : (T, M) array
    band : (float, float)
        b and b k.
    window : BookWindow
    rules : BookRules
    before : (totals, held), optional
        Of an account that goes on; it is not changed.
    """
    n_rows, n_markets = window.close.shape
    record = _record(n_rows, n_markets)
    state = initial_state(1, n_markets)
    totals, held = (state.totals[0], state.held[0]) if before is None else (before[0].copy(), before[1].copy())
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    kernels.trade_nb(weights, *band, Cut.of(window), rules, totals, held, record)
    return Account(*record, totals, held)
