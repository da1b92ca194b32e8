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
    adjusted: float  # smallest false-discovery rate, over the tests of its family, at which it is a discovery
    ahead: bool  # whether the target holds what comes later alone: its family


class ScanTarget(NamedTuple):
    """One target."""

    name: str
    overlap_bars: float  # that a value looks ahead, in the mean
    block_days: int
    ahead: bool  # whether a value holds what comes later alone; else it holds moves before its bar, too


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

    def family(self, *, pooled: bool, ahead: bool) -> tuple[ScanRow, ...]:
        """Tests of all markets together or of single ones, against targets that hold what comes later alone or not."""
        return tuple(row for row in self.rows if (row.market == ALL) == pooled and row.ahead == ahead)

    def discoveries(self, rows: tuple[ScanRow, ...]) -> tuple[ScanRow, ...]:
        """Those of some tests that are discoveries at the level."""
        return tuple(row for row in rows if row.adjusted <= self.level)
