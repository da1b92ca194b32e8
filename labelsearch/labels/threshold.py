"""Threshold labels: how far the price moves within a fixed number of bars.

Sources: Balcerak & Schmelzer (2020) and the label code its authors published. The companion value and the volatility
scale of `Threshold` are our reconstruction.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import (
    VOLATILITY_SPAN,
    LabelError,
    LabelValues,
    bars_ahead,
    checked_reference,
    classes_by_value,
    volatility,
)
from labelsearch.labels.kernels import SMOOTHING, centred_mean_nb, threshold_nb, weighted_future_nb


@dataclass(frozen=True)
class Threshold:
    """Buy where the price rises by ``theta`` within ``horizon`` bars, sell where it falls as much.

    Value c = -clip(r/theta, -1, 1)^3 of the relative move r, to the price ``horizon`` bars ahead or to the weighted
    mean of the next ``horizon`` prices. The scale ``volatility`` multiplies theta by the trailing volatility relative
    to its mean on train, within [0.5, 3]; ``quantile`` takes the 99th percentile of the moves on train as theta, and a
    bar is an action bar where c exceeds one half.
    """

    kind: ClassVar[str] = "threshold"
    origin: ClassVar[str] = ""
    examples: ClassVar[tuple[dict[str, Any], ...]] = tuple(
        {"theta": 0.004, "horizon": horizon, "future": future, "scale": scale}
        for horizon in (1, 8)
        for future in ("point", "wma")
        for scale in ("fixed", "volatility", "quantile")
    )

    theta: float = field(metadata={"help": "relative move that is an action; not used by scale quantile"})
    horizon: int = field(metadata={"help": "bars ahead"})
    future: str = field(
        default="point",
        metadata={"help": "point: the price horizon bars ahead; wma: weighted mean of the next horizon"},
    )
    scale: str = field(
        default="fixed", metadata={"help": "fixed; volatility: theta moves with it; quantile: theta fitted on train"}
    )
    span: int = field(
        default=VOLATILITY_SPAN, metadata={"help": "bars of the exponentially weighted volatility of scale volatility"}
    )

    def __post_init__(self) -> None:
        if self.theta <= 0.0 or self.horizon < 1:
            raise LabelError("a threshold label needs theta > 0 and horizon >= 1")
        if self.future not in ("point", "wma"):
            raise LabelError(f"unknown future {self.future!r}; known are point, wma")
        if self.scale not in ("fixed", "volatility", "quantile"):
            raise LabelError(f"unknown scale {self.scale!r}; known are fixed, volatility, quantile")
        if self.span < 1:
            raise LabelError("a threshold label needs span >= 1")

    @property
    def name(self) -> str:
        extra = "".join(f"_{o}" for o in (self.future, self.scale) if o not in ("point", "fixed"))
        span = "" if self.span == VOLATILITY_SPAN else f"_span{self.span}"
        return f"threshold_{100 * self.theta:g}_{self.horizon}{extra}{span}"

    @property
    def class_edge(self) -> float:
        return 0.5 if self.scale == "quantile" else 1.0

    @property
    def lookahead(self) -> int:
        return self.horizon

    def _future(self, price: NDArray[np.float64]) -> NDArray[np.float64]:
        return weighted_future_nb(price, self.horizon) if self.future == "wma" else price[self.horizon :]

    def reference(self, price: NDArray[np.float64]) -> float:
        if self.scale == "quantile":
            future = self._future(price)
            move = np.abs(future / price[: future.size] - 1.0)
            return checked_reference(self, float(np.quantile(move, 0.99, method="lower")) if move.size else 0.0)
        if self.scale == "volatility":
            return checked_reference(self, float(np.mean(volatility(price, self.span))))
        return 1.0

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        if self.scale == "volatility":
            theta = self.theta * np.clip(volatility(price, self.span) / reference, 0.5, 3.0)
        else:
            theta = np.array([reference if self.scale == "quantile" else self.theta])
        value, classes = threshold_nb(price, self._future(price), theta, self.class_edge)
        return LabelValues(value, classes, bars_ahead(price.size, self.horizon))


@dataclass(frozen=True)
class Published:
    """The threshold label exactly as in the authors' published code.

    The weighted sum of the next ``horizon`` relative moves of the smoothed price, divided by its 99th percentile on
    train, clipped and cubed; action where it exceeds one half.
    """

    kind: ClassVar[str] = "published"
    origin: ClassVar[str] = ""
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"horizon": 1}, {"horizon": 12})

    horizon: int = field(metadata={"help": "bars ahead of the smoothed price, whose centred mean adds 2"})

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise LabelError("a published label needs horizon >= 1")

    @property
    def name(self) -> str:
        return f"published_{self.horizon}"

    @property
    def class_edge(self) -> float:
        return 0.5

    @property
    def lookahead(self) -> int:
        return self.horizon + SMOOTHING // 2

    def _move(self, price: NDArray[np.float64]) -> NDArray[np.float64]:
        smooth = centred_mean_nb(price, SMOOTHING)
        future = weighted_future_nb(smooth, self.horizon)
        move = np.zeros(price.size)
        move[: future.size] = self.horizon * (self.horizon + 1) / -2.0 * (future / smooth[: future.size] - 1.0)
        return move

    def reference(self, price: NDArray[np.float64]) -> float:
        return checked_reference(self, float(np.quantile(np.abs(self._move(price)), 0.99, method="lower")))

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        share = np.clip(self._move(price) / reference, -1.0, 1.0)
        value = share * share * share
        n, half = price.size, SMOOTHING // 2
        last_used = bars_ahead(n, self.lookahead)
        # the first bars of the series are not smoothed, so labels that end there depend on the horizon alone
        raw = max(min(half + 1, n) - self.horizon, 0)
        last_used[:raw] = np.arange(raw) + self.horizon
        return LabelValues(value, classes_by_value(value, self.class_edge), last_used)
