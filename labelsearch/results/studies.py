"""Results of the studies of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labelsearch.classifiers.figures import Calibration, NetworkScores, PairedDifference, Study, Trial
from labelsearch.classifiers.kinds import Options
from labelsearch.results.codec import OnDisk
from labelsearch.results.ensembles import AccountRow, Curves, load_curves, save_curves
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.record import Record, apart
from strategies.tiers.metrics import Metrics


@dataclass(frozen=True)
class NullStatistic:
    """One figure with the real timing, and its values on shifted outputs, sorted.

    Only a studentised figure has a p-value: shifted outputs do not know volatility either, and where the real ones do,
    other figures have a wider spread than shifted ones show.
    """

    name: str
    unit: str
    real: float
    shifted: tuple[float, ...]
    p_value: float | None


@dataclass(frozen=True)
class NullResult(Record):
    """The whole search repeated on outputs that know nothing."""

    FILE = "null.json"
    repeats: int
    n_strategies: int
    statistics: tuple[NullStatistic, ...]

    def unit_counts(self, name: str) -> dict[str, int]:
        """Strategies of one repetition."""
        return {"null_trials": self.n_strategies}


@dataclass(frozen=True)
class TierTable(Record):
    """Figures and curves of the tiers of a run with other seeds."""

    FILE = "rows.json"
    rows: tuple[AccountRow, ...]
    curves: Mapping[str, Curves] = apart()

    def save_parts(self, folder: Path) -> None:
        """Write the curves."""
        save_curves(self.curves, folder)

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """The curves."""
        return {"curves": OnDisk(folder, WINDOWS, load_curves)}


SEED_KINDS = ("search", "classifier")


@dataclass(frozen=True)
class SeedsResult(Record):
    """Tables of tiers with other seeds of the search alone, and of the classifiers too; one table a seed."""

    FILE = "seeds.json"
    search: tuple[tuple[AccountRow, ...], ...] = ()
    classifier: tuple[tuple[AccountRow, ...], ...] = ()

    def of(self, kind: str) -> tuple[tuple[AccountRow, ...], ...]:
        """Tables of a kind of seed."""
        return {"search": self.search, "classifier": self.classifier}[kind]

    @property
    def tables(self) -> tuple[tuple[AccountRow, ...], ...]:
        """All of them."""
        return (*self.search, *self.classifier)


@dataclass(frozen=True)
class Spread:
    """One figure over several seeds, the run's own among them."""

    n: int
    mean: float
    deviation: float  # sample standard deviation
    low: float
    high: float


def spread(tables: tuple[tuple[AccountRow, ...], ...], like: AccountRow, figure: str) -> Spread:
    """Spread of a figure of the tier and window of a row over tables.

    Raises
    ------
    ValueError
        If there are fewer than two tables.
    """
    if len(tables) < 2:
        raise ValueError("a spread needs at least two seeds")
    values = [
        getattr(row.figures, figure)
        for table in tables
        for row in table
        if (row.name, row.window) == (like.name, like.window)
    ]
    # a control may have been fitted with this seed alone
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Spread(len(values), float(np.mean(values)), deviation, min(values), max(values))


@dataclass(frozen=True)
class Gain:
    """Compound gain a month of one account over another, with a 95% interval over circular blocks of days."""

    monthly_pct: float
    low_pct: float
    high_pct: float


@dataclass(frozen=True)
class WalkRow:
    """A tier, fixed or picked anew, or a baseline (no kind) of a walk forward."""

    name: str
    size: int | None
    kind: str
    figures: Metrics
    replaced_pct: float | None = None  # members that a pick changes, of a tier picked anew
    moved_pct: float | None = None  # traded only because members changed, of the starting capital
    gain: Gain | None = None  # over the fixed tier

    @property
    def title(self) -> str:
        """Name and kind."""
        return f"{self.name} {self.kind}".rstrip()


@dataclass(frozen=True)
class Pick:
    """Members from a day on."""

    date: str
    members: tuple[int, ...]


@dataclass(frozen=True)
class WalkForward(Record):
    """Tiers picked anew every few days, against the tiers as they were picked at first."""

    FILE = "walk_forward.json"
    window: str
    every: int
    trailing: int
    days_known: int
    days_traded: int
    n_strategies: int
    capital: str
    ranking: str
    rows: tuple[WalkRow, ...]
    picks: tuple[Pick, ...]
    equity: pd.DataFrame = apart("equity.parquet")  # by day, a column for each title


@dataclass(frozen=True)
class NetworkTraining:
    """How one kind of network was trained, and what it costs."""

    network: str
    options: Options
    search_loss: float
    study: Study
    trials: tuple[Trial, ...]
    n_trials: int
    calibration: Calibration | None
    n_parameters: int
    training_seconds: float
    processor_seconds: float  # of the training
    single_us: float  # microseconds a bar, one bar at a time
    batched_us: float


@dataclass(frozen=True)
class NetworkEntry:
    """One kind of network among those compared."""

    training: NetworkTraining
    scores: NetworkScores
    against_first: PairedDifference | None  # weighted loss less that of the first; None for the first


@dataclass(frozen=True)
class NetworkComparison(Record):
    """Kinds of network on the validation bars of one label."""

    FILE = "comparison.json"
    label: str
    n_validation: int
    block_bars: int
    networks: tuple[NetworkEntry, ...]

    def unit_counts(self, name: str) -> dict[str, int]:
        """Networks that were trained of one kind."""
        kind = name.partition("-")[0]
        return {"network_trials": sum(e.training.n_trials for e in self.networks if e.training.network == kind)}
