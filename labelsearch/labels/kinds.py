"""Label kinds: what one would have liked to know about every bar, with hindsight.

A label is a continuous value c in [-1, 1] (-1 buy, +1 sell) and a class (0 buy, 1 neutral, 2 sell). It also tells
per bar the last bar it used, so that training rows which saw too far can be dropped exactly.

Sources: Balcerak & Schmelzer (2020) and the label code its authors published. The companion value of the threshold
label and its volatility scale are our reconstruction.
"""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.kernels import (
    LIMIT_SPAN,
    SMOOTHING,
    centred_mean_nb,
    ew_std_nb,
    legs_to_values_nb,
    trailing_mean_nb,
    weighted_future_nb,
    zigzag_nb,
)

BUY, NEUTRAL, SELL = 0, 1, 2
CLASS_NAMES = ("buy", "neutral", "sell")
VOLATILITY_SPAN = 1440  # bars


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
        """Bars it can look ahead; None where only the data tells."""

    @property
    def class_edge(self) -> float:
        """Size of c that parts action from neutral bars: 0.5 by value, 1.0 by threshold."""

    def reference(self, price: NDArray[np.float64]) -> float:
        """The number this label takes from the training window; 1.0 where it takes none."""

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        """Labels of all bars from prices, float64 (T,), all positive."""


def _by_value(value: NDArray[np.float64]) -> NDArray[np.int8]:
    return np.where(value > 0.5, SELL, np.where(value < -0.5, BUY, NEUTRAL)).astype(np.int8)


def _checked(label: Label, reference: float) -> float:
    if not reference > 0.0:
        raise ValueError(f"label {label.name} cannot be scaled: the price hardly moves in the training window")
    return reference


def _ahead(n: int, horizon: int) -> NDArray[np.int64]:
    return np.minimum(np.arange(n) + horizon, n)


@dataclass(frozen=True)
class Threshold:
    """Buy where the price rises by ``theta`` within ``horizon`` bars, sell where it falls as much.

    Attributes
    ----------
    theta : float
        Relative move; not used by ``scale = "quantile"``.
    horizon : int
        Bars ahead.
    future : {"point", "wma"}
        Compare with the price ``horizon`` bars ahead, or with the weighted mean of the next ``horizon`` prices.
    scale : {"fixed", "volatility", "quantile"}
        ``volatility`` moves theta with the trailing volatility, relative to its mean on train, within [0.5, 3];
        ``quantile`` takes the 99th percentile of the moves on train as theta and calls a bar action above half of
        the cubed value.
    """

    theta: float
    horizon: int
    future: str = "point"
    scale: str = "fixed"

    def __post_init__(self) -> None:
        if self.theta <= 0.0 or self.horizon < 1:
            raise ValueError("a threshold label needs theta > 0 and horizon >= 1")
        if self.future not in ("point", "wma"):
            raise ValueError(f"unknown future {self.future!r}; known are point, wma")
        if self.scale not in ("fixed", "volatility", "quantile"):
            raise ValueError(f"unknown scale {self.scale!r}; known are fixed, volatility, quantile")

    @property
    def name(self) -> str:
        extra = "".join(f"_{o}" for o in (self.future, self.scale) if o not in ("point", "fixed"))
        return f"threshold_{100 * self.theta:g}_{self.horizon}{extra}"

    @property
    def class_edge(self) -> float:
        return 0.5 if self.scale == "quantile" else 1.0

    @property
    def lookahead(self) -> int:
        return self.horizon

    def _move(self, price: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.future == "wma":
            return weighted_future_nb(price, self.horizon) / price - 1.0
        move = np.full(price.size, np.nan)
        if price.size > self.horizon:
            move[: -self.horizon] = price[self.horizon :] / price[: -self.horizon] - 1.0
        return move

    def _volatility(self, price: NDArray[np.float64]) -> NDArray[np.float64]:
        log_price = np.log(price)
        return ew_std_nb(np.diff(log_price, prepend=log_price[:1]), VOLATILITY_SPAN)

    def reference(self, price: NDArray[np.float64]) -> float:
        if self.scale == "quantile":
            move = np.abs(self._move(price))
            known = move[np.isfinite(move)]
            return _checked(self, float(np.quantile(known, 0.99, method="lower")) if known.size else 0.0)
        if self.scale == "volatility":
            return _checked(self, float(np.mean(self._volatility(price))))
        return 1.0

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        move = self._move(price)
        theta: NDArray[np.float64] | float = self.theta
        if self.scale == "quantile":
            theta = reference
        elif self.scale == "volatility":
            theta = self.theta * np.clip(self._volatility(price) / reference, 0.5, 3.0)
        known = np.isfinite(move)
        value = np.where(known, -(np.clip(move / theta, -1.0, 1.0) ** 3), 0.0)
        if self.scale == "quantile":
            classes = _by_value(value)
        else:
            classes = np.where(move >= theta, BUY, np.where(move <= -theta, SELL, NEUTRAL)).astype(np.int8)
        return LabelValues(value, classes, _ahead(price.size, self.horizon))


@dataclass(frozen=True)
class Published:
    """The threshold label exactly as the authors' published code has it.

    The weighted sum of the next ``horizon`` relative moves of the smoothed price, divided by its 99th percentile on
    train, clipped and cubed; action where it exceeds one half.
    """

    horizon: int

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise ValueError("a published label needs horizon >= 1")

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
        norm = self.horizon * (self.horizon + 1) / 2.0
        move = -norm * (weighted_future_nb(smooth, self.horizon) / smooth - 1.0)
        return np.where(np.isfinite(move), move, 0.0)

    def reference(self, price: NDArray[np.float64]) -> float:
        return _checked(self, float(np.quantile(np.abs(self._move(price)), 0.99, method="lower")))

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        value = np.clip(self._move(price) / reference, -1.0, 1.0) ** 3
        return LabelValues(value, _by_value(value), _ahead(price.size, self.lookahead))


@dataclass(frozen=True)
class Extrema:
    """Where a bar stands between the trough and the peak around it.

    Attributes
    ----------
    up, down : float
        Rise that makes a leg and fall that parts two legs, in percent of the 5000-bar mean price.
    """

    up: float
    down: float

    def __post_init__(self) -> None:
        if self.up <= 0.0 or self.down < 0.0:
            raise ValueError("an extrema label needs up > 0 and down >= 0")

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

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        if not np.isfinite(price).all():
            raise ValueError("an extrema label needs finite prices")
        smooth = centred_mean_nb(price, SMOOTHING)
        level = trailing_mean_nb(smooth, LIMIT_SPAN) / 100.0
        troughs, peaks, decided = zigzag_nb(smooth, self.up * level, self.down * level)
        value, last_used = legs_to_values_nb(smooth, troughs, peaks, decided, SMOOTHING // 2)
        return LabelValues(value, _by_value(value), last_used)


KINDS: dict[str, type] = {"threshold": Threshold, "published": Published, "extrema": Extrema}


def make_label(kind: str, **options: Any) -> Label:
    """Label of a named kind.

    Raises
    ------
    ValueError
        If the kind or an option is unknown, or a value is out of range.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown label kind {kind!r}; known are {', '.join(KINDS)}")
    known = [f.name for f in fields(KINDS[kind])]
    for option in options:
        if option not in known:
            raise ValueError(f"unknown option {option!r} of a {kind} label; known are {', '.join(known)}")
    try:
        return KINDS[kind](**options)
    except TypeError as error:
        raise ValueError(f"a {kind} label needs {', '.join(known)}") from error
