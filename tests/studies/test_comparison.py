"""Networks side by side: same rows and seeds, resumed, counted once, and judged by hand-checked figures."""

import dataclasses
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.classifiers.loss_scaling import loss_factors
from labelsearch.commands import main
from labelsearch.delivery.tables import stages
from labelsearch.delivery.tables.networks import WATTS, network_table
from labelsearch.engine.executors.base import WorkError
from labelsearch.results.codec import to_plain
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.classifiers import MarketInputs
from labelsearch.studies import comparison
from labelsearch.studies.comparison import STAGE, kinds_of
from tests.studies.opened import fresh, opened


def compare(results, label, names, **settings):
    with opened(results) as run:
        if settings:
            network = dataclasses.replace(results.experiment.network, **settings)
            run = dataclasses.replace(run, values={**dict(run.values), "network_budget": network})
        return run.do(STAGE, label=label, networks=kinds_of(names)).value


@pytest.fixture(scope="module")
def label(run):
    return run.labels.names[0]


@pytest.fixture(scope="module")
def found(run, label):
    return compare(run, label, ("mlp", "tcn"))


@pytest.fixture(scope="module")
def units(found, run):
    (folder,) = run.folder.glob(".units/comparison-*")
    return folder


def test_the_first_network_is_the_one_of_the_stage(found, run, label, units):
    """Same rows, same neutral bars, same seeds: the stage's own network comes out again, bit by bit."""
    stage = run.classifiers.networks[label]["weights.safetensors"]
    assert (units / "mlp" / "weights.safetensors").read_bytes() == stage
    figures = run.classifiers.of(label)
    entry = found.networks[0]
    for side in ("buy", "neutral", "sell"):
        got, wanted = getattr(entry.scores, f"auc_{side}"), figures.validation.side(side)
        assert got.value == pytest.approx(wanted.auc, rel=1e-9)
        assert got.interval == pytest.approx(wanted.auc_interval, rel=1e-9)
    assert entry.against_first is None


def test_differences_are_paired(found, run, label, units):
    with opened(run) as opened_run:
        inputs = MarketInputs(*(opened_run._value(STAGE, f.name) for f in dataclasses.fields(MarketInputs)))
        problem = inputs.market(opened_run.values["train_bars"]).problem(*inputs.tasks()[label])
    classes = problem.values.classes[problem.validation]
    weights = loss_factors(problem.values.value[problem.validation], classes, problem.balance)
    losses = []
    for name in ("mlp", "tcn"):
        probabilities = np.load(io.BytesIO((units / name / "validation.npy").read_bytes()))
        losses.append(np.average(-np.log(probabilities[np.arange(classes.size), classes]), weights=weights))
    against = found.networks[1].against_first
    assert against.value == pytest.approx(losses[1] - losses[0], rel=1e-5)
    assert against.verdict == ("better" if against.high < 0 else "worse" if against.low > 0 else "no difference shown")
    assert [entry.scores.loss.value for entry in found.networks] == pytest.approx(losses, rel=1e-5)
    assert found.n_validation == classes.size


def test_trained_once_and_counted_once(found, run, label, monkeypatch):
    def no_training(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(comparison, "compare_unit", no_training)
    assert compare(run, label, ("mlp", "tcn")) == found
    assert compare(run, label, ("tcn", "mlp")).networks[0].training == found.networks[1].training
    events = [event for event in run.ledger.events("stage") if event["stage"] == "comparison"]
    assert [event["counts"] for event in events] == [{"network_trials": 4}, {}]
    assert "10 networks" in stages.tier_table(fresh(run)).note  # six of the stage and four here
    with pytest.raises(WorkError, match="trained again"):
        compare(run, label, ("mlp",), window=9)


def test_table(found):
    table = network_table(found)
    assert [row[0] for row in table.rows] == ["mlp", "tcn"]
    assert table.rows[0][1] == "-"
    assert found.networks[1].against_first.verdict in table.rows[1][1]
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert f"{found.networks[0].training.n_parameters:,}" in table.rows[0]
    trained = found.networks[0].training
    assert 0.0 < trained.processor_seconds < 4.0 * trained.training_seconds
    energy = table.rows[0][table.columns.index("energy proxy Wh")]
    assert energy == f"{trained.processor_seconds * WATTS / 3600.0:.2f}"
    assert "10 watts" in table.note


def test_command(found, run, label, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(run.experiment.to_toml())
    folders = ["--runs", str(run.folder.parent), "--store", str(run.store)]
    command = ["compare-networks", str(path), "--label", label, "--networks", "mlp,tcn", *folders]
    shown = CliRunner().invoke(main, command)
    assert shown.exit_code == 0, shown.output
    assert "tcn" in shown.stdout
    data = CliRunner().invoke(main, [*command, "--json"])
    assert json.loads(data.stdout) == {"run": run.name, "networks": to_plain(found)}
    for words, changed in (
        ("no label 'x'", ["--label", "x"]),
        ("unknown network 'cnn'; known are mlp, linear, lstm", ["--networks", "cnn"]),
        ("none twice", ["--networks", "mlp,mlp"]),
    ):
        result = CliRunner().invoke(main, [*command, *changed])
        assert result.exit_code == 2
        assert words in result.stderr


def test_names_are_needed():
    with pytest.raises(ExperimentError, match="at least one network"):
        kinds_of(())
    assert Experiment().network.kind in {kind.name for kind in kinds_of(("mlp", "gru"))}


def test_units_of_own_networks_bear_their_file(run, label):
    """Units outlast a change of the networks; those of an edited file must not be taken for the ones of the new."""
    (mlp,) = kinds_of(("mlp",))
    own = [dataclasses.replace(mlp, name="own", origin=64 * letter) for letter in "ab"]
    asked = []

    class Asked:
        def units(self, unit, tasks, shared, steps):
            asked.append(tasks)
            assert steps.keys() == tasks.keys()
            raise InterruptedError

    with opened(run) as opened_run:
        given = {"label": label, "networks": ()}
        names = [f.name for f in dataclasses.fields(comparison.ComparisonInputs) if f.name not in given]
        inputs = comparison.ComparisonInputs(**given, **{name: opened_run._value(STAGE, name) for name in names})
    for kind in own:
        with pytest.raises(InterruptedError):
            comparison.run(dataclasses.replace(inputs, networks=(mlp, kind)), Asked())
    assert asked == [{"mlp": "mlp", "own-aaaaaaaaaaaa": "own"}, {"mlp": "mlp", "own-bbbbbbbbbbbb": "own"}]


def test_counts_of_own_networks_go_by_name(found):
    assert found.unit_counts("tcn-0123456789ab") == found.unit_counts("tcn") != {"network_trials": 0}
