"""Which strategies a tier holds: the best of past, of which no two are alike where that is asked for."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.search.halves import halves
from strategies.search.problem import SearchProblem
from strategies.tiers.ensemble import ranking
from strategies.tiers.ranking import PastRecord, criterion
from strategies.tiers.unlike import effective_bets, pick_unlike
from strategies.trade.correlation import unit_residuals
from strategies.trade.equity_grid import equity_grid, returns_of
from strategies.trade.window import TradingWindow


class TierRule(NamedTuple):
    """How tiers are formed."""

    sizes: tuple[int, ...]  # wanted
    most_alike: float = 1.0  # correlation of residual returns above which two strategies are alike; 1: all may be
    ranking: str = "score"


class Selection(NamedTuple):
    """Tiers of a population."""

    members: dict[int, np.ndarray]  # rows by size of the tier, best first, the largest first
    returns: np.ndarray  # (n, D) daily returns on past of the largest tier
    n_unlike: int  # strategies of positive score of which no two are alike, counted up to the largest size wanted

    @property
    def largest(self) -> np.ndarray:
        """Rows of the largest tier."""
        return next(iter(self.members.values()))


class Shrinkage(NamedTuple):
    """What scores on B are worth: mean + r (S - mean), r the rank correlation of the scores on A and on B.

    Of strategies whose score is positive on A, or of all if there are fewer than three.
    """

    mean: float  # score on B
    correlation: float  # at least 0: an order that turns round says nothing
    n: int

    def of(self, score: np.ndarray) -> np.ndarray:
        """Shrunken scores (S,)."""
        return self.mean + self.correlation * (np.asarray(score) - self.mean)


def shrinkage(score_a: np.ndarray, score_b: np.ndarray) -> Shrinkage:
    """See `Shrinkage`; scores (S,) on A and on B."""
    from scipy.stats import spearmanr

    among = score_a > 0
    if among.sum() < 3:
        among = np.ones(len(score_a), dtype=bool)
    a, b = score_a[among], score_b[among]
    varies = len(a) > 2 and np.ptp(a) > 0 and np.ptp(b) > 0
    rho = float(spearmanr(a, b).statistic) if varies else 0.0
    return Shrinkage(float(b.mean()), max(rho, 0.0), len(a))


def formed(n_found: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """Sizes of the tiers that can be formed, the largest first; of all that were found if even the smallest cannot be.

    >>> formed(7, (100, 20, 10, 5)), formed(3, (20, 5))
    ((5,), (3,))
    """
    return tuple(sorted((n for n in sizes if n <= n_found), reverse=True)) or (n_found,)


def market_returns(window: TradingWindow) -> np.ndarray:
    """Daily returns (D,) of the market, the first from the first open."""
    level = np.r_[window.open[0], window.close[window.day_edges[1:] - 1]]
    return level[1:] / level[:-1] - 1.0


def select(past: SearchProblem, params: np.ndarray, figures: Mapping[str, np.ndarray], rule: TierRule) -> Selection:
    """Form tiers.

    Parameters
    ----------
    past : SearchProblem
        Where strategies were searched; with ``halved`` they are ranked on half B.
    params : (S, P) array
        The population.
    figures : mapping of str to (S,) array
        As `strategies.search.problem.evaluate_population` gives them.
    rule : TierRule
        With ``most_alike`` of 1 tiers are the best of all. Below that they are taken from strategies of positive score,
        on both halves where past is halved; if there is none, the best one stands alone.

    Raises
    ------
    StrategyError
        If the population is smaller than the largest tier, or the ranking is unknown.
    """
    order = ranking(_values(past, params, figures, rule.ranking))
    most = max(rule.sizes)
    if most > len(order):
        raise StrategyError(f"a tier of {most} cannot be taken from {len(order)} strategies")
    if rule.most_alike < 1:
        names = ("score_a", "score_b") if past.halved else ("score",)
        positive = np.all([np.asarray(figures[name]) > 0 for name in names], axis=0)
        order = order[positive[order]] if positive.any() else order[:1]

    def returns(rows: np.ndarray) -> np.ndarray:
        return returns_of(equity_grid(params[rows], past.window, past.rules).equity)

    found = pick_unlike(order, returns, market_returns(past.window), most=most, most_alike=rule.most_alike)
    sizes = formed(len(found.rows), rule.sizes)
    largest = found.returns[: sizes[0]]
    return Selection({n: found.rows[:n] for n in sizes}, largest, len(found.rows))


def _values(past: SearchProblem, params: np.ndarray, figures: Mapping[str, np.ndarray], by: str) -> np.ndarray:
    """What strategies (S,) are ranked by."""
    if by == "score":
        return np.asarray(figures["score_b" if past.halved else "score"])
    grid, edges = equity_grid(params, past.window, past.rules), past.window.day_edges
    record = PastRecord(grid, edges, past.window.months, past.score)
    return criterion(by, record.only(halves(record.n_days).b) if past.halved else record)


def bets_of_tiers(returns: np.ndarray, market: np.ndarray, sizes: Sequence[int]) -> dict[int, float]:
    """Effective bets of each tier, from daily returns (n, D) of the members of the largest and the market's (D,)."""
    unit = unit_residuals(returns, market)
    return {n: effective_bets(unit[:n]) for n in sizes}
