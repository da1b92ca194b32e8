"""A classifier as an ONNX file, for programs without torch. Needs the extra ``labelsearch[onnx]``."""

import logging
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from labelsearch.classifiers.networks import window_of
from labelsearch.classifiers.prediction import predictions


class _Predictions(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        return predictions(self.network(features))


def write_onnx(network: nn.Module, n_features: int, path: Path, head: str = "classes") -> None:
    """Write a network with its softmax and its weights into one file.

    Input ``features``: (N, F) array of float32, or (N, L, F) for networks on windows, oldest bar first. Output
    ``probabilities``: (N, 3) array of float32, buy, neutral and sell; for the head of a magnitude ``move``: (N, 1)
    array of float32, of which strategies see a third, in [-1, 1]. Other programs sum in another order, so the last
    digits may differ.

    Raises
    ------
    ValueError
        If the packages of the extra are not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ValueError(f"ONNX files need {error.name}: pip install 'labelsearch[onnx]'") from None
    window = window_of(network)
    example = torch.zeros((2, n_features) if window == 1 else (2, window, n_features))
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, about its own internals
            torch.onnx.export(
                _Predictions(network).eval(),
                (example,),
                path,
                input_names=["features"],
                output_names=["probabilities" if head == "classes" else "move"],
                dynamic_shapes=({0: torch.export.Dim("bars")},),
                external_data=False,
                verbose=False,
                dynamo=True,
            )
    finally:
        exporter.setLevel(before)
