"""The stage of the classifiers: what it records, and networks that see windows."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from labelsearch.classifiers.figures import ClassScores, Evaluation
from labelsearch.classifiers.files import network_from_files
from labelsearch.classifiers.networks import Ensemble
from labelsearch.classifiers.prediction import predict
from labelsearch.delivery.tables import stages
from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.features import inputs_of
from labelsearch.stages.seeds import Seeds
from tests.running import run_experiment


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
    with pytest.MonkeyPatch.context() as patch:  # Shapley values of windows take long
        patch.setattr("labelsearch.stages.classifiers.N_EXPLAINED", 10)
        return Results(run_experiment(experiment, root, tiny_run.store, last="outputs"), tiny_run.store)


def test_evaluation_is_saved_with_intervals(tiny_run):
    for figures in tiny_run.classifiers.figures:
        for found in (figures.validation, figures.past):
            assert found.has_intervals
            for side in ("buy", "neutral", "sell"):
                scores = found.side(side)
                low, high = scores.auc_interval
                assert low <= scores.auc <= high
                assert scores.reliability
            assert np.sum(found.confusion) == found.n
        assert 60 < figures.block_bars <= 576  # a tenth of four days, for want of ten whole ones


def test_the_study_is_recorded_in_full(tiny_run):
    figures = tiny_run.classifiers.figures[0]
    study = figures.study
    assert study.seed == Seeds(tiny_run.experiment.seed)("network", figures.label)
    sampler, pruner = json.loads(study.sampler), json.loads(study.pruner)
    assert sampler["class"] == "TPESampler"
    assert sampler["arguments"]["seed"] == study.seed
    assert {"multivariate", "n_startup_trials", "consider_endpoints", "constant_liar"} <= set(sampler["arguments"])
    brackets = [{"trials": 2, "epochs": [3]}]
    assert pruner == {"class": "Hyperband", "arguments": {"reduction_factor": 3, "brackets": brackets}}
    for trial in figures.trials:
        assert len(trial.losses) == trial.epochs
        assert trial.best == min(trial.losses)
        assert {"width", "depth", "dropout", "learning_rate", "weight_decay"} == set(trial.parameters)


def test_windowed_outputs_reach_back_before_past(windowed):
    """The first bar of past is judged with the bars before it, not with copies of itself."""
    stored = windowed.outputs.past.outputs
    entry = windowed.features.chosen[0]
    network = network_from_files(windowed.classifiers.networks[entry.label])
    assert isinstance(network, Ensemble)
    assert len(network.members) == 2
    past = windowed.rows("past")
    matrix = entry.feature_set.matrix(inputs_of(windowed.bars))
    whole = predict(network, matrix, np.arange(past.start, past.stop))
    assert np.array_equal(whole[:, (0, 2)].astype(np.float64), stored[:, :2])
    cut = predict(network, matrix[past])
    assert not np.array_equal(cut[:7], whole[:7])
    assert np.array_equal(cut[7:], whole[7:])


def test_calibration_and_seeds_are_recorded(windowed):
    assert windowed.done["classifiers"]["counts"] == {"network_trials": 3 * 2}
    for figures in windowed.classifiers.figures:
        description = json.loads(windowed.classifiers.networks[figures.label]["network.json"])
        calibration = figures.calibration
        if calibration.n_fitted:
            assert description["temperature"] == calibration.temperature != 1.0
            assert calibration.later_loss_after != calibration.later_loss_before
        else:  # legs of a day and more: the purge leaves nothing of two days
            assert figures.label.startswith("extrema")
            assert description["temperature"] == 1.0
        assert figures.network == description["kind"] == "gru"
        assert figures.shap.explainer == "windows"
        assert len(figures.shap.buy) == 28


def with_intervals(figures, buy, sell):
    """Figures with other intervals of the AUC on validation."""

    def scores(interval):
        return ClassScores(0.0, 0.0, None if interval is None else 0.5, (), interval)

    validation = Evaluation(9, ((9, 0, 0), (0, 0, 0), (0, 0, 0)), scores(buy), scores(None), scores(sell), True)
    return dataclasses.replace(figures, validation=validation)


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
def test_who_learned_nothing(tiny_run, buy, sell, nothing):
    figures = with_intervals(tiny_run.classifiers.figures[0], buy, sell)
    assert figures.learned_nothing is nothing
    without = dataclasses.replace(figures, validation=dataclasses.replace(figures.validation, has_intervals=False))
    assert not without.learned_nothing


def test_noise_is_named_in_the_tables(tiny_run):
    noisy = Results(tiny_run.folder, tiny_run.store)
    figures = [
        with_intervals(entry, *((0.4, 0.6) if k == 1 else (0.6, 0.7),) * 2)
        for k, entry in enumerate(tiny_run.classifiers.figures)
    ]
    noisy.classifiers = dataclasses.replace(tiny_run.classifiers, figures=tuple(figures))
    rows = stages.classifier_table(noisy).rows
    assert ["learned nothing" in row[0] for row in rows] == [False, True, False]
    assert "[.40 .60]" in rows[1][3]
    name = figures[1].label
    assert f"2 of 6 outputs are noise: {name} learned nothing." in stages.tier_table(noisy).note


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "cnn"}, "kind = 'cnn' is unknown; known are mlp, linear, lstm"),
        ({"window": 1}, "window must be in 2 to"),
        ({"loss": "hinge"}, "loss = 'hinge' is unknown"),
        ({"calibration": "platt"}, "calibration = 'platt' is unknown"),
        ({"n_seeds": 0}, "n_seeds must be in 1 to"),
    ],
)
def test_wrong_network_options_are_refused(options, words):
    with pytest.raises(ExperimentError, match=words):
        Experiment.from_dict({"network": options})
