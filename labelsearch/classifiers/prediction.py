"""Predictions of any network, the same bits for a row whatever other rows are computed with it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from labelsearch.classifiers.dataset import Windows
from labelsearch.classifiers.inference import Perceptron
from labelsearch.classifiers.networks import Ensemble, window_of
from labelsearch.classifiers.threads import one_thread

CHUNK = 8192  # rows of one inference call
CHUNK_BARS = 32_768  # bars of all windows of one inference call


def chunk_rows(window: int) -> int:
    """Rows of one inference call, so that its memory is bounded whatever the window."""
    return CHUNK if window == 1 else max(1, CHUNK_BARS // window)


def perceptron_of(network: nn.Module) -> Perceptron | None:
    """The same classifier for `labelsearch.classifiers.inference`; None if it is not a multilayer perceptron."""
    members = list(network.members) if isinstance(network, Ensemble) else [network]
    networks = []
    for member in members:
        if type(member) is not nn.Sequential:
            return None
        layers = [layer for layer in member if not isinstance(layer, nn.Dropout)]
        linear = [layer for layer in layers[::2] if type(layer) is nn.Linear and layer.bias is not None]
        rectified = [layer for layer in layers[1::2] if type(layer) is nn.ReLU]
        if len(linear) + len(rectified) < len(layers) or len(linear) != len(rectified) + 1:
            return None
        networks.append([(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in linear])
    return Perceptron.of_layers(networks, network.temperature if isinstance(network, Ensemble) else 1.0)


def predictions(outputs: Tensor) -> Tensor:
    """Class probabilities (N, 3) of logits (N, 3); moves (N, 1) as they are."""
    return torch.softmax(outputs, 1) if outputs.shape[1] > 1 else outputs


def _n_outputs(network: nn.Module, n_features: int) -> int:
    """Outputs of a network."""
    window = window_of(network)
    with torch.no_grad():
        return int(network.eval()(torch.zeros((1, n_features) if window == 1 else (1, window, n_features))).shape[1])


def predict(
    network: nn.Module, matrix: NDArray[np.float32], rows: NDArray[np.int64] | None = None, *, origin: int = 0
) -> NDArray[np.float32]:
    """Class probabilities (N, 3), or moves (N, 1), as float32 at some rows of the features (T, F); by default at all.

    Those of a row have the same bits whatever other rows are asked for. Multilayer perceptrons go through
    `labelsearch.classifiers.inference`. All other networks go through torch on one thread, in blocks of one size; as
    matrix products may depend on the place of a row in its block, the row's own number fixes it, and ``origin`` is the
    number of the first row of the matrix. The window of a row ends at the row; rows before the first of the matrix
    count as copies of it.
    """
    index = np.arange(matrix.shape[0]) if rows is None else np.asarray(rows, dtype=np.int64)
    perceptron = perceptron_of(network)
    if perceptron is not None:
        return perceptron.predict(matrix, index)
    window = window_of(network)
    size = chunk_rows(window)
    source = torch.from_numpy(matrix)
    out = np.empty((0, _n_outputs(network, matrix.shape[1])) if not len(index) else (0, 0), dtype=np.float32)
    places = (index + origin) % size
    order = np.argsort(places, kind="stable")
    counts = np.bincount(places, minlength=size)
    turn = np.empty(len(index), dtype=np.int64)  # the block of each row: rows of the same place need different ones
    turn[order] = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
    network.eval()
    with one_thread(), torch.no_grad():
        for block in range(counts.max(initial=0)):
            wanted = np.flatnonzero(turn == block)
            block_rows = torch.zeros(size, dtype=torch.int64)
            block_rows[torch.from_numpy(places[wanted])] = torch.from_numpy(index[wanted])
            features = Windows(source, block_rows, window).gather() if window > 1 else source[block_rows]
            found = predictions(network(features)).numpy()[places[wanted]]
            if not block:
                out = np.empty((len(index), found.shape[1]), dtype=np.float32)
            out[wanted] = found
    return out
