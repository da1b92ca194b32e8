"""A classifier of any kind from its folder, ready for use; loads torch only for those that need it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.inference import load_perceptron, load_weights
from labelsearch.classifiers.names import weight_files


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
    """The classifier in a folder; loads torch only for those that are no multilayer perceptrons.

    Raises
    ------
    ValueError
        If the weights are not those of the network that ``network.json`` describes.
    """
    description = json.loads((folder / "network.json").read_text())
    if description["kind"] == "mlp":
        perceptron = load_perceptron(folder)
        return Classifier(1, lambda matrix, rows, origin: perceptron.probabilities(matrix, rows))
    from labelsearch.classifiers.files import load_network
    from labelsearch.classifiers.networks import window_of
    from labelsearch.classifiers.prediction import predict

    _check_weights(folder, description)
    network = load_network(folder)
    return Classifier(window_of(network), lambda matrix, rows, origin: predict(network, matrix, rows, origin=origin))


def _check_weights(folder: Path, description: dict[str, Any]) -> None:
    """Hold the weights against the shapes of the network, which is made without memory for them."""
    import torch

    from labelsearch.classifiers.networks import build_network

    try:
        with torch.device("meta"):
            network = build_network(description["kind"], description["n_features"], **description["options"])
    except (TypeError, AssertionError) as error:
        raise ValueError(f"options of the network: {error}") from None
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name in weight_files(description.get("n_networks", 1)):
        if {key: tensor.shape for key, tensor in load_weights(folder / name).items()} != wanted:
            raise ValueError(f"{name}: weights are not those of the network")
