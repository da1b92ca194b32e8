"""Commands: documented, one-line errors with exit code 2, and what they print."""

import csv
import json
import re
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.pipeline.run import open_context

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
    return open_context(root / tiny_run.folder.name, tiny_run.store)


@pytest.fixture
def finished(copied, monkeypatch):
    monkeypatch.setenv("LABELSEARCH_RUNS", str(copied.folder.parent))
    monkeypatch.setenv("LABELSEARCH_STORE", str(copied.store))
    return copied


def test_init_writes_a_file_that_loads(home):
    from labelsearch.pipeline.experiment import Experiment
    from labelsearch.pipeline.presets import preset

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
        ("[serch]\n", "unknown key 'serch'; the nearest valid key is 'search'"),
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
    assert str(finished.stage(stage)) in result.stdout.replace("\n", "")
    if stage in ("labels", "features", "classifiers"):
        for label in finished.experiment.label_kinds():
            assert label.name in result.stdout


def test_run_prints_tiers_and_writes_the_report(finished, home):
    Path("tiny.toml").write_text(finished.experiment.to_toml())
    result = invoke("run", "tiny.toml")
    assert result.exit_code == 0, result.output
    for words in ("Top-20", "Top-5", "buy and hold", "past", "future", "Verdict", "look 1 of 2", "Against outputs"):
        assert words in result.stdout
    report = finished.folder / "report"
    assert {p.name for p in report.iterdir()} == {
        "report.html", "report.md", "tiers.csv", "tiers.json", "belief.json", "equity.png", "scores.png",
        "histograms.png", "histograms_log.png",
    }  # fmt: skip
    text = (report / "report.md").read_text()
    titles = ("Labels", "Feature sets", "Classifiers", "Ensemble tiers", "Can it be believed?", "Where it comes from")
    for title in (*titles, "Cost"):
        assert f"## {title}" in text
    with (report / "tiers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    table = json.loads((report / "tiers.json").read_text())["table"]
    assert [float(r["sharpe"]) for r in rows] == [r["sharpe"] for r in table]
    for picture in report.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert invoke("report", "tiny").exit_code == 0


def test_runs_list_and_show(finished):
    listed = invoke("runs", "list")
    assert finished.folder.name in listed.stdout
    assert "6/6" in listed.stdout
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
    assert [len(tables) for tables in json.loads(again.stdout).values()] == [1, 0]
