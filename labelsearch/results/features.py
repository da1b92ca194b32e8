"""Result of the features stage."""

from dataclasses import dataclass

from feature_space.feature_set import FeatureSet
from labelsearch.results.record import Record


@dataclass(frozen=True)
class DistanceHistograms:
    """Counts of L1 distances in equal bins on [0, top], of pairs across classes and within them."""

    top: float
    cross: tuple[int, ...]
    same: tuple[int, ...]


@dataclass(frozen=True)
class LaterPower:
    """Separation power on the validation part of train, which did not choose."""

    power: float
    low: float  # 95% interval
    high: float
    power_random: float  # mean of random feature sets
    p_value: float  # share of circular shifts of the label that do as well


@dataclass(frozen=True)
class HeldOut:
    """What the discriminant of a set leaves of the variance of the class on bars that it was not fitted on; 1: all."""

    error: float  # on stretches of the fitted part left out, by which the set was chosen
    by_kind: dict[str, float]  # of pairs: buy-sell, buy-neutral, sell-neutral
    path: tuple[float, ...]  # of the best sets of 0, 1, .. features, as they were added
    later: float  # on the validation part of train
    later_by_kind: dict[str, float]
    later_random: float  # median of random sets of as many indicators, fitted alike
    p_value: float  # share of circular shifts of the label that do as well there


@dataclass(frozen=True)
class ChosenFeatures:
    """The feature set of one label, and how far it holds the classes apart."""

    label: str
    power: float
    power_random: float
    cross_class_mass: float  # of pairs near zero
    same_class_mass: float
    n_evaluations: int
    histogram: DistanceHistograms
    feature_set: FeatureSet
    confirmation: LaterPower
    power_exact: float | None = None  # over all pairs
    held_out: HeldOut | None = None  # of criterion discriminant


@dataclass(frozen=True)
class FeatureSets(Record):
    """The feature set of every label, in order."""

    FILE = "features.json"
    chosen: tuple[ChosenFeatures, ...]

    def of(self, label: str) -> ChosenFeatures:
        """That of a label by name; KeyError without one."""
        return {entry.label: entry for entry in self.chosen}[label]

    @property
    def trial_counts(self) -> dict[str, int]:  # type: ignore[override]
        """Feature sets that were scored."""
        return {"feature_sets_scored": sum(entry.n_evaluations for entry in self.chosen)}


@dataclass(frozen=True)
class PooledFeatures(Record):
    """Feature sets chosen for all markets together, with each market's own scales."""

    FILE = "features.json"
    markets: dict[str, FeatureSets]

    @property
    def trial_counts(self) -> dict[str, int]:  # type: ignore[override]
        """Feature sets that were scored, once for all."""
        return next(iter(self.markets.values())).trial_counts
