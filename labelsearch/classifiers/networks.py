"""Networks by name. Each maps features (N, F) to logits (N, 3) of buy, neutral and sell."""

from typing import Any

from torch import nn

from labelsearch.classifiers.names import NETWORK_NAMES

N_CLASSES = 3


def mlp(n_features: int, width: int = 64, depth: int = 2, dropout: float = 0.0) -> nn.Module:
    """Multilayer perceptron. Each activation is a module of its own, as SHAP's DeepExplainer needs it."""
    layers: list[nn.Module] = []
    size = n_features
    for _ in range(depth):
        layers += [nn.Linear(size, width), nn.ReLU()]
        if dropout > 0.0:
            layers.append(nn.Dropout(dropout))
        size = width
    layers.append(nn.Linear(size, N_CLASSES))
    return nn.Sequential(*layers)


NETWORKS = dict(zip(NETWORK_NAMES, (mlp,), strict=True))


def build_network(name: str, n_features: int, **options: Any) -> nn.Module:
    """Network of a named kind; `ValueError` if the name is unknown."""
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; known are {', '.join(NETWORKS)}")
    return NETWORKS[name](n_features, **options)
