"""Shapley values of a classifier: what each feature adds to the buy and the sell side."""

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelsearch.classifiers.dataset import Windows
from labelsearch.classifiers.networks import Ensemble, window_of
from labelsearch.classifiers.threads import one_thread

N_WINDOWS = 10  # windows that stand for "unknown": each costs a forward pass per feature and explained window


def shap_values(
    network: nn.Module, background: NDArray[np.float32], rows: NDArray[np.float32]
) -> tuple[NDArray[np.float64], str]:
    """Shapley values of the logits.

    DeepExplainer with its additivity check on; where the check fails, the permutation explainer, which is exact in
    the sum. For windows a feature is known or unknown over the whole window at once. An ensemble is explained by the
    mean over its members, so by their mean logit.

    Parameters
    ----------
    network : Module
        Maps (N, F), or windows (N, L, F), to logits (N, 3).
    background : float32 (B, F) or (B, L, F)
        Rows or windows that stand for "feature unknown".
    rows : float32 (N, F) or (N, L, F)
        Rows or windows to explain.

    Returns
    -------
    values : float64 (N, F, 3)
    explainer : str
        ``deep``, ``permutation``, or ``windows`` for sampled permutations of whole features.
    """
    import shap

    network.eval()
    if isinstance(network, Ensemble):
        found = [shap_values(member, background, rows) for member in network.members]
        return np.mean([values for values, _ in found], axis=0) / network.temperature, found[0][1]
    if rows.ndim == 3:
        with one_thread():
            return _window_values(network, background, rows), "windows"
    with one_thread():
        try:
            explainer = shap.DeepExplainer(network, torch.from_numpy(background))
            values = explainer.shap_values(torch.from_numpy(rows), check_additivity=True)
            return np.asarray(values, dtype=np.float64), "deep"
        except AssertionError:
            exact = shap.PermutationExplainer(partial(_logits, network), background, seed=0)
            return np.asarray(exact(rows, silent=True).values, dtype=np.float64), "permutation"


def mean_shap_values(
    network: nn.Module,
    matrix: NDArray[np.float32],
    background: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.float64], str]:
    """Mean absolute Shapley values, float64 (F, 3), over rows of the features (T, F), and the explainer's name."""
    window = window_of(network)
    if window == 1:
        parts = [matrix[background], matrix[rows]]
    else:
        source = torch.from_numpy(matrix)
        background = background[:N_WINDOWS]
        parts = [Windows(source, torch.from_numpy(index), window).gather().numpy() for index in (background, rows)]
    values, explainer = shap_values(network, *parts)
    return np.abs(values).mean(axis=0), explainer


def _window_values(
    network: nn.Module, background: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Mean marginal effect of each feature over one random order and its reverse, per row; exact in the sum."""
    n_features = rows.shape[2]
    rng = np.random.default_rng(0)
    values = np.zeros((len(rows), n_features, 3))
    for i, row in enumerate(rows):
        forward = rng.permutation(n_features)
        for order in (forward, forward[::-1]):
            steps = np.repeat(background[None], n_features + 1, axis=0)  # (F + 1, B, L, F): one more is known each
            for k, feature in enumerate(order):
                steps[k + 1 :, :, :, feature] = row[:, feature]
            logits = _logits(network, steps.reshape(-1, *row.shape)).reshape(n_features + 1, -1, 3)
            values[i, order] += np.diff(logits.mean(axis=1, dtype=np.float64), axis=0) / 2
    return values


def _logits(network: nn.Module, x: NDArray[Any]) -> NDArray[np.float32]:
    with torch.no_grad():
        return network(torch.from_numpy(x.astype(np.float32))).numpy()
