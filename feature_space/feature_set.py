"""A feature set: every indicator with chosen parameters, and the matrix it makes of bars."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_space.indicators import BY_NAME, Inputs
from feature_space.normalise import Normalisation

N_THREADS = 2  # the kernels release the lock; each column is one unit, so results do not depend on this


@dataclass(frozen=True)
class Feature:
    """One indicator with its parameters and, once fitted, its standard deviation on train."""

    name: str
    parameters: tuple[int, ...]
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in BY_NAME:
            raise ValueError(f"unknown indicator {self.name!r}")
        BY_NAME[self.name].check(self.parameters)

    @property
    def title(self) -> str:
        """Name with parameters, e.g. ``macd(12, 26)``."""
        return f"{self.name}({', '.join(map(str, self.parameters))})"

    def raw(self, inputs: Inputs) -> NDArray[np.float64]:
        """Indicator values before normalisation, float64 (T,)."""
        return BY_NAME[self.name].compute(inputs, self.parameters)


@dataclass(frozen=True)
class FeatureSet:
    """Features of one label, in the order of the matrix columns, with their normalisation."""

    features: tuple[Feature, ...]
    normalisation: Normalisation

    def fit(self, inputs: Inputs, stop: int) -> "FeatureSet":
        """The same set with scales fitted on the first ``stop`` bars."""
        head = Inputs(*(column[:stop] for column in inputs))
        features = (Feature(f.name, f.parameters, self.normalisation.fit(f.raw(head))) for f in self.features)
        return FeatureSet(tuple(features), self.normalisation)

    @property
    def warm_up(self) -> int:
        """Bars before the first value that no longer depends on where the series starts."""
        own = max(BY_NAME[f.name].warm_up(*f.parameters) for f in self.features)
        return own + (self.normalisation.window if self.normalisation.kind == "local" else 0)

    def matrix(self, inputs: Inputs) -> NDArray[np.float32]:
        """Normalised features, float32 of shape (T, F)."""
        out = np.empty((inputs.close.size, len(self.features)), dtype=np.float32)

        def fill(column: int) -> None:
            feature = self.features[column]
            out[:, column] = self.normalisation.apply(feature.raw(inputs), feature.scale)

        with ThreadPoolExecutor(N_THREADS) as pool:
            list(pool.map(fill, range(len(self.features))))
        return out

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "normalisation": vars(self.normalisation).copy(),
            "features": [{"name": f.name, "parameters": list(f.parameters), "scale": f.scale} for f in self.features],
            "warm_up": self.warm_up,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "FeatureSet":
        """Inverse of `to_dict`."""
        features = (Feature(f["name"], tuple(f["parameters"]), f["scale"]) for f in data["features"])
        return cls(tuple(features), Normalisation(**data["normalisation"]))


def titles(features: Sequence[Feature]) -> list[str]:
    """Titles of the matrix columns."""
    return [feature.title for feature in features]
