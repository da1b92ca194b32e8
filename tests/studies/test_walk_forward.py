"""Walking forward over a run: the first picks are the run's tiers, and only the future costs a look."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.engine.ledger import Ledger
from labelsearch.settings.schema import ExperimentError
from labelsearch.studies.walk_forward import FIXED, STAGE, WALKING, parts
from tests.studies.opened import fresh, opened


def walk(results, progress=lambda *event: None, **given):
    with opened(results, progress=progress) as run:
        return run.do(STAGE, **{"window": "past", "every": 14, "trailing": None, **given})


@pytest.fixture(scope="module")
def future(run):
    return walk(run, window="future", every=3).value


def rows_of(found, kind):
    return {row.name: row for row in found.rows if row.kind == kind}


def test_fixed_tiers_are_those_of_the_run(run, future):
    table = {row.name: row.figures for row in run.ensembles.rows if row.window == "future"}
    for tier, row in {**rows_of(future, FIXED), **rows_of(future, "")}.items():
        for name, value in table[tier]._asdict().items():
            other = getattr(row.figures, name)
            assert other == value is None or other == pytest.approx(value, rel=1e-5, abs=1e-6), name
    assert set(table) - {row.name for row in future.rows} == set(run.ensembles.controls)
    assert future.picks[0].members == run.ensembles.members[20]


def test_picks_change_and_switches_are_paid(run, future):
    assert [pick.date for pick in future.picks] == ["2018-01-30", "2018-02-02", "2018-02-05"]
    assert future.trailing == future.days_known == future.days_traded == 7
    months = run.outputs.future.months
    for row in rows_of(future, WALKING).values():
        assert 0 < row.replaced_pct <= 100
        assert row.moved_pct > 0
        assert row.gain.low_pct < row.gain.monthly_pct < row.gain.high_pct
        last, fixed = (future.equity[f"{row.name} {kind}"].iloc[-1] for kind in (WALKING, FIXED))
        assert row.figures.total_return_pct == pytest.approx(100 * (last - 1))
        assert row.gain.monthly_pct == pytest.approx(100 * ((last / fixed) ** (1 / months) - 1))
    assert len(future.equity) == 7


def test_only_the_future_is_a_look_and_only_once(run, future):
    looks = Ledger(run.folder.parent / "looks.jsonl")
    keys = [event["key"] for event in run.ledger.events("stage") if event["stage"] == STAGE.name]
    assert [look["key"] for look in looks.events("look")][1:] == keys[:1]
    seen = []
    again = walk(run, window="future", every=3, progress=lambda *event: seen.append(event))
    assert again.value.rows == future.rows
    assert seen[-1] == ("walk-forward", 0, 0)
    found = walk(run, every=1, trailing=2).value
    assert len(looks.events("look")) == 2
    assert (found.days_known, found.days_traded) == (3, 4)
    assert len(found.picks) == 4
    assert [f.window for f in fresh(run).walk_forwards] == ["future", "past"]


def test_the_halves_of_past_are_past(run):
    whole, _ = parts(run.traded, "future")
    lead, test = parts(run.traded, "past")
    np.testing.assert_array_equal(np.r_[lead.close, test.close], whole.close)
    assert lead.months + test.months == pytest.approx(whole.months)
    assert len(lead.day_edges) - 1 == 3
    assert test.day_edges[-1] == len(test.open_time) == 4 * 1440


@pytest.mark.parametrize("wrong", [{"window": "train"}, {"every": 0}, {"trailing": 1}])
def test_what_cannot_be_walked(run, wrong):
    with pytest.raises(ExperimentError):
        walk(run, **wrong)


def test_command(run, tmp_path):
    (tmp_path / "tiny.toml").write_text(run.experiment.to_toml())
    folders = ["--runs", str(run.folder.parent), "--store", str(run.store), "--workers", "1"]
    options = ["walk-forward", str(tmp_path / "tiny.toml"), "--every", "2", *folders]
    shown = CliRunner().invoke(main, options)
    assert shown.exit_code == 0, shown.output
    for words in ("Top-20", "picked anew", "momentum", "too good"):
        assert words in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 160
    found = json.loads(CliRunner().invoke(main, [*options, "--json"]).stdout)["walk_forward"]
    assert found["window"] == "past"
    assert {"tier", "kind", "total_return_pct", "replaced_pct"} <= set(found["table"][0])
