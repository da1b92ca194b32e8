"""Result of a panel: the stitched account of every tier over all markets and splits, and what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.results.book import Book
from labelsearch.results.record import Record, apart
from labelsearch.settings.cells import Absent
from strategies.luck.panel import PooledRank
from strategies.luck.panel_timing import PanelTiming

BASKET = "basket"


@dataclass(frozen=True)
class SplitRow:
    """Days of one split, first and last, and what happened in it; figures by size of the tier."""

    split: int  # from 1
    train: tuple[str, str]
    past: tuple[str, str]
    future: tuple[str, str]
    markets: int
    return_pct: dict[int, float]
    basket_pct: float
    timing: dict[int, float]  # statistic


@dataclass(frozen=True)
class CellRow:
    """One market in one split; figures by size of the tier."""

    market: str
    split: int
    first: str  # day of the future
    last: str
    delisted: bool  # its bars end within the split
    return_pct: dict[int, float]
    market_pct: float  # of holding it
    timing: dict[int, float]  # statistic
    rank: float | None  # Spearman's rho of past score and future return
    strategies: int  # tried
    unlike: int | None = None  # strategies of which no two are alike, up to the largest size; None where all may be
    effective_bets: dict[int, float | None] = field(default_factory=dict)  # of the members' residual returns on past


@dataclass(frozen=True)
class AlphaFigures:
    """Alpha against a market: a year in percent, its t-value and one-sided p-value by a fixed-b law."""

    pct_a_year: float
    t: float
    p_value: float


@dataclass(frozen=True)
class MarketRow:
    """One market over all of its splits, chained; figures by size of the tier."""

    market: str
    splits: int
    return_pct: dict[int, float]
    market_pct: float
    timing: dict[int, float]
    alpha: dict[int, AlphaFigures | None]  # against the market itself; p-values for one market and tier alone


@dataclass(frozen=True)
class TierRow:
    """The stitched account of one tier, or of the basket; None for what the basket has not or that cannot be told."""

    name: str
    size: int | None
    total_pct: float
    pct_a_year: float  # compound
    volatility_pct: float  # a year
    sharpe: float  # a year
    sharpe_interval: tuple[float, float] | None  # 95%, blocks of days
    max_drawdown_pct: float
    beta: float | None
    alpha: AlphaFigures | None  # of the book against the basket; Newey & West
    alpha_interval_pct: tuple[float, float] | None  # a year, 95%, blocks of days
    alpha_adjusted: float | None  # p-value, for the number of tiers
    alpha_of_markets: AlphaFigures | None  # each market against itself, pooled; Driscoll & Kraay
    correlation: float | None  # mean, of the markets' accounts
    correlation_without_beta: float | None


@dataclass(frozen=True)
class Power:
    """What these markets and years can show; Sharpe ratios a year of one market."""

    years: float
    markets: float  # mean over splits
    effective_markets: float  # by the correlation without beta of the largest tier's accounts
    detectable_sharpe: float
    detectable_alone: float  # by one market in one split of them
    years_needed: float | None  # at the best tier's ratio of alpha to its risk; None without any


@dataclass(frozen=True)
class SeedSpread:
    """The same panel with other seeds of its classifiers, the first as it is; by size of the tier."""

    total_pct: dict[int, tuple[float, ...]]


@dataclass(frozen=True)
class Panel(Record):
    """All of it.

    Attributes
    ----------
    equity : DataFrame
        By day: ``day``, ``split``, and the stitched equity of every tier and of the basket.
    returns : DataFrame
        ``day``, ``split``, ``market``, ``name`` of a tier or of the basket for the market itself, and ``return``.
    """

    FILE = "panel.json"
    splits: tuple[SplitRow, ...]
    cells: tuple[CellRow, ...]
    markets: tuple[MarketRow, ...]
    absent: tuple[Absent, ...]
    tiers: tuple[TierRow, ...]
    timing: PanelTiming
    rank: PooledRank | None
    power: Power
    seeds: SeedSpread | None
    strategies: int  # tried in all cells
    verdict: str
    book: Book | None  # where all markets are one account
    equity: pd.DataFrame = apart("equity.parquet")
    returns: pd.DataFrame = apart("returns.parquet")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the tiers, the largest first."""
        return tuple(row.size for row in self.tiers if row.size is not None)

    def tier(self, size: int | None) -> TierRow:
        """The row of a tier by size, or of the basket (None)."""
        return {row.size: row for row in self.tiers}[size]

    def bets(self, size: int) -> float | None:
        """Mean effective bets of a tier over the cells that know them."""
        known = [bets for row in self.cells if (bets := row.effective_bets.get(size)) is not None]
        return float(np.mean(known)) if known else None

    def wide(self, name: str) -> pd.DataFrame:
        """Daily returns of a tier, or of ``basket`` for the markets themselves: days by markets, NaN where absent."""
        rows = self.returns[self.returns["name"] == name]
        return rows.pivot(index="day", columns="market", values="return")


def shared_correlation(tiers: Sequence[TierRow]) -> float:
    """Correlation of the markets' accounts without beta, of the largest tier that has one; 0 without any."""
    known = (row.correlation_without_beta for row in tiers if row.correlation_without_beta is not None)
    return min(max(next(known, 0.0), 0.0), 1.0)


def compound_pct(returns: NDArray[np.float64] | Sequence[float]) -> float:
    """Total of some returns in percent; NaN counts as 0."""
    return 100.0 * (float(np.prod(1.0 + np.nan_to_num(np.asarray(returns, dtype=np.float64)))) - 1.0)
