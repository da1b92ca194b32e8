"""Local extrema labels: the height of a bar between the trough and the peak around it.

Source: the label code that Balcerak & Schmelzer (2020) published.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import LabelError, LabelValues, classes_by_value
from labelsearch.labels.kernels import (
    LIMIT_SPAN,
    SMOOTHING,
    centred_mean_nb,
    legs_to_values_nb,
    trailing_mean_nb,
    zigzag_nb,
)

Bars = NDArray[np.int64]


@dataclass(frozen=True)
class Extrema:
    """Buy near a trough of the smoothed price, sell near a peak.

    Value c = x^3 - (1 - x)^3 of the relative height x between trough (0) and peak (1); action above one half.
    """

    kind: ClassVar[str] = "extrema"
    origin: ClassVar[str] = ""
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"up": 0.8, "down": 0.1},
        {"up": 1, "down": 1},
        {"up": 0.3, "down": 0.0},
    )

    up: float = field(metadata={"help": "rise that makes a leg, in percent of the 5000-bar mean price"})
    down: float = field(metadata={"help": "fall that separates two legs, in percent of the same mean"})

    def __post_init__(self) -> None:
        if self.up <= 0.0 or self.down < 0.0:
            raise LabelError("an extrema label needs up > 0 and down >= 0")

    @property
    def name(self) -> str:
        return f"extrema_{self.up:g}_{self.down:g}"

    @property
    def class_edge(self) -> float:
        return 0.5

    @property
    def lookahead(self) -> None:
        return None

    def reference(self, price: NDArray[np.float64]) -> float:
        return 1.0

    def _legs(self, price: NDArray[np.float64]) -> tuple[NDArray[np.float64], Bars, Bars, Bars]:
        if not np.isfinite(price).all():
            raise LabelError("an extrema label needs finite prices")
        smooth = centred_mean_nb(price, SMOOTHING)
        level = trailing_mean_nb(smooth, LIMIT_SPAN) / 100.0
        return smooth, *zigzag_nb(smooth, self.up * level, self.down * level)

    def turning_points(self, price: NDArray[np.float64]) -> Bars:
        """Bars (L,) of trough, peak, trough, peak and so on; later bars can still move the last ones."""
        _, troughs, peaks, _ = self._legs(price)
        return np.column_stack([troughs, peaks]).ravel()

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        smooth, troughs, peaks, decided = self._legs(price)
        value, last_used = legs_to_values_nb(smooth, troughs, peaks, decided, SMOOTHING // 2)
        return LabelValues(value, classes_by_value(value, self.class_edge), last_used)
