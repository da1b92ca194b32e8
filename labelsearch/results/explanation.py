"""Result of the explanation of a classifier."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelsearch.results.record import Record, apart


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
    """Increase of the weighted validation loss without what columns know; its standard error over repetitions."""

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
    retrained: Ablation  # quick networks that are trained without it, over seeds


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
class Explanation(Record):
    """Figures, and what pictures need: N explained rows, F features in matrix order."""

    FILE = "explanation.json"
    figures: ExplanationFigures
    rows: NDArray[np.int64] = apart()  # (N,)
    shap: NDArray[np.float64] = apart()  # (N, F, 3)
    features: NDArray[np.float32] = apart()  # (N, F)

    def save_parts(self, folder: Path) -> None:
        """Write ``values.npz``."""
        np.savez(folder / "values.npz", rows=self.rows, shap=self.shap, features=self.features)

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """The arrays."""
        with np.load(folder / "values.npz", allow_pickle=False) as file:
            return {name: file[name] for name in ("rows", "shap", "features")}
