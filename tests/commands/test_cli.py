"""Commands: documented, one-line errors with exit code 2, and what they print."""

import contextlib
import csv
import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import psutil
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.results.run import Results

ROOT = Path(__file__).parents[2]


def all_commands(group: click.Group = main, path: str = "labelsearch"):
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from all_commands(command, f"{path} {name}")


COMMANDS = dict(all_commands())


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_documented(path):
    command = COMMANDS[path]
    assert command.help, f"{path} has no help"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts[0]} has no help"
    if not isinstance(command, click.Group):
        assert f"  {path}" in command.help, f"{path} has no worked example"
        assert path in (ROOT / "README.md").read_text(), f"{path} is not in the README"
    result = CliRunner().invoke(main, [*path.split()[1:], "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def invoke(*arguments: object):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def copied(tiny_run, tmp_path_factory):
    """The tiny run in a folder of its own, where commands may look at its future again."""
    root = tmp_path_factory.mktemp("cli") / "runs"
    shutil.copytree(tiny_run.folder.parent, root)
    return Results(root / tiny_run.folder.name, tiny_run.store)


@pytest.fixture
def finished(copied, monkeypatch):
    monkeypatch.setenv("LABELSEARCH_RUNS", str(copied.folder.parent))
    monkeypatch.setenv("LABELSEARCH_STORE", str(copied.store))
    return copied


def test_init_writes_a_file_that_loads(home):
    from labelsearch.settings.experiment import Experiment
    from labelsearch.settings.presets import preset

    assert invoke("init", "--preset", "quick").exit_code == 0
    assert Experiment.load("experiment.toml") == preset("quick")
    again = invoke("init")
    assert again.exit_code == 2
    assert again.output.count("\n") == 1
    assert invoke("init", "--force").exit_code == 0
    assert Experiment.load("experiment.toml") == preset("paper")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[serch]\n", "unknown key 'serch'; the closest valid key is 'search'"),
        ("= 3", "not TOML"),
        ("[data]\nsymbol = 'NOPE'\n", "NOPE"),
    ],
)
@pytest.mark.parametrize("command", ["run", "labels", "search"])
def test_bad_experiments_end_with_one_line(home, command, text, words):
    Path("x.toml").write_text(text)
    result = invoke(command, "x.toml")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert result.stdout == ""


def test_missing_experiment(home):
    result = invoke("run", "none.toml")
    assert result.exit_code == 2
    assert "none.toml" in result.stderr


@pytest.mark.parametrize("stage", ["labels", "features", "classifiers", "outputs", "search", "ensembles"])
def test_stage_commands_print_what_is_done(finished, home, stage):
    Path("tiny.toml").write_text(finished.experiment.to_toml())
    result = invoke(stage, "tiny.toml")
    assert result.exit_code == 0, result.output
    assert str(finished.folder / stage) in result.stdout.replace("\n", "")
    if stage in ("labels", "features", "classifiers"):
        for label in finished.experiment.label_kinds():
            assert label.name in result.stdout


def test_run_prints_tiers_and_writes_the_report(finished, home):
    Path("tiny.toml").write_text(finished.experiment.to_toml())
    result = invoke("run", "tiny.toml", "--workers", 1)
    assert result.exit_code == 0, result.output
    for words in ("Top-20", "Top-5", "buy and hold", "past", "future", "Verdict", "look 1 of 2", "Against outputs"):
        assert words in result.stdout
    report = finished.folder / "report"
    assert {p.name for p in report.iterdir()} == {
        "report.html", "report.md", "tiers.csv", "tiers.json", "belief.json", "equity.png", "scores.png",
        "histograms.png", "histograms_log.png",
    }  # fmt: skip
    text = (report / "report.md").read_text()
    titles = (
        "Labels",
        "Feature sets",
        "Classifiers",
        "Ensemble tiers",
        "Tiers against controls",
        "Controls",
        "Can it be believed?",
        "Where it comes from",
    )
    for title in (*titles, "Cost"):
        assert f"## {title}" in text
    with (report / "tiers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (2 + 3 + 7)  # tiers, baselines and controls
    table = json.loads((report / "tiers.json").read_text())["table"]
    assert [float(r["sharpe"]) for r in rows] == [r["sharpe"] for r in table]
    for picture in report.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert invoke("report", "tiny").exit_code == 0


def test_runs_list_and_show(finished):
    listed = invoke("runs", "list")
    assert finished.folder.name in listed.stdout
    assert "9/9" in listed.stdout
    shown = invoke("runs", "show", "tiny")
    for words in ("Labels", "Feature sets", "Parameters", "Classifiers", "Ensemble tiers", "Cost"):
        assert words in shown.stdout
    assert invoke("runs", "show", "nothing").exit_code == 2


def test_runs_list_without_runs(home):
    assert invoke("runs", "list").exit_code == 0


def test_compare_puts_runs_side_by_side(finished):
    result = invoke("compare", finished.folder, "tiny")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if "Top-20" in line]
    assert len(lines) == 4
    assert "past" in lines[0]
    assert "past" in lines[1]
    assert "future" in lines[2]


