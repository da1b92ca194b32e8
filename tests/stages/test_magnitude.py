"""A run with a target of magnitude beside classes, from end to end, and settings that fit no such label."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from feature_space.feature_set import warm_up_of
from labelsearch.classifiers.figures import MOVE_FIGURES
from labelsearch.classifiers.files import network_from_files
from labelsearch.classifiers.moves import evaluate_moves
from labelsearch.classifiers.prediction import predict
from labelsearch.commands import main
from labelsearch.delivery.optuna_studies import studies
from labelsearch.delivery.page.report_page import report_page
from labelsearch.delivery.tables import stages
from labelsearch.delivery.tables.magnitude import magnitude_table
from labelsearch.errors import InputError
from labelsearch.labels.kinds import make_label
from labelsearch.labels.spans import purged_split
from labelsearch.notebook import frames
from labelsearch.notebook.frame_checks import seen_by
from labelsearch.notebook.run import Run
from labelsearch.results.classifiers import Classifiers, MagnitudeFigures
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.features import inputs_of

MOVES, CLASSES = "magnitude_4_1_span200_regression", "threshold_0.3_4"
OUTPUTS = (f"{MOVES}:magnitude", f"{CLASSES}:buy", f"{CLASSES}:sell")


def test_strategies_weigh_one_output_of_a_magnitude(mixed_run):
    assert mixed_run.experiment.output_names == mixed_run.outputs.columns == OUTPUTS
    assert mixed_run.strategies.parameters[:4] == ("w00", "w01", "w02", "theta_buy")
    for window in ("past", "future"):
        outputs = mixed_run.outputs.window(window).outputs
        assert outputs.shape[1] == 3
        assert (np.abs(outputs) <= 1).all()
        assert outputs[:, 0].min() < outputs[:, 0].max()
    storage = studies(mixed_run)
    names = {study.study_name for study in storage.get_all_studies()}
    assert {f"network {MOVES}", f"network {CLASSES}"} <= names
    assert "penalty of 0.5" in mixed_run.classifiers.of(MOVES).study.objective


def test_outputs_are_a_third_of_what_the_network_predicts(mixed_run):
    network = network_from_files(mixed_run.classifiers.networks[MOVES])
    assert len(network.members) == 2
    matrix = mixed_run.features.of(MOVES).feature_set.matrix(inputs_of(mixed_run.bars))
    rows = mixed_run.rows("past")
    f = predict(network, matrix)[rows, 0]
    wanted = np.clip(f / np.float32(3.0), -1, 1)[~mixed_run.bars.filled[rows]]
    assert mixed_run.outputs.past.outputs[:, 0].tobytes() == wanted.astype(float).tobytes()


def test_figures_are_those_of_the_rows(mixed_run):
    found = mixed_run.classifiers.of(MOVES)
    assert isinstance(found, MagnitudeFigures)
    assert found.calibration is None
    assert mixed_run.classifiers.of(CLASSES).calibration is not None
    assert len(found.shap.move) == len(found.shap.features) == 2
    bars, label = mixed_run.bars, make_label("magnitude", horizon=4, span=200, head="magnitude")
    train, past, future = (mixed_run.rows(window) for window in ("train", "past", "future"))
    feature_set = mixed_run.features.of(MOVES).feature_set
    f = predict(network_from_files(mixed_run.classifiers.networks[MOVES]), feature_set.matrix(inputs_of(bars)))[:, 0]
    known, later = (label.values(bars.close[:stop], 1.0) for stop in (train.stop, future.start))
    space = mixed_run.experiment.feature_space
    usable = np.arange(train.stop) >= warm_up_of(space.chosen(), space.normaliser())
    fit, validation = purged_split(known.last_used, usable, int(train.stop * 0.8), train.stop)
    mean = float(-3 * known.value[fit].mean())
    assert found.n_fit == fit.size
    for window, rows in (("validation", validation), ("past", np.arange(past.start, past.stop))):
        again, its = evaluate_moves(f[rows], -3 * later.value[rows], mean, (rows, found.block_bars)), found.on(window)
        assert again.n == its.n
        assert again.mean_move == pytest.approx(its.mean_move, rel=1e-12)
        for name in MOVE_FIGURES:
            one, two = getattr(again, name), getattr(its, name)
            assert one.figure.value == pytest.approx(two.figure.value, rel=1e-9)
            assert one.gain.interval == pytest.approx(two.gain.interval, rel=1e-9, abs=1e-12)


def test_figures_and_networks_are_read_as_they_were_written(mixed_run, tmp_path):
    mixed_run.classifiers.save(tmp_path)
    again = Classifiers.load(tmp_path)
    assert again.figures == mixed_run.classifiers.figures
    assert again.networks == mixed_run.classifiers.networks


def test_tables_have_dashes_for_what_only_classes_have(mixed_run):
    table = stages.classifier_table(mixed_run)
    moves, classes = table.rows
    assert moves[0].startswith(MOVES)
    assert moves[3:] == ("-",) * 8
    assert "-" not in classes[3:]
    found = magnitude_table(mixed_run)
    assert [row[:2] for row in found.rows] == [(MOVES, "validation"), (MOVES, "past")]
    assert found.rows[1][3] == f"{mixed_run.classifiers.of(MOVES).past.mean_absolute_error.figure.value:.3f}"
    assert all("[" in cell for row in found.rows for cell in (row[4], row[5], row[6], row[8]))


def test_runs_of_classes_have_no_table_of_moves(tiny_run):
    assert magnitude_table(tiny_run) is None
    assert "dashes" not in stages.classifier_table(tiny_run).note


def test_the_page_and_the_commands_show_moves(mixed_run):
    page = report_page(mixed_run)
    for words in ("Predicted moves", "How well moves are ranked", "What the classifier looks at", "How well each"):
        assert words in page
    shown = CliRunner().invoke(main, ["runs", "show", str(mixed_run.folder), "--json"])
    assert shown.exit_code == 0, shown.output
    entries = json.loads(shown.stdout)["classifiers"]
    assert entries[0]["past"]["sign_accuracy"]["of_mean"] is not None
    assert "Predicted moves" in CliRunner().invoke(main, ["runs", "show", str(mixed_run.folder)]).output


def test_a_notebook_has_them_too(mixed_run):
    run = Run(mixed_run)
    row = run.classifiers.loc[MOVES]
    assert row["past_r2"] == mixed_run.classifiers.of(MOVES).past.r2.figure.value
    outputs = run.outputs("past")
    assert outputs.columns.tolist() == [tuple(name.rsplit(":", 1)) for name in OUTPUTS]
    traded = run.bars.loc[outputs.index]
    assert seen_by(outputs, traded, None).outputs.tobytes() == mixed_run.outputs.past.outputs.tobytes()
    with pytest.raises(ValueError, match="'magnitude'"):
        seen_by(outputs.iloc[:, :2], traded, None)


@pytest.mark.parametrize(("command", "more"), [("explain", []), ("compare-networks", ["--networks", "mlp"])])
def test_what_needs_classes_is_refused_in_one_line(mixed_run, command, more, tmp_path):
    subject = str(mixed_run.folder if command == "explain" else mixed_run.folder / "experiment.toml")
    places = ["--runs", str(mixed_run.folder.parent), "--store", str(mixed_run.store)]
    done = CliRunner().invoke(main, [command, subject, "--label", MOVES, *more, *places])
    assert done.exit_code == 2
    assert "predicts a magnitude, and only classes are explained and compared" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label": [{"kind": "threshold", "theta": 0.01, "horizon": 5, "head": "magnitude"}]},
         "unknown option 'head' of label kind threshold"),
        ({"label": [{"kind": "magnitude", "horizon": 5, "head": "size"}]},
         "unknown head 'size'; known are classes, magnitude"),
        ({"label": [{"kind": "relative", "horizon": 5, "value": "rank", "head": "magnitude"}]},
         "needs value = return"),
        ({"network": {"magnitude_loss": "absolute"}}, "magnitude_loss = 'absolute' is unknown; known are"),
        ({"network": {"sign_penalty": -1.0}}, "sign_penalty must be in 0 to 100"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ExperimentError, match=words) as error:
        Experiment.from_dict(changes)
    assert "\n" not in str(error.value)


def test_functions_of_frames_train_on_moves_as_a_run_does(mixed_run):
    run, experiment = Run(mixed_run), mixed_run.experiment
    label = make_label("magnitude", horizon=4, span=200, head="magnitude")
    rows = mixed_run.rows("train")
    train = run.bars.iloc[rows].loc[lambda bars: ~bars["filled"]] if "filled" in run.bars else run.bars.iloc[rows]
    features = frames.compute_features(train, mixed_run.features.of(MOVES).feature_set)
    found = frames.train_classifier(
        features, frames.label_bars(train, label), label, experiment.network, space=experiment.feature_space, seed=3
    )
    of_run = mixed_run.classifiers.of(MOVES)
    assert found.validation_loss == of_run.validation_loss
    assert found.moves == of_run.validation
    assert found.calibration is None
    with pytest.raises(InputError, match="its figures are those of `moves`"):
        _ = found.evaluation
    assert frames.predict(found, features).columns.tolist() == ["move"]
