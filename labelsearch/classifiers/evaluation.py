"""How good a classifier is: confusion, precision, recall, AUC and calibration."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from labelsearch.classifiers.figures import ClassScores, Evaluation, Interval
from labelsearch.classifiers.intervals import auc_intervals


def evaluate(
    probabilities: NDArray[np.float32],
    classes: NDArray[np.int8],
    n_bins: int = 10,
    blocks: tuple[NDArray[np.int64], int] | None = None,
) -> Evaluation:
    """Figures of one classifier on bars it was not fitted on.

    Parameters
    ----------
    probabilities : (N, 3) array of float32
    classes : (N,) array of int8
        True classes.
    n_bins : int
        Equal bins of the reliability curve.
    blocks : ((N,) array of int64, int), optional
        Grid rows and the block length for the intervals of the AUC; without it there are none.
    """
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount(3 * classes.astype(np.int64) + predicted, minlength=9).reshape(3, 3)  # no bars are fine
    intervals: list[Interval | None] = [None] * 3
    has_intervals = blocks is not None and len(classes) > 0
    if blocks is not None and has_intervals:
        intervals = auc_intervals(probabilities, classes, *blocks)

    def scores(c: int) -> ClassScores:
        probability, truth = probabilities[:, c], classes == c
        bins = np.minimum((probability * n_bins).astype(int), n_bins - 1)
        return ClassScores(
            precision=float(confusion[c, c] / max(confusion[:, c].sum(), 1)),
            recall=float(confusion[c, c] / max(confusion[c].sum(), 1)),
            auc=float(roc_auc_score(truth, probability)) if 0 < truth.sum() < truth.size else None,
            reliability=tuple(
                (float(probability[bins == b].mean()), float(truth[bins == b].mean()), int((bins == b).sum()))
                for b in np.unique(bins)
            ),
            auc_interval=intervals[c],
        )

    counts = tuple(tuple(row) for row in confusion.tolist())
    return Evaluation(len(classes), counts, scores(0), scores(1), scores(2), has_intervals)