def test_compare_writes_a_page(finished, home):
    result = invoke("compare", finished.folder, "tiny", "--html", "both.html")
    assert result.exit_code == 0, result.output
    assert "page: both.html" in result.stdout
    assert f"{finished.folder.name} (2)" in Path("both.html").read_text()


def test_unfinished_runs_are_told(home):
    folder = Path("runs/half")
    folder.mkdir(parents=True)
    (folder / "ledger.jsonl").write_bytes(b"")
    invoke("init", folder / "experiment.toml")
    for command in (["compare", "half"], ["report", "half"], ["export", "half", "--tier", "5", "--out", "x"]):
        result = invoke(*command)
        assert result.exit_code == 2
        assert "no ensembles yet" in result.stderr
    assert not Path("x").exists()


@pytest.mark.slow
def test_seeds_prints_the_spread(finished, home):
    import shutil

    shutil.copytree(finished.folder, "runs/" + finished.folder.name)
    shutil.copy(finished.folder.parent / "looks.jsonl", "runs")
    Path("tiny.toml").write_text(finished.experiment.to_toml())
    options = ("seeds", "tiny.toml", "--runs", "runs", "--search-seeds", 1, "--classifier-seeds", 0, "--workers", 1)
    result = invoke(*options)
    assert result.exit_code == 0, result.output
    assert "Spread over seeds" in result.stdout
    assert "±" in result.stdout
    assert "[lowest highest]" in result.stdout  # not taken for markup
    assert re.search(r"look 1 of [23]", result.stdout.replace("\n", " "))
    assert "## Spread over seeds" in (Path("runs") / finished.folder.name / "report" / "report.md").read_text()
    again = invoke(*options, "--json")
    assert [len(tables) for tables in json.loads(again.stdout)["seeds"].values()] == [1, 0]


