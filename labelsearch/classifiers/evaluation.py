"""How good a classifier is: confusion, precision, recall, AUC and calibration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, roc_auc_score

from labelsearch.classifiers.intervals import auc_intervals
from labelsearch.labels.kinds import CLASS_NAMES


def evaluate(
    probabilities: NDArray[np.float32],
    classes: NDArray[np.int8],
    n_bins: int = 10,
    blocks: tuple[NDArray[np.int64], int] | None = None,
) -> dict[str, Any]:
    """Figures of one classifier on bars it was not fitted on.

    Parameters
    ----------
    probabilities : float32 (N, 3)
    classes : int8 (N,)
        True classes.
    n_bins : int
        Equal bins of the reliability curve.
    blocks : (int64 (N,), int), optional
        Grid rows and the block length for the intervals of the AUC; none without it.

    Returns
    -------
    dict
        ``confusion`` (true rows, predicted columns), and per class name ``precision``, ``recall``, one-vs-rest
        ``auc`` (None where the class or its complement is absent) and ``reliability`` as
        (mean probability, observed share, count) per bin; with ``blocks`` also ``auc_interval``, 95%.
    """
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(classes, predicted, labels=[0, 1, 2])
    figures: dict[str, Any] = {"n": len(classes), "confusion": confusion.tolist()}
    for c, name in enumerate(CLASS_NAMES):
        truth = classes == c
        auc = float(roc_auc_score(truth, probabilities[:, c])) if 0 < truth.sum() < truth.size else None
        bins = np.minimum((probabilities[:, c] * n_bins).astype(int), n_bins - 1)
        reliability = [
            (float(probabilities[bins == b, c].mean()), float(truth[bins == b].mean()), int((bins == b).sum()))
            for b in np.unique(bins)
        ]
        figures[name] = {
            "precision": float(confusion[c, c] / max(confusion[:, c].sum(), 1)),
            "recall": float(confusion[c, c] / max(confusion[c].sum(), 1)),
            "auc": auc,
            "reliability": reliability,
        }
    if blocks is not None and len(classes):
        for name, found in zip(CLASS_NAMES, auc_intervals(probabilities, classes, *blocks), strict=True):
            figures[name]["auc_interval"] = found
    return figures
