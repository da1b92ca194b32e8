"""Intervals by blocked resampling over time, for rows whose labels overlap and whose errors cluster."""

import math
from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from labelsearch.classifiers.figures import Interval, PairedDifference

N_RESAMPLES = 200
LEVEL = 0.95


def block_length(overlap: float, day: int, span: int) -> int:
    """Rows of a block: twice the mean bars that a label depends on, at least a day, at most a tenth of the span.

    A day on the assumption that losses depend on the hour of the day; this was not measured.
    """
    return max(1, min(max(math.ceil(2 * overlap), day), span // 10))


def resamples(
    rows: NDArray[np.int64], length: int, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> Iterator[NDArray[np.float64]]:
    """Weights of the rows in each resample of a circular moving-block bootstrap (Politis & Romano, 1992).

    Parameters
    ----------
    rows : (N,) array of int64
        Sorted grid rows; blocks are parts of the grid, so gaps between rows stay gaps.
    length : int
        Grid rows in a block.

    Yields
    ------
    (N,) array of float64
        How many of the drawn blocks cover each row.
    """
    rng = np.random.default_rng(seed)
    position = rows - rows[0]
    span = int(position[-1]) + 1
    for _ in range(n_resamples):
        starts = np.bincount(rng.integers(0, span, -(-span // length)), minlength=span + length)
        cover = np.cumsum(starts)
        cover[length:] -= cover[:-length].copy()
        cover[:length] += cover[span:]  # blocks that reach beyond the end continue at the start
        yield cover[position].astype(np.float64)


def interval(values: list[float]) -> Interval | None:
    """The middle 95% of resampled values; None where fewer than half of them are defined."""
    found = np.array(values)
    found = found[~np.isnan(found)]
    if 2 * found.size < len(values) or not found.size:
        return None
    low, high = np.quantile(found, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


@njit(cache=True, nogil=True, error_model="numpy")
def auc_nb(order, truth, last, weights):
    """Weighted AUC in one pass over rows sorted by score.

    Parameters
    ----------
    order : (N,) array of int32
        Rows by rising score.
    truth, last : (N,) array of float64 and of bool
        In that order: 1 for rows of the class, else 0; whether the next row has a higher score.
    weights : (N,) array of float64
        In the order of the rows themselves. Whole numbers, as resamples have, give exact sums.

    Returns
    -------
    float
        nan without a weighted row of either kind.
    """
    below, right, total = 0.0, 0.0, 0.0
    true, both = 0.0, 0.0
    for i in range(order.size):
        weight = weights[order[i]]
        true += weight * truth[i]
        both += weight
        if last[i]:
            other = both - true
            right += true * (below + other / 2)
            below += other
            total += true
            true, both = 0.0, 0.0
    pairs = total * below
    return right / pairs if pairs > 0 else np.nan


class Ranking:
    """Scores of a class sorted once, for the AUC under many weightings of the same rows."""

    def __init__(self, scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> None:
        self.order = np.argsort(scores, kind="stable").astype(np.int32)
        ordered = scores[self.order]
        self.truth = truth[self.order].astype(np.float64)
        self.last = np.r_[ordered[1:] != ordered[:-1], True]  # of each tied group

    def auc(self, weights: NDArray[np.float64]) -> float:
        """Weighted share of (true, other) pairs in the right order, ties half; nan without either kind."""
        return float(auc_nb(self.order, self.truth, self.last, weights))


def auc_intervals(
    probabilities: NDArray[np.float32], classes: NDArray[np.int8], rows: NDArray[np.int64], length: int
) -> list[Interval | None]:
    """95% interval of the one-vs-rest AUC of each class."""
    rankings = [Ranking(probabilities[:, c], classes == c) for c in range(3)]
    values = [[ranking.auc(w) for ranking in rankings] for w in resamples(rows, length)]
    return [interval(list(column)) for column in zip(*values, strict=True)]


def paired_difference(
    loss: NDArray[np.float64],
    reference: NDArray[np.float64],
    weights: NDArray[np.float64],
    rows: NDArray[np.int64],
    length: int,
) -> PairedDifference:
    """Difference of weighted mean losses, each (N,) array of float64 on the same sorted grid rows, (N,) array of int64.

    The ends of its interval are nan where it is undefined; ``length`` is the number of grid rows of a block.
    """
    difference = (loss - reference) * weights
    values = [float(w @ difference / (w @ weights)) for w in resamples(rows, length)]
    low, high = interval(values) or (math.nan, math.nan)
    verdict = "better" if high < 0 else "worse" if low > 0 else "no difference shown"
    return PairedDifference(float(difference.sum() / weights.sum()), low, high, verdict)
