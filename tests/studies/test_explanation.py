"""What a classifier learned: stored, repeated, in train alone, and as the command prints it."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from labelsearch.classifiers import files
from labelsearch.classifiers.networks import Ensemble, build_network
from labelsearch.commands import main
from labelsearch.delivery.tables.explanation import how_explained
from labelsearch.engine.executors.base import WorkError
from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.run import RunError, locked
from labelsearch.engine.stage import Work
from labelsearch.labels.base import CLASS_NAMES
from labelsearch.results.codec import to_plain
from labelsearch.results.labels import LabelSeries
from labelsearch.settings.schema import ExperimentError
from labelsearch.studies import explanation
from labelsearch.studies.explanation import STAGE, ExplanationInputs
from tests.studies.opened import fresh, opened

N_ROWS = 60


def explain(results, label, n_rows=N_ROWS):
    with opened(results) as run:
        return run.do(STAGE, label=label, n_rows=n_rows)


@pytest.fixture(scope="module")
def label(run):
    return run.labels.names[1]


@pytest.fixture(scope="module")
def found(run, label):
    return explain(run, label).value


@pytest.fixture(scope="module")
def inputs(run, label) -> ExplanationInputs:
    """What the study is handed."""
    with opened(run) as own:
        given = {"label": label, "n_rows": N_ROWS}
        names = [f.name for f in dataclasses.fields(ExplanationInputs) if f.name not in given]
        return ExplanationInputs(**given, **{name: own._value(STAGE, name) for name in names})


@pytest.fixture(scope="module")
def problem(inputs, label):
    return inputs.market(inputs.train_bars).problem(*inputs.tasks()[label])


def again(inputs, tmp_path):
    return explanation.run(inputs, Work(LocalExecutor(), tmp_path))


def assert_equal(a, b):
    assert to_plain(a.figures) == to_plain(b.figures)
    for name in ("rows", "shap", "features"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes()


def test_figures(found, problem):
    figures = found.figures
    assert figures.explainer == "deep"
    assert figures.additivity_error < 1e-4
    assert figures.rows == {"buy": 20, "neutral": 20, "sell": 20}
    assert sum(figures.background.values()) == 100
    assert [entry.rank for entry in figures.features] == list(range(1, 29))
    assert np.isin(found.rows, problem.validation).all()
    assert np.array_equal(found.features, problem.matrix[found.rows])
    means = np.abs(found.shap).mean(axis=0)
    for entry in figures.features:
        got = [getattr(entry.mean_abs_shap, name) for name in CLASS_NAMES]
        np.testing.assert_allclose(got, means[entry.column], rtol=1e-12)
        assert entry.feature.startswith(entry.indicator + "(")
        assert entry.ablation.standard_error >= 0
        assert entry.retrained.standard_error > 0  # over seeds
    for family in figures.families:
        members = [entry for entry in figures.features if entry.family == family.family]
        assert len(members) == family.n_features
        assert family.mean_abs_shap.buy == pytest.approx(sum(entry.mean_abs_shap.buy for entry in members))
    assert sum(family.n_features for family in figures.families) == 28
    assert all(abs(shift) >= 1440 for shift in figures.ablation.shifts)
    assert -1 <= figures.rank_correlation <= 1


def test_computed_once_and_the_same_again(found, inputs, run, label, tmp_path, monkeypatch):
    assert_equal(again(inputs, tmp_path), found)
    assert_equal(fresh(run).explanations[label], found)

    def no_work(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(explanation, "_ablate", no_work)
    assert_equal(explain(run, label).value, found)
    with pytest.raises(WorkError, match="computed again"):
        explain(run, label, N_ROWS + 1)


def test_it_is_handed_nothing_after_train(inputs, run):
    assert len(inputs.train_bars) == run.rows("train").stop
    assert not {"bars", "outputs", "future_stretch"} & {f.name for f in dataclasses.fields(inputs)}


def test_a_feature_that_decides_alone_comes_first_in_both(inputs, problem, tmp_path, monkeypatch):
    """The network reads column 6 only; labels are made to follow it."""
    network = build_network("mlp", 28, width=2, depth=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network[0].weight[:, 6] = torch.tensor([-1.0, 1.0])
        network[2].weight[0, 0] = network[2].weight[2, 1] = 6.0
    series = inputs.labels.value
    values = series.values[inputs.label]
    column = problem.matrix[:, 6]
    edges = np.quantile(column, (0.2, 0.8))
    planted = values.classes.copy()
    planted[: column.size] = np.digitize(column, edges)
    with_planted = LabelSeries(series.counts, series.overlap, {
        **dict(series.values), inputs.label: values._replace(classes=planted)
    })  # fmt: skip
    stored = dataclasses.replace(inputs, labels=type("Planted", (), {"value": with_planted})())
    monkeypatch.setattr(files, "network_from_files", lambda _: network.eval())
    figures = again(stored, tmp_path).figures
    first = figures.features[0]
    assert first.column == 6
    assert first.direction_buy < -0.8
    assert first.direction_sell > 0.8
    for entry in figures.features[1:]:
        assert entry.ablation.value == 0 < first.ablation.value
        assert max(to_plain(entry.mean_abs_shap).values()) < 1e-6
    by_family = {family.family: family.ablation.value for family in figures.families}
    assert max(by_family, key=by_family.get) == first.family


def test_ensembles_with_windows(inputs, tmp_path, monkeypatch):
    """Explained by their mean logit, judged as the ensemble that they are."""
    members = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        members.append(build_network("gru", 28, window=3, width=4))
    network = Ensemble(members, 1.5).eval()
    monkeypatch.setattr(explanation, "N_JUDGED_WINDOWS", 200)
    monkeypatch.setattr(files, "network_from_files", lambda _: network)
    figures = again(dataclasses.replace(inputs, n_rows=12), tmp_path).figures
    assert figures.explainer == "windows"
    assert figures.additivity_error < 1e-5
    assert sum(figures.background.values()) == 10
    assert sum(figures.ablation.rows.values()) == 200
    text = " ".join(how_explained(figures))
    assert "the mean logits of 2 networks, divided by the temperature 1.500" in text
    assert "sampled orders" in text


def invoke(results, label, *options):
    folders = ("--runs", results.folder.parent, "--store", results.store)
    command = ["explain", results.name, "--label", label, *folders, "--rows", N_ROWS, *options]
    return CliRunner().invoke(main, [str(part) for part in command])


def test_command(found, run, label):
    figures = found.figures
    shown = invoke(run, label)
    assert shown.exit_code == 0, shown.output
    for words in (figures.features[0].feature, "By family", "volatility", "Spearman", "DeepExplainer", "20 buy"):
        assert words in shown.stdout
    folder = run.folder / "explanation_pictures" / label
    pictures = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(pictures) == {"beeswarm.png", "bars.png"}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    data = json.loads(invoke(run, label, "--json").stdout)
    assert data["explanation"] == to_plain(figures)
    assert data["pictures"] == str(folder)


def test_it_takes_the_lock_of_the_run(run, label):
    with locked(run.folder):
        got = invoke(run, label)
    assert got.exit_code == 2
    assert "in use by another process" in got.stderr


def test_wrong_names_end_with_one_line(run, label):
    nowhere = ["explain", "nothing", "--label", label, "--runs", str(run.folder.parent)]
    for got, words in (
        (invoke(run, "x"), "no label 'x' in the experiment"),
        (CliRunner().invoke(main, nowhere), "no run matches 'nothing'"),
    ):
        assert got.exit_code == 2
        assert got.stderr.startswith("Error: ")
        assert got.stderr.count("\n") == 1
        assert words in got.stderr
    assert invoke(run, label, "--rows", "2").exit_code == 2


def test_runs_without_classifiers_are_refused(run, label, tmp_path):
    half = tmp_path / "half"
    half.mkdir()
    shutil.copy(run.folder / "experiment.toml", half)
    lines = (run.folder / "ledger.jsonl").read_text().splitlines(keepends=True)
    (half / "ledger.jsonl").write_text("".join(lines[:2]))
    got = CliRunner().invoke(main, ["explain", str(half), "--label", label])
    assert got.exit_code == 2
    assert "has no classifiers yet" in got.stderr
    assert RunError.__mro__[1] is ExperimentError.__mro__[1]
