"""Networks on disk: safetensors and JSON, never pickle."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from labelsearch.classifiers.networks import build_network


def save_network(network: nn.Module, kind: str, options: dict[str, Any], n_features: int, folder: Path) -> None:
    """Write ``weights.safetensors`` and ``network.json`` into ``folder``."""
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    description = {"kind": kind, "n_features": n_features, "options": options}
    (folder / "network.json").write_text(json.dumps(description, indent=1))


def load_network(folder: Path) -> nn.Module:
    """Inverse of `save_network`, ready for inference."""
    description = json.loads((folder / "network.json").read_text())
    network = build_network(description["kind"], description["n_features"], **description["options"])
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return network.eval()
