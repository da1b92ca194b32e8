"""The simulator: many strategies over the same bars, state in and state out.

No look-ahead: row ``t`` decides at its close with ``outputs[t]``, and the order fills at the open of row
``t + 1``. Rows are the bars present, so the next row is the next tradable bar. Cutting the series anywhere
and carrying the state on gives the same bits as one run. The trading rule and the fee on traded value are
Balcerak & Schmelzer 2020; that a full buy is capped by cash / (1 + fee) follows vectorbt's target-percent
order.
"""

from typing import NamedTuple

import numpy as np

from strategies.trade import kernels
from strategies.trade.rules import N_THRESHOLDS, TradingRules
from strategies.trade.window import TradingWindow


class State(NamedTuple):
    """Where S strategies stand after a bar; every field is (S,).

    Money is in units of the starting cash. Amounts worth less than 1e-12 count as nothing, so start with cash of about
    1 or more.
    """

    cash: np.ndarray
    quantity: np.ndarray
    pending: np.ndarray  # target share of the order that waits for the next row, NaN for none
    fills: np.ndarray  # int64
    traded: np.ndarray  # value bought and sold
    fees: np.ndarray
    position_sum: np.ndarray  # sum over bars of the share of equity held at the close, long or short
    peak: np.ndarray  # highest equity so far
    drawdown: np.ndarray  # largest fall from the peak, as a share of it
    equity: np.ndarray  # at the last close
    spread: np.ndarray  # what fills lost to the half spread, against the open
    impact: np.ndarray  # and to their own size
    funding: np.ndarray  # paid, below 0 if more was received
    borrow: np.ndarray  # paid
    bars: np.ndarray  # int64


class Paths(NamedTuple):
    """Paths of a few strategies, (T, S) each, and the state after the last bar."""

    equity: np.ndarray  # at the close
    position: np.ndarray  # share of equity held at the close, below 0 if short
    orders: np.ndarray  # target share at the row where the order fills, NaN for no order
    state: State
    flows: "Flows | None" = None  # where they are asked for


class Flows(NamedTuple):
    """What strategies traded and paid bar by bar, (T, S) each; money in their starting cash."""

    change: np.ndarray  # units bought, below 0 if sold, at the open
    slippage: np.ndarray  # share by which that was worse than the open; 0 where nothing filled
    funding: np.ndarray  # paid so far, below 0 if more was received
    borrow: np.ndarray  # paid so far


COSTS = ("spread", "impact", "funding", "borrow")  # beside fees


def initial_state(n_strategies: int, cash: float = 1.0) -> State:
    """All cash, nothing held, nothing pending; ValueError unless cash is positive."""
    if not cash > 0:
        raise ValueError("starting cash must be positive")

    def full(value: float) -> np.ndarray:
        return np.full(n_strategies, float(value))

    def count() -> np.ndarray:
        return np.zeros(n_strategies, dtype=np.int64)

    money = {"cash": full(cash), "quantity": full(0), "pending": full(np.nan), "equity": full(cash)}
    totals = {name: full(0) for name in ("traded", "fees", "position_sum", "drawdown", *COSTS)}
    return State(**money, **totals, peak=full(cash), fills=count(), bars=count())


def flatten(state: State) -> State:
    """The same equity, all in cash at the last close without a fee, and no order waiting; totals go on."""
    return state._replace(
        cash=state.equity.copy(),
        quantity=np.zeros_like(state.quantity),
        pending=np.full_like(state.pending, np.nan),
    )


def take(state: State, index: np.ndarray) -> State:
    """State of the strategies in ``index``."""
    return State(*(field[index] for field in state))


def final_value(state: State) -> np.ndarray:
    """Equity (S,) at the last close, what is held marked there and no closing fee taken."""
    return state.equity


def mean_position(state: State) -> np.ndarray:
    """Mean share of equity held (S,), long or short, 0 before the first bar."""
    return state.position_sum / np.maximum(state.bars, 1)


def held_share(state: State, close: float) -> np.ndarray:
    """Share of equity held (S,) at the last close, below 0 if short; 0 where equity is used up."""
    return np.divide(state.quantity * close, state.equity, out=np.zeros_like(state.equity), where=state.equity > 0)


def simulate(params: np.ndarray, window: TradingWindow, rules: TradingRules, state: State | None = None) -> State:
    """Simulate S strategies over T bars; memory does not depend on T, and on S only through the state.

    Parameters
    ----------
    params : (S, K + 3) array
        K weights, theta_buy, theta_sell, delta.
    window : TradingWindow
        The bars, as `strategies.trade.window.TradingWindow.of` checks them.
    rules : TradingRules
        Costs, side and signal map.
    state : State, optional
        Where to go on from; a fresh start with cash 1 by default. It is not changed.

    Returns
    -------
    State
        After the last bar; an order decided there waits in ``pending``.

    Raises
    ------
    ValueError
        If params do not fit the outputs or the state.
    """
    return _run(params, window, rules, state, kernels.PathBuffers(*_nothing(7)))


def simulate_paths(
    params: np.ndarray, window: TradingWindow, rules: TradingRules, state: State | None = None, *, flows: bool = False
) -> Paths:
    """Simulate a few strategies and keep their paths, 24 bytes a strategy and bar, 56 with flows; bits as `simulate`.

    Parameters and errors as for `simulate`. An order that waits in ``state`` is in row 0 of ``orders``; the
    one decided at the last bar is in none. Flows of funding and borrowing go on from those of the state.
    """
    shape = (len(window.close), len(params))
    equity, position, orders = (np.empty(shape) for _ in range(3))
    moved = (np.zeros(shape), np.zeros(shape), np.empty(shape), np.empty(shape)) if flows else _nothing(4)
    after = _run(params, window, rules, state, kernels.PathBuffers(equity, position, orders, *moved))
    return Paths(equity, position, orders, after, Flows(*moved) if flows else None)


def _nothing(n: int) -> tuple[np.ndarray, ...]:
    return (np.empty((0, 0)),) * n


def _run(
    params: np.ndarray, window: TradingWindow, rules: TradingRules, state: State | None, paths: kernels.PathBuffers
) -> State:
    if params.ndim != 2 or params.shape[1] != window.outputs.shape[1] + N_THRESHOLDS:
        raise ValueError(f"params {params.shape} do not fit {window.outputs.shape[1]} outputs and 3 thresholds")
    if state is None:
        state = initial_state(len(params))
    if len(state.cash) != len(params):
        raise ValueError(f"state is of {len(state.cash)} strategies, params of {len(params)}")
    packed = np.empty((kernels.N_STATE, len(params)))
    for row, name in _ROWS:
        packed[row] = getattr(state, name)
    kernels.simulate_nb(np.ascontiguousarray(params, dtype=np.float64), packed, kernels.Walk.of(window), rules, paths)
    after = {name: packed[row].copy() for row, name in _ROWS}
    after["fills"] = after["fills"].astype(np.int64)
    return State(**after, bars=state.bars + len(window.close))


_ROWS = (
    (kernels.CASH, "cash"),
    (kernels.QUANTITY, "quantity"),
    (kernels.PENDING, "pending"),
    (kernels.FILLS, "fills"),
    (kernels.TRADED, "traded"),
    (kernels.FEES, "fees"),
    (kernels.POSITION_SUM, "position_sum"),
    (kernels.PEAK, "peak"),
    (kernels.DRAWDOWN, "drawdown"),
    (kernels.EQUITY, "equity"),
    (kernels.SPREAD, "spread"),
    (kernels.IMPACT, "impact"),
    (kernels.FUNDING, "funding"),
    (kernels.BORROW, "borrow"),
)
