"""Completion: runs, labels and tiers from folder names, quickly, and a script for each shell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from labelsearch.commands import main


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two runs by name, one of them with labels and tiers."""
    monkeypatch.chdir(tmp_path)
    for name in ("demo-11", "paper-22", "paper-33"):
        folder = Path("runs") / name
        folder.mkdir(parents=True)
        (folder / "ledger.jsonl").touch()
    (Path("runs") / "no run").mkdir()
    for label in ("threshold_1_60", "extrema_1_0.1"):
        folder = Path("runs/demo-11/classifiers") / label
        folder.mkdir(parents=True)
        (folder / "figures.json").touch()
    Path("runs/demo-11/experiment.toml").write_text("[tiers]\nsizes = [100, 20]\n")
    Path("runs/paper-22/experiment.toml").write_text("sizes = ")
    return Path("runs")


def completed(*arguments: str, incomplete: str = "") -> list[str]:
    shell = ShellComplete(main, {}, "labelsearch", "_LABELSEARCH_COMPLETE")
    return [item.value for item in shell.get_completions(list(arguments), incomplete)]


def test_commands_and_options():
    assert completed(incomplete="walk") == ["walk-forward"]
    assert "--json" in completed("runs", "show", incomplete="--")


@pytest.mark.parametrize("command", [["runs", "show"], ["report"], ["export"], ["explain"], ["dashboard"], ["compare"]])
def test_runs(runs, command):
    assert completed(*command) == ["demo-11", "paper-22", "paper-33"]
    assert completed(*command, incomplete="pa") == ["paper-22", "paper-33"]


def test_runs_of_the_folder_that_is_named(runs, tmp_path, monkeypatch):
    runs.rename("others")
    assert completed("report") == []
    assert completed("report", "--runs", "others", incomplete="d") == ["demo-11"]
    monkeypatch.setenv("LABELSEARCH_RUNS", "others")
    assert completed("report", incomplete="d") == ["demo-11"]
    assert completed("compare", "paper-22", incomplete="d") == ["demo-11"]


def test_labels_and_tiers_of_the_run(runs):
    assert completed("explain", "demo", "--label") == ["extrema_1_0.1", "threshold_1_60"]
    assert completed("explain", "demo-11", "--label", incomplete="t") == ["threshold_1_60"]
    assert completed("explain", "runs/demo-11", "--label", incomplete="t") == ["threshold_1_60"]
    assert completed("export", "demo", "--tier") == ["100", "20"]
    for run in ("paper", "paper-22", "paper-33", "none"):
        assert completed("explain", run, "--label") == []
        assert completed("export", run, "--tier") == []


def test_the_shell_is_answered_without_heavy_packages(runs):
    code = (
        "import sys\nfrom labelsearch.commands import main\n"
        "try:\n    main(prog_name='labelsearch')\n"
        "finally:\n    print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    asked = {"_LABELSEARCH_COMPLETE": "bash_complete", "COMP_WORDS": "labelsearch report d", "COMP_CWORD": "2"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **asked})
    assert result.stdout == "plain,demo-11\n"
    for package in ("numpy", "pandas", "rich", "optuna", "torch"):
        assert f"'{package}'" not in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell):
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_LABELSEARCH_COMPLETE={shell}_complete" in result.stdout
    assert "labelsearch" in result.stdout
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2
