"""Approximate Shapley values of a network: what each feature adds to the logit of each class, or to the move."""

import copy
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelsearch.classifiers.dataset import Windows
from labelsearch.classifiers.networks import Ensemble, window_of
from labelsearch.classifiers.threads import one_thread

N_WINDOWS = 10  # background windows at most: each costs a forward pass per feature and explained window
N_BACKGROUND = 100  # background rows at most, as the permutation explainer takes
N_AT_ONCE = 5_000  # pairs of a row and one of the background that pass through the network together
TOLERANCE = 0.01  # largest error of a sum that passes the check, as in shap


class Explained(NamedTuple):
    """Shapley values of some rows, of the logits less their mean over the classes.

    A softmax does not change when all three logits shift together, so their common level is removed.
    """

    values: NDArray[np.float64]  # (N, F, 3)
    base: NDArray[np.float64]  # (3,): mean of the centred logits over the background
    explainer: str  # as in `shap_values`
    error: float  # largest |base + sum of values - centred logit|


def shap_values(
    network: nn.Module, background: NDArray[np.float32], rows: NDArray[np.float32]
) -> tuple[NDArray[np.float64], str]:
    """Approximate Shapley values of the logits.

    From DeepExplainer with its additivity check, which passes differences to the background on through the layers
    (Shrikumar et al. 2017): the sums are right, single values are off by several percent of the largest or more. Where
    the check fails, from sampled orders of the permutation explainer, which add up too. In windows a feature is known
    or unknown over the whole window at once. The values of an ensemble are the mean over its members, so those of
    their mean logit, divided by the temperature.

    Parameters
    ----------
    network : Module
        Maps (N, F), or windows (N, L, F), to logits (N, 3), or to moves (N, 1).
    background : (B, F) or (B, L, F) array of float32
        Rows or windows from which unknown features are taken.
    rows : (N, F) or (N, L, F) array of float32
        Rows or windows to explain.

    Returns
    -------
    values : (N, F, 3), or (N, F, 1), array of float64
    explainer : str
        ``deep``, ``permutation``, or ``windows`` for sampled permutations of whole features; more than one name where
        the members of an ensemble differ.
    """
    import shap

    network.eval()
    if isinstance(network, Ensemble):
        each = [shap_values(member, background, rows) for member in network.members]
        names = " and ".join(sorted({name for _, name in each}))
        return np.mean([values for values, _ in each], axis=0) / network.temperature, names
    if rows.ndim == 3:
        with one_thread():
            return _window_values(network, background, rows), "windows"
    with one_thread():
        values = _deep_values(network, background, rows)
        sums = _logits(network, background).mean(axis=0, dtype=np.float64) + values.sum(axis=1)
        if np.abs(sums - _logits(network, rows)).max() < TOLERANCE:
            return values, "deep"
        sampled = shap.PermutationExplainer(partial(_logits, network), background, seed=0)
        found = sampled(rows, silent=True).values
        return np.asarray(found, dtype=np.float64).reshape(values.shape), "permutation"


class _SideBySide(nn.Module):
    """Sum of the logits of several rows, which are one row of its input.

    DeepExplainer goes through the network once for each row and class. What a row adds to the sum are its own logits,
    so the values of the sum are those of all rows, from one pass for each class.
    """

    def __init__(self, network: nn.Module, n_features: int) -> None:
        super().__init__()
        self.network = network
        self.n_features = n_features

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(rows.reshape(-1, self.n_features))
        return logits.reshape(len(rows), -1, logits.shape[1]).sum(dim=1)


def _deep_values(network: nn.Module, background: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Values of DeepExplainer, unchecked, (N, F, 3) or (N, F, 1)."""
    import shap

    # a copy, as its hooks leave tensors behind in some networks
    together = _SideBySide(copy.deepcopy(network), rows.shape[1])
    step = max(1, N_AT_ONCE // len(background))
    parts = []
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        explainer = shap.DeepExplainer(together, torch.from_numpy(np.tile(background, len(part))))
        values = explainer.shap_values(torch.from_numpy(part.reshape(1, -1)), check_additivity=False)
        parts.append(np.asarray(values, dtype=np.float64).reshape(*part.shape, -1))
    return np.concatenate(parts)


def mean_shap_values(
    network: nn.Module,
    matrix: NDArray[np.float32],
    background: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.float64], str]:
    """Mean absolute Shapley values, (F, 3) or (F, 1), over rows of the features, and the explainer's name."""
    values, explainer = shap_values(network, *_gather(network, matrix, background, rows))
    return np.abs(values).mean(axis=0), explainer


def background_size(network: nn.Module) -> int:
    """Most rows or windows that `explain_rows` uses as background."""
    return N_BACKGROUND if window_of(network) == 1 else N_WINDOWS


def explain_rows(
    network: nn.Module,
    matrix: NDArray[np.float32],
    background: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> Explained:
    """Shapley values of the centred logits at some rows of the features (T, F), and the error of their sum."""
    unknown, known = _gather(network, matrix, background[: background_size(network)], rows)
    values, explainer = shap_values(network, unknown, known)
    values -= values.mean(axis=2, keepdims=True)
    base = _centred_logits(network, unknown).mean(axis=0)
    error = np.abs(base + values.sum(axis=1) - _centred_logits(network, known)).max()
    return Explained(values, base, explainer, float(error))


def _gather(
    network: nn.Module, matrix: NDArray[np.float32], background: NDArray[np.int64], rows: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    """Background and rows as inputs of the network: rows of features, or windows with a shorter background."""
    window = window_of(network)
    if window == 1:
        return [matrix[background], matrix[rows]]
    source = torch.from_numpy(matrix)
    background = background[:N_WINDOWS]
    return [Windows(source, torch.from_numpy(index), window).gather().numpy() for index in (background, rows)]


def _centred_logits(network: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """The sum of the Shapley values: the mean logit of the members over the temperature, mean 0 over classes."""
    if isinstance(network, Ensemble):
        return np.mean([_centred_logits(member, x) for member in network.members], axis=0) / network.temperature
    with one_thread():
        logits = _logits(network, x).astype(np.float64)
    return logits - logits.mean(axis=1, keepdims=True)


def _window_values(
    network: nn.Module, background: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Mean marginal effect of each feature over one random order and its reverse, per row; the sum is exact."""
    n_features = rows.shape[2]
    rng = np.random.default_rng(0)
    values = np.zeros((len(rows), n_features, _logits(network, background[:1]).shape[1]))
    for i, row in enumerate(rows):
        forward = rng.permutation(n_features)
        for order in (forward, forward[::-1]):
            steps = np.repeat(
                background[None], n_features + 1, axis=0
            )  # (F + 1, B, L, F): one more known feature per step
            for k, feature in enumerate(order):
                steps[k + 1 :, :, :, feature] = row[:, feature]
            logits = _logits(network, steps.reshape(-1, *row.shape)).reshape(n_features + 1, -1, values.shape[2])
            values[i, order] += np.diff(logits.mean(axis=1, dtype=np.float64), axis=0) / 2
    return values


def _logits(network: nn.Module, x: NDArray[Any]) -> NDArray[np.float32]:
    with torch.no_grad():
        return network(torch.from_numpy(x.astype(np.float32))).numpy()
