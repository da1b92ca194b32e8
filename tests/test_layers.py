"""Each room imports only from the floors below it, heavy packages stay in their rooms, and files stay small."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# the floors from the ground up; a room imports itself and rooms of the floors below it
FLOORS = (
    ("labelsearch.compiled",),
    ("labelsearch.errors",),
    ("labelsearch.durable", "labelsearch.registry"),
    ("labelsearch.market",),
    ("feature_space", "labelsearch.labels", "strategies", "labelsearch.engine"),
    ("labelsearch.classifiers",),
    ("labelsearch.label_space",),
    ("labelsearch.settings",),
    ("labelsearch.results",),
    ("labelsearch.stages",),
    ("labelsearch.studies",),
    ("labelsearch.panels",),
    ("labelsearch.notebook", "labelsearch.live"),
    ("labelsearch.delivery",),
    ("labelsearch.commands",),
)
# rooms that know nothing of what lies below them, but for the bases of errors, files and registries
ALONE = ("labelsearch.market", "feature_space", "labelsearch.labels", "strategies", "labelsearch.engine")
BASES = ("labelsearch.errors", "labelsearch.durable", "labelsearch.registry", "labelsearch.compiled")
# nothing of a run is known where a bundle is followed
NOT_BELOW = {
    "labelsearch.live": {"labelsearch.engine", "labelsearch.stages", "labelsearch.studies"},
    "labelsearch.delivery": {"labelsearch.stages", "labelsearch.studies", "labelsearch.panels", "labelsearch.notebook"},
    "labelsearch.results": {"labelsearch.stages", "labelsearch.studies"},
}
OURS = ("labelsearch", "feature_space", "strategies")
ONLY_IN = {
    "click": ("labelsearch/commands/",),
    "rich": ("labelsearch/commands/",),
    "vectorbt": ("strategies/trade/backtest.py", "strategies/book/backtest.py", "labelsearch/notebook/run.py"),
    "arch": ("strategies/luck/superior_ability.py", "strategies/tiers/arima_garch.py"),
    "torch": ("labelsearch/classifiers/", "labelsearch/notebook/frames.py"),
    "pytorch_lightning": ("labelsearch/classifiers/",),
    "shap": ("labelsearch/classifiers/",),
    "matplotlib": ("labelsearch/delivery/pictures/",),
    "plotly": ("labelsearch/delivery/page/",),
    "urllib3": ("labelsearch/market/fetching/",),
    "ccxt": ("labelsearch/market/fetching/",),
    "ray": ("labelsearch/engine/executors/ray.py",),
}
MOST_LINES, MOST_LINES_OF_A_FUNCTION, MOST_ANY = 350, 60, 25
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


def room_of(module: str) -> str:
    """The room of a module of ours; ``labelsearch`` itself for the version."""
    parts = module.split(".")
    return parts[0] if parts[0] != "labelsearch" else ".".join(parts[:2])


def floor_of(room: str) -> int:
    return next((i for i, rooms in enumerate(FLOORS) if room in rooms), -1)


@pytest.mark.parametrize("path", FILES)
def test_imports_only_from_below(path):
    own = room_of(path.removesuffix(".py").replace("/", "."))
    if path == "labelsearch/__init__.py":
        return
    assert floor_of(own) >= 0, f"{path} is in no room"
    for module in imports(path):
        if module.split(".")[0] not in OURS or module == "labelsearch":
            continue
        room = room_of(module)
        assert room == own or floor_of(room) < floor_of(own), f"{path} imports {module}"
        assert own not in ALONE or room in (own, *BASES), f"{path} imports {module}"
        assert room not in NOT_BELOW.get(own, ()), f"{path} imports {module}"


def test_no_file_imports_itself_through_others():
    """Imports at the head of files make no circle."""
    graph = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in FILES}
    edges = {module: heads(path) & set(graph) for module, path in graph.items()}
    state: dict[str, int] = {}

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert state.get(module) != 1, " -> ".join((*way, module))
        if module in state:
            return
        state[module] = 1
        for other in sorted(edges[module]):
            visit(other, (*way, module))
        state[module] = 2

    for module in graph:
        visit(module, ())


def heads(path: str) -> set[str]:
    """Modules that a file imports when it is imported."""
    found = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", FILES)
def test_files_and_functions_stay_small(path):
    text = (ROOT / path).read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < MOST_LINES_OF_A_FUNCTION, f"{path}: {node.name}"


def test_untyped_dictionaries_are_rare():
    """Data between rooms have types."""
    text = "".join((ROOT / path).read_text() for path in FILES if path.startswith("labelsearch/"))
    assert text.count("dict[str, Any]") < MOST_ANY


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
