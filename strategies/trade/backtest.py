"""Backtest by vectorbt, as an outside check on the simulator; the only file that imports vectorbt.

An order decided at the close of row ``t`` is given to vectorbt in row ``t + 1`` with the open of that row as
its price, so there is no look-ahead. vectorbt lets a ruined short come back when prices fall again, so the two are
compared up to ruin. It knows neither funding nor borrowing: with these, it is given the units of each fill instead of
the share of equity wanted, and what was paid is taken from its equity; and no size of an order that moves its price:
the slippage of each fill is given. The ensembles are those of Balcerak & Schmelzer 2020.
"""

import gc
from typing import NamedTuple

import numpy as np
import pandas as pd
import vectorbt as vbt

from strategies.trade.payments import Payments, joined
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import Flows, Paths, simulate_paths
from strategies.trade.window import TradingWindow

# vectorbt takes what is not given from mutable global settings. Its default `min_size` of 1e-8 units drops
# orders of 1e-4 of equity where a unit costs 10,000 and cash is 1; here every order that trades fills.
EXPLICIT = {
    "min_size": 0.0,
    "max_size": np.inf,
    "size_granularity": np.nan,
    "fixed_fees": 0.0,
    "reject_prob": 0.0,
    "lock_cash": False,
    "allow_partial": True,
    "raise_reject": False,
    "log": False,
    "cash_sharing": False,
    "ffill_val_price": True,
    "update_value": False,
}


LENT = 4.0  # times the starting cash, or more: units that were bought on funding received must find cash there


class Backtest(NamedTuple):
    """vectorbt's equity and fills of the strategies, and the difference to the simulator's."""

    equity: np.ndarray  # (T, S) at each close, 1 at the start; 0 from ruin on
    position: np.ndarray  # (T, S) share of equity held, from the simulator
    payments: Payments  # (T, S), from the simulator
    fills: np.ndarray  # (S,) int64, from vectorbt's order records up to ruin
    simulated: np.ndarray  # (S,) int64, fills of the simulator
    difference: float  # largest relative difference of the two equities, over all bars


def backtest(
    params: np.ndarray,
    window: TradingWindow,
    rules: TradingRules,
    *,
    columns: int = 8,
    tolerance: float = 1e-9,
) -> Backtest:
    """Backtest strategies from a fresh start, in chunks of ``columns`` strategies to bound memory.

    Parameters
    ----------
    params, window, rules
        As for `strategies.trade.simulate.simulate`.
    columns : int
        Strategies given to vectorbt at once; it takes some 50 bytes a strategy and bar.
    tolerance : float
        Largest relative difference to the simulator that passes.

    Returns
    -------
    Backtest
        Equity by vectorbt.

    Raises
    ------
    ArithmeticError
        If equity differs by more than the tolerance, or a number of fills differs: one of the two is wrong.
    """
    shape = (len(window.close), len(params))
    fills, simulated = np.zeros((2, len(params)), dtype=np.int64)
    equity, position, difference = np.empty(shape), np.empty(shape), 0.0
    payments = []
    # in a power of two of the currency, which changes no digit: vectorbt takes prices and cash of 1e-12 for nothing
    unit = starting_cash(window)
    near_one = window._replace(open=window.open / unit, close=window.close / unit)
    for first in range(0, len(params), columns):
        chunk = params[first : first + columns]
        paths = simulate_paths(chunk, window, rules, flows=True)
        flows = paths.flows
        assert flows is not None
        in_unit = flows._replace(change=flows.change * unit)
        rows = slice(first, first + columns)
        equity[:, rows], fills[rows] = _found(paths, portfolio(paths.orders, near_one, rules, flows=in_unit), window)
        position[:, rows], simulated[rows] = paths.position, paths.state.fills
        payments.append(Payments.of(flows, window, rules).packed())
        alive = paths.equity > 0
        gap = np.abs(equity[:, rows] - paths.equity)[alive] / _scale(paths, window)[alive]
        difference = float(np.maximum(difference, gap.max(initial=0.0)))  # what is not a number stays so
        del paths, flows, in_unit
        gc.collect(1)  # a portfolio refers to itself, and holds some 50 bytes a strategy and bar
    result = Backtest(equity, position, joined(payments), fills, simulated, difference)
    if not result.difference <= tolerance:
        raise ArithmeticError(f"simulator and vectorbt differ by {result.difference:.3g} in equity")
    if (result.fills != result.simulated).any():
        worst = int(np.argmax(np.abs(result.fills - result.simulated)))
        counts = f"{result.fills[worst]} against {result.simulated[worst]}"
        raise ArithmeticError(f"vectorbt and the simulator differ in fills of strategy {worst}: {counts}")
    return result


