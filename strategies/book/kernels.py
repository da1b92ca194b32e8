"""Numba kernels of the account of a book: what weights are traded, and what is paid.

Row ``t`` is decided at its close, and filled at the open of the next row of each market. A market is traded where its
weight strays from what is held by more than a band of ``b cost^(1/3) (1 + k doubt)``, to the edge of the band; the cube
root is the width that is best for proportional costs (Davis & Norman 1990; Shreve & Soner 1994; Rogers 2004).
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from strategies.book.rules import NEUTRAL, BookRules
from strategies.book.weights import TINY, Cut, band_nb, strengths_nb, weigh_nb, wishes_nb
from strategies.trade.fills import ABS_TOL
from strategies.trade.rules import slippage_nb

# rows of the totals of an account
CASH, EQUITY, DAY_EQUITY, RETURN_SUM, SQUARE_SUM, DAYS, FILLS, TRADED, FEES = range(9)
SPREAD, IMPACT, FUNDING, BORROW, GROSS_SUM, NET_SUM, PEAK, DRAWDOWN, ROWS = range(9, 18)
N_TOTALS = 18
# what is paid of each market and row; a total each, FIRST_PAID + column
FIRST_PAID, N_PAID = TRADED, 6
# rows of what an account keeps of each market
QUANTITY, PENDING = 0, 1


class Record(NamedTuple):
    """Where the path of one account goes."""

    equity: np.ndarray  # (T,) at the close
    weight: np.ndarray  # (T, M) share of equity held at the close, below 0 if short
    change: np.ndarray  # (T, M) units bought at the open, below 0 if sold
    closed: np.ndarray  # (T, M) units bought at the close, where a market or its split ends
    paid: np.ndarray  # (T, M, 6) money traded, and paid for fees, half spread, impact, funding and borrowing


@njit(cache=True, error_model="numpy")
def value_nb(price: np.ndarray, held: np.ndarray, totals: np.ndarray) -> float:
    """Equity of an account at prices (M,)."""
    value = totals[CASH]
    for m in range(price.shape[0]):
        value += held[QUANTITY, m] * price[m]
    return value


@njit(cache=True, error_model="numpy")
def ruin_nb(held: np.ndarray, totals: np.ndarray) -> None:
    """End an account that is worth nothing."""
    totals[CASH] = 0.0
    for m in range(held.shape[1]):
        held[QUANTITY, m] = 0.0
        held[PENDING, m] = np.nan


@njit(cache=True, error_model="numpy")
def book_nb(t: int, m: int, column: int, money: float, totals: np.ndarray, record: Record) -> None:
    """Enter what was paid."""
    totals[FIRST_PAID + column] += money
    if record.equity.shape[0] > 0:
        record.paid[t, m, column] += money


@njit(cache=True, error_model="numpy")
def fill_nb(
    t: int, m: int, value: float, price: float, window: Cut, fee: float, held: np.ndarray, totals: np.ndarray,
    record: Record,
) -> float:  # fmt: skip
    """Trade so much value at a price, with costs; the units bought."""
    size = abs(value)
    half_spread = window.half_spread[t, m]
    slippage = slippage_nb(half_spread, window.impact[t, m], size)
    side = 1.0 if value > 0.0 else -1.0
    units = value / price
    traded = size * (1.0 + side * slippage)
    held[QUANTITY, m] += units
    totals[CASH] -= side * traded + fee * traded
    totals[FILLS] += 1.0
    book_nb(t, m, 0, traded, totals, record)
    book_nb(t, m, 1, fee * traded, totals, record)
    book_nb(t, m, 2, size * half_spread, totals, record)
    book_nb(t, m, 3, size * (slippage - half_spread), totals, record)
    return units


@njit(cache=True, error_model="numpy")
def pay_nb(t: int, m: int, due: float, short_due: float, held: np.ndarray, totals: np.ndarray, record: Record) -> None:
    """Pay funding for what is held, and for borrowing what is held short."""
    units = held[QUANTITY, m]
    borrow = -units * short_due if units < 0.0 else 0.0
    totals[CASH] -= units * due + borrow
    book_nb(t, m, 4, units * due, totals, record)
    book_nb(t, m, 5, borrow, totals, record)


@njit(cache=True, error_model="numpy")
def open_nb(t: int, window: Cut, fee: float, held: np.ndarray, totals: np.ndarray, record: Record) -> None:
    """What happens at the open of a row: dues, and the orders that wait."""
    n_markets = held.shape[1]
    any_order = False
    for m in range(n_markets):
        if held[QUANTITY, m] != 0.0 and (window.funding[t, m, 0] != 0.0 or window.borrow[t, m] != 0.0):
            pay_nb(t, m, window.funding[t, m, 0], window.borrow[t, m], held, totals, record)
        any_order |= not np.isnan(held[PENDING, m])
    if not any_order:
        return
    equity = value_nb(window.open[t], held, totals)
    if equity <= ABS_TOL:
        ruin_nb(held, totals)
        return
    cost = 0.0  # what the orders would cost is not there to be invested
    for m in range(n_markets):
        if window.traded[t, m] and not np.isnan(held[PENDING, m]):
            size = abs(held[PENDING, m] * equity - held[QUANTITY, m] * window.open[t, m])
            cost += size * (fee + slippage_nb(window.half_spread[t, m], window.impact[t, m], size))
    equity = max(equity - cost, 0.0)
    for m in range(n_markets):
        if window.traded[t, m] and not np.isnan(held[PENDING, m]):
            price = window.open[t, m]
            value = held[PENDING, m] * equity - held[QUANTITY, m] * price
            if abs(value) > ABS_TOL:
                units = fill_nb(t, m, value, price, window, fee, held, totals, record)
                if record.equity.shape[0] > 0:
                    record.change[t, m] = units
            if held[PENDING, m] == 0.0:
                held[QUANTITY, m] = 0.0
            held[PENDING, m] = np.nan


@njit(cache=True, error_model="numpy")
def close_nb(t: int, window: Cut, fee: float, held: np.ndarray, totals: np.ndarray, record: Record) -> None:
    """What happens at the close of a row: dues within it, markets that end, and the account as it stands."""
    n_markets = held.shape[1]
    for m in range(n_markets):
        if held[QUANTITY, m] != 0.0 and window.funding[t, m, 1] != 0.0:
            pay_nb(t, m, window.funding[t, m, 1], 0.0, held, totals, record)
        if window.last_row[m] == t:
            value = -held[QUANTITY, m] * window.close[t, m]
            if abs(value) > ABS_TOL:
                units = fill_nb(t, m, value, window.close[t, m], window, fee, held, totals, record)
                if record.equity.shape[0] > 0:
                    record.closed[t, m] = units
            held[QUANTITY, m] = 0.0
    equity = value_nb(window.close[t], held, totals)
    if equity <= ABS_TOL:
        ruin_nb(held, totals)
        equity = 0.0
    gross, net = 0.0, 0.0
    if equity > 0.0:
        for m in range(n_markets):
            share = held[QUANTITY, m] * window.close[t, m] / equity
            gross += abs(share)
            net += share
    totals[EQUITY] = equity
    totals[GROSS_SUM] += gross
    totals[NET_SUM] += net
    totals[ROWS] += 1.0
    totals[PEAK] = max(totals[PEAK], equity)
    totals[DRAWDOWN] = max(totals[DRAWDOWN], 1.0 - equity / totals[PEAK])
    if window.day_end[t]:
        before = totals[DAY_EQUITY]
        earned = equity / before - 1.0 if before > 0.0 else 0.0
        totals[RETURN_SUM] += earned
        totals[SQUARE_SUM] += earned * earned
        totals[DAYS] += 1.0
        totals[DAY_EQUITY] = equity


@njit(cache=True, error_model="numpy")
def order_nb(
    t: int, window: Cut, rules: BookRules, weights: np.ndarray, b: float, bk: float, held: np.ndarray,
    totals: np.ndarray,
) -> None:  # fmt: skip
    """Decide the orders of the next row from wanted weights (M,): to the edge of the band, where it is left.

    What is no member any more is closed. A neutral book hedges itself: where what it would hold strays from neutrality
    by more than it may, all members are traded to their wish.
    """
    equity = totals[EQUITY]
    dollars, slope = 0.0, 0.0
    for m in range(weights.shape[0]):
        held[PENDING, m] = np.nan
        if window.last_row[m] <= t:
            continue
        share = held[QUANTITY, m] * window.close[t, m] / equity
        if not window.member[t, m]:
            if share != 0.0:
                held[PENDING, m] = 0.0
            continue
        away = weights[m] - share
        band = band_nb(t, m, b, bk, window)
        if abs(away) > band and abs(away) > TINY:
            share = weights[m] - band if away > 0.0 else weights[m] + band
            held[PENDING, m] = share
        dollars += share
        slope += share * window.beta[t, m]
    if rules.kind == NEUTRAL and max(abs(dollars), abs(slope)) > rules.drift:
        for m in range(weights.shape[0]):
            if window.member[t, m] and window.last_row[m] > t:
                held[PENDING, m] = weights[m]


@njit(cache=True, error_model="numpy")
def walk_nb(
    params: np.ndarray, window: Cut, rules: BookRules, totals: np.ndarray, held: np.ndarray, strength: np.ndarray,
    wish: np.ndarray, daily: np.ndarray, record: Record,
) -> None:  # fmt: skip
    """Take one strategy through all rows; ``daily`` (D,) or (0,) gets the returns of days."""
    n_rows, n_markets = window.close.shape
    n_outputs = window.outputs.shape[2]
    b, bk = params[n_outputs + 3], params[n_outputs + 3] * params[n_outputs + 4]
    sums, weights = np.empty(n_markets), np.empty(n_markets)
    day = 0
    for t in range(n_rows):
        open_nb(t, window, rules.fee_share, held, totals, record)
        before = totals[DAY_EQUITY]
        close_nb(t, window, rules.fee_share, held, totals, record)
        if daily.shape[0] > 0 and window.day_end[t]:
            daily[day] = totals[EQUITY] / before - 1.0 if before > 0.0 else 0.0
            day += 1
        strengths_nb(params, t, window, rules, strength, sums)
        wishes_nb(params, n_outputs, strength, wish)
        if totals[EQUITY] > 0.0:
            weigh_nb(t, window, rules, wish, weights)
            order_nb(t, window, rules, weights, b, bk, held, totals)


@njit(cache=True, parallel=True, error_model="numpy")
def simulate_books_nb(
    params: np.ndarray, window: Cut, rules: BookRules, totals: np.ndarray, held: np.ndarray, strength: np.ndarray,
    wish: np.ndarray, daily: np.ndarray, record: Record,
) -> None:  # fmt: skip
    """Take S strategies (S, P) through all rows; state is carried on in place.

    totals (S, N_TOTALS), held (S, 2, M), strength (S, I, M), wish (S, M), daily (S, D) or (S, 0); the record is empty.
    """
    for s in prange(params.shape[0]):
        walk_nb(params[s], window, rules, totals[s], held[s], strength[s], wish[s], daily[s], record)


@njit(cache=True, parallel=True, error_model="numpy")
def weights_nb(
    params: np.ndarray, window: Cut, rules: BookRules, strength: np.ndarray, wish: np.ndarray, out: np.ndarray
) -> None:
    """Weights (S, T, M) that S strategies want at the close of each row; strength and wish are carried on in place."""
    n_rows, n_markets = window.close.shape
    for s in prange(params.shape[0]):
        sums = np.empty(n_markets)
        for t in range(n_rows):
            strengths_nb(params[s], t, window, rules, strength[s], sums)
            wishes_nb(params[s], window.outputs.shape[2], strength[s], wish[s])
            weigh_nb(t, window, rules, wish[s], out[s, t])


@njit(cache=True, error_model="numpy")
def trade_nb(
    weights: np.ndarray, b: float, bk: float, window: Cut, rules: BookRules, totals: np.ndarray, held: np.ndarray,
    record: Record,
) -> None:  # fmt: skip
    """One account that trades towards weights (T, M)."""
    for t in range(window.close.shape[0]):
        open_nb(t, window, rules.fee_share, held, totals, record)
        close_nb(t, window, rules.fee_share, held, totals, record)
        if totals[EQUITY] > 0.0:
            order_nb(t, window, rules, weights[t], b, bk, held, totals)
        if record.equity.shape[0] > 0:
            record.equity[t] = totals[EQUITY]
            for m in range(weights.shape[1]):
                value = held[QUANTITY, m] * window.close[t, m]
                record.weight[t, m] = value / totals[EQUITY] if totals[EQUITY] > 0.0 else 0.0
