"""What all label kinds share: the values, the protocol, and small helpers."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from labelsearch.errors import InputError
from labelsearch.labels.kernels import ew_std_nb

BUY, NEUTRAL, SELL = 0, 1, 2
CLASS_NAMES = ("buy", "neutral", "sell")
VOLATILITY_SPAN = 1440  # bars: a day of minutes
LARGEST_MOVE = 3.0  # volatilities; larger moves count as this
HEADS = {"classes": ("buy", "sell"), "magnitude": ("magnitude",)}  # what strategies see, by what a network predicts


class LabelError(InputError):
    """A label that cannot be made, computed or registered, as one line."""


class LabelValues(NamedTuple):
    """Label of every bar; ``last_used`` is ``T`` where later bars could still change the label, or there is none."""

    value: NDArray[np.float64]  # (T,) in [-1, 1]
    classes: NDArray[np.int8]  # (T,) 0 buy, 1 neutral, 2 sell
    last_used: NDArray[np.int64]  # (T,) last bar the label of this bar depends on

    @property
    def settled(self) -> NDArray[np.bool_]:
        """True where there is a label and later bars cannot change it."""
        return self.last_used < self.value.size

    def before(self, stop: int) -> "LabelValues":
        """Labels of the bars before ``stop`` as they are known without the others; neutral where they are not."""
        value, classes, last_used = (column[:stop] for column in self)
        known = last_used < value.size
        return LabelValues(
            np.where(known, value, 0.0),
            np.where(known, classes, np.int8(NEUTRAL)),
            np.where(known, last_used, value.size),
        )


OfMarket = Mapping[str, LabelValues]  # labels that compare markets, of one of them, by name


class MarketsBeside(NamedTuple):
    """Markets side by side on one grid, as `labelsearch.market.cross_section.CrossSection` has them."""

    close: NDArray[np.float64]  # (T, M) the last one known, NaN before the first
    traded: NDArray[np.bool_]  # (T, M) whether the market has this bar
    member: NDArray[np.bool_]  # (T, M) whether it belongs to the universe
    basket: NDArray[np.float64]  # (T,) simple return
    beta: NDArray[np.float64]  # (T, M) to the basket, trailing; NaN where not known
    sigma: NDArray[np.float64]  # (T, M) trailing standard deviation of returns of a bar; NaN where not known


class Label(Protocol):
    """What every label kind offers: a frozen dataclass whose fields are its options.

    An option is of type int, float or str and carries its explanation as ``field(metadata={"help": ...})``. A kind that
    is made of alternating turning points may also have ``turning_points(price)``, (L,) array of int64, bars in order.
    A kind whose value is c = -y/3, y a move in [-3, 3], may have the attribute ``head``: ``magnitude`` where its
    network predicts y itself, else ``classes``, as for all kinds without it.
    A kind that compares markets has the class variable ``across = True`` and ``values_across(markets)``, which takes
    `MarketsBeside` and returns the `LabelValues` of each market; its ``values`` raises `LabelError`.
    `labelsearch.labels.proof.prove_label` checks a kind.

    Attributes
    ----------
    kind : str
        Name in experiments.
    origin : str
        SHA-256 of the user's file that defines the kind; empty for a built-in one.
    examples : tuple of dict
        Options of typical instances, which the checks use.
    """

    kind: ClassVar[str]
    origin: ClassVar[str]
    examples: ClassVar[tuple[dict[str, Any], ...]]

    @property
    def name(self) -> str:
        """Short name, different for different options."""

    @property
    def lookahead(self) -> int | None:
        """Most bars that it looks ahead; None where the prices decide."""

    def reference(self, price: NDArray[np.float64]) -> float:
        """Scale fitted on prices (T,) of the training window; 1.0 for a label without one."""

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        """Labels of all bars from positive prices (T,)."""


def is_across(label: Label | type[Any]) -> bool:
    """Whether a label, or a kind, compares markets."""
    return bool(getattr(label, "across", False))


def is_magnitude(label: Label) -> bool:
    """Whether the network of a label predicts a move y in [-3, 3] instead of classes."""
    return head_of(label) == "magnitude"


def head_of(label: Label) -> str:
    """What the network of a label predicts, a key of `HEADS`."""
    return str(getattr(label, "head", "classes"))


def output_names(labels: Iterable[Label]) -> tuple[str, ...]:
    """Outputs that strategies see, in order: ``label:buy`` and ``label:sell``, or ``label:magnitude``."""
    return tuple(f"{label.name}:{output}" for label in labels for output in HEADS[head_of(label)])


def pairs_of(names: Iterable[str]) -> tuple[int, ...]:
    """Place of each buy probability among outputs named as by `output_names`; that of its sell is the next."""
    return tuple(k for k, name in enumerate(names) if name.endswith(":buy"))


def check_head(head: str) -> None:
    """Raise `LabelError` for a head that is not known."""
    if head not in HEADS:
        raise LabelError(f"unknown head {head!r}; known are {', '.join(HEADS)}")


def moves_of(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moves y in [-3, 3] of the values c of a magnitude label: y = -3 c."""
    return -LARGEST_MOVE * value + 0.0  # no minus zero


def values_across(label: Label, markets: MarketsBeside) -> list[LabelValues]:
    """Labels of each market, of a label that compares them."""
    return list(label.values_across(markets))  # type: ignore[attr-defined]


def classes_by_value(value: NDArray[np.float64], edge: float) -> NDArray[np.int8]:
    """Class (T,) of every bar: sell above ``edge``, buy below ``-edge``; an edge of 1 need only be reached."""
    sell, buy = (value >= 1.0, value <= -1.0) if edge >= 1.0 else (value > edge, value < -edge)
    return np.where(sell, SELL, np.where(buy, BUY, NEUTRAL)).astype(np.int8)


def checked_reference(label: Label, reference: float) -> float:
    """The reference; `LabelError` if it is 0 or not a number, so that the label cannot be divided by it."""
    if not reference > 0.0:
        raise LabelError(f"label {label.name} cannot be scaled: the price hardly moves in the training window")
    return reference


def bars_ahead(n: int, horizon: int) -> NDArray[np.int64]:
    """Index (n,) of each bar plus ``horizon``; n where that lies beyond the data."""
    return np.minimum(np.arange(n) + horizon, n)


def volatility(price: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """Trailing exponentially weighted standard deviation (T,) of log returns of one bar; 0 at the first."""
    log_price = np.log(price)
    return ew_std_nb(np.diff(log_price, prepend=log_price[:1]), span)