def portfolio(
    orders: np.ndarray,
    window: TradingWindow,
    rules: TradingRules,
    *,
    flows: Flows | None = None,
    index: pd.Index | None = None,
    columns: pd.Index | None = None,
    interval_ms: int | None = None,
) -> vbt.Portfolio:
    """Portfolio in vectorbt of target-percent orders (T, S), NaN for none, filled at the open of their row.

    ``index`` (T,) and ``columns`` (S,) label its times and strategies; with the interval of the bars, its statistics
    are by year. Its cash is `starting_cash`. Where the window has costs of its own, flows (T, S) say what was filled
    and how; where holding costs money, which vectorbt cannot pay, their units are traded instead of targets, on
    `LENT` times as much cash or more.
    """
    size, cash = np.ascontiguousarray(orders), starting_cash(window)
    slippage: np.ndarray | float = rules.half_spread
    if any(len(field) for field in window.costs):
        if flows is None:
            raise ValueError("costs of the window need the flows of the simulator")
        slippage = flows.slippage
    if flows is not None and window.costs.carried:
        size, cash = np.where(flows.change != 0.0, flows.change * cash, np.nan), _lent(flows) * cash
    shown = np.broadcast_to(window.close[:, None], size.shape)
    return vbt.Portfolio.from_orders(
        close=shown if index is None else pd.DataFrame(shown, index=index, columns=columns),
        size=size,
        size_type="amount" if window.costs.carried else "targetpercent",
        direction="both" if rules.short else "longonly",
        price=window.open[:, None],
        fees=rules.fee_share,
        slippage=slippage,
        init_cash=cash,
        max_orders=max(int((~np.isnan(size)).sum()), 1),
        freq=None if interval_ms is None else pd.Timedelta(interval_ms, "ms"),
        **EXPLICIT,
    )


def starting_cash(window: TradingWindow) -> float:
    """Power of two near the first open: vectorbt takes less than 1e-12 units of anything for nothing."""
    return float(2.0 ** np.round(np.log2(window.open[0])))


def _lent(flows: Flows) -> float:
    """Power of two: how often the starting cash is needed to buy what was bought, without funding received."""
    received = -(flows.funding + flows.borrow).min(initial=0.0)
    return float(max(LENT, 2.0 ** np.ceil(np.log2(2.0 + received))))


def _scale(paths: Paths, window: TradingWindow) -> np.ndarray:
    """Amounts (T, S) of which the difference of two equities is a share: equity itself, or all cash that vectorbt had.

    Equity that is a small rest of much borrowed cash has no more digits than that cash.
    """
    if paths.flows is None or not window.costs.carried:
        return paths.equity
    held = paths.equity + np.abs(paths.flows.funding) + paths.flows.borrow
    return np.maximum.accumulate(_lent(paths.flows) + held, axis=0)


def _found(paths: Paths, result: vbt.Portfolio, window: TradingWindow) -> tuple[np.ndarray, np.ndarray]:
    """Equity by vectorbt (T, S) from 1, 0 from ruin on, less what was paid for holding; and fills (S,) up to ruin."""
    alive = paths.equity > 0
    equity: np.ndarray = np.asarray(result.value()).reshape(alive.shape) / result.init_cash.max()
    if paths.flows is not None and window.costs.carried:
        lent = _lent(paths.flows)
        equity = lent * equity - (lent - 1.0) - paths.flows.funding - paths.flows.borrow
    records = result.orders.values
    # what fills at an open may be ruined by the close of the same bar; at an open where it is worth nothing, none fills
    alive_before = np.vstack([np.ones_like(alive[:1]), alive[:-1]])
    records = records[alive_before[records["idx"], records["col"]]]
    fills = np.bincount(records["col"], minlength=paths.equity.shape[1]).astype(np.int64)
    return np.where(alive, equity, 0.0), fills
