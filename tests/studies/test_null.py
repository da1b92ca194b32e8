"""The null mode of a run: like with like, resumed, counted, looked once."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.null_table import null_table
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.null import load, run_null
from labelsearch.pipeline.run import looks_ledger, open_context
from labelsearch.pipeline.schema import ExperimentError


@pytest.fixture
def run(tiny_run, tmp_path):
    ignored = shutil.ignore_patterns("null")
    shutil.copytree(tiny_run.folder, tmp_path / "runs" / tiny_run.folder.name, ignore=ignored)
    return open_context(tmp_path / "runs" / tiny_run.folder.name, tiny_run.store)


def units(run):
    return sorted(run.folder.glob("null/*/units/*/found.json"))


def test_a_null_is_repeatable_resumed_and_counted_once(run):
    before = len(looks_ledger(run.folder).events("look"))
    counted = len(Ledger(run.folder / "ledger.jsonl").events("null"))
    found = run_null(run, 4, 44)
    assert load(run) == json.loads(json.dumps(found))
    shifts = [json.loads(path.read_text())["shifts"] for path in units(run)]
    assert shifts[0] == [0, 0]
    assert all(min(pair) > 900 for pair in shifts[1:])  # a tenth of a week of minutes, either way
    assert len({tuple(pair) for pair in shifts}) == 5
    stamps = [path.stat().st_mtime_ns for path in units(run)]
    units(run)[2].unlink()
    units_folder = run.folder.glob("null/*/units/0002")
    shutil.rmtree(next(iter(units_folder)))
    assert run_null(run, 4, 44) == found
    assert [path.stat().st_mtime_ns for path in units(run)][:2] == stamps[:2]
    assert len(looks_ledger(run.folder).events("look")) == before + 1
    more = run_null(run, 6, 44)
    for name, entry in more["statistics"].items():
        assert set(found["statistics"][name]["null"]) <= set(entry["null"])
        assert entry["real"] == found["statistics"][name]["real"]
        assert entry["p_value"] == (1 + np.sum(np.array(entry["null"]) >= entry["real"])) / 7
    events = Ledger(run.folder / "ledger.jsonl").events("null")[counted:]
    assert [event["counts"]["null_trials"] for event in events] == [5 * 44, 2 * 44]


def test_workers_do_not_change_the_result(run, tmp_path):
    found = run_null(run, 3, 40)
    other = tmp_path / "other" / run.folder.name
    shutil.copytree(run.folder, other, ignore=shutil.ignore_patterns("null"))
    again = open_context(other, run.store)
    again.workers = 2
    assert run_null(again, 3, 40) == found


def test_the_table_and_the_command(run, tmp_path):
    table = null_table(run_null(run, 3, 40))
    assert [row[0] for row in table.rows] == [
        "best past score", "Top-20 future return", "Top-5 future return", "rank correlation"
    ]  # fmt: skip
    assert "3 circular shifts" in table.note
    path = tmp_path / "tiny.toml"
    path.write_text(run.experiment.to_toml())
    options = ["--runs", str(run.folder.parent), "--store", str(run.store), "--workers", "1", "--strategies", "40"]
    result = CliRunner().invoke(main, ["null", str(path), "--repeats", "3", "--json", *options])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["null"]["statistics"]["rank correlation"]["null"]
    result = CliRunner().invoke(main, ["null", str(path), "--repeats", "3", *options[:-1], "7"])
    assert result.exit_code == 2
    assert "20 strategies or more" in result.stderr


def test_too_little_is_refused(run):
    for repeats, n in ((0, 40), (3, 19)):
        with pytest.raises(ExperimentError, match="a null needs"):
            run_null(run, repeats, n)
