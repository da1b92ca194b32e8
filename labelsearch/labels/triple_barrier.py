"""Triple-barrier label: which of two price barriers is touched first within a horizon.

Source: Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 3. The continuous value, and the scaling
of the volatility of one bar to the horizon, are ours.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import VOLATILITY_SPAN, LabelError, LabelValues, classes_by_value, volatility
from labelsearch.labels.kernels import first_touch_nb


@dataclass(frozen=True)
class TripleBarrier:
    """Buy where the price touches the upper barrier first, sell where the lower one.

    Value c = -clip(r/w, -1, 1)^3, r the relative move at the first touch or, without one, at the vertical barrier, w
    the width on the side of r. The cube is that of the threshold label, so that both kinds weigh alike in the loss: it
    keeps moves that end well inside the barriers near 0. A touch is exactly -1 or 1.

    Widths are relative moves or, with the scale ``volatility``, multiples of the trailing exponentially weighted sd of
    one-bar log returns times sqrt(horizon); a bar whose trailing volatility is 0 has no barriers and is neutral. With
    ``vertical = "sign"`` only bars without any move are neutral, and weak moves have small values, which weigh little
    in the loss.
    """

    kind: ClassVar[str] = "triple_barrier"
    origin: ClassVar[str] = ""
    examples: ClassVar[tuple[dict[str, Any], ...]] = tuple(
        {"up": up, "down": down, "horizon": horizon, "scale": scale, "vertical": vertical}
        for scale, up, down, horizon in (
            ("volatility", 0.8, 1.1, 8), ("fixed", 0.004, 0.003, 8), ("fixed", 0.004, 0.004, 1)
        )
        for vertical in ("neutral", "sign")
    )  # fmt: skip

    up: float = field(metadata={"help": "width of the upper barrier, by scale"})
    down: float = field(metadata={"help": "width of the lower barrier, by scale"})
    horizon: int = field(metadata={"help": "bars to the vertical barrier"})
    scale: str = field(
        default="volatility", metadata={"help": "volatility: multiples of it over the horizon; fixed: relative moves"}
    )
    vertical: str = field(
        default="neutral", metadata={"help": "class where no barrier was touched: neutral, or the sign of the move"}
    )
    span: int = field(
        default=VOLATILITY_SPAN, metadata={"help": "bars of the exponentially weighted volatility of scale volatility"}
    )

    def __post_init__(self) -> None:
        if self.up <= 0.0 or self.down <= 0.0 or self.horizon < 1:
            raise LabelError("a triple_barrier label needs up > 0, down > 0 and horizon >= 1")
        if self.scale not in ("volatility", "fixed"):
            raise LabelError(f"unknown scale {self.scale!r}; known are volatility, fixed")
        if self.vertical not in ("neutral", "sign"):
            raise LabelError(f"unknown vertical {self.vertical!r}; known are neutral, sign")
        if self.span < 1:
            raise LabelError("a triple_barrier label needs span >= 1")

    @property
    def name(self) -> str:
        unit, scale = (100.0, "_fixed") if self.scale == "fixed" else (1.0, "")
        vertical = "_sign" if self.vertical == "sign" else ""
        span = "" if self.span == VOLATILITY_SPAN else f"_span{self.span}"
        return f"triple_barrier_{unit * self.up:g}_{unit * self.down:g}_{self.horizon}{scale}{vertical}{span}"

    @property
    def class_edge(self) -> float:
        return 0.0 if self.vertical == "sign" else 1.0

    @property
    def lookahead(self) -> int:
        return self.horizon

    def reference(self, price: NDArray[np.float64]) -> float:
        return 1.0

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        if self.scale == "volatility":
            width = volatility(price, self.span) * np.sqrt(self.horizon)
        else:
            width = np.ones(price.size)
        relative, last_used = first_touch_nb(price, self.up * width, self.down * width, self.horizon)
        value = -(relative * relative * relative)
        return LabelValues(value, classes_by_value(value, self.class_edge), last_used)
