"""Figures by which networks are compared on the same rows, with intervals."""

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.figures import Estimate, NetworkScores
from labelsearch.classifiers.intervals import Ranking, interval, resamples
from labelsearch.labels.kinds import CLASS_NAMES

SMALLEST = 1e-30  # smaller probabilities count as this, so that the loss stays finite


def row_losses(probabilities: NDArray[np.float32], classes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Cross-entropy (N,) of each row."""
    chosen = probabilities[np.arange(len(classes)), classes].astype(np.float64)
    return -np.log(np.maximum(chosen, SMALLEST))


def row_brier(probabilities: NDArray[np.float32], classes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Squared distance (N,) of the probabilities from the true class, in [0, 2] (Brier, 1950)."""
    return ((probabilities - np.eye(3)[classes]) ** 2).sum(axis=1)


def expected_calibration_error(
    probabilities: NDArray[np.float32],
    classes: NDArray[np.int8],
    weights: NDArray[np.float64],
    n_bins: int = 15,
) -> float:
    """Weighted mean gap between probability and accuracy of the predicted class, over bins (Guo et al., 2017)."""
    sure = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == classes
    bins = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    gap = np.bincount(bins, weights * (right - sure), n_bins)
    return float(np.abs(gap).sum() / weights.sum())


def score(
    probabilities: NDArray[np.float32],
    classes: NDArray[np.int8],
    weights: NDArray[np.float64],
    rows: NDArray[np.int64],
    length: int,
) -> NetworkScores:
    """Each figure with its 95% interval; the calibration error has none.

    Loss, Brier score and calibration error weigh rows by their loss factors, as training does; balanced accuracy and
    AUC weigh all rows alike.

    Parameters
    ----------
    probabilities : (N, 3) array of float32
    classes : (N,) array of int8
    weights : (N,) array of float64
        Loss factors.
    rows : (N,) array of int64
        Sorted grid rows.
    length : int
        Grid rows of a block of the resampling.
    """
    hit = probabilities.argmax(axis=1) == classes
    one_hot = np.eye(3)[classes]
    sums = np.column_stack(
        [
            row_losses(probabilities, classes) * weights,
            row_brier(probabilities, classes) * weights,
            weights,
            one_hot,
            one_hot * hit[:, None],
        ]
    )
    rankings = {name: Ranking(probabilities[:, c], classes == c) for c, name in enumerate(CLASS_NAMES)}

    def figures(w: NDArray[np.float64]) -> dict[str, float]:
        loss, brier, weight, *counts = w @ sums
        with np.errstate(invalid="ignore", divide="ignore"):
            recalls = np.array(counts[3:]) / np.array(counts[:3])
        plain = {"loss": loss / weight, "brier": brier / weight, "balanced_accuracy": np.nanmean(recalls)}
        return {**plain, **{f"auc_{name}": ranking.auc(w) for name, ranking in rankings.items()}}

    values = figures(np.ones(len(rows)))
    drawn = [figures(w) for w in resamples(rows, length)]
    estimates = {
        name: Estimate(None if np.isnan(v) else float(v), interval([d[name] for d in drawn]))
        for name, v in values.items()
    }
    error = expected_calibration_error(probabilities, classes, weights)
    return NetworkScores(**estimates, calibration_error=Estimate(error, None))
