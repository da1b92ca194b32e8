"""What a scan of features against labels and later returns found."""

from dataclasses import dataclass
from typing import NamedTuple

ALL = "all"  # markets of a pooled row


class ScanRow(NamedTuple):
    """One test: a feature against a target, in one market or in the mean over all."""

    market: str
    feature: str
    target: str
    rho: float  # Spearman's; more than 0: the price rises later where the feature is high
    low: float
    high: float
    p: float
    adjusted: float  # smallest false-discovery rate at which it is a discovery


class ScanTarget(NamedTuple):
    """One target."""

    name: str
    overlap_bars: float  # that a value looks ahead, in the mean
    block_days: int


@dataclass(frozen=True)
class Scan:
    """All tests, the surest first."""

    split: int
    train: tuple[str, str]
    level: float  # of false discoveries
    markets: tuple[str, ...]
    absent: dict[str, str]  # why, by market
    n_features: int
    targets: tuple[ScanTarget, ...]
    bars: int  # of all markets
    skipped: int  # pairs in which a series never changes
    short: tuple[str, ...]  # features whose warm-up leaves too little of train
    rows: tuple[ScanRow, ...]

    @property
    def discoveries(self) -> int:
        """Tests that are discoveries at the level."""
        return sum(row.adjusted <= self.level for row in self.rows)

    @property
    def pooled(self) -> tuple[ScanRow, ...]:
        """Rows of all markets together; none where there is one market."""
        return tuple(row for row in self.rows if row.market == ALL)

    @property
    def single(self) -> tuple[ScanRow, ...]:
        """Rows of single markets."""
        return tuple(row for row in self.rows if row.market != ALL)
