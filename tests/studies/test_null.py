"""The null study of a run: like with like, resumed, counted, looked once."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.tables.null import null_table
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.looks import Stretch
from labelsearch.engine.run import RunError, locked
from labelsearch.results.outputs import WINDOWS
from labelsearch.settings.schema import ExperimentError
from labelsearch.studies.null import STAGE, NullInputs, _shifts
from tests.studies.opened import fresh, opened


@pytest.fixture
def own(copy_of, tmp_path):
    return copy_of(tmp_path)


def null(results, repeats, n_strategies, workers=1):
    with opened(results, workers) as run:
        return run.do(STAGE, repeats=repeats, n_strategies=n_strategies).value


def units(results):
    return sorted(results.folder.glob(".units/null-*/*/found.json"))


def looks(results):
    return Ledger(results.folder.parent / "looks.jsonl").events("look")


def test_a_null_is_repeatable_resumed_and_counted_once(own):
    before = len(looks(own))
    found = null(own, 4, 44)
    assert fresh(own).null == found
    stamps = [path.stat().st_mtime_ns for path in units(own)]
    assert len(stamps) == 5
    assert null(own, 4, 44) == found
    assert [path.stat().st_mtime_ns for path in units(own)] == stamps
    assert len(looks(own)) == before + 1
    more = null(own, 6, 44)
    assert [path.stat().st_mtime_ns for path in units(own)][:5] == stamps
    for less, entry in zip(found.statistics, more.statistics, strict=True):
        assert set(less.shifted) <= set(entry.shifted)
        assert entry.real == less.real
        p = (1 + np.sum(np.array(entry.shifted) >= entry.real)) / 7
        assert entry.p_value == (p if "timing" in entry.name else None)
    events = [event for event in own.ledger.events("stage") if event["stage"] == "null"]
    assert [event["counts"]["null_trials"] for event in events] == [5 * 44, 2 * 44]


def test_shifts_of_more_repeats_begin_alike(own):
    with opened(own) as run:
        given = {name: run.values[name] for name in ("tiers", "search_settings", "space", "rules", "score", "seeds")}
        rest = {"future_stretch": Stretch("", 0, 1), "outputs": run.do(run.stages["outputs"])}
        rest["costs"] = run.do(run.stages["costs"])
    for window in WINDOWS:
        few, many = (_shifts(NullInputs(repeats=n, n_strategies=44, **given, **rest), window) for n in (4, 9))
        assert few == many[:5]
        assert few[0] == 0


def test_workers_do_not_change_the_result(own, copy_of, tmp_path):
    (tmp_path / "other").mkdir()
    assert null(own, 3, 40) == null(copy_of(tmp_path / "other"), 3, 40, workers=2)


def test_only_one_process_works_on_it(own):
    with locked(own.folder), pytest.raises(RunError, match="in use by another process"):
        null(own, 3, 40)


@pytest.mark.parametrize(("repeats", "n_strategies"), [(0, 40), (3, 7)])
def test_too_little_is_refused(own, repeats, n_strategies):
    with pytest.raises(ExperimentError, match="20 strategies"):
        null(own, repeats, n_strategies)


def test_the_table_and_the_command(own, tmp_path):
    table = null_table(null(own, 3, 40))
    assert [row[0] for row in table.rows] == [
        "best past score", "Top-5 past timing", "Top-20 future timing", "Top-5 future timing", "rank correlation"
    ]  # fmt: skip
    assert "3 circular shifts" in table.note
    path = tmp_path / "tiny.toml"
    path.write_text(own.experiment.to_toml())
    options = ["--runs", str(tmp_path), "--store", str(own.store), "--workers", "1", "--strategies", "40"]
    result = CliRunner().invoke(main, ["null", str(path), "--repeats", "3", "--json", *options])
    assert result.exit_code == 0, result.output
    statistics = json.loads(result.stdout)["null"]["statistics"]
    assert [len(entry["shifted"]) for entry in statistics] == [3] * 5
    result = CliRunner().invoke(main, ["null", str(path), "--repeats", "3", *options[:-1], "7"])
    assert result.exit_code == 2
    assert "20 strategies" in result.stderr
