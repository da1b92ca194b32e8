"""What the search spends: a problem to solve, and its window in blocks so that a part stands for the whole.

The paper searches by Bayesian optimisation with HyperBand (Balcerak & Schmelzer 2020) and does not say what
the budget is. Ours is a reconstruction: the window is cut into blocks, taken in an order that spreads any
first few of them over the whole window. A prefix would judge all strategies by the window's first weeks.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from strategies.search.linear import StrategySpace
from strategies.search.score import Score, ScoreSettings, score
from strategies.trade.simulate import State, final_value, flatten, initial_state, mean_position, simulate, take

BUDGETS = ("blocks", "prefix")


@dataclass(frozen=True, eq=False)
class Problem:
    """One window to search on; plain arrays, so it pickles.

    Parameters
    ----------
    outputs : (T, K) array
        Classifier outputs known at each bar's close.
    open, close : (T,) array
        Prices, finite and positive.
    months : float
        Length of the window in calendar months.
    space : StrategySpace
        The strategies and their signal map.
    fee, slippage : float
        Costs of a fill, as shares of the traded value and of the price.
    short : bool
        Positions may be short, see `strategies.trade.simulate.simulate`.
    score : ScoreSettings
        What the score asks for.

    Raises
    ------
    ValueError
        If the arrays do not fit each other or the space, or months is not positive.
    """

    outputs: np.ndarray
    open: np.ndarray
    close: np.ndarray
    months: float
    space: StrategySpace
    fee: float = 0.0005
    slippage: float = 0.0
    short: bool = False
    score: ScoreSettings = field(default_factory=ScoreSettings)

    def __post_init__(self) -> None:
        n_bars = len(self.outputs)
        if self.outputs.shape != (n_bars, self.space.n_outputs):
            raise ValueError(f"outputs {self.outputs.shape} do not fit {self.space.n_outputs} outputs")
        if self.open.shape != (n_bars,) or self.close.shape != (n_bars,):
            raise ValueError(f"open {self.open.shape} and close {self.close.shape} do not fit {n_bars} bars")
        if not self.months > 0:
            raise ValueError(f"months must be positive, not {self.months}")

    @property
    def rules(self) -> dict[str, Any]:
        """What a simulation needs besides parameters and bars, as keyword arguments: costs, side and signal map."""
        return {
            "fee": self.fee,
            "slippage": self.slippage,
            "short": self.short,
            "signal_map": self.space.signal_map,
        }


def block_order(n_blocks: int, base: int, budget: str = "blocks") -> np.ndarray:
    """Order (n_blocks,) in which blocks are spent.

    ``blocks``: the van der Corput sequence in ``base``, by rank, so that the first ``base ** j`` blocks are
    spread evenly; ``prefix``: from the first block on. ValueError for another name.
    """
    if budget not in BUDGETS:
        raise ValueError(f"budget {budget!r} is unknown, choose from {', '.join(BUDGETS)}")
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

    def __init__(self, problem: Problem, params: np.ndarray, n_blocks: int, base: int, budget: str) -> None:
        self.problem = problem
        self.params = params
        self.order = block_order(n_blocks, base, budget)
        self.edges = np.linspace(0, len(problem.close), n_blocks + 1).astype(np.int64)
        self.restart = budget == "blocks"
        self.state = initial_state(len(params))
        self.n_spent = 0

    def up_to(self, n_blocks: int) -> np.ndarray:
        """Go on to ``n_blocks`` blocks in all; the score (S,) over them."""
        problem = self.problem
        for block in self.order[self.n_spent : n_blocks]:
            rows = slice(self.edges[block], self.edges[block + 1])
            self.state = simulate(
                self.params,
                problem.outputs[rows],
                problem.open[rows],
                problem.close[rows],
                **problem.rules,
                state=flatten(self.state) if self.restart else self.state,
            )
        self.n_spent = n_blocks
        months = problem.months * self.state.bars[0] / len(problem.close)
        return score_of(self.state, months, problem.score).score

    def keep(self, index: np.ndarray) -> None:
        """Go on with the strategies in ``index`` only."""
        self.params = self.params[index]
        self.state = take(self.state, index)


def score_of(state: State, months: float, settings: ScoreSettings) -> Score:
    """Score of strategies that started with cash 1, over ``months`` calendar months."""
    return score(final_value(state), state.fills, mean_position(state), months, settings)


def evaluate_population(problem: Problem, params: np.ndarray) -> dict[str, np.ndarray]:
    """Simulate every strategy in full on the whole window, without blocks.

    Parameters
    ----------
    problem : Problem
        The window.
    params : (S, P) array
        The strategies.

    Returns
    -------
    dict of (S,) arrays
        ``value`` (final over initial equity), ``fees`` and ``traded`` (in starting cash), ``fills``,
        ``max_drawdown`` (share of the peak), and the pieces of `strategies.search.score.Score`, in percent.
    """
    state = simulate(
        params,
        problem.outputs,
        problem.open,
        problem.close,
        **problem.rules,
    )
    return {
        "value": final_value(state),
        "fees": state.fees,
        "traded": state.traded,
        "fills": state.fills,
        "max_drawdown": state.drawdown,
        **score_of(state, problem.months, problem.score)._asdict(),
    }
