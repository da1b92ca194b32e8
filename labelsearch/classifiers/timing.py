"""Inference time and size of a network."""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelsearch.classifiers.dataset import Windows
from labelsearch.classifiers.networks import window_of
from labelsearch.classifiers.prediction import chunk_rows, predict, predictions
from labelsearch.classifiers.threads import one_thread


def microseconds_per_bar(network: nn.Module, matrix: NDArray[np.float32], repeats: int = 50) -> dict[str, float]:
    """Median time per bar on one thread: ``single`` one bar at a time, as in live trading; ``batched`` in full chunks.

    ``matrix`` is a (T, F) array of float32.
    """
    window = window_of(network)
    network.eval()
    source = torch.from_numpy(matrix)
    one = source[-1:] if window == 1 else Windows(source, torch.tensor([len(matrix) - 1]), window).gather()
    rows = np.arange(min(chunk_rows(window), len(matrix)))
    single, batched = [], []
    with one_thread(), torch.no_grad():
        for _ in range(repeats):
            start = time.perf_counter()
            predictions(network(one))
            single.append(time.perf_counter() - start)
        for _ in range(max(repeats // 10, 1)):
            start = time.perf_counter()
            predict(network, matrix, rows)
            batched.append((time.perf_counter() - start) / len(rows))
    return {"single": float(np.median(single)) * 1e6, "batched": float(np.median(batched)) * 1e6}


def parameter_count(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
