"""The house has floors: each room imports only from below, and heavy packages stay in their rooms."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW = {
    "labelsearch/market": {"labelsearch.market"},
    "feature_space": {"feature_space"},
    "labelsearch/labels": {"labelsearch.labels"},
    "labelsearch/classifiers": {"labelsearch.classifiers", "labelsearch.labels"},
    "strategies": {"strategies"},
    "labelsearch/pipeline": {
        "labelsearch", "labelsearch.market", "feature_space", "labelsearch.labels", "labelsearch.classifiers",
        "strategies", "labelsearch.pipeline",
    },
    "labelsearch/live": {
        "labelsearch.market", "feature_space", "labelsearch.classifiers", "strategies", "labelsearch.live",
    },
    "labelsearch/delivery": {
        "labelsearch", "labelsearch.labels", "labelsearch.pipeline", "labelsearch.live", "labelsearch.delivery",
    },
    "labelsearch/commands": {
        "labelsearch.market", "labelsearch.pipeline", "labelsearch.live", "labelsearch.delivery",
        "labelsearch.commands",
    },
}  # fmt: skip
OURS = ("labelsearch", "feature_space", "strategies")
ONLY_IN = {
    "click": ("labelsearch/commands/",),
    "rich": ("labelsearch/commands/",),
    "vectorbt": ("strategies/trade/backtest.py",),
    "arch": ("strategies/luck/superior_ability.py",),
    "torch": ("labelsearch/classifiers/",),
    "pytorch_lightning": ("labelsearch/classifiers/",),
    "shap": ("labelsearch/classifiers/",),
    "matplotlib": ("labelsearch/delivery/",),
    "plotly": ("labelsearch/delivery/html/",),
    "urllib3": ("labelsearch/market/fetching/",),
    "ccxt": ("labelsearch/market/fetching/",),
}
FILES = sorted(p.relative_to(ROOT).as_posix() for room in OURS for p in (ROOT / room).rglob("*.py"))


def imports(path: str) -> set[str]:
    """Modules that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", FILES)
def test_imports_only_from_below(path):
    room = next((room for room in BELOW if path.startswith(room + "/")), None)
    if room is None:
        assert path == "labelsearch/__init__.py"
        return
    for module in imports(path):
        if module.split(".")[0] in OURS:
            owner = ".".join(module.split(".")[:2]) if module.startswith("labelsearch.") else module.split(".")[0]
            assert owner in BELOW[room], f"{path} imports {module}"


@pytest.mark.parametrize("path", FILES)
def test_heavy_packages_stay_in_their_rooms(path):
    for module in imports(path):
        for package, rooms in ONLY_IN.items():
            if module.split(".")[0] == package:
                assert path.startswith(rooms), f"{path} imports {module}"


def test_the_command_line_starts_light():
    code = "import sys, labelsearch.commands; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numpy", "pandas", "numba", "torch", "pytorch_lightning", "optuna", "vectorbt", "shap", "matplotlib",
             "plotly"}  # fmt: skip
    assert not heavy & set(loaded)
    assert "labelsearch.commands.data" in loaded


def test_every_room_is_ruled():
    rooms = {p.parent.relative_to(ROOT).as_posix() for p in (ROOT / "labelsearch").glob("*/__init__.py")}
    assert rooms <= set(BELOW)
