"""Backtest by vectorbt, as an outside check on the simulator; the only file that imports vectorbt.

An order decided at the close of row ``t`` is given to vectorbt in row ``t + 1`` with the open of that row as
its price, so there is no look-ahead. The ensembles are those of Balcerak & Schmelzer 2020.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import vectorbt as vbt

from strategies.trade.rules import TradingRules
from strategies.trade.simulate import Paths, initial_state, simulate_paths
from strategies.trade.window import TradingWindow

INITIAL = 1.0

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


class Backtest(NamedTuple):
    """vectorbt's equity and fills of the strategies, and the difference to the simulator's."""

    equity: np.ndarray  # (T, S) at each close, 1 at the start
    position: np.ndarray  # (T, S) share of equity held, from the simulator
    fills: np.ndarray  # (S,) int64, from vectorbt's order records
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
    parts = []
    for first in range(0, len(params), columns):
        chunk = params[first : first + columns]
        paths = simulate_paths(chunk, window, rules, initial_state(len(chunk), INITIAL))
        parts.append(_compare(paths, portfolio(paths.orders, window, rules)))
    result = Backtest(
        equity=np.concatenate([p.equity for p in parts], axis=1),
        position=np.concatenate([p.position for p in parts], axis=1),
        fills=np.concatenate([p.fills for p in parts]),
        simulated=np.concatenate([p.simulated for p in parts]),
        difference=max(p.difference for p in parts),
    )
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
    index: pd.Index | None = None,
    columns: pd.Index | None = None,
) -> vbt.Portfolio:
    """Portfolio in vectorbt of target-percent orders (T, S), NaN for none, filled at the open of their row.

    ``index`` (T,) and ``columns`` (S,) label its times and strategies.
    """
    size = np.ascontiguousarray(orders)
    shown = np.broadcast_to(window.close[:, None], size.shape)
    return vbt.Portfolio.from_orders(
        close=shown if index is None else pd.DataFrame(shown, index=index, columns=columns),
        size=size,
        size_type="targetpercent",
        direction="both" if rules.short else "longonly",
        price=window.open[:, None],
        fees=rules.fee_share,
        slippage=rules.slippage_share,
        init_cash=INITIAL,
        max_orders=max(int((~np.isnan(size)).sum()), 1),
        freq="1min",
        **EXPLICIT,
    )


def _compare(paths: Paths, result: vbt.Portfolio) -> Backtest:
    equity: np.ndarray = np.asarray(result.value()).reshape(paths.equity.shape)
    records = result.orders.values
    return Backtest(
        equity=equity,
        position=paths.position,
        fills=np.bincount(records["col"], minlength=paths.equity.shape[1]).astype(np.int64),
        simulated=paths.state.fills,
        difference=float(np.max(np.abs(equity - paths.equity) / np.abs(paths.equity))),
    )
