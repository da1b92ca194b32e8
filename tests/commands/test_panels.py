"""Commands on a run of many markets or splits, and on its cells."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import labelsearch
from labelsearch.commands import main
from labelsearch.market.resample import resample
from labelsearch.market.store import Store
from labelsearch.results.panel_run import PanelResults
from labelsearch.settings.experiment import Experiment
from tests.conftest import TINY_PANEL
from tests.running import run_panel
from tests.settings.test_cells import LONG, stored
from tests.settings.test_cells import panel as cells_panel


def invoke(*arguments: object):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def home(tmp_path, monkeypatch, tiny_panel):
    """A folder with a copy of the tiny panel among its runs."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_panel.folder.parent, "runs")
    return tmp_path


@pytest.fixture
def panel(home, tiny_panel):
    return PanelResults(Path("runs") / tiny_panel.folder.name, Path("store"))


def document(*arguments: object) -> dict:
    """The JSON document that a command prints, with nothing beside it."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_run_on_a_finished_panel_prints_the_verdict(panel):
    result = invoke("run", panel.folder / "experiment.toml", "--workers", 1)
    assert result.exit_code == 0, result.output
    for words in ("Stitched tiers", "What it could have shown", "Verdict: ", "Top-20", "basket", "report.html"):
        assert words in result.stdout
    printed = document("run", panel.folder / "experiment.toml", "--workers", 1)
    assert set(printed) == {"run", "stitched", "power", "splits", "markets", "verdict", "report", "page"}
    assert printed["verdict"] == panel.panel.verdict


def test_list_and_show(panel):
    result = invoke("runs", "list")
    assert panel.name in result.stdout
    assert "4/4 cells" in result.stdout
    (entry,) = document("runs", "list")["runs"]
    assert (entry["done"], entry["cells"], entry["of_cells"]) == (["cells", "panel"], 4, 4)
    shown = invoke("runs", "show", "panel")
    assert shown.exit_code == 0, shown.output
    assert "Verdict: " in shown.stdout
    saved = json.loads((panel.folder / "panel" / "panel.json").read_text())
    printed = document("runs", "show", "panel")
    assert printed["markets"] == saved["markets"]
    assert printed["splits"] == saved["splits"]
    assert [row["total_pct"] for row in printed["stitched"]] == [row["total_pct"] for row in saved["tiers"]]


def test_an_unfinished_panel_is_listed_and_says_how_to_go_on(panel):
    (panel.folder / "ledger.jsonl").unlink()
    shutil.rmtree(panel.cell_folder("BETA", 2))
    assert "3/4 cells" in invoke("runs", "list").stdout
    for command in (["runs", "show"], ["report"]):
        result = invoke(*command, panel.name)
        assert result.exit_code == 2
        assert "is not done; to go on: labelsearch run" in result.stderr


def test_report_writes_the_page(panel):
    written = document("report", "panel")
    assert Path(written["page"]).is_file()
    assert "Stitched equity" in Path(written["page"]).read_text()


def test_export_takes_a_market_in_its_last_split(panel):
    refused = invoke("export", "panel", "--out", "x")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert "name a market with --market; it has ALPHA, BETA" in refused.stderr
    unknown = invoke("export", "panel", "--market", "MOON", "--out", "x")
    assert unknown.exit_code == 2
    assert "has no market MOON; it has ALPHA, BETA" in unknown.stderr
    assert not Path("x").exists()
    exported = document("export", "panel", "--market", "BETA", "--tier", 5, "--out", "winners")
    assert exported == {"run": f"{panel.name}/BETA/split-2", "bundle": "winners"}
    verified = document("bundle", "verify", "winners")
    assert (verified["tier"], verified["run"]) == (5, exported["run"])
    market = json.loads(Path("winners/market.json").read_text())
    assert market["symbol"] == "BETA"
    assert market["windows"]["future"] == ["2018-02-25", "2018-03-03"]
    cell = invoke("export", panel.cell_folder("BETA", 1), "--market", "ALPHA", "--out", "x")
    assert cell.exit_code == 2
    assert "has no market ALPHA; it has BETA" in cell.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["compare", "panel"],
        ["explain", "panel", "--label", "x"],
        ["dashboard", "panel"],
        ["null", "FILE"],
        ["walk-forward", "FILE"],
        ["compare-networks", "FILE", "--label", "x"],
        ["labels", "FILE"],
        ["ensembles", "FILE"],
    ],
    ids=lambda command: command[0],
)
def test_commands_for_one_run_name_a_cell(panel, command):
    pytest.importorskip("optuna_dashboard")
    result = invoke(*(panel.folder / "experiment.toml" if word == "FILE" else word for word in command))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert f"name one of its cells, e.g. {panel.cell_folder('BETA', 2)}" in result.stderr
    if "FILE" in command:
        assert result.stderr.endswith("/experiment.toml\n")


def test_a_cell_is_a_run(panel):
    cell = panel.cell_folder("BETA", 2)
    before = panel.cell("BETA", 2).done["ensembles"]
    result = invoke("run", cell / "experiment.toml", "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "Can it be believed?" in result.stdout
    assert (cell / "report" / "report.html").is_file()
    assert sorted(path.name for path in Path("runs").iterdir() if path.is_dir()) == [panel.name]
    assert not list(panel.folder.glob("cells/**/looks.jsonl"))
    again = panel.cell("BETA", 2)
    assert again.done["ensembles"] == before
    assert again.look.number == 1
    shown = document("runs", "show", cell)
    assert {"ensembles", "belief", "deciles"} <= set(shown)
    assert shown["run"] == f"{panel.name}/BETA/split-2"


@pytest.mark.slow
def test_seeds_repeat_the_classifiers_of_all_cells(panel):
    file = panel.folder / "experiment.toml"
    refused = invoke("seeds", file, "--search-seeds", 1)
    assert refused.exit_code == 2
    assert "other seeds of its classifiers alone" in refused.stderr
    printed = document("seeds", file, "--classifier-seeds", 1, "--workers", 1)
    totals = printed["seeds"]["total_pct"]
    assert totals["20"][0] == pytest.approx(printed["stitched"][0]["total_pct"], rel=1e-9)
    assert {len(values) for values in totals.values()} == {2}
    assert "over 2 seeds of the classifiers" in (panel.folder / "report" / "report.md").read_text()


@pytest.mark.slow
def test_a_cell_that_kept_strategies_of_an_earlier_split_keeps_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = {
        **TINY_PANEL,
        "data": {**TINY_PANEL["data"], "symbols": ["ALPHA"]},
        "roll": {**TINY_PANEL["roll"], "refit": "tiers"},
    }
    folder = run_panel(Experiment.from_dict(kept), Path("runs"), Path("store"), workers=1)
    panel = PanelResults(folder, Path("store"))
    before = panel.cell("ALPHA", 2).done
    result = invoke("export", panel.name, "--market", "ALPHA", "--out", "winners")
    assert result.exit_code == 0, result.output
    assert invoke("bundle", "verify", "winners").exit_code == 0
    assert labelsearch.open_run(panel.cell_folder("ALPHA", 2)).members(5)
    result = invoke("run", panel.cell_folder("ALPHA", 2) / "experiment.toml", "--workers", 1)
    assert result.exit_code == 0, result.output
    after = panel.cell("ALPHA", 2).done
    assert {name: after[name] for name in before} == before
    assert "belief" in after


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"symbols": ["AAA", "NOPE"]}, "no 1h bars of NOPE"),
        ({"symbols": ["AAA", "DAYS"]}, "no 1h bars of DAYS; the store holds DAYS 1d and 1 more"),
        ({"symbols": ["AAA"], "calendar": "XNYS"}, "calendar XNYS"),
        ({"symbols": ["AAA"], "calendar": "NONE"}, "calendar 'NONE' is unknown"),
    ],
)
def test_bad_panels_end_with_one_line_and_nothing_half_written(tmp_path, monkeypatch, changes, words):
    monkeypatch.chdir(tmp_path)
    stored(tmp_path / "store", AAA=LONG)
    hours = Store(tmp_path / "store").load("AAA", "1h")
    Store(tmp_path / "store").add(dataclasses.replace(resample(hours, 86_400_000), symbol="DAYS"))
    experiment = cells_panel("AAA").to_dict()
    experiment["data"] |= changes
    Path("experiment.toml").write_text(Experiment.from_dict(experiment).to_toml())
    for command in ("run", "plan"):
        result = invoke(command, "experiment.toml", "--workers", 1)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert words in result.stderr
    assert not list(Path("runs").rglob("*.toml"))
