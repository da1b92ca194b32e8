"""Equity of many strategies at a few bars: the window simulated in segments, with the state carried on.

A full record of 20,000 strategies over 176,000 bars would take 28 GB; at the ends of its days it takes 20 MB.
"""

from typing import NamedTuple

import numpy as np

from strategies.search.budget import Problem
from strategies.tiers.metrics import DAY_MS
from strategies.trade.simulate import initial_state, simulate


class EquityGrid(NamedTuple):
    """Where S strategies stand at each edge; every field is (S, D + 1), the first column before the first bar."""

    equity: np.ndarray  # 1 at the start
    fills: np.ndarray  # so far
    position_sum: np.ndarray  # sum so far over bars of the share of equity held


def day_edges(time_ms: np.ndarray) -> np.ndarray:
    """Rows (D + 1,) that cut bars into the UTC days present: 0, and one past the last bar of each day.

    Raises
    ------
    ValueError
        If there are no bars.
    """
    if not len(time_ms):
        raise ValueError("no bars to cut into days")
    day = np.asarray(time_ms) // DAY_MS
    return np.r_[0, np.flatnonzero(day[1:] != day[:-1]) + 1, len(day)]


def equity_grid(params: np.ndarray, problem: Problem, edges: np.ndarray) -> EquityGrid:
    """Simulate strategies up to each edge.

    Parameters
    ----------
    params : (S, K + 3) array
        The strategies.
    problem : Problem
        The window and its costs.
    edges : (D + 1,) array
        Rising rows, the first 0; column d is the state after row ``edges[d] - 1``.

    Returns
    -------
    EquityGrid
        The same bits as a simulation in one go has at these bars.

    Raises
    ------
    ValueError
        If the edges do not rise from 0 within the window.
    """
    edges = np.asarray(edges)
    if not len(edges) or edges[0] != 0 or (np.diff(edges) < 1).any() or edges[-1] > len(problem.close):
        raise ValueError(f"edges must rise from 0 to at most {len(problem.close)}")
    state = initial_state(len(params))
    grid = EquityGrid(*(np.empty((len(params), len(edges))) for _ in EquityGrid._fields))
    for column, stop in enumerate(edges):
        if column:
            rows = slice(edges[column - 1], stop)
            state = simulate(
                params,
                problem.outputs[rows],
                problem.open[rows],
                problem.close[rows],
                **problem.rules,
                state=state,
            )
        for name in EquityGrid._fields:
            getattr(grid, name)[:, column] = getattr(state, name)
    return grid


def equity_at(params: np.ndarray, problem: Problem, edges: np.ndarray) -> np.ndarray:
    """Equity (S, D + 1) of `equity_grid`."""
    return equity_grid(params, problem, edges).equity


def returns_of(equity: np.ndarray) -> np.ndarray:
    """Simple returns (S, D) from one column of equity (S, D + 1) to the next; 0 once the equity is gone."""
    before = equity[:, :-1]
    return np.divide(np.diff(equity, axis=1), before, out=np.zeros_like(before), where=before > 0)


def log_returns_of(equity: np.ndarray) -> np.ndarray:
    """Logarithmic returns (S, D); equity below 1e-300 counts as 1e-300."""
    return np.diff(np.log(np.maximum(equity, 1e-300)), axis=1)
