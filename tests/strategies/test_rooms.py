"""Rooms of `strategies` stand in a row: each imports only from itself and from rooms before it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("trade", "search", "luck", "tiers", "book")
FILES = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "strategies").rglob("*.py"))


def modules(path: str) -> set[str]:
    """Modules of ours that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name for name in found if name.split(".")[0] in ("strategies", "labelsearch", "feature_space")}


@pytest.mark.parametrize("path", FILES)
def test_a_room_imports_from_rooms_before_it(path):
    parts = path.split("/")
    known = ROOMS[: ROOMS.index(parts[1]) + 1] if len(parts) > 2 else ()
    for module in modules(path) - {"labelsearch.errors", "labelsearch.registry", "labelsearch.compiled", "strategies"}:
        assert f"{module}.".startswith(tuple(f"strategies.{room}." for room in known)), f"{path} imports {module}"


def test_every_room_is_in_the_row():
    assert {path.split("/")[1] for path in FILES if path.count("/") > 1} == set(ROOMS)
