"""Magnitude label: how far the price moves within a fixed number of bars, in units of its volatility.

Ours. The move is clipped, as a few of them would else decide every loss and mean.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import (
    LARGEST_MOVE,
    VOLATILITY_SPAN,
    LabelError,
    LabelValues,
    bars_ahead,
    check_head,
    classes_by_value,
    volatility,
)


@dataclass(frozen=True)
class Magnitude:
    """The move over the next ``horizon`` bars in volatilities; buy above ``edge`` of them, sell below minus as many.

    Move y = clip(r/s, -3, 3), r the logarithm of the price ``horizon`` bars ahead over that of the bar, s the trailing
    exponentially weighted sd of one-bar log returns times sqrt(horizon). Value c = -y/3, not cubed: it is in proportion
    to the move. A bar whose trailing volatility is 0 has a move of 0, whatever comes.
    """

    kind: ClassVar[str] = "magnitude"
    origin: ClassVar[str] = ""
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"horizon": 8},
        {"horizon": 1, "edge": 0.5},
        {"horizon": 5, "edge": 3.0, "span": 40},
        {"horizon": 8, "head": "magnitude"},
    )

    horizon: int = field(metadata={"help": "bars ahead"})
    edge: float = field(default=1.0, metadata={"help": "move in volatilities above which a bar is an action bar"})
    span: int = field(default=VOLATILITY_SPAN, metadata={"help": "bars of the exponentially weighted volatility"})
    head: str = field(
        default="classes",
        metadata={"help": "classes: its network predicts buy, neutral and sell; magnitude: the move itself"},
    )

    def __post_init__(self) -> None:
        check_head(self.head)
        if self.horizon < 1 or self.span < 1:
            raise LabelError("a magnitude label needs horizon >= 1 and span >= 1")
        if not 0.0 < self.edge <= LARGEST_MOVE:
            raise LabelError(
                f"a magnitude label needs 0 < edge <= {LARGEST_MOVE:g}, beyond which moves count as {LARGEST_MOVE:g}"
            )

    @property
    def name(self) -> str:
        span = "" if self.span == VOLATILITY_SPAN else f"_span{self.span}"
        head = "" if self.head == "classes" else "_regression"
        return f"magnitude_{self.horizon}_{self.edge:g}{span}{head}"

    @property
    def class_edge(self) -> float:
        return self.edge / LARGEST_MOVE

    @property
    def lookahead(self) -> int:
        return self.horizon

    def reference(self, price: NDArray[np.float64]) -> float:
        return 1.0

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        n, log_price = price.size, np.log(price)
        scale = volatility(price, self.span) * np.sqrt(self.horizon)
        move = np.zeros(n)
        known = max(n - self.horizon, 0)
        np.divide(
            log_price[self.horizon :] - log_price[:known], scale[:known], out=move[:known], where=scale[:known] > 0.0
        )
        value = np.clip(move, -LARGEST_MOVE, LARGEST_MOVE) / -LARGEST_MOVE + 0.0  # no minus zero
        last_used = np.where(scale > 0.0, bars_ahead(n, self.horizon), np.arange(n))
        return LabelValues(value, classes_by_value(value, self.class_edge), last_used)
