"""Label kinds: what one would have liked to know about every bar, with hindsight.

A label is a continuous value c in [-1, 1] (-1 buy, +1 sell) and a class (0 buy, 1 neutral, 2 sell). It also tells
per bar the last bar it used, so that training rows which saw too far can be dropped exactly. A further kind is a frozen
dataclass with what `Label` asks for and an entry in `KINDS`.
"""

import math
from dataclasses import MISSING, Field, fields
from typing import Any

from labelsearch.labels.base import BUY, CLASS_NAMES, NEUTRAL, SELL, Label, LabelValues
from labelsearch.labels.extrema import Extrema
from labelsearch.labels.threshold import Published, Threshold
from labelsearch.labels.trend_scanning import TrendScanning
from labelsearch.labels.triple_barrier import TripleBarrier

__all__ = [
    "BUY", "CLASS_NAMES", "KINDS", "NEUTRAL", "SELL", "Extrema", "Label", "LabelValues", "Published", "Threshold",
    "TrendScanning", "TripleBarrier", "make_label",
]  # fmt: skip

KINDS: dict[str, type] = {
    "threshold": Threshold,
    "published": Published,
    "extrema": Extrema,
    "triple_barrier": TripleBarrier,
    "trend_scanning": TrendScanning,
}
TYPE_NAMES = {int: "a whole number", float: "a finite number", str: "text"}


def _fits(option: Field[Any], value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if option.type is float:
        return isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, option.type)  # type: ignore[arg-type]


def make_label(kind: str, **options: Any) -> Label:
    """Label of a named kind.

    Raises
    ------
    ValueError
        If the kind or an option is unknown, missing or of the wrong type, or a value is out of range.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown label kind {kind!r}; known are {', '.join(KINDS)}")
    known = {f.name: f for f in fields(KINDS[kind])}
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"unknown option {option!r} of label kind {kind}; known are {', '.join(known)}")
        if not _fits(known[option], value):
            wanted = TYPE_NAMES[known[option].type]  # type: ignore[index]
            raise ValueError(f"option {option!r} of label kind {kind} must be {wanted}, not {value!r}")
    lacking = [name for name, f in known.items() if f.default is MISSING and name not in options]
    if lacking:
        raise ValueError(f"label kind {kind} needs {', '.join(lacking)}")
    return KINDS[kind](**options)
