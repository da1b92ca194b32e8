"""Kinds of network by name, and the names of losses, calibrations and files. Importing this loads no torch.

A further kind of network is a function in `labelsearch.classifiers.networks` and one row of `NETWORKS`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from labelsearch.errors import InputError
from labelsearch.registry import Registry

if TYPE_CHECKING:
    from torch import nn

PERCEPTRONS = ("mlp", "linear")  # kinds of layers of weights alone, with rectifiers between them
LOSS_NAMES = ("cross_entropy", "ensloss")
MAGNITUDE_LOSS_NAMES = ("squared", "huber")
CALIBRATION_NAMES = ("none", "temperature")
N_CLASSES = 3  # buy, neutral, sell
N_PREDICTED = {"classes": N_CLASSES, "magnitude": 1}  # outputs of a network, by head of its label
Options = dict[str, float | int | str]
"""Hyper-parameters by name."""


class NetworkError(InputError):
    """A network that is unknown or cannot be used or trained, as one line."""


class Choice(NamedTuple):
    """Hyper-parameter that is one of a few values."""

    name: str
    values: tuple[int | float | str, ...]


class Whole(NamedTuple):
    """Integer hyper-parameter in [low, high]."""

    name: str
    low: int
    high: int


class Step(NamedTuple):
    """Hyper-parameter among low, low + step, .. up to high."""

    name: str
    low: float
    high: float
    step: float


@dataclass(frozen=True)
class NetworkKind:
    """One kind of network.

    Attributes
    ----------
    name, explanation : str
        Name in experiments, and one line for their comments.
    build : callable or str
        ``build(n_features, **hyper_parameters)`` -> torch module that maps features to logits (N, 3), or where to
        import it from on first use, as ``module:function``. With the argument ``n_outputs``, 3 by default, it also
        builds networks of the one output of a magnitude.
    windowed : bool
        False: the input is the features of one bar, (N, F). True: those of the last L bars, (N, L, F), oldest first;
        ``build`` also takes L as ``window``, and the module keeps it in its attribute ``window``.
    ranges : tuple of Choice, Whole or Step
        Hyper-parameters that are searched, in the order in which they are drawn.
    origin : str
        SHA-256 of the user's file that defines the kind; empty for a built-in one.
    """

    name: str
    explanation: str
    build: "Callable[..., nn.Module] | str"
    windowed: bool
    ranges: tuple[Choice | Whole | Step, ...]
    origin: str = ""

    def builder(self) -> "Callable[..., nn.Module]":
        """The function that builds a network; imports it if need be."""
        if not isinstance(self.build, str):
            return self.build
        module, _, function = self.build.partition(":")
        return getattr(import_module(module), function)

    def check_magnitudes(self) -> None:
        """Raise `NetworkError` if networks of one output cannot be built, as those of all built-in kinds can."""
        is_ours = isinstance(self.build, str) and not self.origin  # what is not imported yet stays so
        if not is_ours and "n_outputs" not in inspect.signature(self.builder()).parameters:
            raise NetworkError(
                f"kind = {self.name}: its builder has no argument n_outputs, which labels with head = magnitude need"
            )


_HOME = "labelsearch.classifiers.networks:"
_DROPOUT = Step("dropout", 0.0, 0.3, 0.1)
_WIDTH = Choice("width", (16, 32, 64))
_RECURRENT = (_WIDTH, Whole("depth", 1, 2), _DROPOUT)

NETWORKS = Registry(
    "network",
    NetworkError,
    (
        NetworkKind("mlp", "multilayer perceptron on one bar", _HOME + "mlp", False,
                    (Choice("width", (32, 64, 128)), Whole("depth", 1, 3), _DROPOUT)),
        NetworkKind("linear", "multinomial logistic regression on one bar", _HOME + "linear", False, (_DROPOUT,)),
        NetworkKind("lstm", "long short-term memory over a window", _HOME + "lstm", True, _RECURRENT),
        NetworkKind("bilstm", "LSTM over a window in both directions", _HOME + "bilstm", True, _RECURRENT),
        NetworkKind("gru", "gated recurrent unit over a window", _HOME + "gru", True, _RECURRENT),
        NetworkKind("tcn", "temporal convolutions over a window", _HOME + "tcn", True, (_WIDTH, _DROPOUT)),
        NetworkKind("transformer", "transformer encoder over a window", _HOME + "transformer", True,
                    (_WIDTH, Whole("depth", 1, 2), Choice("heads", (2, 4)), _DROPOUT)),
        NetworkKind("concat", "perceptron, convolutions and LSTM side by side", _HOME + "concat", True,
                    (_WIDTH, _DROPOUT)),
        NetworkKind("stacked", "convolutions, attention and LSTM on each other", _HOME + "stacked", True,
                    (_WIDTH, Choice("heads", (2, 4)), _DROPOUT)),
    ),
)  # fmt: skip


def weight_files(n_networks: int) -> list[str]:
    """Names of the weight files in the folder of a classifier of one or more averaged networks."""
    if n_networks == 1:
        return ["weights.safetensors"]
    return [f"weights_{k}.safetensors" for k in range(n_networks)]
