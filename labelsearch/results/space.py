"""Result of the search over labels."""

from collections.abc import Mapping
from dataclasses import dataclass

from labelsearch.label_space.worth import Figure, Worth
from labelsearch.results.record import Record


@dataclass(frozen=True)
class LabelFigures:
    """What a label shows on a later part of time than its features and classifiers come from."""

    counts: tuple[int, int, int]  # buy, neutral and sell bars that it was fitted on
    horizon: float  # mean bars that it looks ahead from an action bar
    uniqueness: float  # 1: no two labels share a bar
    features: tuple[str, ...]
    error: float  # of the discriminant on time left out; 1: it knows nothing
    skill: Figure
    skill_linear: float
    skill_perceptron: float
    auc_buy: Figure
    auc_sell: Figure
    auc_sides: Figure  # of buy against sell bars
    worth: Worth


@dataclass(frozen=True)
class SpaceTrial:
    """One candidate. Figures are those of the last budget that it was judged at, on the judging part."""

    number: int
    kind: str
    label: str  # empty where there is none of these options
    options: dict[str, int | float | str]
    rungs: int
    value: float | None  # of the objective
    reason: str  # why it was not judged in full; empty where it was
    figures: LabelFigures | None


@dataclass(frozen=True)
class SpaceLabel:
    """A label that was chosen, or one of the experiment, on the validation part of train, which chose nothing."""

    label: str
    kind: str
    options: dict[str, int | float | str]
    gains: tuple[float, ...]  # of its outputs over those chosen before, in nats by fold; none of the experiment's own
    reason: str  # why there are no figures; empty where there are
    later: LabelFigures | None


@dataclass(frozen=True)
class Space(Record):
    """Every candidate, the chosen labels and the experiment's own, and the null."""

    FILE = "space.json"
    objective: str
    n_rungs: int
    trials: tuple[SpaceTrial, ...]
    chosen: tuple[SpaceLabel, ...]
    own: tuple[SpaceLabel, ...]
    dimension: float | None  # effective, of the outputs of the chosen labels on validation
    dimension_own: float | None
    null_best: tuple[float | None, ...]  # t-value before costs of the best label of each search on a shifted market
    p_value: float | None

    @property
    def trial_counts(self) -> Mapping[str, int]:  # type: ignore[override]
        """Labels that were tried, and quick classifiers that were trained for them, in the null too."""
        n = len(self.trials)
        return {
            "labels_tried": n * (1 + len(self.null_best)),
            "quick_classifiers": sum(2 * its.rungs for its in self.trials),
        }

    @property
    def best_t(self) -> float | None:
        """Largest t-value of worth before costs among labels that were judged in full."""
        found = [its.figures.worth.t_before_costs for its in self.trials if its.figures and not its.reason]
        return max((t for t in found if t is not None), default=None)
