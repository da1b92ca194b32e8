"""The checks that every label kind must pass: a user's own before its use, and all of them in the tests.

Labels are computed on made-up prices: random walks without gaps, every other one on a coarse tick with many equal
prices. Most important is that ``last_used`` is true, because the purge between windows relies on it.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import (
    BUY,
    NEUTRAL,
    SELL,
    Label,
    LabelError,
    LabelValues,
    MarketsBeside,
    check_head,
    head_of,
    is_across,
    values_across,
)
from labelsearch.labels.kinds import build_label, option_type

N_PRICES = 4  # series that each example is computed on
N_ENDS = 12  # values of last_used tried in each
MEMBERS = ("name", "lookahead", "reference", "values")


def prove_label(cls: type[Any]) -> None:
    """Check a label kind by its examples.

    Raises
    ------
    LabelError
        One line that names the kind and what is wrong.
    """
    kind = getattr(cls, "kind", None)
    if not isinstance(cls, type) or not isinstance(kind, str) or not kind.isidentifier():
        raise LabelError(f"{getattr(cls, '__name__', cls)} is not a class with a name in its attribute kind")
    try:
        _check_class(cls)
        labels = [build_label(cls, options) for options in cls.examples]
        for label in labels:
            check_head(head_of(label))
        if len({label.name for label in labels}) < len(labels):
            raise LabelError("two of its examples have the same name")
        if not sum(check_across(label) if is_across(cls) else check_label(label) for label in labels):
            raise LabelError("its examples mark no bar of a random walk with moves of 0.3% a bar")
    except Exception as error:  # whatever a user's class may raise
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise LabelError(" ".join(f"label kind {kind}: {text}".split())) from error


def _check_class(cls: type[Any]) -> None:
    """Raise `LabelError` unless the class has the members and options of `labelsearch.labels.base.Label`."""
    if not dataclasses.is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise LabelError("must be a frozen dataclass")
    needed = (*MEMBERS, "values_across") if is_across(cls) else MEMBERS
    lacking = [member for member in needed if not hasattr(cls, member)]
    if lacking:
        raise LabelError(f"has no {lacking[0]}")
    if not getattr(cls, "examples", ()):
        raise LabelError("needs examples: a tuple of options of typical instances")
    for option in dataclasses.fields(cls):
        option_type(option)
        if not option.metadata.get("help"):
            raise LabelError(f'option {option.name!r} has no explanation: field(metadata={{"help": ...}})')


def made_up_price(seed: int, n: int) -> NDArray[np.float64]:
    """Random walk, (n,) array of float64; for odd seeds on a coarse tick with many equal prices."""
    rng = np.random.default_rng(seed)
    walk = 100.0 * np.exp(np.cumsum(rng.standard_t(4, n) * 2e-3))
    return np.round(walk * 4) / 4 if seed % 2 else walk


def made_up_reference(label: Label) -> float:
    """Reference of a label from a price series of its own."""
    reference = label.reference(made_up_price(99, 2000 + 4 * (label.lookahead or 0)))
    if not isinstance(reference, float) or not 0.0 < reference < np.inf:
        raise LabelError(f"{label.name}: reference must be a positive float, not {reference!r}")
    return reference


def check_label(label: Label) -> int:
    """Check one label on made-up prices; returns how many action bars it marks."""
    reference = made_up_reference(label)
    hash(label)
    n_action = 0
    for seed in range(N_PRICES):
        price = made_up_price(seed, 400 + 4 * (label.lookahead or 0))
        values = check_values(label, price, reference)
        check_last_used(label, price, reference, np.random.default_rng(seed))
        if not values.settled.any():
            raise LabelError(f"{label.name}: all of {price.size} bars stay unsettled")
        n_action += int((values.classes != NEUTRAL).sum())
    for n in (1, 2):
        check_values(label, made_up_price(0, n), reference)
    return n_action


def made_up_markets(seed: int, n: int, n_markets: int = 6) -> MarketsBeside:
    """Random walks (n, n_markets) that share a part, some on a coarse tick, with missing bars and a late beginner."""
    rng = np.random.default_rng(seed)
    close = np.column_stack([made_up_price(10 * seed + m, n) for m in range(n_markets)])
    close *= np.exp(np.cumsum(rng.normal(0.0, 2e-3, n)))[:, None]
    close[: n // 10, -1] = np.nan
    traded = np.isfinite(close) & (rng.random(close.shape) > 0.03)
    member = np.isfinite(close) & (np.arange(n)[:, None] >= 5) & (rng.random(close.shape) > 0.1)
    basket = np.r_[0.0, np.nanmean(close[1:] / close[:-1] - 1.0, axis=1)]
    return MarketsBeside(
        close, traded, member, basket, rng.normal(1.0, 0.3, close.shape), rng.uniform(0.005, 0.03, close.shape)
    )


def _markets_of(columns: Iterable[Any]) -> MarketsBeside:
    return MarketsBeside(*columns)


def check_across(label: Label) -> int:
    """Check a label that compares markets on made-up ones; returns how many action bars it marks."""
    hash(label)
    n_action = 0
    for seed in range(N_PRICES):
        markets = made_up_markets(seed, 300 + 4 * (label.lookahead or 0))
        n = len(markets.basket)
        before = [column.tobytes() for column in markets]
        whole, again = values_across(label, markets), values_across(label, _markets_of(map(np.copy, markets)))
        if len(whole) != markets.close.shape[1]:
            raise LabelError(f"{label.name}: values_across must return labels of each market")
        for pair in zip(whole, again, strict=True):
            n_action += int((_checked(label, *pair, n).classes != NEUTRAL).sum())
        if before != [column.tobytes() for column in markets]:
            raise LabelError(f"{label.name}: changes the markets it is given")
        for last in np.linspace(1, n - 2, N_ENDS).astype(int):
            other = made_up_markets(seed + 50, n)
            mixed = _markets_of(np.r_[a[: last + 1], b[last + 1 :]] for a, b in zip(markets, other, strict=True))
            for changed in (mixed, _markets_of(column[: last + 1] for column in markets)):
                _check_same(label, whole, values_across(label, changed), int(last))
    return n_action


def _check_same(label: Label, whole: list[LabelValues], changed: list[LabelValues], last: int) -> None:
    """Raise `LabelError` if what later bars must not change is another one with others after bar ``last``."""
    for a, b in zip(whole, changed, strict=True):
        bars = np.flatnonzero(a.last_used <= last)
        if any((getattr(a, name)[bars] != getattr(b, name)[bars]).any() for name in a._fields):
            raise LabelError(f"{label.name}: bars after {last} change labels whose last_used is not after it")


def check_values(label: Label, price: NDArray[np.float64], reference: float) -> LabelValues:
    """Labels of prices (T,); `LabelError` unless their form, ranges and signs are right and they repeat."""
    n, before = price.size, price.tobytes()
    got, again = label.values(price, reference), label.values(price.copy(), reference)
    if price.tobytes() != before:
        raise LabelError(f"{label.name}: changes the prices it is given")
    return _checked(label, got, again, n)


def _checked(label: Label, got: LabelValues, again: LabelValues, n: int) -> LabelValues:
    """The first of two results for the same ``n`` bars; `LabelError` unless it is as it must be."""
    if not isinstance(got, LabelValues):
        raise LabelError(f"{label.name}: values must return LabelValues")
    for name, array, kind in zip(got._fields, got, (np.float64, np.int8, np.int64), strict=True):
        if not isinstance(array, np.ndarray) or array.dtype != kind or array.shape != (n,):
            raise LabelError(f"{label.name}: {name} must be {kind.__name__} of shape (T,)")
    if any(getattr(got, name).tobytes() != getattr(again, name).tobytes() for name in got._fields):
        raise LabelError(f"{label.name}: gives other values when computed again")
    value, classes, last_used = got
    if not (np.abs(value) <= 1.0).all():
        raise LabelError(f"{label.name}: value must lie in [-1, 1]")
    if not np.isin(classes, (BUY, NEUTRAL, SELL)).all():
        raise LabelError(f"{label.name}: classes must be 0, 1 or 2")
    if (value[classes == BUY] >= 0.0).any() or (value[classes == SELL] <= 0.0).any():
        raise LabelError(f"{label.name}: value must be negative at buy bars and positive at sell bars")
    if (last_used < np.arange(n)).any() or (last_used > n).any():
        raise LabelError(f"{label.name}: last_used must lie between the bar itself and T")
    ahead = (last_used - np.arange(n))[got.settled]
    if label.lookahead is not None and (ahead > label.lookahead).any():
        raise LabelError(f"{label.name}: last_used is {ahead.max()} bars ahead, but lookahead is {label.lookahead}")
    return got


def _continuations(price: NDArray[np.float64], last: int, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """The same prices up to bar ``last``, then others: flat, rising, falling, a jump, two random walks, and none."""
    rest = price.size - last - 1
    steps = np.arange(1, rest + 1)
    tails = [
        np.full(rest, price[last]),
        price[last] * 1.02**steps,
        price[last] * 0.98**steps,
        np.full(rest, 1000 * price[last]),
        price[last] * np.exp(rng.normal(0, 0.05, rest)),
        price[last] * np.exp(np.cumsum(rng.normal(0, 2e-3, rest))),
        np.empty(0),
    ]
    return [np.r_[price[: last + 1], tail] for tail in tails]


def check_last_used(label: Label, price: NDArray[np.float64], reference: float, rng: np.random.Generator) -> None:
    """Raise `LabelError` if other prices after ``last_used[t]``, or none at all, change the label of bar t."""
    whole = label.values(price, reference)
    ends = np.unique(whole.last_used[whole.settled])
    for last in rng.choice(ends, min(ends.size, N_ENDS), replace=False) if ends.size else []:
        bars = np.flatnonzero(whole.last_used <= last)
        for other in _continuations(price, int(last), rng):
            changed = label.values(other, reference)
            for name in whole._fields:
                different = bars[getattr(whole, name)[bars] != getattr(changed, name)[bars]]
                if different.size:
                    at = f"bar {different[0]}, whose last_used is {whole.last_used[different[0]]}"
                    raise LabelError(f"{label.name}: bars after {last} change the {name} of {at}")
