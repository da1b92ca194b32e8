"""How much the loss grows without a feature: its column is shifted in time, away from the bars it belongs to.

Permuting single rows (Breiman, 2001) would destroy the autocorrelation of neighbouring bars; a circular shift keeps it
everywhere but at one seam.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from labelsearch.classifiers.networks import window_of
from labelsearch.classifiers.prediction import predict
from labelsearch.classifiers.scores import row_losses


def stratified_rows(
    classes: NDArray[np.int8], rows: NDArray[np.int64], n: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """At most ``n`` of the rows, drawn without replacement, equally many of each class.

    If a class has fewer rows than its part, the other classes share the rest.

    Parameters
    ----------
    classes : (T,) array of int8
        Classes of all bars.
    rows : (N,) array of int64
        Rows to draw from.

    Returns
    -------
    drawn : (M,) array of int64
        Sorted.
    importance : (M,) array of float64
        (rows of its class)/(rows of its class drawn), so that weighted sums estimate those over all rows.
    """
    by_class = sorted((rows[classes[rows] == c] for c in range(3)), key=len)
    drawn = np.empty(0, dtype=np.int64)
    importance = np.empty(0)
    for k, part in enumerate(by_class):
        size = min(len(part), -(-(n - len(drawn)) // (3 - k)))
        drawn = np.r_[drawn, rng.choice(part, size, replace=False)]
        importance = np.r_[importance, np.full(size, len(part) / max(size, 1))]
    order = np.argsort(drawn)
    return drawn[order], importance[order]


def draw_shifts(span: int, smallest: int, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Circular shifts, (n,) array of int64, forwards and backwards, by at most half of the span of rows.

    They are by at least ``smallest`` rows, or a quarter of the span where that is less.
    """
    smallest = max(1, min(smallest, span // 4))
    shifts = rng.integers(smallest, span - smallest + 1, n)
    return np.where(2 * shifts > span, shifts - span, shifts)


def shift_ablation(
    network: nn.Module,
    matrix: NDArray[np.float32],
    span: slice,
    rows: NDArray[np.int64],
    classes: NDArray[np.int8],
    weights: NDArray[np.float64],
    groups: Sequence[Sequence[int]],
    shifts: NDArray[np.int64],
) -> tuple[float, NDArray[np.float64]]:
    """Weighted loss, and its increase when groups of columns are shifted.

    Parameters
    ----------
    network : Module
    matrix : (T, F) array of float32
    span : slice
        Rows of the matrix that are shifted among themselves.
    rows : (N,) array of int64
        Rows within the span whose loss is measured.
    classes : (N,) array of int8
    weights : (N,) array of float64
        Loss factors times importance.
    groups : sequence of G sequences of int
        Columns that are shifted together.
    shifts : (R,) array of int64
        Rows to shift by, the same for all groups.

    Returns
    -------
    loss : float
        Weighted mean cross-entropy with all columns in place.
    increase : (G, R) array of float64
    """
    start = max(span.start - window_of(network) + 1, 0)
    part = matrix[start : span.stop].copy()
    shifted = part[span.start - start :]
    kept = shifted.copy()

    def loss() -> float:
        losses = row_losses(predict(network, part, rows - start), classes)
        return float(weights @ losses / weights.sum())

    whole = loss()
    increase = np.empty((len(groups), len(shifts)))
    for g, columns in enumerate(map(list, groups)):
        for r, shift in enumerate(shifts):
            shifted[:, columns] = np.roll(kept[:, columns], shift, axis=0)
            increase[g, r] = loss() - whole
        shifted[:, columns] = kept[:, columns]
    return whole, increase
