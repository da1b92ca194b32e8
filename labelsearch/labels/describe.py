"""Figures of labels: class counts, how far they look ahead, and how much two of them agree."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import CLASS_NAMES, NEUTRAL, Label, LabelValues


@dataclass(frozen=True)
class ClassCounts:
    """Settled bars of each class, and bars that are not settled."""

    buy: int
    neutral: int
    sell: int
    unsettled: int


def class_counts(values: LabelValues, traded: NDArray[np.bool_]) -> ClassCounts:
    """Count the traded bars (T,)."""
    settled = traded & values.settled
    counts = np.bincount(values.classes[settled], minlength=len(CLASS_NAMES))
    buy, neutral, sell = counts.tolist()
    return ClassCounts(buy, neutral, sell, unsettled=int(traded.sum() - settled.sum()))


def mean_horizon(values: LabelValues, traded: NDArray[np.bool_]) -> float | None:
    """Mean of ``last_used - t`` over the settled action bars among ``traded``, in bars; None without any."""
    bars = np.flatnonzero(traded & values.settled & (values.classes != NEUTRAL))
    return float(np.mean(values.last_used[bars] - bars)) if bars.size else None


def turning_points(label: Label, price: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Turning points (L,) of a label whose kind has them on prices (T,); None for other kinds."""
    found = getattr(label, "turning_points", None)
    return found(price) if found is not None else None


def mean_leg(turning_points: NDArray[np.int64], settled: NDArray[np.bool_], rows: slice) -> float | None:
    """Mean bars between neighbouring turning points, both settled and in ``rows``; None without any.

    Parameters
    ----------
    turning_points : (L,) array of int64
        Bars in time order.
    settled : (T,) array of bool
    """
    inside = (turning_points >= rows.start) & (turning_points < rows.stop) & settled[turning_points]
    kept = turning_points[inside]
    return float(np.mean(np.diff(kept))) if kept.size > 1 else None


def marks(values: LabelValues, traded: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Classes (T,), neutral wherever a bar is not settled or not ``traded`` (T,)."""
    return np.where(traded & values.settled, values.classes, np.int8(NEUTRAL))


def overlap(marked: list[NDArray[np.int8]]) -> list[list[float | None]]:
    """Share of the action bars of label i that label j puts on the same side: ``[i][j]`` in [0, 1].

    Parameters
    ----------
    marked : list of (T,) arrays of int8
        From `marks`, one for each label.

    Returns
    -------
    list of list of float
        A row holds None where label i has no action bars.
    """
    n = len(marked)
    both = np.zeros((n, n), dtype=np.int64)
    for i, j in itertools.combinations_with_replacement(range(n), 2):
        both[i, j] = both[j, i] = np.count_nonzero((marked[i] == marked[j]) & (marked[i] != NEUTRAL))
    return [[int(both[i, j]) / int(both[i, i]) if both[i, i] else None for j in range(n)] for i in range(n)]