def told(*arguments: object) -> dict:
    """The JSON document that a command prints, with nothing beside it."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


FIGURES = {
    "labels": {"labels", "overlap", "pictures"},
    "features": {"features"},
    "classifiers": {"classifiers"},
    "outputs": set(),
    "search": {"search"},
    "ensembles": {"ensembles", "controls", "belief", "diversity"},
}


@pytest.mark.parametrize("stage", FIGURES)
def test_stages_as_json(finished, home, stage):
    Path("tiny.toml").write_text(finished.experiment.to_toml())
    found = told(stage, "tiny.toml")
    assert set(found) == {"run", "folder"} | FIGURES[stage]
    assert found["run"] == finished.folder.name
    assert found["folder"] == str(finished.folder / stage)


def test_json_holds_the_figures_of_the_run(finished, home):
    Path("tiny.toml").write_text(finished.experiment.to_toml())
    names = [label.name for label in finished.experiment.label_kinds()]
    saved = json.loads((finished.folder / "ensembles" / "tiers.json").read_text())
    belief = json.loads((finished.folder / "belief" / "belief.json").read_text())
    whole = told("run", "tiny.toml")
    assert set(whole) == {"run", "ensembles", "controls", "belief", "diversity", "null", "report", "page"}
    table = whole["ensembles"]
    assert table["verdict"] == belief["verdict"]
    assert {name: table[name] for name in table if name not in ("table", "verdict")}.items() <= saved.items()
    assert table["table"] == [row.flat() for row in finished.ensembles.rows]
    assert belief.items() <= whole["belief"].items()
    assert whole["belief"]["looks"]["number"] == 1
    assert Path(whole["page"]).is_file()
    shown = told("runs", "show", "tiny")
    assert set(shown) == {
        "run", "labels", "features", "parameters", "classifiers", "search", "ensembles", "controls", "belief",
        "diversity", "deciles", "cost", "trading_costs", "paid", "cost_curve",
    }  # fmt: skip
    assert [entry["label"] for entry in shown["labels"]] == [entry["label"] for entry in shown["classifiers"]] == names
    assert shown["labels"][0]["train"]["buy"] > 0
    assert isinstance(shown["classifiers"][0]["past"]["buy"]["auc"], float)
    assert len(shown["parameters"][names[0]]) == 28
    assert shown["search"]["n_strategies"] == 300
    assert [row["stage"] for row in shown["cost"]][-1] == "belief"
    assert len(shown["deciles"]) == 10
    both = told("compare", finished.folder, "tiny")["ensembles"]
    assert len(both) == 2 * len(table["table"])
    assert {key: value for key, value in both[0].items() if key != "run"} == table["table"][0]
    (entry,) = told("runs", "list")["runs"]
    assert entry["run"] == finished.folder.name
    assert entry["done"][-1] == "belief"


def test_json_of_files(finished, home):
    written = told("report", "tiny")
    assert Path(written["report"]).is_file()
    assert told("export", "tiny", "--tier", "5", "--out", "winners") == {
        "run": finished.folder.name, "bundle": "winners",
    }  # fmt: skip
    verified = told("bundle", "verify", "winners")
    assert verified["tier"] == 5
    assert verified["bundle"] == "winners"


WITHOUT_JSON = {f"labelsearch {name}" for name in ("init", "dashboard", "completion", "live")}  # live prints JSON lines


def test_every_command_that_prints_figures_has_json():
    ours = {path: command for path, command in COMMANDS.items() if not isinstance(command, click.Group)}
    lacking = {path for path, command in ours.items() if "as_json" not in {p.name for p in command.params}}
    assert lacking == WITHOUT_JSON


def test_what_is_not_finite_is_null_in_json():
    import numpy as np

    from labelsearch.delivery.tables.table import Table, document

    data = {"a": np.float32(0.5), "b": [float("nan"), np.inf, np.int64(3)], 5: np.array([1.0, np.nan]), "p": Path("x")}
    found = document([Table("t", (), (), key="t", data=data), Table("part of it", (), ())])
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "t": {"a": 0.5, "b": [None, None, 3], "5": [1.0, None], "p": "x"}
    }


# exit codes and standard error, through the real entry point


def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "labelsearch.commands", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


def test_exit_codes(finished, home, monkeypatch):
    assert invoke("runs", "show", "tiny").exit_code == 0
    assert invoke("runs", "show", "other").exit_code == 2
    assert invoke("runs", "shw").exit_code == 2

    def fail(error):
        def raises(*arguments):
            raise error

        monkeypatch.setattr("labelsearch.engine.run.find_run", raises)
        return invoke("runs", "show", "tiny")

    result = fail(KeyError("lost\nand found"))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "Error: KeyError: 'lost\\nand found' (LABELSEARCH_DEBUG=1 prints the traceback)\n"
    assert fail(OSError(errno.ENOSPC, "No space left on device")).exit_code == 1
    assert fail(FileNotFoundError(errno.ENOENT, "nothing there")).exit_code == 2
    for code in (None, 0, "bye"):  # raised by a user's file: no silent end
        result = fail(SystemExit(code))
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: SystemExit: ")
    result = fail(KeyboardInterrupt())
    assert result.exit_code == 130
    assert result.stderr.count("\n") == 1
    monkeypatch.setenv("LABELSEARCH_DEBUG", "1")
    assert isinstance(fail(KeyError("lost")).exception, KeyError)


@pytest.mark.parametrize("limit", [("--max-hours", 1e-9), ("--max-memory", 1e-3)])
def test_a_spent_budget_is_one_line_and_exit_code_3(tiny_experiment, home, limit):
    Path("tiny.toml").write_text(tiny_experiment.to_toml())
    result = invoke("labels", "tiny.toml", "--workers", 1, *limit)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert re.fullmatch(r"Stopped: .*\. Finished work is kept: the same command continues it\.\n", result.stderr)
    assert not list(Path("runs").rglob("ledger.jsonl"))
    assert invoke("labels", "tiny.toml", "--workers", 1, limit[0], 99).exit_code == 0


@pytest.mark.parametrize("command", ["labels", "run"])
def test_a_cluster_that_does_not_answer_is_one_line(tiny_experiment, home, command):
    Path("tiny.toml").write_text(tiny_experiment.to_toml())
    result = invoke(command, "tiny.toml", "--engine", "ray", "--address", "127.0.0.1:9")
    assert result.exit_code == 2
    assert re.fullmatch(r"Error: no Ray cluster answers at 127\.0\.0\.1:9: .*\n", result.stderr)
    assert not list(Path("runs").glob("*"))


FAILS_IN_WORKERS = """
import multiprocessing

