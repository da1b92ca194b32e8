"""The stage of the classifiers: what it records, and networks that see windows."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from labelsearch.pipeline.experiment import Experiment
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import done_events, run_experiment
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages import classifiers, outputs

from labelsearch.classifiers.files import load_network
from labelsearch.classifiers.networks import Ensemble
from labelsearch.classifiers.prediction import predict
from labelsearch.delivery import tables


@pytest.fixture(scope="module")
def windowed(tiny_run, tmp_path_factory):
    """The tiny run again from its features on, with two calibrated recurrent networks per label."""
    root = tmp_path_factory.mktemp("windowed")
    network = dataclasses.replace(
        tiny_run.experiment.network,
        kind="gru", window=8, n_seeds=2, calibration="temperature", n_trials=1, max_epochs=1, n_neutral=1500,
    )  # fmt: skip
    experiment = dataclasses.replace(tiny_run.experiment, network=network)
    shutil.copytree(tiny_run.folder, root / experiment.run_id)
    return run_experiment(experiment, root, tiny_run.store, last="outputs", workers=1)


def test_evaluation_is_saved_with_intervals(tiny_run):
    for label in tiny_run.experiment.label_kinds():
        figures = classifiers.figures(tiny_run, label.name)
        for window in ("validation", "past"):
            for side in ("buy", "neutral", "sell"):
                found = figures[window][side]
                low, high = found["auc_interval"]
                assert low <= found["auc"] <= high
                assert {"precision", "recall", "auc", "reliability"} <= set(found)
            assert np.sum(figures[window]["confusion"]) == figures[window]["n"]
        assert 60 < figures["block"] <= 576  # a tenth of four days, for want of ten whole ones


def test_the_study_is_recorded_in_full(tiny_run):
    figures = classifiers.figures(tiny_run, tiny_run.experiment.label_kinds()[0].name)
    study = figures["study"]
    assert study["seed"] == tiny_run.seed("network", figures["label"])
    assert study["sampler"]["class"] == "TPESampler"
    assert study["sampler"]["arguments"]["seed"] == study["seed"]
    assert {"multivariate", "n_startup_trials", "consider_endpoints", "constant_liar"} <= set(
        study["sampler"]["arguments"]
    )
    assert study["pruner"] == {
        "class": "HyperbandPruner",
        "arguments": {"min_resource": 1, "max_resource": 3, "reduction_factor": 3, "bootstrap_count": 0},
    }
    for trial in figures["trials"]:
        assert len(trial["losses"]) == trial["epochs"]
        assert trial["best"] == min(trial["losses"])
        assert {"width", "depth", "dropout", "learning_rate", "weight_decay"} == set(trial["parameters"])


def test_windowed_outputs_reach_back_before_past(windowed):
    """The first bar of past is judged with the bars before it, not with copies of itself."""
    stored = outputs.load(windowed, "past").outputs
    label = windowed.experiment.label_kinds()[0]
    problem = classifiers.load_problem(windowed, 0)
    network = load_network(windowed.stage("classifiers") / label.name)
    assert isinstance(network, Ensemble)
    assert len(network.members) == 2
    past = windowed.rows("past")
    whole = predict(network, problem.matrix, np.arange(past.start, past.stop))
    assert np.array_equal(whole[:, (0, 2)].astype(np.float64), stored[:, :2])
    cut = predict(network, problem.matrix[past])
    assert not np.array_equal(cut[:7], whole[:7])
    assert np.array_equal(cut[7:], whole[7:])


def test_calibration_and_seeds_are_recorded(windowed):
    done = done_events(Ledger(windowed.folder / "ledger.jsonl"))
    assert done["classifiers"]["counts"] == {"network_trials": 3 * 2}
    for label in windowed.experiment.label_kinds():
        figures = classifiers.figures(windowed, label.name)
        description = json.loads((windowed.stage("classifiers") / label.name / "network.json").read_text())
        calibration = figures["calibration"]
        if calibration["n_fitted"]:
            assert description["temperature"] == calibration["temperature"] != 1.0
            assert calibration["later_loss_after"] != calibration["later_loss_before"]
        else:  # legs of a day and more: the purge leaves nothing of two days
            assert label.name.startswith("extrema")
            assert description["temperature"] == 1.0
        assert figures["network"] == description["kind"] == "gru"
        assert figures["shap"]["explainer"] == "windows"
        assert len(figures["shap"]["buy"]) == 28


@pytest.mark.parametrize(
    ("buy", "sell", "nothing"),
    [
        ([0.45, 0.6], [0.4, 0.55], True),
        ([0.51, 0.6], [0.4, 0.55], False),
        ([0.4, 0.6], [0.52, 0.55], False),
        ([0.3, 0.4], None, True),
        (None, [0.6, 0.7], False),
    ],
)
def test_who_learned_nothing(buy, sell, nothing):
    figures = {"validation": {"buy": {"auc_interval": buy}, "sell": {"auc_interval": sell}}}
    assert classifiers.learned_nothing(figures) is nothing
    assert not classifiers.learned_nothing({"validation": {"buy": {"auc": 0.5}, "sell": {"auc": 0.5}}})


def test_noise_is_named_in_the_tables(tiny_run, monkeypatch):
    names = [label.name for label in tiny_run.experiment.label_kinds()]
    real = classifiers.figures

    def one_is_noise(context, name):
        found = real(context, name)
        for side in ("buy", "sell"):
            found["validation"][side]["auc_interval"] = [0.4, 0.6] if name == names[1] else [0.6, 0.7]
        return found

    monkeypatch.setattr(classifiers, "figures", one_is_noise)
    rows = tables.classifier_table(tiny_run).rows
    assert ["learned nothing" in row[0] for row in rows] == [False, True, False]
    assert "[.40 .60]" in rows[1][3]
    assert f"2 of 6 outputs are noise: {names[1]} learned nothing." in tables.tier_table(tiny_run).note


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "cnn"}, "kind = 'cnn' is unknown; known are mlp, lstm"),
        ({"window": 1}, "window must be at least 2"),
        ({"loss": "hinge"}, "loss = 'hinge' is unknown"),
        ({"calibration": "platt"}, "calibration = 'platt' is unknown"),
        ({"n_seeds": 0}, "n_seeds must be positive"),
    ],
)
def test_wrong_network_options_are_refused(options, words):
    with pytest.raises(ExperimentError, match=words):
        Experiment.from_dict({"network": options})
