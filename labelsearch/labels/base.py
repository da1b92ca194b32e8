"""What all label kinds share: the result, the protocol, and small helpers."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.kernels import ew_std_nb

BUY, NEUTRAL, SELL = 0, 1, 2
CLASS_NAMES = ("buy", "neutral", "sell")
VOLATILITY_SPAN = 1440  # bars: a day of minutes


class LabelValues(NamedTuple):
    """Label of every bar; ``T`` in ``last_used`` marks a bar that more data could still change."""

    value: NDArray[np.float64]  # (T,) in [-1, 1]
    classes: NDArray[np.int8]  # (T,) 0 buy, 1 neutral, 2 sell
    last_used: NDArray[np.int64]  # (T,) last bar the label of this bar depends on

    @property
    def settled(self) -> NDArray[np.bool_]:
        """True where the label cannot change any more."""
        return self.last_used < self.value.size


class Label(Protocol):
    """What every label kind offers."""

    @property
    def name(self) -> str:
        """Short unique name."""

    @property
    def lookahead(self) -> int | None:
        """Bars it can look ahead at most; None where only the data tells."""

    @property
    def class_edge(self) -> float:
        """Size of c that parts action from neutral bars: reached if 1.0, exceeded if below."""

    def reference(self, price: NDArray[np.float64]) -> float:
        """The number this label takes from the training window; 1.0 where it takes none."""

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        """Labels of all bars from prices, float64 (T,), all positive."""


def classes_by_value(value: NDArray[np.float64], edge: float) -> NDArray[np.int8]:
    """Class of every bar: sell where c is above ``edge``, buy where below ``-edge``; an edge of 1 is reached."""
    sell, buy = (value >= 1.0, value <= -1.0) if edge >= 1.0 else (value > edge, value < -edge)
    return np.where(sell, SELL, np.where(buy, BUY, NEUTRAL)).astype(np.int8)


def checked_reference(label: Label, reference: float) -> float:
    """The reference, or a ValueError if nothing can be divided by it."""
    if not reference > 0.0:
        raise ValueError(f"label {label.name} cannot be scaled: the price hardly moves in the training window")
    return reference


def bars_ahead(n: int, horizon: int) -> NDArray[np.int64]:
    """Each bar plus ``horizon``, int64 (n,); n where that lies beyond the data."""
    return np.minimum(np.arange(n) + horizon, n)


def volatility(price: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """Trailing exponentially weighted standard deviation of log returns of one bar, float64 (T,); 0 at the first."""
    log_price = np.log(price)
    return ew_std_nb(np.diff(log_price, prepend=log_price[:1]), span)
