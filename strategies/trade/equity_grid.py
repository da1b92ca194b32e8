"""Equity of many strategies at a few bars: the window simulated in segments, with the state carried on.

A full record of 20,000 strategies over 176,000 bars would take 28 GB; at the ends of its days it takes 20 MB.
"""

from typing import NamedTuple

import numpy as np

from strategies.trade.rules import TradingRules
from strategies.trade.simulate import initial_state, simulate
from strategies.trade.window import TradingWindow


class EquityGrid(NamedTuple):
    """Where S strategies stand at each edge; every field is (S, D + 1), the first column before the first bar."""

    equity: np.ndarray  # 1 at the start
    fills: np.ndarray  # so far
    position_sum: np.ndarray  # sum so far over bars of the share of equity held


def equity_grid(
    params: np.ndarray, window: TradingWindow, rules: TradingRules, edges: np.ndarray | None = None
) -> EquityGrid:
    """Simulate strategies up to each edge.

    Parameters
    ----------
    params : (S, K + 3) array
        The strategies.
    window : TradingWindow
        The bars.
    rules : TradingRules
        Costs, side and signal map.
    edges : (D + 1,) array, optional
        Rising rows, the first 0; column d is the state after row ``edges[d] - 1``. The window's days by default.

    Returns
    -------
    EquityGrid
        The same bits as a simulation in one go has at these bars.

    Raises
    ------
    ValueError
        If the edges do not rise from 0 within the window.
    """
    edges = window.day_edges if edges is None else np.asarray(edges)
    if not len(edges) or edges[0] != 0 or (np.diff(edges) < 1).any() or edges[-1] > len(window.close):
        raise ValueError(f"edges must rise from 0 to at most {len(window.close)}")
    state = initial_state(len(params))
    grid = EquityGrid(*(np.empty((len(params), len(edges))) for _ in EquityGrid._fields))
    for column, stop in enumerate(edges):
        if column:
            state = simulate(params, window.rows(slice(edges[column - 1], stop)), rules, state)
        for name in EquityGrid._fields:
            getattr(grid, name)[:, column] = getattr(state, name)
    return grid


def returns_of(equity: np.ndarray) -> np.ndarray:
    """Simple returns (S, D) from one column of equity (S, D + 1) to the next; 0 once the equity is gone."""
    before = equity[:, :-1]
    return np.divide(np.diff(equity, axis=1), before, out=np.zeros_like(before), where=before > 0)


def log_returns_of(equity: np.ndarray) -> np.ndarray:
    """Logarithmic returns (S, D); equity below 1e-300 counts as 1e-300."""
    logarithm = np.maximum(equity, 1e-300)
    np.log(logarithm, out=logarithm)  # in place: of a million strategies it takes hundreds of megabytes
    return np.diff(logarithm, axis=1)
