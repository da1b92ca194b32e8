"""Results of a book: the tiers of a split, and what the stitched book is watched by."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.results.record import Record, apart
from strategies.book.watch import Neutrality

WEIGHTS = "weights.npz"


@dataclass(frozen=True)
class BookTierRow:
    """One tier of a split on past, where its strategies were chosen."""

    size: int
    sharpe: float  # a year, after costs
    return_pct: float
    max_drawdown_pct: float
    beta: float  # to the basket
    mean_gross_pct: float
    turnover_a_day: float  # value traded, in equity


@dataclass(frozen=True)
class UniverseFacts:
    """What the universe of a window was, in rows of the grid."""

    rows: int
    members: float  # mean
    without_members: int  # rows on which fewer than three markets could be held
    singular: int  # rows on which all members had the same beta, so that dollars alone were removed
    unmeasured: int  # markets and rows that were left out because beta or volatility is not known


@dataclass(frozen=True)
class BookTiers(Record):
    """Tiers of the book of one split, and what they want on future.

    Attributes
    ----------
    markets : tuple of str
        M markets, in the order of all arrays.
    members : dict of int to tuple of int
        Rows of the strategies of each tier, best first, by size, the largest first.
    band : dict of int to (float, float)
        Mean of b, and of b k, of each tier.
    future : DataFrame
        Figures of every strategy on future, as `strategies.book.problem.evaluate_books` gives them.
    weights : (n, T, M) array
        Shares of equity that each tier wants at the close of each row of future, in the order of ``members``.
    """

    FILE = "book.json"
    kind: str
    split: int
    markets: tuple[str, ...]
    members: dict[int, tuple[int, ...]]
    band: dict[int, tuple[float, float]]
    past: tuple[BookTierRow, ...]
    universe: dict[str, UniverseFacts]  # by window
    n_strategies: int
    rank: float | None  # Spearman's rho of past score and Sharpe ratio on future
    future: pd.DataFrame = apart("future.parquet")
    weights: NDArray[np.float64] = apart()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the tiers, the largest first."""
        return tuple(self.members)

    def save_parts(self, folder: Path) -> None:
        """Write ``weights.npz``."""
        np.savez_compressed(folder / WEIGHTS, weights=self.weights)

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """The weights."""
        with np.load(folder / WEIGHTS, allow_pickle=False) as file:
            return {"weights": file["weights"]}


@dataclass(frozen=True)
class LegYear:
    """Where the gain of a tier came from in a calendar year, in percent of starting equity; costs are above 0."""

    name: str
    year: int
    long_pct: float
    short_pct: float
    fees_pct: float
    spread_pct: float
    impact_pct: float
    funding_pct: float
    borrow_pct: float
    net_pct: float
    return_pct: float  # of the equity at its start


@dataclass(frozen=True)
class Watched:
    """What the stitched book of one tier is watched by."""

    name: str
    size: int
    neutrality: Neutrality
    is_neutral: bool
    net_pct: float  # mean of the sum of all positions
    net_worst_pct: float  # the largest in size, with its sign
    gross_pct: float  # mean
    gross_most_pct: float
    turnover_a_day: float  # value traded, in equity
    capacity: float | None  # capital at which impact takes half; None where impact is not counted, or nothing is earned
    recovery_days: float | None  # from the bottom of the largest fall back to its peak; None if not yet
    years: tuple[LegYear, ...]

    @property
    def total(self) -> LegYear:
        """All years together."""
        names = [name for name in LegYear.__dataclass_fields__ if name.endswith("_pct") and name != "return_pct"]
        sums = {name: sum(getattr(row, name) for row in self.years) for name in names}
        return LegYear(self.name, 0, **sums, return_pct=sums["net_pct"])


@dataclass(frozen=True)
class StrengthRow:
    """Rank correlation across markets of what a tier wished and what followed, over so many hours.

    ``interval``: of the bars whose outputs alone the wishes are made of, empty for the wishes of all.
    """

    name: str
    interval: str
    hours: float
    correlation: float  # mean over times that do not overlap
    error: float  # of the mean
    times: int


@dataclass(frozen=True)
class ShiftTest:
    """Alpha of each tier against that of the same tiers on outputs shifted in time, in a circle, of all markets alike.

    Both are studentised: what is compared is the t-value of alpha.
    """

    shifts: int
    p_value: dict[int, float]  # by size
    mean_t: dict[int, float]  # of the shifted ones
    high_t: dict[int, float]  # 95% of the shifted ones are below


@dataclass(frozen=True)
class BookNull:
    """The whole search once more on shifted outputs."""

    repeats: int
    n_strategies: int
    t: dict[int, tuple[float, ...]]  # t-value of alpha, by size of the tier
    p_value: dict[int, float]


@dataclass(frozen=True)
class Book:
    """One account across all markets, over all splits."""

    kind: str
    beta_bound: float
    tiers: tuple[Watched, ...]
    strength: tuple[StrengthRow, ...]
    shifts: ShiftTest | None
    null: BookNull | None

    def watched(self, size: int) -> Watched:
        """What a tier is watched by."""
        return next(row for row in self.tiers if row.size == size)
