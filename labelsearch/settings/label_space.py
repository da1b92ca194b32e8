"""Section of the search over labels."""

from dataclasses import dataclass

from labelsearch.label_space.ranges import OBJECTIVES, SAMPLERS
from labelsearch.settings.schema import ExperimentError, Ranged, option
from labelsearch.settings.sections import one_of


@dataclass(frozen=True)
class LabelSpaceSettings(Ranged):
    """Search over labels by `labelsearch space`, on train alone; [[label_range]] tables say which."""

    n_candidates: int = option(128, "labels that are tried", 1, 1_000_000)
    sampler: str = option("sobol", "sobol: evenly over the ranges; tpe: by Optuna, where earlier ones did well")
    objective: str = option(
        "worth", "what decides: worth, t-value of its events; skill; direction, AUC buy against sell"
    )
    rows: int = option(
        6000, "bars that quick classifiers are trained on; Hyperband drops poor labels at fewer", 100, 1_000_000
    )
    epochs: int = option(12, "epochs of quick classifiers", 1, 1000)
    n_values: int = option(4, "parameter settings per indicator", 1, 1000)
    most_features: int = option(8, "indicators in the set of a candidate, at most", 1, 1000)
    top: float = option(0.05, "share of bars whose probability makes an event, by side", 0.0001, 0.5)
    judged: float = option(0.25, "last part of train before validation that candidates are judged on", 0.05, 0.5)
    choose: int = option(8, "labels to choose", 1, 1000)
    finalists: int = option(24, "best candidates that labels are chosen from", 1, 100_000)
    folds: int = option(3, "parts of train, one after the other, that finalists are judged on", 2, 20)
    nulls: int = option(0, "searches on features shifted against the market, for the p-value of the best", 0, 10_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("sampler", self.sampler, SAMPLERS)
        one_of("objective", self.objective, OBJECTIVES)
        if self.finalists < self.choose:
            raise ExperimentError("finalists: fewer than are to be chosen")
