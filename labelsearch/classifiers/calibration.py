"""Temperature scaling: one number that sharpens or flattens probabilities without changing the order of classes."""

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import nn

from labelsearch.classifiers.dataset import Batches, Samples
from labelsearch.classifiers.networks import window_of
from labelsearch.classifiers.prediction import chunk_rows
from labelsearch.classifiers.threads import one_thread

LOG_LIMIT = 3.0  # temperatures from exp(-3) to exp(3)


def fit_temperature(network: nn.Module, samples: Samples) -> float:
    """Temperature T of lowest weighted cross-entropy of softmax(logits/T) (Guo et al., 2017).

    Parameters
    ----------
    network : Module
    samples : Samples
        Rows that were not trained on, weighted as in training, so that the balance between classes stays the same.
    """
    network.eval()
    with one_thread(), torch.no_grad():
        batches = Batches(samples, chunk_rows(window_of(network)), seed=None)
        logits = torch.cat([network(batch.features) for batch in batches]).double()
        weights = samples.weights.double()

        def loss(log_temperature: float) -> float:
            scaled = logits / float(np.exp(log_temperature))
            parts = nn.functional.cross_entropy(scaled, samples.target, reduction="none")
            return float((parts * weights).sum())

        found = minimize_scalar(loss, bounds=(-LOG_LIMIT, LOG_LIMIT), method="bounded")
    return float(np.exp(found.x))
