"""The budget of the search: a window cut into blocks, so that a part stands for the whole.

The paper searches by Bayesian optimisation with HyperBand (Balcerak & Schmelzer 2020) and does not say what
the budget is. Ours is a reconstruction: the window is cut into blocks, taken in an order that spreads any
first few of them over the whole window. A prefix would judge all strategies by the window's first weeks.
"""

from functools import singledispatch
from typing import Any, Protocol

import numpy as np

from strategies import StrategyError
from strategies.search.problem import PooledProblem, SearchProblem, record_of
from strategies.trade.simulate import flatten, initial_state, simulate, take

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


class Spending:
    """Strategies that are simulated rung by rung, over more and more blocks of the window.

    With ``blocks`` every block starts flat with the equity so far, because what is held does not jump over
    time; selling it costs no fee, so a part of the window flatters all by at most one fee a block. With
    ``prefix`` the state goes on, and all blocks together are the whole window.
    """

    def __init__(
        self, problem: SearchProblem, params: np.ndarray, n_blocks: int, base: int, budget: str, first: int = 0
    ) -> None:
        self.problem = problem
        self.params = params
        self.order = block_order(n_blocks, base, budget)
        if budget == "blocks":
            self.order = (self.order + first) % n_blocks
        self.edges = np.linspace(0, len(problem.window.close), n_blocks + 1).astype(np.int64)
        self.restart = budget == "blocks"
        self.state = initial_state(len(params))
        self.n_spent = 0

    def up_to(self, n_blocks: int) -> np.ndarray:
        """Go on to ``n_blocks`` blocks in all; the score (S,) over them."""
        problem = self.problem
        for block in self.order[self.n_spent : n_blocks]:
            rows = slice(self.edges[block], self.edges[block + 1])
            before = flatten(self.state) if self.restart else self.state
            self.state = simulate(self.params, problem.window.rows(rows), problem.rules, before)
        self.n_spent = n_blocks
        months = problem.window.months * self.state.bars[0] / len(problem.window.close)
        return problem.score.pieces(record_of(self.state, months))["score"]

    def keep(self, index: np.ndarray) -> None:
        """Go on with the strategies in ``index`` only."""
        self.params = self.params[index]
        self.state = take(self.state, index)


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
