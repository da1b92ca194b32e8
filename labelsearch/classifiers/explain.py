"""Shapley values of a classifier: what each feature adds to the buy and the sell side."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelsearch.classifiers.threads import one_thread


def shap_values(
    network: nn.Module, background: NDArray[np.float32], rows: NDArray[np.float32]
) -> tuple[NDArray[np.float64], str]:
    """Shapley values of the logits.

    DeepExplainer with its additivity check on; where the check fails, the permutation explainer, which is exact in
    the sum.

    Parameters
    ----------
    network : Module
        Maps (N, F) to logits (N, 3).
    background : float32 (B, F)
        Rows that stand for "feature unknown".
    rows : float32 (N, F)
        Rows to explain.

    Returns
    -------
    values : float64 (N, F, 3)
    explainer : str
        ``deep`` or ``permutation``.
    """
    import shap

    network.eval()
    with one_thread():
        try:
            explainer = shap.DeepExplainer(network, torch.from_numpy(background))
            values = explainer.shap_values(torch.from_numpy(rows), check_additivity=True)
            return np.asarray(values, dtype=np.float64), "deep"
        except AssertionError:
            exact = shap.PermutationExplainer(partial(_logits, network), background, seed=0)
            return np.asarray(exact(rows, silent=True).values, dtype=np.float64), "permutation"


def _logits(network: nn.Module, x: NDArray[np.float64]) -> NDArray[np.float32]:
    with torch.no_grad():
        return network(torch.from_numpy(x.astype(np.float32))).numpy()
