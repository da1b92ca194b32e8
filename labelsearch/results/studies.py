"""Results of the studies of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.classifiers.figures import Calibration, NetworkScores, PairedDifference, Study, Trial
from labelsearch.results.codec import json_bytes, parse
from labelsearch.results.ensembles import AccountRow, Curves, load_curves, save_curves
from labelsearch.results.outputs import WINDOWS
from strategies.tiers.metrics import Metrics


class Json:
    """A result that is one JSON file."""

    FILE: ClassVar[str]
    trial_counts: ClassVar[Mapping[str, int]] = {}

    def save(self, folder: Path) -> None:
        """Write the file."""
        (folder / self.FILE).write_bytes(json_bytes(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`."""
        return parse(cls, (folder / cls.FILE).read_bytes())


@dataclass(frozen=True)
class NullStatistic:
    """One figure with the real timing, and its values on shifted outputs, sorted."""

    name: str
    unit: str
    real: float
    shifted: tuple[float, ...]
    p_value: float


@dataclass(frozen=True)
class NullResult(Json):
    """The whole search repeated on outputs that know nothing."""

    FILE = "null.json"

    repeats: int
    n_strategies: int
    statistics: tuple[NullStatistic, ...]

    def unit_counts(self, name: str) -> dict[str, int]:
        """Strategies of one repetition."""
        return {"null_trials": self.n_strategies}


@dataclass(frozen=True)
class TierTable:
    """Figures and curves of the tiers of a run with other seeds."""

    rows: tuple[AccountRow, ...]
    curves: Mapping[str, Curves] = field(repr=False)
    trial_counts: ClassVar[Mapping[str, int]] = {}

    def save(self, folder: Path) -> None:
        """Write ``rows.json`` and curves."""
        (folder / "rows.json").write_bytes(json_bytes(self.rows))
        save_curves(self.curves, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`."""
        rows: tuple[AccountRow, ...] = parse(tuple[AccountRow, ...], (folder / "rows.json").read_bytes())
        return cls(rows, {window: load_curves(folder, window) for window in WINDOWS})


SEED_KINDS = ("search", "classifier")


@dataclass(frozen=True)
class SeedsResult(Json):
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
    return Spread(len(values), float(np.mean(values)), float(np.std(values, ddof=1)), min(values), max(values))


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
class WalkForward:
    """Tiers picked anew every few days, against the tiers as they were picked at first."""

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
    equity: pd.DataFrame = field(repr=False, compare=False)  # by day, a column for each title
    trial_counts: ClassVar[Mapping[str, int]] = {}

    def save(self, folder: Path) -> None:
        """Write ``walk_forward.json`` and ``equity.parquet``."""
        plain = {name: item for name, item in vars(self).items() if name != "equity"}
        (folder / "walk_forward.json").write_bytes(json_bytes(plain))
        self.equity.to_parquet(folder / "equity.parquet")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`."""
        numbers = parse(_Walk, (folder / "walk_forward.json").read_bytes())
        return cls(**vars(numbers), equity=pd.read_parquet(folder / "equity.parquet"))


@dataclass(frozen=True)
class _Walk:
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


@dataclass(frozen=True)
class NetworkTraining:
    """How one kind of network was trained, and what it costs."""

    network: str
    options: dict[str, int | float | str]
    search_loss: float
    study: Study
    trials: tuple[Trial, ...]
    n_trials: int
    calibration: Calibration | None
    n_parameters: int
    training_seconds: float
    single_us: float  # microseconds a bar, one bar at a time
    batched_us: float


@dataclass(frozen=True)
class NetworkEntry:
    """One kind of network among those compared."""

    training: NetworkTraining
    scores: NetworkScores
    against_first: PairedDifference | None  # weighted loss less that of the first; None for the first


@dataclass(frozen=True)
class NetworkComparison(Json):
    """Kinds of network on the validation bars of one label."""

    FILE = "comparison.json"

    label: str
    n_validation: int
    block_bars: int
    networks: tuple[NetworkEntry, ...]

    def unit_counts(self, name: str) -> dict[str, int]:
        """Networks that were trained of one kind."""
        return {"network_trials": sum(e.training.n_trials for e in self.networks if e.training.network == name)}


@dataclass(frozen=True)
class ByClass:
    """A figure of each class."""

    buy: float
    neutral: float
    sell: float

    @property
    def total(self) -> float:
        """Sum over the classes."""
        return self.buy + self.neutral + self.sell


@dataclass(frozen=True)
class Ablation:
    """Increase of the weighted validation loss when columns are shifted in time."""

    value: float
    standard_error: float


@dataclass(frozen=True)
class FeatureEffect:
    """What a feature does to the output of a classifier.

    ``column`` is its place in the matrix; a direction is the rank correlation of the feature with its Shapley value.
    """

    feature: str
    indicator: str
    family: str
    column: int
    rank: int
    mean_abs_shap: ByClass
    direction_buy: float | None
    direction_sell: float | None
    ablation: Ablation


@dataclass(frozen=True)
class FamilyEffect:
    """What a family of indicators does together."""

    family: str
    n_features: int
    mean_abs_shap: ByClass
    ablation: Ablation


@dataclass(frozen=True)
class AblationSetup:
    """How the ablation was done."""

    loss: float  # without any shift
    rows: dict[str, int]  # by class
    shifts: tuple[int, ...]  # bars


@dataclass(frozen=True)
class ExplanationFigures:
    """What the classifier of one label learned."""

    label: str
    n_networks: int
    temperature: float
    explainer: str
    additivity_error: float
    base: ByClass
    background: dict[str, int]  # fitted rows by class
    rows: dict[str, int]  # explained rows by class
    ablation: AblationSetup
    rank_correlation: float | None  # of Shapley values with the ablation
    features: tuple[FeatureEffect, ...]  # by rank
    families: tuple[FamilyEffect, ...]


@dataclass(frozen=True)
class Explanation:
    """Figures, and what pictures need: N explained rows, F features in matrix order."""

    figures: ExplanationFigures
    rows: NDArray[np.int64] = field(repr=False)  # (N,)
    shap: NDArray[np.float64] = field(repr=False)  # (N, F, 3)
    features: NDArray[np.float32] = field(repr=False)  # (N, F)
    trial_counts: ClassVar[Mapping[str, int]] = {}

    def save(self, folder: Path) -> None:
        """Write ``explanation.json`` and ``values.npz``."""
        (folder / "explanation.json").write_bytes(json_bytes(self.figures))
        arrays: dict[str, Any] = {"rows": self.rows, "shap": self.shap, "features": self.features}
        np.savez(folder / "values.npz", **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`."""
        with np.load(folder / "values.npz", allow_pickle=False) as file:
            arrays = (file["rows"], file["shap"], file["features"])
        return cls(parse(ExplanationFigures, (folder / "explanation.json").read_bytes()), *arrays)
