"""Label kinds by name: what would have been the right side at every bar, with hindsight.

A label is a continuous value c in [-1, 1] (-1 buy, +1 sell) and a class (0 buy, 1 neutral, 2 sell). It also gives, per
bar, the last bar it depends on, so that training rows that reach too far can be dropped exactly. A further kind is a
class as `Label` describes it, in `KINDS`.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from labelsearch.labels.base import BUY, CLASS_NAMES, NEUTRAL, SELL, Label, LabelError, LabelValues
from labelsearch.labels.extrema import Extrema
from labelsearch.labels.magnitude import Magnitude
from labelsearch.labels.relative import Relative
from labelsearch.labels.threshold import Published, Threshold
from labelsearch.labels.trend_scanning import TrendScanning
from labelsearch.labels.triple_barrier import TripleBarrier
from labelsearch.registry import Registry

__all__ = [
    "BUY", "CLASS_NAMES", "KINDS", "NEUTRAL", "SELL", "Extrema", "Label", "LabelValues", "Magnitude",
    "Published", "Relative",
    "Threshold", "TrendScanning", "TripleBarrier", "build_label", "make_label", "option_type",
]  # fmt: skip

KINDS: Registry[type[Any]] = Registry(
    "label kind", LabelError, (Threshold, Published, Extrema, TripleBarrier, TrendScanning, Relative, Magnitude)
)
LARGEST = 10_000_000  # of a number
TYPE_NAMES = {int: "a whole number", float: "a finite number", str: "text"}


def option_type(option: Field[Any]) -> type:
    """Type of an option: int, float or str, also where the annotation is text; `LabelError` for any other."""
    for known in TYPE_NAMES:
        if option.type in (known, known.__name__):
            return known
    raise LabelError(f"option {option.name!r} must be of type int, float or str")


def _fits(wanted: type, value: object) -> bool:
    if isinstance(value, bool):
        return False
    if wanted is float:
        return isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, wanted)


def make_label(kind: str, **options: float | str) -> Label:
    """Label of a named kind.

    Parameters
    ----------
    kind : str
    **options : int, float or str
        Fields of the kind.

    Returns
    -------
    Label

    Raises
    ------
    LabelError
        If the kind or an option is unknown, missing or of the wrong type, or a value is out of range.

    Examples
    --------
    >>> make_label("threshold", theta=0.012, horizon=60).name
    'threshold_1.2_60'
    """
    return build_label(KINDS.find(kind), options)


def build_label(cls: type[Any], options: Mapping[str, object]) -> Label:
    """Label of a class with checked options; raises as `make_label`."""
    known = {f.name: f for f in fields(cls)}
    for option, value in options.items():
        if option not in known:
            raise LabelError(f"unknown option {option!r} of label kind {cls.kind}; known are {', '.join(known)}")
        wanted = option_type(known[option])
        if not _fits(wanted, value):
            raise LabelError(f"option {option!r} of label kind {cls.kind} must be {TYPE_NAMES[wanted]}, not {value!r}")
        if isinstance(value, (int, float)) and abs(value) > LARGEST:
            raise LabelError(f"option {option!r} of label kind {cls.kind} must be at most {LARGEST:,}, not {value}")
    lacking = [name for name, f in known.items() if f.default is MISSING and name not in options]
    if lacking:
        raise LabelError(f"label kind {cls.kind} needs {', '.join(lacking)}")
    return cls(**options)