from torch import nn

from labelsearch.classifiers.kinds import Choice, NetworkKind


def build(n_features, width=8):
    if multiprocessing.parent_process() is not None:
        raise RuntimeError("no network in a worker")
    return nn.Sequential(nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, 3))


NETWORKS = [NetworkKind("lost", "fails in workers only", build, False, (Choice("width", (8, 16)),))]
"""


def own_network(found: re.Match[str]) -> str:
    return 'own = ["lost.py"]' if found[0].startswith("own") else 'kind = "lost"'


@pytest.mark.slow
def test_failures_of_workers_are_one_line(finished, home):
    shutil.copytree(finished.folder, Path("runs") / finished.folder.name)
    Path("lost.py").write_text(FAILS_IN_WORKERS)
    toml, n = re.subn(r'(?m)^own = \[\]|(?<=\[network\]\n)kind = "\w+"', own_network, finished.experiment.to_toml())
    assert n == 2
    Path("tiny.toml").write_text(toml)
    result = call("classifiers", "tiny.toml", "--workers", 2, LABELSEARCH_RUNS="runs")
    assert result.returncode == 1
    assert result.stdout == ""
    named, told = result.stderr.splitlines()
    assert "lost.py" in named
    wanted = (
        r"Error: classifiers: (threshold|extrema)_[\w.]+: RuntimeError: no network in a worker \(.*lost\.py, line 11\)"
        r"; finished work is kept: the same command continues it \(LABELSEARCH_DEBUG=1 prints the traceback\)"
    )
    assert re.fullmatch(wanted, told), told


def test_a_terminal_shows_rate_and_time_left(monkeypatch):
    import rich.console

    from labelsearch.commands.common import progress_bars

    seconds, screen, real = [0.0], io.StringIO(), rich.console.Console

    def terminal(stderr):
        assert stderr
        return real(file=screen, force_terminal=True, width=120, get_time=lambda: seconds[0])

    monkeypatch.setattr(rich.console, "Console", terminal)
    with progress_bars() as progress:
        progress("labels", 0, 0)
        progress("search", 20, 100)  # 20 were done before
        seconds[0] = 80.0
        progress("search", 60, 100)
    shown = screen.getvalue()
    assert "labels: already done" in shown
    assert " 60/100 0:01:20, 0.5/s, 0:01:20 left" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def test_a_run_on_a_terminal_shows_bars_and_keeps_standard_output_to_itself(tiny_experiment, home):
    Path("tiny.toml").write_text(tiny_experiment.to_toml())
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "labelsearch.commands", "labels", "tiny.toml", "--workers", "1", "--json"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    found = json.loads(process.stdout.read())
    assert process.wait() == 0
    assert len(found["labels"]) == 3
    assert b"3/3" in shown
    assert b"/s" in shown


@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_and_sigterm_end_a_run_and_its_workers_with_one_line(finished, home, sent):
    folder = Path("runs") / finished.folder.name
    shutil.copytree(finished.folder, folder)
    shutil.rmtree(folder / "classifiers")
    Path("tiny.toml").write_text(finished.experiment.to_toml())
    command = [sys.executable, "-m", "labelsearch.commands", "classifiers", "tiny.toml", "--workers", "2"]
    environment = {**os.environ, "LABELSEARCH_RUNS": "runs"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    parent, children = psutil.Process(process.pid), []
    while process.poll() is None and sum(child.cpu_times().user > 2.0 for child in children) < 2:
        time.sleep(0.05)  # until both workers are past their start
        children = parent.children()
    assert len(children) >= 2
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)  # as a terminal does
    else:
        process.terminate()  # as a scheduler does: the workers are told by their parent
    printed, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert printed == ""
    assert told == "Interrupted. Finished work is kept: run the same command again to continue.\n"
    assert not (folder / "classifiers").exists()
    assert not any(running(child) for child in children)


def running(process: psutil.Process) -> bool:
    """Whether a process still is at work after a moment to end in."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for _ in range(100):
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            time.sleep(0.1)
        return True
    return False
