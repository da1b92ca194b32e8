"""Networks on disk: safetensors and JSON, never pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load, save_file
from torch import nn

from labelsearch.classifiers.kinds import weight_files
from labelsearch.classifiers.networks import Ensemble, averaged, build_network


def save_network(
    network: nn.Module, kind: str, options: dict[str, Any], n_features: int, folder: Path, head: str = "classes"
) -> None:
    """Write ``network.json`` and ``weights.safetensors`` into ``folder``; an ensemble has a weight file per member."""
    description: dict[str, Any] = {"kind": kind, "n_features": n_features, "options": options}
    members = [network]
    if isinstance(network, Ensemble):
        members = list(network.members)
        description["n_networks"] = len(members)
        if head == "classes":
            description["temperature"] = network.temperature
    if head != "classes":
        description["head"] = head
    for name, member in zip(weight_files(len(members)), members, strict=True):
        save_file({key: tensor.contiguous() for key, tensor in member.state_dict().items()}, folder / name)
    (folder / "network.json").write_text(json.dumps(description, indent=1))


def network_from_files(files: Mapping[str, bytes]) -> nn.Module:
    """Inverse of `save_network`, in evaluation mode, from files by name; `ValueError` for an unknown kind."""
    description = json.loads(files["network.json"])
    head, members = description.get("head", "classes"), []
    for name in weight_files(description.get("n_networks", 1)):
        member = build_network(description["kind"], description["n_features"], head, **description["options"])
        member.load_state_dict(load(files[name]))
        members.append(member)
    if "n_networks" in description:
        return averaged(members, head, description.get("temperature", 1.0))
    return members[0].eval()


def load_network(folder: Path) -> nn.Module:
    """The network of a folder; see `network_from_files`."""
    return network_from_files({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
