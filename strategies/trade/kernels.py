"""Numba kernel of the simulator: many strategies through the same bars, in lanes.

Arithmetic is strict IEEE (no fastmath at all): a lane's bits then depend on nothing but its own parameters
and the bars, not on the other lanes, on the number of threads, or on where the series is cut. Speed comes
from the layout instead: ``LANES`` strategies side by side in one flat buffer, so that LLVM sees constant
distances between the rows and vectorises the loops over lanes. Fills are rare: scalar code behind a branch.

Looks at bar ``t`` only to decide at its close, and fills at the open of the next row.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from labelsearch.compiled import threaded
from strategies.trade.fills import fill_nb
from strategies.trade.rules import HALF, LOGISTIC, TradingRules
from strategies.trade.window import TradingWindow

LANES = 32  # strategies side by side; with 16, LLVM's interleaved loops no longer fit and run scalar
SERIAL = 4096  # strategies times bars below which threads would cost more than they save
BLOCK = 128  # bars whose signals are computed ahead of the walk; any value gives the same bits

# Up to WIDE times equity is not ruined where the price changes by less than CALM: their product is below 1.
WIDE, CALM = 1.6, 0.4

# Rows of the lane buffer; row r holds lanes r * LANES .. (r + 1) * LANES.
CASH, QUANTITY, PENDING, FILLS, TRADED, FEES, POSITION_SUM, PEAK, DRAWDOWN, EQUITY = range(10)
SPREAD, IMPACT, FUNDING, BORROW = range(10, 14)
N_STATE = 14
THETA_BUY, THETA_SELL, DELTA, POSITION = range(14, 18)
N_ROWS = 18


class Walk(NamedTuple):
    """What a walk reads of a window; Numba hands no tuple within another to threads."""

    outputs: np.ndarray
    open: np.ndarray
    close: np.ndarray
    half_spread: np.ndarray
    impact: np.ndarray
    funding: np.ndarray
    borrow: np.ndarray

    @classmethod
    def of(cls, window: TradingWindow) -> "Walk":
        """Of a window."""
        return cls(window.outputs, window.open, window.close, *window.costs)


class PathBuffers(NamedTuple):
    """Where the paths of each strategy go, (T, S) each, or (0, 0) for those that are not wanted."""

    equity: np.ndarray
    position: np.ndarray
    orders: np.ndarray
    # flows: all or none of them
    change: np.ndarray
    slippage: np.ndarray
    funding: np.ndarray
    borrow: np.ndarray


@njit(cache=True, error_model="numpy")
def signals_nb(outputs: np.ndarray, weights: np.ndarray, signal_map: int, out: np.ndarray) -> None:
    """Signals of a block of bars: outputs (n, K), weights (K * LANES,), out (n * LANES,).

    The sum over outputs runs from the first to the last, whatever the block: no bit depends on the blocking.
    """
    n_bars, n_outputs = outputs.shape
    row = np.empty(LANES)
    for b in range(n_bars):
        for lane in range(LANES):
            row[lane] = 0.0
        whole = n_outputs - n_outputs % 8
        for k in range(0, whole, 8):  # eight at a time saves loads and stores; the order of the sum is kept
            o0, o1, o2, o3 = outputs[b, k], outputs[b, k + 1], outputs[b, k + 2], outputs[b, k + 3]
            o4, o5, o6, o7 = outputs[b, k + 4], outputs[b, k + 5], outputs[b, k + 6], outputs[b, k + 7]
            at = k * LANES
            for lane in range(LANES):
                row[lane] = (
                    row[lane]
                    + o0 * weights[at + lane]
                    + o1 * weights[at + LANES + lane]
                    + o2 * weights[at + 2 * LANES + lane]
                    + o3 * weights[at + 3 * LANES + lane]
                    + o4 * weights[at + 4 * LANES + lane]
                    + o5 * weights[at + 5 * LANES + lane]
                    + o6 * weights[at + 6 * LANES + lane]
                    + o7 * weights[at + 7 * LANES + lane]
                )
        for k in range(whole, n_outputs):
            o0 = outputs[b, k]
            for lane in range(LANES):
                row[lane] = row[lane] + o0 * weights[k * LANES + lane]
        if signal_map == LOGISTIC:
            for lane in range(LANES):
                out[b * LANES + lane] = 1.0 / (1.0 + np.exp(-row[lane]))
        else:
            shift = 0.5 if signal_map == HALF else 0.0
            for lane in range(LANES):
                x = row[lane] + shift
                x = 0.0 if x < 0.0 else x
                out[b * LANES + lane] = 1.0 if x > 1.0 else x


@njit(cache=True)
def fill_lanes_nb(
    lanes: np.ndarray,
    price: float,
    fee: float,
    half_spread: float,
    impact: float,
    short: bool,
    paths: PathBuffers,
    t: int,
    first: int,
) -> None:
    """Fill the pending orders of all lanes at the open; an order lives for one row, filled or not."""
    for lane in range(LANES):
        target = lanes[PENDING * LANES + lane]
        if np.isnan(target):
            continue
        cash, before = lanes[CASH * LANES + lane], lanes[QUANTITY * LANES + lane]
        cash, quantity, value, paid, slippage = fill_nb(cash, before, target, price, fee, half_spread, impact, short)
        lanes[CASH * LANES + lane] = cash
        lanes[QUANTITY * LANES + lane] = quantity
        lanes[PENDING * LANES + lane] = np.nan
        if value <= 0.0:
            continue
        moved = abs(quantity - before) * price
        lanes[FILLS * LANES + lane] += 1.0
        lanes[TRADED * LANES + lane] += value
        lanes[FEES * LANES + lane] += paid
        lanes[SPREAD * LANES + lane] += moved * half_spread
        lanes[IMPACT * LANES + lane] += moved * (slippage - half_spread)
        if first + lane < paths.change.shape[1]:
            paths.change[t, first + lane] = quantity - before
            paths.slippage[t, first + lane] = slippage


@njit(cache=True)
def fund_lanes_nb(lanes: np.ndarray, due: float) -> None:
    """Pay the money due for each unit held, which the short ones receive."""
    for lane in range(LANES):
        paid = lanes[QUANTITY * LANES + lane] * due
        lanes[CASH * LANES + lane] -= paid
        lanes[FUNDING * LANES + lane] += paid


@njit(cache=True)
def borrow_lanes_nb(lanes: np.ndarray, due: float) -> None:
    """Pay the money due for each unit held short."""
    for lane in range(LANES):
        quantity = lanes[QUANTITY * LANES + lane]
        paid = -quantity * due if quantity < 0.0 else 0.0
        lanes[CASH * LANES + lane] -= paid
        lanes[BORROW * LANES + lane] += paid


@njit(cache=True)
def liquidate_lanes_nb(lanes: np.ndarray, price: float) -> None:
    """Close for good the accounts that are worth nothing at this price; the lender bears what is missing.

    They are short, or long on more than their equity, as funding is paid in cash.
    """
    for lane in range(LANES):
        cash, quantity = lanes[CASH * LANES + lane], lanes[QUANTITY * LANES + lane]
        ruined = (quantity != 0.0) & (cash + quantity * price <= 0.0)
        lanes[CASH * LANES + lane] = 0.0 if ruined else cash
        lanes[QUANTITY * LANES + lane] = 0.0 if ruined else quantity


@njit(cache=True, error_model="numpy")
def decide_lanes_nb(lanes: np.ndarray, signals: np.ndarray, at: int, close: float, short: bool) -> tuple:
    """Mark all lanes at the close and decide their orders; returns the number of orders, and of lanes above `WIDE`.

    Branch free, so that it vectorises. An account that is used up (equity 0) has position 0.
    """
    n_orders = n_wide = 0
    scale, shift = (0.5, 0.5) if short else (1.0, 0.0)  # from a share of equity to the signal that wants it
    back, less = (2.0, 1.0) if short else (1.0, 0.0)
    for lane in range(LANES):
        held = lanes[QUANTITY * LANES + lane] * close
        equity = lanes[CASH * LANES + lane] + held
        position = held / equity
        position = position if equity > 0.0 else 0.0
        signal = signals[at + lane]
        delta = lanes[DELTA * LANES + lane]
        has = scale * position + shift
        buy = (signal > lanes[THETA_BUY * LANES + lane]) & (signal - has > delta)
        sell = (signal < lanes[THETA_SELL * LANES + lane]) & (has - signal > delta)
        order = buy | sell
        n_orders += 1 if order else 0
        n_wide += 1 if abs(position) > WIDE else 0
        peak = lanes[PEAK * LANES + lane]
        peak = equity if equity > peak else peak
        fall = 1.0 - equity / peak
        worst = lanes[DRAWDOWN * LANES + lane]
        lanes[PENDING * LANES + lane] = back * signal - less if order else np.nan
        lanes[POSITION_SUM * LANES + lane] += abs(position)
        lanes[PEAK * LANES + lane] = peak
        lanes[DRAWDOWN * LANES + lane] = fall if fall > worst else worst
        lanes[EQUITY * LANES + lane] = equity
        lanes[POSITION * LANES + lane] = position
    return n_orders, n_wide


@njit(cache=True)
def record_lanes_nb(lanes: np.ndarray, row: int, t: int, first: int, out: np.ndarray) -> None:
    """Write one row of the lane buffer to bar ``t`` of a path."""
    for lane in range(min(LANES, out.shape[1] - first)):
        out[t, first + lane] = lanes[row * LANES + lane]


@njit(cache=True)
def walk_lanes_nb(
    lanes: np.ndarray, weights: np.ndarray, window: Walk, rules: TradingRules, paths: PathBuffers, first: int
) -> None:
    """Walk one group of lanes through all window."""
    n_bars = window.close.shape[0]
    funded, borrowed = window.funding.shape[0] > 0, window.borrow.shape[0] > 0
    ruinous = rules.short or funded
    recording, flows = paths.equity.shape[0] > 0, paths.change.shape[0] > 0
    half_spread, impact = rules.half_spread, 0.0
    signals = np.empty(BLOCK * LANES)
    n_orders, n_wide = 1, 1  # the state may carry a pending order in, or much debt: look once
    last = window.close[0] if n_bars else 1.0
    for start in range(0, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        signals_nb(window.outputs[start:stop], weights, rules.signal_map, signals)
        for t in range(start, stop):
            if recording:
                record_lanes_nb(lanes, PENDING, t, first, paths.orders)
            unsafe = n_wide > 0
            # no function of its own: handing the window over takes as long as a bar
            if funded and window.funding[t, 0] != 0.0:
                fund_lanes_nb(lanes, window.funding[t, 0])
                unsafe = True
            if borrowed and window.borrow[t] != 0.0:
                borrow_lanes_nb(lanes, window.borrow[t])
                unsafe = True
            if ruinous and (unsafe or abs(window.open[t] - last) > CALM * last):
                liquidate_lanes_nb(lanes, window.open[t])
            if n_orders > 0:
                if window.half_spread.shape[0] > 0:
                    half_spread = window.half_spread[t]
                if window.impact.shape[0] > 0:
                    impact = window.impact[t]
                price, fee = window.open[t], rules.fee_share
                fill_lanes_nb(lanes, price, fee, half_spread, impact, rules.short, paths, t, first)
            unsafe |= n_orders > 0
            if funded and window.funding[t, 1] != 0.0:
                fund_lanes_nb(lanes, window.funding[t, 1])
                unsafe = True
            if ruinous and (unsafe or abs(window.close[t] - last) > CALM * last):
                liquidate_lanes_nb(lanes, window.close[t])
            last = window.close[t]
            n_orders, n_wide = decide_lanes_nb(lanes, signals, (t - start) * LANES, last, rules.short)
            if recording:
                record_lanes_nb(lanes, EQUITY, t, first, paths.equity)
                record_lanes_nb(lanes, POSITION, t, first, paths.position)
            if flows:
                record_lanes_nb(lanes, FUNDING, t, first, paths.funding)
                record_lanes_nb(lanes, BORROW, t, first, paths.borrow)


@njit(cache=True)
def walk_group_nb(
    params: np.ndarray, state: np.ndarray, window: Walk, rules: TradingRules, paths: PathBuffers, group: int
) -> None:
    """Load one group of strategies into lanes, walk it, and store its state."""
    n_strategies = params.shape[0]
    n_outputs = params.shape[1] - 3
    first = group * LANES
    lanes = np.empty(N_ROWS * LANES)
    weights = np.empty(n_outputs * LANES)
    for lane in range(LANES):
        s = min(first + lane, n_strategies - 1)  # spare lanes repeat the last strategy and are dropped
        for row in range(N_STATE):
            lanes[row * LANES + lane] = state[row, s]
        for k in range(n_outputs):
            weights[k * LANES + lane] = params[s, k]
        lanes[THETA_BUY * LANES + lane] = params[s, n_outputs]
        lanes[THETA_SELL * LANES + lane] = params[s, n_outputs + 1]
        lanes[DELTA * LANES + lane] = params[s, n_outputs + 2]
    walk_lanes_nb(lanes, weights, window, rules, paths, first)
    for lane in range(min(LANES, n_strategies - first)):
        for row in range(N_STATE):
            state[row, first + lane] = lanes[row * LANES + lane]


@njit(cache=True, parallel=True)
def simulate_parallel_nb(
    params: np.ndarray, state: np.ndarray, window: Walk, rules: TradingRules, paths: PathBuffers
) -> None:
    """Simulate params (S, K + 3), groups in parallel; ``state`` (N_STATE, S) is carried on in place."""
    for group in prange((params.shape[0] + LANES - 1) // LANES):
        walk_group_nb(params, state, window, rules, paths, group)


@njit(cache=True)
def simulate_serial_nb(
    params: np.ndarray, state: np.ndarray, window: Walk, rules: TradingRules, paths: PathBuffers
) -> None:
    """As `simulate_parallel_nb`, in the calling thread."""
    for group in range((params.shape[0] + LANES - 1) // LANES):
        walk_group_nb(params, state, window, rules, paths, group)


def simulate_nb(params: np.ndarray, state: np.ndarray, window: Walk, rules: TradingRules, paths: PathBuffers) -> None:
    """As `simulate_parallel_nb`, but a single group, or few bars, run in the calling thread.

    A parallel region waits for all threads, idle ones too: on a busy machine that costs a time slice, some
    20 times what a short block takes to simulate.
    """
    if params.shape[0] <= LANES or params.shape[0] * window.close.shape[0] <= SERIAL:
        simulate_serial_nb(params, state, window, rules, paths)
    else:
        threaded(simulate_parallel_nb)(params, state, window, rules, paths)
