"""A feature set: every indicator with chosen parameters, and the matrix computed from bars."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from feature_space.indicators import BY_NAME, Indicator, Inputs
from feature_space.normalise import Normalisation

N_THREADS = 2  # the kernels release the lock; each column is one unit, so results do not depend on this


@dataclass(frozen=True)
class Feature:
    """One indicator with its parameters and, once fitted, its standard deviation on train.

    Plain data: the indicator is looked up when values are computed, so that a set with a user's own indicators can be
    read where these are not registered.
    """

    name: str
    parameters: tuple[int, ...]
    scale: float = 1.0

    @property
    def title(self) -> str:
        """Name with parameters, e.g. ``macd(12, 26)``."""
        return f"{self.name}({', '.join(map(str, self.parameters))})"

    def indicator(self) -> Indicator:
        """The indicator of this name; `FeatureError` if it is unknown or a parameter is out of range."""
        found = BY_NAME.find(self.name)
        found.check(self.parameters)
        return found

    def raw(self, inputs: Inputs) -> NDArray[np.float64]:
        """Indicator values before normalisation, (T,) array of float64; `FeatureError` if one is not finite."""
        return self.indicator().finite(inputs, self.parameters)

    @property
    def warm_up(self) -> int:
        """Bars before the first raw value that no longer depends on where the series starts."""
        return self.indicator().warm_up(*self.parameters)


@dataclass(frozen=True)
class FeatureSet:
    """Features of one label, in the order of the matrix columns, with their normalisation.

    What computes or checks raises `FeatureError` for an unknown indicator or parameters out of range.
    """

    features: tuple[Feature, ...]
    normalisation: Normalisation

    def check(self) -> None:
        """Raise `FeatureError` unless every indicator is known and every parameter is in its interval."""
        for feature in self.features:
            feature.indicator()

    def fit(self, inputs: Inputs, stop: int) -> "FeatureSet":
        """The same set with scales fitted on the first ``stop`` bars."""
        head = Inputs(*(column[:stop] for column in inputs))
        features = (Feature(f.name, f.parameters, self.normalisation.fit(f.raw(head))) for f in self.features)
        return FeatureSet(tuple(features), self.normalisation)

    @property
    def warm_up(self) -> int:
        """Bars before the first value that no longer depends on where the series starts."""
        return max(feature.warm_up for feature in self.features) + self.normalisation.warm_up

    def matrix(self, inputs: Inputs, start: int = 0) -> NDArray[np.float32]:
        """Normalised features of the bars from ``start`` on, (T - start, F) array of float32."""
        out = np.empty((inputs.close.size - start, len(self.features)), dtype=np.float32)

        def fill(column: int) -> None:
            feature = self.features[column]
            out[:, column] = self.normalisation.apply(feature.raw(inputs), feature.scale)[start:]

        # one in a process that shares the processors with others
        with ThreadPoolExecutor(min(N_THREADS, get_num_threads())) as pool:
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


def warm_up_of(candidates: Sequence[Indicator], normalisation: Normalisation) -> int:
    """Warm-up in bars that suffices for every setting of the candidates: that of the upper ends of their intervals."""
    longest = max(i.warm_up(*(high for _, high in i.parameters.values())) for i in candidates)
    return longest + normalisation.warm_up


def titles(features: Sequence[Feature]) -> list[str]:
    """Titles of the matrix columns."""
    return [feature.title for feature in features]
