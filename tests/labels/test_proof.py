"""A user's own label kinds are proved before they are used."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from labelsearch.labels.base import BUY, SELL, LabelValues, bars_ahead, classes_by_value
from labelsearch.labels.kinds import KINDS, Threshold, make_label
from labelsearch.labels.proof import prove_label


@dataclass(frozen=True)
class Move:
    """Side of the move to the close ``horizon`` bars ahead; the tests change one method of it at a time."""

    kind: ClassVar[str] = "move"
    examples: ClassVar[tuple[dict, ...]] = ({"horizon": 3}, {"horizon": 10, "edge": 0.002})

    horizon: "int" = field(metadata={"help": "bars ahead"})
    edge: float = field(default=0.001, metadata={"help": "relative move that is an action"})

    @property
    def name(self) -> str:
        return f"move_{self.horizon}_{self.edge:g}"

    @property
    def lookahead(self) -> int:
        return self.horizon

    def reference(self, price):
        return 1.0

    def values(self, price, reference):
        value = np.zeros(price.size)
        later = price[self.horizon :]
        value[: later.size] = np.tanh(-(later / price[: later.size] - 1.0) / self.edge)
        return LabelValues(value, classes_by_value(value, 0.7), bars_ahead(price.size, self.horizon))


def test_an_own_kind_is_a_label_like_any_other(registries):
    prove_label(Move)
    KINDS.register(Move)
    KINDS.register(Move)
    label = make_label("move", horizon=2)
    got = label.values(np.array([100.0, 100.0, 101.0, 99.0]), 1.0)
    assert got.classes.tolist() == [BUY, SELL, 1, 1]
    assert got.last_used.tolist() == [2, 3, 4, 4]
    with pytest.raises(ValueError, match="option 'horizon' of label kind move must be a whole number"):
        make_label("move", horizon=2.5)


def test_a_name_belongs_to_one_kind(registries):
    KINDS.register(Threshold)
    with pytest.raises(ValueError, match="'threshold': the name is taken"):
        KINDS.register(changed(kind="threshold", origin="a"))
    one = changed(origin="a")
    for _ in range(2):
        KINDS.register(one)
    for other in (changed(origin="a"), changed(origin="b"), Move):
        with pytest.raises(ValueError, match="'move': the name is taken"):
            KINDS.register(other)


def changed(**members) -> type:
    return dataclass(frozen=True)(type("Other", (Move,), {"__module__": __name__, **members}))


def values_with(**columns):
    """Values of `Move` with some columns replaced, given as functions of the honest values and the price."""

    def values(self, price, reference):
        honest = Move.values(self, price, reference)
        return honest._replace(**{name: make(honest, price) for name, make in columns.items()})

    return {"values": values}


def spoils_prices(self, price, reference):
    price[:] = 1.0
    return Move.values(self, price, reference)


def random_values(self, price, reference):
    honest = Move.values(self, price, reference)
    return honest._replace(value=honest.value * np.random.default_rng().random())


def whole_series(honest, price):
    return honest.value * (price.max() > 2 * price[0]) + 0.5 * honest.value


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (values_with(last_used=lambda v, p: np.maximum(v.last_used - 1, np.arange(p.size))), "whose last_used is"),
        (values_with(value=whole_series), "change the value of bar"),
        (values_with(last_used=lambda v, p: np.where(v.settled, np.minimum(v.last_used, p.argmax()), p.size)), "last_"),
        ({"lookahead": property(lambda self: 2)}, "last_used is 3 bars ahead, but lookahead is 2"),
        (values_with(last_used=lambda v, p: v.last_used - 99), "last_used must lie between the bar itself and T"),
        (values_with(last_used=lambda v, p: np.full(p.size, p.size)), "stay unsettled"),
        (values_with(value=lambda v, p: v.value.astype(np.float32)), r"value must be float64 of shape \(T,\)"),
        (values_with(classes=lambda v, p: v.classes[1:]), r"classes must be int8 of shape \(T,\)"),
        (values_with(value=lambda v, p: 2.0 * v.value), r"value must lie in \[-1, 1\]"),
        (values_with(value=lambda v, p: np.full(p.size, np.nan)), r"value must lie in \[-1, 1\]"),
        (values_with(value=lambda v, p: -v.value), "negative at buy bars"),
        (values_with(classes=lambda v, p: v.classes + np.int8(1)), "classes must be 0, 1 or 2"),
        (values_with(classes=lambda v, p: np.ones(p.size, np.int8)), "mark no bar"),
        ({"values": lambda self, price, reference: 3}, "must return LabelValues"),
        ({"values": spoils_prices}, "changes the prices"),
        ({"values": random_values}, "other values when computed again"),
        ({"reference": lambda self, price: 0.0}, "reference must be a positive float, not 0.0"),
        ({"reference": lambda self, price: price.nothing}, "AttributeError: .* no attribute 'nothing'"),
        ({"name": "move"}, "two of its examples have the same name"),
        ({"examples": ()}, "needs examples"),
        ({"examples": ({"horizons": 3},)}, "unknown option 'horizons'"),
        ({"examples": ({"horizon": 3, "edge": 0.0},)}, "value must lie"),
        ({"values": None}, "TypeError"),
        ({"__annotations__": {"more": list}, "more": field(default=(), metadata={"help": "x"})}, "int, float or str"),
        ({"__annotations__": {"more": int}, "more": 3}, "option 'more' has no explanation"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_an_ill_formed_kind_is_refused(members, message):
    with pytest.raises(ValueError, match=f"^label kind move: .*{message}") as error:
        prove_label(changed(**members))
    assert "\n" not in str(error.value)


def test_what_is_no_kind_is_refused():
    class Plain:
        kind = "plain"

    with pytest.raises(ValueError, match="label kind plain: must be a frozen dataclass"):
        prove_label(Plain)
    with pytest.raises(ValueError, match="label kind move: has no values"):
        prove_label(
            dataclass(frozen=True)(type("Few", (), {"kind": "move", "name": "x", "lookahead": 1, "reference": 1}))
        )
    for other in (Move(3), int, changed(kind="two words")):
        with pytest.raises(ValueError, match="is not a class with a name in its attribute kind"):
            prove_label(other)
