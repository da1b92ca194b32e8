"""The examples in docstrings are true, and none of their modules loads a heavy package."""

import doctest
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for room in ("feature_space", "labelsearch", "strategies")
    for path in (ROOT / room).rglob("*.py")
    if "    >>> " in path.read_text()
)


@pytest.mark.parametrize("module", MODULES)
def test_examples(module):
    found = doctest.testmod(import_module(module))
    assert found.attempted
    assert not found.failed


def test_modules_with_examples_are_light():
    heavy = "{'torch', 'vectorbt', 'optuna', 'matplotlib'}"
    code = f"import sys, {', '.join(MODULES)}; print(*({heavy} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "\n"
