"""The registry of rankings: what tiers are formed by, the paper's score and others.

All read the equity, fills and positions of a trailing window at the edges of its days, so that one pass over the bars
serves every ranking and every window. Which one foretells best is measured, see docs/BELIEF.md.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from labelsearch.registry import Registry
from strategies import StrategyError
from strategies.luck.deflated_sharpe import expected_maximum, sharpe_ratios
from strategies.search.score import PaperScore, Record, Score
from strategies.trade.correlation import unit_rows
from strategies.trade.equity_grid import EquityGrid, returns_of
from strategies.trade.proof import proved_values

N_PARTS = 8  # of the median
TRADE_COST = 0.02  # percent of equity that a transaction may cost more than in the simulation
CROWD = 1000  # best strategies among which near-duplicates are looked for
ALIKE = 0.95  # correlation of daily returns from which two strategies count as one


class PastRecord(NamedTuple):
    """Results of S strategies over D days; equity, fills and position sums may start from any level."""

    grid: EquityGrid  # (S, D + 1) at the edges of the days
    edges: np.ndarray  # (D + 1,) rows of the edges, the first 0
    months: float  # calendar months of all days
    score: Score

    def growth(self, first: int, last: int) -> np.ndarray:
        """Equity (S,) at the end of day ``last - 1`` over equity before day ``first``; 0 once it is gone."""
        before = self.grid.equity[:, first]
        return np.divide(self.grid.equity[:, last], before, out=np.zeros_like(before), where=before > 0)

    def scores(self, first: int, last: int) -> np.ndarray:
        """Score (S,) over days ``first`` to ``last - 1``."""
        grid = self.grid
        n_bars = self.edges[last] - self.edges[first]
        held = (grid.position_sum[:, last] - grid.position_sum[:, first]) / n_bars
        share = n_bars / (self.edges[-1] - self.edges[0])
        fills = grid.fills[:, last] - grid.fills[:, first]
        return self.score.pieces(Record(self.growth(first, last), fills, held, self.months * share))["score"]

    def only(self, days: np.ndarray) -> "PastRecord":
        """The record of some days (D,) bool as if they had followed on each other."""
        ratio = np.ones((len(self.grid.equity), len(days)))
        np.divide(self.grid.equity[:, 1:], self.grid.equity[:, :-1], out=ratio, where=self.grid.equity[:, :-1] > 0)
        steps = (np.diff(field, axis=1)[:, days] for field in self.grid[1:])
        first = np.ones((len(ratio), 1))
        equity = np.cumprod(np.hstack([first, ratio[:, days]]), axis=1)
        sums = (np.cumsum(np.hstack([0.0 * first, step]), axis=1) for step in steps)
        edges = np.r_[0, np.cumsum(np.diff(self.edges)[days])]
        share = edges[-1] / (self.edges[-1] - self.edges[0])
        return PastRecord(EquityGrid(equity, *sums), edges, self.months * share, self.score)

    @property
    def n_days(self) -> int:
        """D."""
        return len(self.edges) - 1


class Ranking(NamedTuple):
    """A criterion to rank strategies by, a row of `RANKINGS`.

    ``values`` gives a finite number for each strategy, the best highest.
    """

    name: str
    explanation: str
    values: Callable[[PastRecord], np.ndarray]
    origin: str = ""  # the user's file that it comes from


def criterion(name: str, record: PastRecord) -> np.ndarray:
    """Values (S,) of a ranking, the best highest; StrategyError if it is unknown or there are fewer than two days."""
    row = RANKINGS.find(name)
    if record.n_days < 2:
        raise StrategyError("a ranking needs two days or more")
    return row.values(record)


def _score(past: PastRecord) -> np.ndarray:
    return past.scores(0, past.n_days)


def _return(past: PastRecord) -> np.ndarray:
    return past.growth(0, past.n_days)


def _median(past: PastRecord) -> np.ndarray:
    cuts = np.unique(np.linspace(0, past.n_days, min(N_PARTS, past.n_days) + 1).astype(int))
    return np.median([past.scores(first, last) for first, last in itertools.pairwise(cuts)], axis=0)


def _uncrowded(past: PastRecord) -> np.ndarray:
    trades = (past.grid.fills[:, -1] - past.grid.fills[:, 0]) / past.months
    return _without_duplicates(_score(past) - TRADE_COST * trades, returns_of(past.grid.equity))


def _deflated_sharpe(past: PastRecord) -> np.ndarray:
    """Statistic of Bailey & Lopez de Prado 2014 of daily returns, all strategies being the tries."""
    returns = returns_of(past.grid.equity)
    ratio = sharpe_ratios(returns)
    centred = returns - returns.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1)
    scale = np.where(variance > 0, variance, 1.0)
    skewness = (centred**3).mean(axis=1) / scale**1.5
    kurtosis = np.where(variance > 0, (centred**4).mean(axis=1) / scale**2, 3.0)
    spread = np.maximum(1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio**2, 1e-12)
    by_luck = expected_maximum(len(returns), float(ratio.var()))
    return (ratio - by_luck) * np.sqrt(returns.shape[1] - 1) / np.sqrt(spread)


def _without_duplicates(values: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """The values, lowered below all others for near-duplicates of a better one."""
    order = np.argsort(-values, kind="stable")[:CROWD]
    unit = unit_rows(returns[order])
    alike = unit @ unit.T >= ALIKE
    kept = np.ones(len(order), dtype=bool)
    for i in range(1, len(order)):
        kept[i] = not (alike[i, :i] & kept[:i]).any()
    behind = np.ptp(values) + 1.0
    out = values.copy()
    out[order[~kept]] -= behind
    return out


RANKINGS = Registry(
    "ranking",
    StrategyError,
    (
        Ranking("score", "score over the whole window", _score),
        Ranking("return", "return over the whole window", _return),
        Ranking("deflated_sharpe", "statistic of the deflated Sharpe ratio of daily returns", _deflated_sharpe),
        Ranking("median", "median of the scores of eight parts of the window", _median),
        Ranking(
            "uncrowded",
            "score less a further cost of each transaction, near-duplicates of a better strategy last",
            _uncrowded,
        ),
    ),
)


def prove_ranking(row: Ranking) -> None:
    """Raise a StrategyError of one line unless a ranking gives finite values that follow from the days given alone.

    Equity at the first edge is scaled, fills and position sums there are raised, and other days follow in memory: the
    values must stay.
    """
    what = f"ranking {row.name!r}"
    values, others = (
        proved_values(what, partial(row.values, record), len(record.grid.equity), (*record.grid, record.edges))
        for record in (_made_record(1), _made_record(2))
    )
    if not np.allclose(values, others, rtol=1e-6, atol=1e-9):
        raise StrategyError(f"{what} depends on more than the days given: on levels at their start, or on later days")


def _made_record(seed: int) -> PastRecord:
    """40 strategies, the first idle, over 30 days; levels at the start and later days depend on the seed."""
    rng = np.random.default_rng(0)
    steps = [rng.normal(0.0, 0.02, (40, 30)), rng.poisson(3.0, (40, 30)), rng.uniform(0.0, 1440.0, (40, 30))]
    rng = np.random.default_rng(seed)
    sums = []
    for step in steps:
        step[0] = 0
        sums.append(np.hstack([rng.integers(0, 3, (40, 1)), step, rng.integers(0, 3, (40, 5))]).cumsum(axis=1))
    grid = EquityGrid(*(x[:, :31] for x in (np.exp(sums[0]), sums[1].astype(np.float64), sums[2])))
    return PastRecord(grid, np.arange(31) * 1440, 1.0, PaperScore())
