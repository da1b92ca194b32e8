"""Walking forward over a run: the first picks are the run's tiers, and only the future costs a look."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import looks_ledger
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages import ensembles
from labelsearch.pipeline.walk_forward import FIXED, WALKING, parts, run_walk_forward


@pytest.fixture(scope="module")
def own(tiny_run, tmp_path_factory):
    """The tiny run in a folder of its own."""
    runs = tmp_path_factory.mktemp("walk")
    shutil.copytree(tiny_run.folder, runs / tiny_run.folder.name)
    shutil.copy(tiny_run.folder.parent / "looks.jsonl", runs)
    return Context(tiny_run.experiment, runs / tiny_run.folder.name, tiny_run.store)


@pytest.fixture(scope="module")
def future(own):
    return run_walk_forward(own, window="future", every=3)


def rows_of(found, kind):
    return {row["tier"]: row for row in found["table"] if row["kind"] == kind}


def test_fixed_tiers_are_those_of_the_run(own, future):
    table = {row["tier"]: row for row in ensembles.load(own)["table"] if row["window"] == "future"}
    for tier, row in {**rows_of(future, FIXED), **rows_of(future, "")}.items():
        for name, value in table[tier].items():
            if name not in ("tier", "window"):
                assert row[name] == value is None or row[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name
    assert len(table) == 5
    assert future["picks"][0]["members"] == ensembles.load(own)["members"]["20"]


def test_picks_change_and_switches_are_paid(own, future):
    assert [pick["date"] for pick in future["picks"]] == ["2018-01-30", "2018-02-02", "2018-02-05"]
    assert future["trailing"] == future["days"]["known"] == 7
    for row in rows_of(future, WALKING).values():
        assert 0 < row["replaced"] <= 100
        assert row["moved"] > 0
        assert row["gain"]["low"] < row["gain"]["monthly"] < row["gain"]["high"]
    folder = next((own.folder / "walk_forward").glob(future["key"][:12]))
    curves = pd.read_parquet(folder / "equity.parquet")
    assert len(curves) == 7
    for tier, row in rows_of(future, WALKING).items():
        last, fixed = (curves[f"{tier} {kind}"].iloc[-1] for kind in (WALKING, FIXED))
        assert row["total_return"] == pytest.approx(100 * (last - 1))
        months = own.experiment.windows.named["future"].months
        assert row["gain"]["monthly"] == pytest.approx(100 * ((last / fixed) ** (1 / months) - 1))


def test_only_the_future_is_a_look_and_only_once(own, future):
    ledger, looks = Ledger(own.folder / "ledger.jsonl"), looks_ledger(own.folder)
    assert [look["key"] for look in looks.events("look")][1:] == [future["key"]]
    seen = []
    again = Context(own.experiment, own.folder, own.store, progress=lambda *told: seen.append(told))
    assert run_walk_forward(again, window="future", every=3) == future
    assert seen == [("walk-forward", 0, 0)]
    before = len(ledger.events("walk_forward"))
    found = run_walk_forward(own, window="past", every=1, trailing=2)
    assert len(looks.events("look")) == 2
    assert len(ledger.events("walk_forward")) == before + 1
    assert found["days"] == {"known": 3, "traded": 4}
    assert len(found["picks"]) == 4


def test_the_halves_of_past_are_past(own):
    whole, _ = parts(own, "future")
    lead, test = parts(own, "past")
    np.testing.assert_array_equal(np.r_[lead.problem.close, test.problem.close], whole.problem.close)
    assert lead.problem.months + test.problem.months == pytest.approx(whole.problem.months)
    assert len(lead.edges) - 1 == 3
    assert test.edges[-1] == len(test.open_time) == 4 * 1440


@pytest.mark.parametrize("wrong", [{"window": "train"}, {"every": 0}, {"trailing": 1}])
def test_what_cannot_be_walked(own, wrong):
    with pytest.raises(ExperimentError):
        run_walk_forward(own, **wrong)


def test_command(own, tmp_path):
    (tmp_path / "tiny.toml").write_text(own.experiment.to_toml())
    options = [
        "walk-forward",
        str(tmp_path / "tiny.toml"),
        "--every",
        "2",
        "--runs",
        str(own.folder.parent),
        "--store",
        str(own.store),
        "--workers",
        "1",
    ]
    shown = CliRunner().invoke(main, options)
    assert shown.exit_code == 0, shown.output
    for words in ("Top-20", "picked anew", "momentum", "too good"):
        assert words in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 160
    found = json.loads(CliRunner().invoke(main, [*options, "--json"]).stdout)["walk_forward"]
    assert found["window"] == "past"
