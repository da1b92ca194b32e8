"""The wheel ships three packages and nothing else, and its command runs in a clean environment."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
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


def environment(folder: Path, wheel: Path) -> Path:
    """An environment that has the wheel and nothing else: also no pip of its own, which takes long to install."""
    venv.create(folder)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-compile", wheel]
    subprocess.run(install, check=True)
    return folder


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
    env = environment(tmp_path / "env", wheel)
    site = next(env.glob("lib/python*/site-packages"))
    (site / "click").symlink_to(Path(click.__file__).parent)
    result = subprocess.run([env / "bin" / "labelsearch", "--help"], capture_output=True, text=True, cwd=tmp_path)
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


def test_locked_requirements_are_the_tested_versions():
    """Every package that the core needs, directly or not, at the version of constraints.txt and with a hash."""
    text = (ROOT / "requirements-linux-py311.txt").read_text()
    entries = re.findall(r"^(\S+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}$", text, re.M)
    assert len(entries) == text.count("--hash=") == text.count("==")
    tested = dict(re.findall(r"^(\S+)==(\S+)$", (ROOT / "constraints.txt").read_text().lower(), re.M))
    plain = {re.sub(r"[-_.]+", "-", name): version for name, version in tested.items()}
    for name, version in entries:
        assert plain.get(re.sub(r"[-_.]+", "-", name), version) == version.split("+")[0], name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=\[]", each.lower())[0] for each in project["dependencies"]}
    assert needed <= {name for name, _ in entries}


EXPERIMENT = """
name = "wheel"
[data]
source = "synthetic"
symbol = "SYNTH"
[windows]
train = ["2018-01-01", "2018-01-20"]
past = ["2018-01-22", "2018-01-28"]
future = ["2018-01-30", "2018-02-05"]
[separation]
n_pairs = 4000
n_values = 4
n_restarts = 1
[network]
n_neutral = 5000
n_trials = 2
max_epochs = 2
n_seeds = 1
[search]
n_strategies = 300
island_size = 240
[tiers]
sizes = [20, 5]
[null]
repeats = 2
n_strategies = 40
[[label]]
kind = "threshold"
theta = 0.003
horizon = 5
"""


@pytest.mark.parametrize(
    ("stage", "printed"), [("labels", "threshold_0.3_5"), pytest.param("run", "Top-20", marks=pytest.mark.slow)]
)
def test_the_wheel_runs_an_experiment(wheel, tmp_path, stage, printed):
    """From an empty folder, in an environment with the dependencies and the wheel, and no trace of this checkout."""
    env = environment(tmp_path / "env", wheel)
    site = next(env.glob("lib/python*/site-packages"))
    # the path alone: what makes this checkout importable there is not executed
    (site / "dependencies.pth").write_text(f"{Path(click.__file__).parents[1]}\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / "experiment.toml").write_text(EXPERIMENT)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LABELSEARCH"))}
    command = [env / "bin" / "labelsearch", stage, "experiment.toml", "--workers", "2"]
    result = subprocess.run(command, cwd=home, capture_output=True, text=True, env=clean)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""  # quiet where it is no terminal
    assert printed in result.stdout
    where = "import labelsearch, feature_space; print(labelsearch.__file__, feature_space.__file__)"
    found = subprocess.run(
        [env / "bin" / "python", "-c", where], cwd=home, capture_output=True, text=True, env=clean
    ).stdout.split()
    assert all(Path(path).is_relative_to(site) for path in found)
