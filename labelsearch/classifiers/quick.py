"""Quick classifiers of one label: a linear one and a small perceptron, trained in a tenth of a second.

They say what a label and its features are worth before a search over networks is spent on them. The loss is scaled as
that of the full networks.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelsearch.classifiers.kinds import N_CLASSES
from labelsearch.classifiers.threads import one_thread

HIDDEN = 24
BATCH = 256
LEARNING_RATE = 1e-2
WEIGHT_DECAY = 1e-2
Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # features, classes and weights


class Quick(NamedTuple):
    """Two trained networks."""

    linear: nn.Module
    perceptron: nn.Module

    def probabilities(self, features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of buy, neutral and sell by each network, (N, 3)."""
        with one_thread(), torch.no_grad():
            x = torch.from_numpy(np.ascontiguousarray(features))
            first, second = (torch.softmax(network(x), dim=1).numpy() for network in self)
        return first, second


def train_quick(
    features: NDArray[np.float32],
    classes: NDArray[np.int8],
    weights: NDArray[np.float64],
    epochs: int,
    seed: int,
) -> Quick:
    """Train both.

    Parameters
    ----------
    features : (N, F) array of float32
    classes : (N,) array of int8
        0 buy, 1 neutral, 2 sell.
    weights : (N,) array of float64
        Loss factors times importance.
    epochs : int
    seed : int
        Of the first weights and of the order of rows.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    with one_thread():
        data = _tensors(features, classes, weights)
        linear = _fit(nn.Linear(features.shape[1], N_CLASSES), data, epochs, generator)
        return Quick(linear, _fit(_perceptron(features.shape[1]), data, epochs, generator))


def perceptron_probabilities(
    train: tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.float64]],
    later: NDArray[np.float32],
    epochs: int,
    seed: int,
) -> NDArray[np.float32]:
    """Probabilities (N, 3) at later rows (N, F) of a perceptron alone; ``train``: features, classes and weights."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    with one_thread():
        network = _fit(_perceptron(later.shape[1]), _tensors(*train), epochs, generator)
        with torch.no_grad():
            return torch.softmax(network(torch.from_numpy(np.ascontiguousarray(later))), dim=1).numpy()


def _perceptron(n_features: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, N_CLASSES))


def _tensors(features: NDArray[np.float32], classes: NDArray[np.int8], weights: NDArray[np.float64]) -> Tensors:
    w = torch.from_numpy((weights / weights.mean()).astype(np.float32))
    return torch.from_numpy(np.ascontiguousarray(features)), torch.from_numpy(classes.astype(np.int64)), w


def _start(network: nn.Module, generator: torch.Generator) -> None:
    """First weights by He et al. (2015), from a generator of their own: threads share torch's."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(0.0, (2.0 / layer.in_features) ** 0.5, generator=generator)
                layer.bias.zero_()


def _fit(network: nn.Module, data: Tensors, epochs: int, generator: torch.Generator) -> nn.Module:
    _start(network, generator)
    x, y, w = data
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, foreach=True)
    steps = epochs * -(-len(y) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=max(steps, 1))
    for _ in range(epochs):
        for rows in torch.randperm(len(y), generator=generator).split(BATCH):
            optimiser.zero_grad()
            losses = nn.functional.cross_entropy(network(x[rows]), y[rows], reduction="none")
            (losses * w[rows]).mean().backward()
            optimiser.step()
            schedule.step()
    return network
