"""What a panel would do and could show, before anything runs."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.tables.plan import cost_table, duration, power_table, splits_table
from labelsearch.results.panel_run import PanelResults
from labelsearch.results.plan import CALIBRATION, plan_run
from labelsearch.settings.bars import bars_of
from labelsearch.settings.cost import split_cost
from labelsearch.settings.roll import Pool
from labelsearch.studies.calibration import calibrate
from strategies.luck.power import detectable_sharpe, effective_markets
from tests.panels.conftest import tiny


def test_cells_units_and_years(tmp_path):
    found = plan_run(tiny(), tmp_path, tmp_path)
    assert found.cells == 4
    assert found.units == 4 * (2 + 3)  # two networks, two islands of the sampler and a random one
    assert found.years == pytest.approx(14 / 365.25)
    assert [(s.split, s.future, s.markets) for s in found.splits] == [
        (1, ("2018-02-18", "2018-02-24"), 2), (2, ("2018-02-25", "2018-03-03"), 2),
    ]  # fmt: skip
    assert found.pace == {}


def test_power_is_that_of_these_markets_and_years(tmp_path):
    found = plan_run(tiny(), tmp_path, tmp_path)
    alone, held, neutral = found.power
    assert alone.detectable_sharpe == pytest.approx(detectable_sharpe(found.years / 2))
    days = [bars_of(tiny().data.of(m), tmp_path, "2018-01-01", "2018-02-16") for m in ("ALPHA", "BETA")]
    closes = np.array([bars.close[95::96] for bars in days])
    rho = np.corrcoef(np.diff(np.log(closes)))[0, 1]
    assert held.rho == pytest.approx(max(rho, 0.0))
    assert neutral.effective_markets == effective_markets(2, 0.1)
    assert neutral.detectable_sharpe == pytest.approx(detectable_sharpe(found.years, neutral.effective_markets))
    (row,) = plan_run(tiny(data={"symbols": ["AAA"]}, roll={"splits": 1}), tmp_path, tmp_path).power
    assert row.rho == 0.0


def test_a_book_is_one_account(tmp_path):
    """It costs a search of all markets at once, and shows what one account shows."""
    both = {"side": "both"}
    book = {"kind": "neutral", "cap": 0.5, "shifts": 9}
    found = plan_run(tiny(book=book, search=both, costs={"borrow": 0.0001}), tmp_path, tmp_path)
    assert {"book search", "book tiers", "panel"} < set(found.seconds)
    assert not {"search", "ensembles", "belief"} & set(found.seconds)
    assert [row.detectable_sharpe for row in found.power] == [
        pytest.approx(detectable_sharpe(years)) for years in (found.years / 2, found.years)
    ]
    assert "A book is one account" in power_table(found).note
    more = plan_run(tiny(book={**book, "shifts": 99}, search=both, costs={"borrow": 0.0001}), tmp_path, tmp_path)
    assert more.seconds["panel"] > found.seconds["panel"]


def test_what_is_pooled_costs_less():
    cells = [tiny(data={"symbols": [m]}, roll={"step": "", "splits": 0}) for m in ("AAA", "BBB", "CCC")]
    apart, networks, all_ = (split_cost(cells, p) for p in (Pool(), Pool(classifiers=True), Pool(True, True)))
    assert networks.seconds["classifiers"] < apart.seconds["classifiers"]
    assert networks.seconds["search"] == apart.seconds["search"]
    assert all_.seconds["search"] < apart.seconds["search"]
    one = split_cost(cells[:1])
    for name, seconds in one.seconds.items():
        assert apart.seconds[name] == pytest.approx(3 * seconds)
    assert apart.disk == 3 * one.disk


def test_what_is_kept_from_the_first_split_costs_nothing_again(tmp_path):
    each, first, tiers = (
        plan_run(tiny(roll=roll), tmp_path, tmp_path).seconds
        for roll in ({}, {"hyperparameters": "first"}, {"refit": "tiers"})
    )
    assert first["classifiers"] < each["classifiers"]
    assert first["features"] == each["features"]
    for name in ("features", "classifiers", "search"):
        assert tiers[name] == pytest.approx(each[name] / 2)
    assert tiers["labels"] == each["labels"]
    assert "null" not in each


def test_estimates_go_at_the_pace_of_finished_runs(panel_folder, tmp_path):
    shutil.copytree(panel_folder.parent, tmp_path / "runs")
    (tmp_path / "runs" / "notes").mkdir()  # what is no run does not count
    (tmp_path / "runs" / "notes" / "ledger.jsonl").write_text("")
    before, found = plan_run(tiny(), tmp_path, tmp_path), plan_run(tiny(), tmp_path / "runs", tmp_path)
    assert before.pace == {}
    assert "--calibrate" in cost_table(before, 2).note
    results = PanelResults(tmp_path / "runs" / panel_folder.name)
    cells = [results.cell(market, split) for market in ("ALPHA", "BETA") for split in (1, 2)]
    for stage in ("features", "classifiers", "search", "ensembles"):  # labels take less than the clock shows
        taken = sum(cell.done[stage]["processor_seconds"] for cell in cells)
        assert taken > 0
        assert found.seconds[stage] == pytest.approx(taken, rel=0.01)  # the same experiment: what it has taken
        assert found.pace[stage] == pytest.approx(taken / before.seconds[stage], rel=0.01)
    assert "finished runs of this machine" in cost_table(found, 2).note


def test_a_calibration_sets_the_pace(tmp_path):
    null = {"repeats": 1, "n_strategies": 30}
    alone = tiny(data={"symbols": ["AAA"]}, roll={"step": "", "splits": 0}, null=null)
    calibrate(alone, tmp_path)
    (run,) = (tmp_path / CALIBRATION).glob("*/ledger.jsonl")  # not the one before it
    assert run.parent.name == alone.run_id
    found = plan_run(alone, tmp_path, tmp_path)
    assert set(found.pace) >= set(found.seconds) - {"start", "costs", "labels", "controls"}  # less than the clock shows
    assert {"belief", "null"} < set(found.pace)
    calibrate(alone, tmp_path)  # a later one takes its place
    assert len(list((tmp_path / CALIBRATION).glob("*/ledger.jsonl"))) == 1


def test_absent_markets_are_named_once(tmp_path):
    from tests.settings.test_cells import LONG, panel, stored

    stored(tmp_path, AAA=LONG, LATE=("2020-02-15", "2020-06-30"))
    note = splits_table(plan_run(panel("AAA", "LATE"), tmp_path, tmp_path)).note
    assert note == "Absent from splits: LATE in 3 (its bars begin on 2020-02-15)."


def test_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiment.toml").write_text(tiny().to_toml())
    result = CliRunner().invoke(main, ["plan", "experiment.toml", "--workers", "2"])
    assert result.exit_code == 0, result.output
    for words in ("Splits", "Cost", "Power", "4 cells of 5 units", "detectable Sharpe"):
        assert words in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["experiment.toml"]
    found = json.loads(CliRunner().invoke(main, ["plan", "experiment.toml", "--json"]).output)
    assert found["cost"]["cells"] == 4
    assert len(found["power"]) == 3
    bad = CliRunner().invoke(main, ["plan", "none.toml"])
    assert (bad.exit_code, len(bad.output.splitlines())) == (2, 1)


def test_durations():
    assert [duration(s) for s in (5, 600, 36_000)] == ["5 s", "10 min", "10.0 h"]
