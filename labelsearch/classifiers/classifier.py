"""A classifier of any kind from its folder, ready for use; loads torch only for those that need it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.inference import load_perceptron


class Classifier(NamedTuple):
    """A classifier ready for use, of whatever kind.

    Attributes
    ----------
    window : int
        Bars that it sees at once.
    probabilities : callable
        ``probabilities(matrix, rows, origin)`` -> float32 (N, 3), as `labelsearch.classifiers.prediction.predict`.
    """

    window: int
    probabilities: Callable[[NDArray[np.float32], NDArray[np.int64], int], NDArray[np.float32]]


def load_classifier(folder: Path) -> Classifier:
    """The classifier in a folder; loads torch only for those that are no multilayer perceptrons."""
    if json.loads((folder / "network.json").read_text())["kind"] == "mlp":
        perceptron = load_perceptron(folder)
        return Classifier(1, lambda matrix, rows, origin: perceptron.probabilities(matrix, rows))
    from labelsearch.classifiers.files import load_network
    from labelsearch.classifiers.networks import window_of
    from labelsearch.classifiers.prediction import predict

    network = load_network(folder)
    return Classifier(
        window_of(network), lambda matrix, rows, origin: predict(network, matrix, rows, origin=origin)
    )
