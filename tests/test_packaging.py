"""The wheel ships three packages and nothing else, and its command runs in a clean environment."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q", "-w", str(out)]
    subprocess.run(command, cwd=ROOT, check=True)
    return next(out.glob("labelsearch-*.whl"))


def test_wheel_roots(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    roots = {name.split("/")[0] for name in names}
    packages = {root for root in roots if not root.endswith(".dist-info")}
    assert packages == {"labelsearch", "feature_space", "strategies"}
    assert "labelsearch/commands/__init__.py" in names
    assert any(name.endswith("LICENSE") for name in names)
    assert {f"{package}/py.typed" for package in packages} <= set(names)
    assert all(name.endswith((".py", "/py.typed")) for name in names if ".dist-info" not in name)


def test_console_script_in_a_clean_environment(wheel, tmp_path):
    # Only click is there: the command line must not need anything else to start.
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--no-deps", wheel]
    subprocess.run(install, check=True)
    site = next((tmp_path / "env").glob("lib/python*/site-packages"))
    (site / "click").symlink_to(Path(click.__file__).parent)
    result = subprocess.run(
        [tmp_path / "env" / "bin" / "labelsearch", "--help"], capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert "ensembles" in result.stdout


def test_a_read_only_install_without_a_home(tmp_path):
    """Nothing can be kept beside the package or in the user's cache: commands work, and say so in one line."""
    for package in ("labelsearch", "feature_space", "strategies"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
        for folder in [tmp_path / package, *(p for p in (tmp_path / package).rglob("*") if p.is_dir())]:
            (folder / "__pycache__").touch()  # a file in its place: not even the superuser can write there
    without = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache", "NUMBA_CACHE_DIR": ""}
    command = [sys.executable, "-c", "from feature_space.kernels import rolling_sum_nb; import numpy as np;"
               "print(rolling_sum_nb(np.ones(3), 2)[-1])"]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **without})
    assert result.stdout.split() == ["2.0"], result.stderr
    assert result.stderr.splitlines() == ["compiled kernels are not kept: set NUMBA_CACHE_DIR to a folder for them"]
