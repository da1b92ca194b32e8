"""Prints the lowest version of each dependency that pyproject.toml declares, as constraints for pip."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINNED = ("torch",)  # older ones come as builds of gigabytes for GPUs


def lowest(project: str, pins: str) -> list[str]:
    """Constraints ``name==version``, from the texts of pyproject.toml and of constraints.txt."""
    pinned = dict(line.split("==") for line in pins.splitlines() if "==" in line and not line.startswith("#"))
    found = []
    for line in tomllib.loads(project)["project"]["dependencies"]:
        bound = re.match(r"([A-Za-z0-9_.-]+)(?:\[.*?\])?\s*>=\s*([0-9.]+)", line)
        if bound:
            name, version = bound.groups()
            found.append(f"{name}=={pinned[name] if name in PINNED else version}")
    return found


if __name__ == "__main__":
    texts = ((ROOT / name).read_text() for name in ("pyproject.toml", "constraints.txt"))
    sys.stdout.write("\n".join(lowest(*texts)) + "\n")
