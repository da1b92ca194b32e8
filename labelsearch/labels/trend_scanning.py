"""Trend-scanning label: the clearest linear trend that starts at a bar.

Source: Lopez de Prado, Machine Learning for Asset Managers (2020), section 5.4. The class edge and the continuous
value are ours; the book takes the sign of the t-value as the class.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import LabelError, LabelValues, bars_ahead, classes_by_value
from labelsearch.labels.kernels import strongest_trend_nb


@dataclass(frozen=True)
class TrendScanning:
    """Buy where the strongest trend ahead rises with a t-value above ``edge``, sell where it falls.

    The log price of the bar and the next h is regressed on time for every h in ``shortest, shortest + step, ..
    longest``; t is the t-value of the slope that is largest in size. Value c = -t/(|t| + edge): odd, rising in size
    with |t| without being clipped, and one half exactly at the edge. Prices are not white noise around a line: a random
    walk often has t-values of 10 and more, so edges must be higher.
    """

    kind: ClassVar[str] = "trend_scanning"
    origin: ClassVar[str] = ""
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"shortest": 4, "longest": 12, "edge": 8.0},
        {"shortest": 2, "longest": 11, "edge": 5.0, "step": 4},
        {"shortest": 6, "longest": 6, "edge": 3.0},
    )

    shortest: int = field(metadata={"help": "bars ahead of the shortest window"})
    longest: int = field(metadata={"help": "bars ahead of the longest window"})
    edge: float = field(metadata={"help": "size of the t-value above which a bar is an action bar"})
    step: int = field(default=1, metadata={"help": "bars between one window and the next longer one"})

    def __post_init__(self) -> None:
        if not 2 <= self.shortest <= self.longest:
            raise LabelError("a trend_scanning label needs 2 <= shortest <= longest")
        if self.edge <= 0.0 or self.step < 1:
            raise LabelError("a trend_scanning label needs edge > 0 and step >= 1")

    @property
    def name(self) -> str:
        step = "" if self.step == 1 else f"_step{self.step}"
        return f"trend_scanning_{self.shortest}_{self.longest}_{self.edge:g}{step}"

    @property
    def class_edge(self) -> float:
        return 0.5

    @property
    def lookahead(self) -> int:
        return self.longest - (self.longest - self.shortest) % self.step

    def reference(self, price: NDArray[np.float64]) -> float:
        return 1.0

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        t = strongest_trend_nb(np.log(price), self.shortest, self.lookahead, self.step)
        size = np.abs(t)
        # a line without any scatter has an infinite t-value
        value = np.where(np.isinf(t), -np.sign(t), -t / (np.where(np.isinf(t), 0.0, size) + self.edge))
        return LabelValues(value, classes_by_value(value, self.class_edge), bars_ahead(price.size, self.lookahead))
