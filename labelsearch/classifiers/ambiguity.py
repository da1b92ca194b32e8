"""What it is worth that the networks of an ensemble differ: the loss of each, and that of their mean.

By Jensen's inequality the loss of the mean is never above the mean loss, for losses that are convex in what is
averaged. Their difference is the ambiguity of Krogh & Vedelsby (1995), who define it for squared errors, where it is
the variance over networks; Wood et al. (2023) treat the cross entropy too.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import BUY, NEUTRAL, SELL
from strategies.luck.attribution import mean_correlation

SMALLEST = 1e-6  # probability: outputs are stored in single precision, and neutral is what is left of 1
DECIMALS = 9  # of correlations: later ones depend on the number of threads
Floats = NDArray[np.float64]


class EnsembleLoss(NamedTuple):
    """Losses of the networks of one label over N bars.

    Attributes
    ----------
    single_loss : float
        Mean over networks of the mean loss of each.
    ensemble_loss : float
        Mean loss of the mean of what they predict.
    naive_loss : float
        Mean loss of the best constant prediction on the same bars: what a network without knowledge would have.
    correlation : float, optional
        Mean correlation of all pairs of networks, of what they say before it is squashed; None where it does not vary.
    """

    single_loss: float
    ensemble_loss: float
    naive_loss: float
    correlation: float | None


def class_losses(outputs: NDArray[np.float32], classes: NDArray[np.int8]) -> EnsembleLoss:
    """Cross entropies in nats of probabilities, each bar counted alike.

    Parameters
    ----------
    outputs : (M, N, 2) array of float32
        Probabilities of buy and of sell by network.
    classes : (N,) array of int8
        True classes; at least one bar.

    Returns
    -------
    EnsembleLoss
        The correlation is the mean of those of the log odds of buy and of sell against neutral.
    """
    probabilities = np.empty((*outputs.shape[:2], 3))
    probabilities[:, :, BUY], probabilities[:, :, SELL] = outputs[:, :, 0], outputs[:, :, 1]
    probabilities[:, :, NEUTRAL] = 1.0 - probabilities[:, :, BUY] - probabilities[:, :, SELL]
    probabilities = np.clip(probabilities, SMALLEST, 1.0)
    bars = np.arange(len(classes))
    of_truth = probabilities[:, bars, classes]
    counts = np.bincount(classes, minlength=3)
    shares = counts[counts > 0] / len(classes)
    logits = np.log(probabilities)
    odds = (logits[:, :, side] - logits[:, :, NEUTRAL] for side in (BUY, SELL))
    return EnsembleLoss(
        single_loss=float(-np.log(of_truth).mean()),
        ensemble_loss=float(-np.log(of_truth.mean(axis=0)).mean()),
        naive_loss=float(-(shares * np.log(shares)).sum()),
        correlation=_mean([mean_correlation(rows) for rows in odds]),
    )


def move_losses(outputs: NDArray[np.float32], truth: Floats) -> EnsembleLoss:
    """Squared errors of predicted moves (M, N) against true ones (N,), both in the unit of outputs, [-1, 1]."""
    predicted = outputs.astype(np.float64)
    return EnsembleLoss(
        single_loss=float(((predicted - truth) ** 2).mean()),
        ensemble_loss=float(((predicted.mean(axis=0) - truth) ** 2).mean()),
        naive_loss=float(truth.var()),
        correlation=_mean([mean_correlation(predicted)]),
    )


def _mean(found: list[float | None]) -> float | None:
    known = [value for value in found if value is not None]
    return round(float(np.mean(known)), DECIMALS) if known else None
