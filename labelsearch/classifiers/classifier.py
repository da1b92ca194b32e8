"""A saved classifier of any kind as a function; loads torch only for those that are not multilayer perceptrons."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.inference import load_perceptron, load_weights, strategy_outputs
from labelsearch.classifiers.kinds import PERCEPTRONS, weight_files


class Predictor(NamedTuple):
    """A classifier ready for use.

    Attributes
    ----------
    window : int
        Bars of its input window.
    predict : callable
        ``predict(matrix, rows, origin)`` as `labelsearch.classifiers.prediction.predict`.
    head : str
        What it predicts, a key of `labelsearch.labels.base.HEADS`.
    """

    window: int
    predict: Callable[[NDArray[np.float32], NDArray[np.int64], int], NDArray[np.float32]]
    head: str = "classes"

    def outputs(self, matrix: NDArray[np.float32], rows: NDArray[np.int64], origin: int) -> NDArray[np.float32]:
        """What strategies see (N, K), as `labelsearch.classifiers.inference.strategy_outputs`."""
        return strategy_outputs(self.predict(matrix, rows, origin))


def load_predictor(folder: Path) -> Predictor:
    """The classifier in a folder that `labelsearch.classifiers.files.save_network` wrote.

    Raises
    ------
    ValueError
        If the kind of network is unknown, or the weights do not match ``network.json``.
    """
    description = json.loads((folder / "network.json").read_text())
    head = description.get("head", "classes")
    if description["kind"] in PERCEPTRONS:
        perceptron = load_perceptron(folder)
        return Predictor(1, lambda matrix, rows, origin: perceptron.predict(matrix, rows), head)
    from labelsearch.classifiers.files import load_network
    from labelsearch.classifiers.networks import window_of
    from labelsearch.classifiers.prediction import predict

    _check_weights(folder, description)
    network = load_network(folder)
    return Predictor(
        window_of(network), lambda matrix, rows, origin: predict(network, matrix, rows, origin=origin), head
    )


def _check_weights(folder: Path, description: dict[str, Any]) -> None:
    """Compare the shapes of the weights with those of the network, built without memory for them."""
    import torch

    from labelsearch.classifiers.networks import build_network

    try:
        with torch.device("meta"):
            head = description.get("head", "classes")
            network = build_network(description["kind"], description["n_features"], head, **description["options"])
    except (TypeError, AssertionError) as error:
        raise ValueError(f"options of the network: {error}") from None
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name in weight_files(description.get("n_networks", 1)):
        if {key: tensor.shape for key, tensor in load_weights(folder / name).items()} != wanted:
            raise ValueError(f"{name}: weights are not those of the network")
