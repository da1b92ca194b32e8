"""The budget of the search: a window cut into blocks, so that a part stands for the whole.

The paper searches by Bayesian optimisation with HyperBand (Balcerak & Schmelzer 2020) and does not say what
the budget is. Ours is a reconstruction: the window is cut into blocks, taken in an order that spreads any
first few of them over the whole window. A prefix would judge all strategies by the window's first weeks.
"""

from collections.abc import Sequence
from functools import singledispatch
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np

from strategies import StrategyError
from strategies.search.problem import PooledProblem, SearchProblem, record_of
from strategies.trade.correlation import residual_returns
from strategies.trade.simulate import flatten, initial_state, mean_position, simulate, take

BUDGETS = ("blocks", "prefix")


def block_order(n_blocks: int, base: int, budget: str = "blocks") -> np.ndarray:
    """Order (n_blocks,) in which blocks are spent.

    ``blocks``: the van der Corput sequence in ``base``, by rank, so that the first ``base ** j`` blocks are
    spread evenly; ``prefix``: from the first block on. StrategyError for another name.
    """
    if budget not in BUDGETS:
        raise StrategyError(f"budget {budget!r} is unknown, choose from {', '.join(BUDGETS)}")
    if budget == "prefix":
        return np.arange(n_blocks)
    inverse = np.zeros(n_blocks)
    digits, scale = np.arange(n_blocks), 1.0 / base
    while digits.any():
        inverse += scale * (digits % base)
        digits, scale = digits // base, scale / base
    return np.argsort(np.argsort(inverse, kind="stable"), kind="stable")


def rungs(n_blocks: int, min_blocks: int, eta: int) -> tuple[int, ...]:
    """Block counts at which strategies are judged: min_blocks, eta times that, ..., n_blocks last."""
    counts = []
    count = min_blocks
    while count < n_blocks:
        counts.append(count)
        count *= eta
    return (*counts, n_blocks)


def blocks_of(stretches: Sequence[slice], n_blocks: int) -> list[list[slice]]:
    """Rows of each of ``n_blocks`` blocks, as long as each other, of the rows of some stretches.

    A block that reaches over the end of a stretch has the rows on both sides as slices of their own.

    >>> blocks_of([slice(0, 4), slice(10, 12)], 2)
    [[slice(0, 3, None)], [slice(3, 4, None), slice(10, 12, None)]]
    """
    lengths = [its.stop - its.start for its in stretches]
    before = np.cumsum([0, *lengths])  # rows of the stretches before each
    edges = np.linspace(0, before[-1], n_blocks + 1).astype(np.int64)
    blocks: list[list[slice]] = []
    for first, stop in pairwise(edges.tolist()):
        cut = [
            slice(its.start + max(first - offset, 0), its.start + min(stop - offset, length))
            for its, length, offset in zip(stretches, lengths, before.tolist(), strict=False)
        ]
        blocks.append([rows for rows in cut if rows.start < rows.stop])
    return blocks


class Behaviour(NamedTuple):
    """How S strategies behaved over the B blocks simulated so far."""

    residual: np.ndarray  # (S, B) returns of the blocks less beta times the market's
    trades_per_month: np.ndarray  # (S,)
    mean_position: np.ndarray  # (S,) share of equity, long or short


class Growth:
    """Returns of S strategies, and of the market, in the blocks simulated so far."""

    def __init__(self) -> None:
        self.strategies: list[np.ndarray] = []
        self.market: list[float] = []

    def add(self, before: np.ndarray, after: np.ndarray, market: float) -> None:
        """A block, from equity (S,) before and after it and the market's growth."""
        growth = np.divide(after, before, out=np.ones_like(after), where=before > 0)
        self.strategies.append(growth - 1.0)
        self.market.append(market - 1.0)

    def keep(self, index: np.ndarray) -> None:
        """Go on with the strategies in ``index`` only."""
        self.strategies = [block[index] for block in self.strategies]

    @property
    def residual(self) -> np.ndarray:
        """Returns (S, B) less beta times the market's."""
        return residual_returns(np.array(self.strategies).T, np.array(self.market))


