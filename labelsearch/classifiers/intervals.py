"""Intervals by blocked resampling over time, for rows whose labels overlap and whose errors cluster."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 200
LEVEL = 0.95


def block_length(overlap: float, day: int, span: int) -> int:
    """Rows of a block: twice the mean stretch that a label uses, at least a day, at most a tenth of the span.

    A day because losses are taken to depend on the hour of the day; this was not measured.
    """
    return max(1, min(max(math.ceil(2 * overlap), day), span // 10))


def resamples(
    rows: NDArray[np.int64], length: int, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> Iterator[NDArray[np.float64]]:
    """Weights of the rows in each resample of a circular moving-block bootstrap (Politis & Romano, 1992).

    Parameters
    ----------
    rows : int64 (N,)
        Sorted grid rows; blocks are stretches of the grid, so gaps between rows stay gaps.
    length : int
        Grid rows in a block.

    Yields
    ------
    float64 (N,)
        How many of the drawn blocks cover each row.
    """
    rng = np.random.default_rng(seed)
    position = rows - rows[0]
    span = int(position[-1]) + 1
    for _ in range(n_resamples):
        starts = np.bincount(rng.integers(0, span, -(-span // length)), minlength=span + length)
        cover = np.cumsum(starts)
        cover[length:] -= cover[:-length].copy()
        cover[:length] += cover[span:]  # blocks that run over the end go on at the start
        yield cover[position].astype(np.float64)


def interval(values: list[float]) -> tuple[float, float] | None:
    """The middle 95% of resampled values; None where fewer than half of them are defined."""
    found = np.array(values)
    found = found[~np.isnan(found)]
    if 2 * found.size < len(values) or not found.size:
        return None
    low, high = np.quantile(found, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


class Ranking:
    """Scores of a class sorted once, for the AUC under many weightings of the same rows."""

    def __init__(self, scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> None:
        self.order = np.argsort(scores, kind="stable")
        ordered = scores[self.order]
        self.truth = truth[self.order]
        self.ties = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])  # first row of each tied group

    def auc(self, weights: NDArray[np.float64]) -> float:
        """Weighted share of (true, other) pairs in the right order, ties half; nan without either kind."""
        weights = weights[self.order]
        true = np.where(self.truth, weights, 0.0)
        total = np.add.reduceat(weights, self.ties)
        true = np.add.reduceat(true, self.ties)
        other = total - true
        pairs = true.sum() * other.sum()
        return float((true * (np.cumsum(other) - other / 2)).sum() / pairs) if pairs > 0 else math.nan


def auc_intervals(
    probabilities: NDArray[np.float32], classes: NDArray[np.int8], rows: NDArray[np.int64], length: int
) -> list[tuple[float, float] | None]:
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
) -> dict[str, Any]:
    """Difference of weighted mean losses on the same rows, its 95% interval, and what it shows."""
    difference = (loss - reference) * weights
    values = [float(w @ difference / (w @ weights)) for w in resamples(rows, length)]
    low, high = interval(values) or (math.nan, math.nan)
    verdict = "better" if high < 0 else "worse" if low > 0 else "no difference shown"
    return {"value": float(difference.sum() / weights.sum()), "interval": (low, high), "verdict": verdict}
