"""Result of the study of hedges."""

from dataclasses import dataclass

import pandas as pd

from labelsearch.results.record import Record, apart
from strategies.tiers.hedging import HedgeFigures

ALL, COMBINED = "all", "combined"  # markets; methods
METHODS = ("LSTM", "ARIMA-GARCH", "momentum", "contrarian")
SURE = 0.05  # level at which a hedge is called one


@dataclass(frozen=True)
class HedgeRow:
    """A hedge beside a tier.

    ``market`` is `ALL` for equal capital in all of them. ``adjusted``: p-value of the gain for the number of rows over
    all markets; None for hedges in one market of several, which are not judged.
    """

    base: str
    size: int
    market: str
    method: str
    figures: HedgeFigures
    adjusted: float | None

    @property
    def is_hedge(self) -> bool:
        """Whether the pair has a higher Sharpe ratio than the base, beyond chance, and a smaller drawdown."""
        figures = self.figures
        lower = figures.drawdown_pair_pct is not None and figures.drawdown_pair_pct < figures.drawdown_base_pct
        return lower and self.adjusted is not None and self.adjusted <= SURE


@dataclass(frozen=True)
class HedgeFit:
    """What came of a method in a market of a split.

    ``failed`` of its ``fits`` gave nothing: too few steps, or no convergence. Without any the method holds nothing.
    """

    market: str
    split: int
    method: str
    fits: int  # 0 where nothing is fitted
    failed: int
    fills: int  # in the windows that were traded


@dataclass(frozen=True)
class Hedges(Record):
    """How well strategies without labels hedge the tiers of a run.

    ``lead``: first and last day that shares of pairs come from. ``equity``: by day, of the tiers, the basket and the
    hedges over all markets, from 1.
    """

    FILE = "hedges.json"
    window: str
    step_ms: int
    lead: tuple[str, str]
    days: tuple[str, str]
    n_days: int
    markets: tuple[str, ...]
    sizes: tuple[int, ...]
    cost_bp: float  # of what a pair moves
    rows: tuple[HedgeRow, ...]
    fits: tuple[HedgeFit, ...]
    equity: pd.DataFrame = apart("equity.parquet")

    def over_all(self) -> tuple[HedgeRow, ...]:
        """Rows of hedges over all markets."""
        return tuple(row for row in self.rows if row.market == ALL)

    def within(self) -> tuple[HedgeRow, ...]:
        """Rows of hedges in one market of several."""
        return tuple(row for row in self.rows if row.market != ALL)