class Spending:
    """Strategies that are simulated rung by rung, over more and more blocks of what the search sees of the window.

    With ``blocks`` every block starts flat with the equity so far, because what is held does not jump over
    time; selling it costs no fee, so a part of the window flatters all by at most one fee a block. With
    ``prefix`` the state goes on, and all blocks together are the whole window; over rows that are left out nothing is
    held either.
    """

    def __init__(
        self, problem: SearchProblem, params: np.ndarray, n_blocks: int, base: int, budget: str, first: int = 0
    ) -> None:
        self.problem = problem
        self.params = params
        self.order = block_order(n_blocks, base, budget)
        if budget == "blocks":
            self.order = (self.order + first) % n_blocks
        self.blocks = blocks_of(problem.searched, n_blocks)
        self.restart = budget == "blocks"
        self.row = 0  # that follows on the last one simulated
        self.state = initial_state(len(params))
        self.growth = Growth()
        self.n_spent = 0

    def up_to(self, n_blocks: int) -> np.ndarray:
        """Go on to ``n_blocks`` blocks in all; the score (S,) over them."""
        problem, window = self.problem, self.problem.window
        for block in self.order[self.n_spent : n_blocks]:
            equity, market = self.state.equity, 1.0
            for rows in self.blocks[block]:
                market *= window.close[rows.stop - 1] / window.open[rows.start]
                before = flatten(self.state) if self.restart or rows.start != self.row else self.state
                self.state = simulate(self.params, problem.window.rows(rows), problem.rules, before)
                self.row = rows.stop
            self.growth.add(equity, self.state.equity, market)
        self.n_spent = n_blocks
        return problem.score.pieces(record_of(self.state, self._months))["score"]

    @property
    def _months(self) -> float:
        window = self.problem.window
        return window.months * self.state.bars[0] / len(window.close)

    def behaviour(self) -> Behaviour:
        """How the strategies behaved so far."""
        return Behaviour(self.growth.residual, self.state.fills / self._months, mean_position(self.state))

    def keep(self, index: np.ndarray) -> None:
        """Go on with the strategies in ``index`` only."""
        self.params = self.params[index]
        self.state = take(self.state, index)
        self.growth.keep(index)


class PooledSpending:
    """Strategies that are simulated rung by rung in several markets; methods as those of `Spending`.

    Each rung takes as large a part of every market. With ``blocks`` the markets begin with different blocks, so that a
    part is spread over markets and over time.
    """

    def __init__(self, problem: PooledProblem, params: np.ndarray, n_blocks: int, base: int, budget: str) -> None:
        n = len(problem.markets)
        self.parts = [
            Spending(market, params, n_blocks, base, budget, first=i * n_blocks // n)
            for i, market in enumerate(problem.markets)
        ]

    def up_to(self, n_blocks: int) -> np.ndarray:
        """Go on to ``n_blocks`` blocks of every market; the mean score (S,) over them."""
        return np.mean([part.up_to(n_blocks) for part in self.parts], axis=0)

    def behaviour(self) -> Behaviour:
        """The residual returns of all markets side by side, the means of the other figures."""
        found = [part.behaviour() for part in self.parts]
        # blocks of all markets in turn, so that those of the first rung come first
        residual = np.stack([one.residual for one in found], axis=2).reshape(len(found[0].residual), -1)
        trades, position = (np.mean([getattr(one, name) for one in found], axis=0) for name in Behaviour._fields[1:])
        return Behaviour(residual, trades, position)

    def keep(self, index: np.ndarray) -> None:
        """Go on with the strategies in ``index`` only."""
        for part in self.parts:
            part.keep(index)


class Spent(Protocol):
    """Candidates of a problem that are judged on more and more of it."""

    def up_to(self, n_blocks: int) -> np.ndarray:
        """Go on to ``n_blocks`` blocks in all; the score (S,) over them."""

    def keep(self, index: np.ndarray) -> None:
        """Go on with the candidates in ``index`` only."""

    def behaviour(self) -> Behaviour:
        """How the candidates behaved so far."""


@singledispatch
def spending(problem: Any, params: np.ndarray, n_blocks: int, base: int, budget: str) -> Spent:
    """How the blocks of a problem are spent; each kind of problem registers its own. TypeError for an unknown one."""
    raise TypeError(f"{type(problem).__name__} is no problem that can be searched")


@spending.register
def _(problem: SearchProblem, params: np.ndarray, n_blocks: int, base: int, budget: str) -> Spending:
    return Spending(problem, params, n_blocks, base, budget)


@spending.register
def _(problem: PooledProblem, params: np.ndarray, n_blocks: int, base: int, budget: str) -> PooledSpending:
    return PooledSpending(problem, params, n_blocks, base, budget)
