"""A problem to search books on: a window of many markets, the space of books, their rules and their score."""

from dataclasses import dataclass

import numpy as np

from strategies import StrategyError
from strategies.book import kernels
from strategies.book.rules import BookRules, BookSpace
from strategies.book.simulate import BookState, flatten, fresh, simulate_books
from strategies.book.window import BookWindow
from strategies.search.budget import Behaviour, Growth, block_order, spending
from strategies.search.score import monthly_return_pct
from strategies.tiers.metrics import year_of

LEAST_DAYS = 2  # for a standard deviation


@dataclass(frozen=True)
class BookScore:
    """Sharpe ratio a year of daily returns after costs, less a penalty on idle books.

    A leverage that is the same for all cannot raise a Sharpe ratio, and a book that hardly ever holds anything has one
    by luck: what its mean gross exposure lacks of ``target`` times that of the rules costs ``idle_weight`` for all of
    it. It is the paper's score with the return of a book that carries no market in place of that of a market.

    >>> BookScore(0.5, 2.0).of(np.array([1.5]), np.array([0.25])).item()
    0.5
    """

    target: float = 0.5
    idle_weight: float = 2.0

    def __post_init__(self) -> None:
        if not (0 < self.target <= 1 and self.idle_weight >= 0):
            raise StrategyError("a score of books needs a target in (0, 1] and an idle_weight of 0 or more")

    def of(self, sharpe: np.ndarray, gross_share: np.ndarray) -> np.ndarray:
        """Scores (S,) from Sharpe ratios a year and mean gross exposures as shares of that of the rules, (S,) each."""
        lacking = np.maximum(1.0 - gross_share / self.target, 0.0)
        return sharpe - self.idle_weight * lacking


@dataclass(frozen=True, eq=False)
class BookProblem:
    """One window to search books on; ValueError if outputs do not fit the space."""

    window: BookWindow
    space: BookSpace
    rules: BookRules
    score: BookScore

    def __post_init__(self) -> None:
        n_intervals, n_outputs = self.window.outputs.shape[1:3]
        if (n_intervals, n_outputs) != (self.space.n_intervals, self.space.n_outputs):
            raise ValueError(f"outputs of {n_intervals} intervals and {n_outputs} columns do not fit the space")

    @property
    def days_a_year(self) -> int:
        """Days with rows in a year."""
        return year_of(self.window)


def sharpe_of(state: BookState, days_a_year: float) -> np.ndarray:
    """Sharpe ratio a year (S,) of the daily returns so far; 0 without two days that differ."""
    n = np.maximum(state.total(kernels.DAYS), LEAST_DAYS)
    mean = state.total(kernels.RETURN_SUM) / n
    variance = np.maximum(state.total(kernels.SQUARE_SUM) / n - mean * mean, 0.0)
    moves = variance > 1e-24
    return np.where(moves, mean / np.sqrt(np.where(moves, variance, 1.0)) * np.sqrt(days_a_year), 0.0)


def score_of(problem: BookProblem, state: BookState) -> np.ndarray:
    """Scores (S,) of books as they stand; one that is ruined has the worst a score can be given its days."""
    rows = np.maximum(state.total(kernels.ROWS), 1.0)
    gross = state.total(kernels.GROSS_SUM) / rows / problem.rules.gross
    score = problem.score.of(sharpe_of(state, problem.days_a_year), gross)
    ruined = state.total(kernels.EQUITY) <= 0.0
    worst = -np.sqrt(problem.days_a_year * np.maximum(state.total(kernels.DAYS), 1.0)) - problem.score.idle_weight
    return np.where(ruined, worst, score)


def evaluate_books(problem: BookProblem, params: np.ndarray) -> dict[str, np.ndarray]:
    """Simulate every book on the whole window.

    Parameters
    ----------
    problem : BookProblem
    params : (S, P) array

    Returns
    -------
    dict of (S,) arrays
        ``score``, ``sharpe`` a year, ``value`` (final over initial equity), ``monthly_return_pct``, ``fills``,
        ``trades_per_month``, ``mean_gross_pct``, ``mean_net_pct``, ``max_drawdown_share``, and in starting cash
        ``traded``, ``fees``, ``spread``, ``impact``, ``funding`` and ``borrow``.
    """
    state, _ = simulate_books(params, problem.window, problem.rules)
    rows = np.maximum(state.total(kernels.ROWS), 1.0)
    value = state.total(kernels.EQUITY)
    named = {
        "fills": kernels.FILLS, "max_drawdown_share": kernels.DRAWDOWN, "traded": kernels.TRADED,
        "fees": kernels.FEES, "spread": kernels.SPREAD, "impact": kernels.IMPACT, "funding": kernels.FUNDING,
        "borrow": kernels.BORROW,
    }  # fmt: skip
    return {
        "score": score_of(problem, state),
        "sharpe": sharpe_of(state, problem.days_a_year),
        "value": value,
        "monthly_return_pct": monthly_return_pct(value, problem.window.months),
        "trades_per_month": state.total(kernels.FILLS) / problem.window.months,
        "mean_gross_pct": 100.0 * state.total(kernels.GROSS_SUM) / rows,
        "mean_net_pct": 100.0 * state.total(kernels.NET_SUM) / rows,
        **{name: state.total(column) for name, column in named.items()},
    }


class BookSpending:
    """Books that are simulated rung by rung, over more and more blocks of whole days.

    Methods as those of `strategies.search.budget.Spending`; with ``blocks`` every block starts flat with the equity so
    far.
    """

    def __init__(self, problem: BookProblem, params: np.ndarray, n_blocks: int, base: int, budget: str) -> None:
        edges = problem.window.day_edges
        n_blocks = min(n_blocks, len(edges) - 1)
        self.problem, self.params = problem, params
        self.order = block_order(n_blocks, base, budget)
        self.edges = edges[np.linspace(0, len(edges) - 1, n_blocks + 1).astype(np.int64)]
        self.restart = budget == "blocks"
        self.state = fresh(params, problem.window)
        self.growth = Growth()
        self.n_spent = 0

    def up_to(self, n_blocks: int) -> np.ndarray:
        """Go on to ``n_blocks`` blocks in all; the score (S,) over them."""
        for block in self.order[self.n_spent : n_blocks]:
            rows = slice(self.edges[block], self.edges[block + 1])
            before = flatten(self.state) if self.restart else self.state
            equity = self.state.total(kernels.EQUITY).copy()
            self.state, _ = simulate_books(self.params, self.problem.window.rows(rows), self.problem.rules, before)
            self.growth.add(equity, self.state.total(kernels.EQUITY), 1.0)  # hedged already: nothing is taken out
        self.n_spent = n_blocks
        return score_of(self.problem, self.state)

    def keep(self, index: np.ndarray) -> None:
        """Go on with the books in ``index`` only."""
        self.params, self.state = self.params[index], self.state.take(index)
        self.growth.keep(index)

    def behaviour(self) -> Behaviour:
        """Returns of blocks, fills a month, and gross exposure in the place of the position."""
        window, rows = self.problem.window, np.maximum(self.state.total(kernels.ROWS), 1.0)
        months = window.months * float(rows[0]) / len(window.open_time)
        return Behaviour(
            self.growth.residual, self.state.total(kernels.FILLS) / months, self.state.total(kernels.GROSS_SUM) / rows
        )


@spending.register
def _(problem: BookProblem, params: np.ndarray, n_blocks: int, base: int, budget: str) -> BookSpending:
    return BookSpending(problem, params, n_blocks, base, budget)
