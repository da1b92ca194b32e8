"""Networks side by side: same rows and seeds, resumed, counted once, and judged by hand-checked figures."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.classifiers.loss_scaling import loss_factors
from labelsearch.commands import main
from labelsearch.delivery import tables
from labelsearch.delivery.network_table import network_table
from labelsearch.pipeline.comparison import compare_networks
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import open_context
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages import classifiers


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    root = tmp_path_factory.mktemp("comparison")
    shutil.copytree(tiny_run.folder, root / tiny_run.folder.name)
    return open_context(root / tiny_run.folder.name, tiny_run.store)


@pytest.fixture(scope="module")
def label(run):
    return run.experiment.label_kinds()[0].name


@pytest.fixture(scope="module")
def found(run, label):
    return compare_networks(run, label, ("mlp", "tcn"))


def test_the_first_network_is_the_one_of_the_stage(found, run, label):
    """Same rows, same neutral bars, same seeds: the stage's own network comes out again, bit by bit."""
    (folder,) = (run.folder / "comparisons").iterdir()
    stage = run.stage("classifiers") / label / "weights.safetensors"
    assert (folder / "mlp" / "weights.safetensors").read_bytes() == stage.read_bytes()
    figures = classifiers.figures(run, label)
    entry = found["networks"][0]
    for side in ("buy", "neutral", "sell"):
        got = entry["scores"][f"auc_{side}"]
        assert got["value"] == pytest.approx(figures["validation"][side]["auc"], rel=1e-9)
        assert got["interval"] == pytest.approx(figures["validation"][side]["auc_interval"], rel=1e-9)
    assert entry["against_first"] is None


def test_differences_are_paired(found, run, label):
    (folder,) = (run.folder / "comparisons").iterdir()
    problem = classifiers.load_problem(run, 0)
    classes = problem.values.classes[problem.validation]
    weights = loss_factors(problem.values.value[problem.validation], classes, problem.balance)
    losses = [
        np.average(-np.log(np.load(folder / n / "validation.npy")[np.arange(classes.size), classes]), weights=weights)
        for n in ("mlp", "tcn")
    ]
    against = found["networks"][1]["against_first"]
    assert against["value"] == pytest.approx(losses[1] - losses[0], rel=1e-5)
    low, high = against["interval"]
    wanted = "better" if high < 0 else "worse" if low > 0 else "no difference shown"
    assert against["verdict"] == wanted
    assert [n["scores"]["loss"]["value"] for n in found["networks"]] == pytest.approx(losses, rel=1e-5)
    assert found["n_validation"] == classes.size


def test_trained_once_and_counted_once(found, run, label, monkeypatch):
    def no_training(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr("labelsearch.pipeline.comparison.compare_unit", no_training)
    assert compare_networks(run, label, ("mlp", "tcn")) == found
    events = Ledger(run.folder / "ledger.jsonl").events("comparison")
    assert [(e["network"], e["counts"]["network_trials"]) for e in events] == [("mlp", 2), ("tcn", 2)]
    assert "10 networks" in tables.tier_table(run).note  # six of the stage and four here
    other = dataclasses.replace(run.experiment.network, window=9)
    run.experiment, before = dataclasses.replace(run.experiment, network=other), run.experiment
    try:
        with pytest.raises(AssertionError, match="trained again"):
            compare_networks(run, label, ("mlp",))
    finally:
        run.experiment = before


def test_table(found):
    table = network_table(found)
    assert [row[0] for row in table.rows] == ["mlp", "tcn"]
    assert table.rows[0][1] == "-"
    assert found["networks"][1]["against_first"]["verdict"] in table.rows[1][1]
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert f"{found['networks'][0]['n_parameters']:,}" in table.rows[0]


def test_command(found, run, label, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(run.experiment.to_toml())
    folders = ["--runs", str(run.folder.parent), "--store", str(run.store)]
    command = ["compare-networks", str(path), "--label", label, "--networks", "mlp,tcn", *folders]
    shown = CliRunner().invoke(main, command)
    assert shown.exit_code == 0, shown.output
    assert "tcn" in shown.stdout
    data = CliRunner().invoke(main, [*command, "--json"])
    assert json.loads(data.stdout) == {"run": run.folder.name, "networks": found}
    for words, changed in (
        ("no label 'x'", ["--label", "x"]),
        ("unknown network 'cnn'; known are mlp, lstm", ["--networks", "cnn"]),
        ("none twice", ["--networks", "mlp,mlp"]),
    ):
        result = CliRunner().invoke(main, [*command, *changed])
        assert result.exit_code == 2
        assert words in result.stderr


def test_unknown_names_are_refused_before_any_work(run, label):
    with pytest.raises(ExperimentError, match="at least one network"):
        compare_networks(run, label, ())
