"""The proof of a user's own kind of network before its use.

Networks are built with the lower ends of the hyper-parameters, with the upper ends and, where the builder has them,
with its defaults. A kind is refused if a network lacks a property that training, files or live trading rely on.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from labelsearch.classifiers.kinds import N_CLASSES, NETWORKS, Choice, NetworkKind, Step, Whole
from labelsearch.classifiers.networks import window_of
from labelsearch.classifiers.threads import one_thread

N, F, L = 24, 5, 6  # rows, features and bars of a window that networks are tried on
RESERVED = ("n_features", "window", "learning_rate", "weight_decay", "n_outputs", "head")


def prove_network(row: NetworkKind) -> None:
    """Check a kind of network as the contract tests check the built-in ones.

    Raises
    ------
    NetworkError
        One line that names the kind and what is wrong.
    """
    NETWORKS.refuse_faulty(row, NetworkKind, _checks(row))


def _checks(row: NetworkKind) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "", lambda: _fault_of_ranges(row)
    for options in _cases(row):
        yield f"({', '.join(f'{name}={value!r}' for name, value in options.items())})", partial(_fault, row, options)


def _fault_of_ranges(row: NetworkKind) -> str:
    """What is wrong with the ranges, or nothing."""
    for one in row.ranges:
        if isinstance(one, Choice):
            fits = len(one.values) > 0 and all(isinstance(value, (int, float, str)) for value in one.values)
        elif isinstance(one, (Whole, Step)):
            fits = one.low <= one.high and (isinstance(one, Whole) or one.step > 0)
        else:
            return f"has the range {one!r}, which is not a Choice, Whole or Step"
        if not fits:
            return f"has the empty or ill-formed range {one!r}"
    names = [one.name for one in row.ranges]
    if len(set(names)) < len(names) or set(names) & set(RESERVED):
        return f"needs hyper-parameters of different names, other than {', '.join(RESERVED)}"
    return ""


def _cases(row: NetworkKind) -> list[dict[str, Any]]:
    """Options of the networks that are built; `TypeError` if they do not match the arguments of the builder."""
    window = {"window": L} if row.windowed else {}
    signature = inspect.signature(row.builder())
    ends = [
        {**window, **{one.name: one.values[end] if isinstance(one, Choice) else (one.low, one.high)[end]
                      for one in row.ranges}}
        for end in (0, -1)
    ]  # fmt: skip
    for options in ends:
        signature.bind(F, **options)
    cases = [*ends, *([{**ends[0], "n_outputs": 1}] if "n_outputs" in signature.parameters else [])]
    try:
        signature.bind(F, **window)
    except TypeError:
        return cases
    return [*cases, window]


def _fault(row: NetworkKind, options: dict[str, Any]) -> str:
    """What is wrong with the networks of some options, or nothing."""

    def build(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return row.builder()(F, **options)

    with one_thread(), torch.random.fork_rng(devices=[]):
        return _fault_of_build(row, build, options.get("n_outputs", N_CLASSES))


def _fault_of_build(row: NetworkKind, build: Callable[[int], nn.Module], n_outputs: int) -> str:
    network, again = build(7), build(7)
    if not isinstance(network, nn.Module):
        return "does not build a torch.nn.Module"
    if window_of(network) != (L if row.windowed else 1):
        return "must keep the bars of its window in an attribute window if it is windowed, and have none otherwise"
    state = network.state_dict()
    for name, tensor in state.items():
        if tensor.dtype != torch.float32 or not torch.isfinite(tensor).all():
            return f"has {name}, which is not finite float32, the only type that weight files hold"
        if not torch.equal(tensor, again.state_dict()[name]):
            return f"is not seeded: {name} differs between two builds after torch.manual_seed"
    x = torch.randn((N, L, F) if row.windowed else (N, F))
    return (
        _fault_of_gradient(network, x, n_outputs)
        or _fault_of_outputs(network, again, x)
        or _fault_of_files(network, build, x)
    )


def _fault_of_gradient(network: nn.Module, x: Tensor, n_outputs: int) -> str:
    """What is wrong with a step of training, or nothing."""
    logits = network.train()(x)
    if not isinstance(logits, Tensor) or logits.shape != (N, n_outputs) or logits.dtype != torch.float32:
        return f"must map features {tuple(x.shape)} to float32 logits {(N, n_outputs)}"
    loss = nn.functional.cross_entropy(logits, torch.arange(N) % n_outputs) if n_outputs > 1 else logits.square().mean()
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    if not gradients or not all(torch.isfinite(gradient).all() for gradient in gradients):
        return "cannot be trained: no parameter has a finite gradient"
    return ""


def _fault_of_outputs(network: nn.Module, again: nn.Module, x: Tensor) -> str:
    """What is wrong with the logits of rows, or nothing."""
    with torch.no_grad():
        logits = network.eval()(x)
        if not torch.isfinite(logits).all():
            return "gives logits that are not finite"
        if not torch.equal(logits, network(x)) or not torch.equal(logits, again.eval()(x)):
            return "gives other logits for the same rows, although its weights are the same"
        for index in (0, N // 2, N - 1):
            others = 3.0 * x
            others[index] = x[index]
            for batch, at in ((others, index), (x[index : index + 1], 0)):
                if not np.allclose(network(batch)[at], logits[index], rtol=1e-4, atol=1e-5):
                    return "gives a row other logits when other rows are in the batch"
    return ""


def _fault_of_files(network: nn.Module, build: Callable[[int], nn.Module], x: Tensor) -> str:
    """What is wrong with weights that are saved and loaded again, or nothing."""
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    loaded = build(8)
    loaded.load_state_dict(load(save(state)))
    with torch.no_grad():
        if not torch.equal(loaded.eval()(x), network(x)):
            return "gives other logits after its weights were saved and loaded"
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in build(7).state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in state.items()}:
        return "has weights of other shapes when it is built on the device meta"
    return ""
