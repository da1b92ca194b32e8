"""A problem to search on: a window, the space of strategies, the rules they trade by, and their score."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from strategies.search.halves import halves
from strategies.search.linear import StrategySpace
from strategies.search.score import Record, Score
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import State, final_value, initial_state, mean_position, simulate
from strategies.trade.window import TradingWindow


@dataclass(frozen=True, eq=False)
class SearchProblem:
    """One window to search on; plain arrays and numbers, so it pickles.

    With ``halved`` the search sees the days of half A alone, and strategies are selected on those of half B, see
    `strategies.search.halves`. ValueError if outputs do not fit the space, or the window is too short for halves.
    """

    window: TradingWindow
    space: StrategySpace
    rules: TradingRules
    score: Score
    halved: bool = False

    def __post_init__(self) -> None:
        if self.window.outputs.shape[1] != self.space.n_outputs:
            raise ValueError(f"outputs {self.window.outputs.shape} do not fit {self.space.n_outputs} outputs")
        if self.halved:
            halves(len(self.window.day_edges) - 1)

    @property
    def searched(self) -> tuple[slice, ...]:
        """Stretches of rows that the search sees, in order."""
        edges = self.window.day_edges
        return halves(len(edges) - 1).rows("a", edges) if self.halved else (slice(0, len(self.window.close)),)


@dataclass(frozen=True, eq=False)
class PooledProblem:
    """Several markets to search on at once; a strategy's score is the mean of its scores. ValueError without any."""

    markets: tuple[SearchProblem, ...]

    def __post_init__(self) -> None:
        if not self.markets:
            raise ValueError("a search needs a market")

    @property
    def space(self) -> StrategySpace:
        """Space of strategies, the same for all."""
        return self.markets[0].space


def record_of(state: State, months: float) -> Record:
    """Record of strategies that started with cash 1, over ``months`` calendar months."""
    return Record(final_value(state), state.fills, mean_position(state), months)


def evaluate_population(problem: SearchProblem | PooledProblem, params: np.ndarray) -> dict[str, np.ndarray]:
    """Simulate every strategy in full on the whole window, without blocks.

    Parameters
    ----------
    problem : SearchProblem or PooledProblem
        The window, and how strategies are judged; of several markets every figure is the mean.
    params : (S, P) array
        The strategies.

    Returns
    -------
    dict of (S,) arrays
        ``value`` (final over initial equity), ``fees`` and ``traded`` (in starting cash), ``fills``,
        ``max_drawdown_share`` (of the peak), ``score``, ``monthly_return_pct``, ``trades_per_month``,
        ``mean_position_pct`` (of equity), and the other pieces of the problem's score; if the problem is halved,
        ``score_a`` and ``score_b`` on its halves.
    """
    if isinstance(problem, PooledProblem):
        found = [evaluate_population(market, params) for market in problem.markets]
        return {name: np.mean([figures[name] for figures in found], axis=0) for name in found[0]}
    halved: dict[str, np.ndarray] = {}
    if problem.halved:
        state, halved = _simulate_halves(problem, params)
    else:
        state = simulate(params, problem.window, problem.rules)
    record = record_of(state, problem.window.months)
    pieces = problem.score.pieces(record)
    return {
        "value": record.growth,
        "fees": state.fees,
        "traded": state.traded,
        "fills": state.fills,
        "max_drawdown_share": state.drawdown,
        "score": pieces["score"],
        "monthly_return_pct": record.monthly_return_pct,
        "trades_per_month": record.trades_per_month,
        "mean_position_pct": record.mean_position_pct,
        **pieces,
        **halved,
    }


class _Sums:
    """What strategies did in the stretches of a half."""

    def __init__(self, n_strategies: int) -> None:
        self.growth = np.ones(n_strategies)
        self.fills, self.position_sum = np.zeros(n_strategies), np.zeros(n_strategies)
        self.bars = 0

    def add(self, before: State, after: State) -> None:
        """A stretch, from the states at its ends."""
        grown = np.divide(after.equity, before.equity, out=np.zeros_like(after.equity), where=before.equity > 0)
        self.growth *= grown
        self.fills += after.fills - before.fills
        self.position_sum += after.position_sum - before.position_sum
        self.bars += int(after.bars[0] - before.bars[0])


def _simulate_halves(problem: SearchProblem, params: np.ndarray) -> tuple[State, dict[str, np.ndarray]]:
    """State after the window, the bits of a simulation in one go, and the scores on A and B within it."""
    window, edges = problem.window, problem.window.day_edges
    found = halves(len(edges) - 1)
    of = {(rows.start, rows.stop): half for half in ("a", "b") for rows in found.rows(half, edges)}
    sums = {half: _Sums(len(params)) for half in ("a", "b")}
    stops = sorted({0, len(window.close), *(row for ends in of for row in ends)})
    state = initial_state(len(params))
    for start, stop in pairwise(stops):
        before = state
        state = simulate(params, window.rows(slice(start, stop)), problem.rules, before)
        if (start, stop) in of:
            sums[of[start, stop]].add(before, state)
    scores = {}
    for half, its in sums.items():
        months = window.months * its.bars / len(window.close)
        record = Record(its.growth, its.fills, its.position_sum / its.bars, months)
        scores[f"score_{half}"] = problem.score.pieces(record)["score"]
    return state, scores
