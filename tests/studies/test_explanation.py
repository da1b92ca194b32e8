"""What a classifier learned: stored, repeated, in train alone, and as the command prints it."""

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from labelsearch.classifiers.networks import Ensemble, build_network
from labelsearch.commands import main
from labelsearch.delivery.explain_table import how_explained
from labelsearch.pipeline import explanation
from labelsearch.pipeline.explanation import explain_label, explain_unit, explained_values
from labelsearch.pipeline.run import RunError, open_context
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages.classifiers import load_problem

N_ROWS = 60


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    root = tmp_path_factory.mktemp("explanation")
    shutil.copytree(tiny_run.folder, root / tiny_run.folder.name)
    return open_context(root / tiny_run.folder.name, tiny_run.store)


@pytest.fixture(scope="module")
def label(run):
    return run.experiment.label_kinds()[1].name


@pytest.fixture(scope="module")
def found(run, label):
    return explain_label(run, label, N_ROWS)


def test_figures(found, run):
    figures, folder = found
    problem = load_problem(run, 1)
    assert figures["explainer"] == "deep"
    assert figures["additivity_error"] < 1e-4
    assert figures["rows"] == {"buy": 20, "neutral": 20, "sell": 20}
    assert sum(figures["background"].values()) == 100
    assert [entry["rank"] for entry in figures["features"]] == list(range(1, 29))
    values = explained_values(folder)
    assert np.isin(values["rows"], problem.validation).all()
    assert np.array_equal(values["features"], problem.matrix[values["rows"]])
    means = np.abs(values["shap"]).mean(axis=0)
    for entry in figures["features"]:
        got = [entry["mean_abs_shap"][name] for name in ("buy", "neutral", "sell")]
        np.testing.assert_allclose(got, means[entry["column"]], rtol=1e-12)
        assert entry["feature"].startswith(entry["indicator"] + "(")
        assert entry["ablation"]["standard_error"] >= 0
    for family in figures["families"]:
        members = [entry for entry in figures["features"] if entry["family"] == family["family"]]
        assert len(members) == family["n_features"]
        total = sum(entry["mean_abs_shap"]["buy"] for entry in members)
        assert family["mean_abs_shap"]["buy"] == pytest.approx(total)
    assert sum(family["n_features"] for family in figures["families"]) == 28
    assert all(abs(shift) >= 1440 for shift in figures["ablation"]["shifts"])
    assert -1 <= figures["rank_correlation"] <= 1


def test_computed_once_and_the_same_again(found, run, label, tmp_path, monkeypatch):
    explain_unit((run.bare(), 1, N_ROWS), tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (found[1] / path.name).read_bytes()

    def no_work(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(explanation, "explain_unit", no_work)
    assert explain_label(run, label, N_ROWS) == found
    with pytest.raises(AssertionError, match="computed again"):
        explain_label(run, label, N_ROWS + 1)


def test_the_future_has_no_part_in_it(found, run, tmp_path):
    other = run.bare()
    past = other.rows("past").start
    for column in ("open", "high", "low", "close", "volume"):
        getattr(other.bars, column)[past:] *= 3.0
    explain_unit((other, 1, N_ROWS), tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (found[1] / path.name).read_bytes()


def test_a_feature_that_decides_alone_comes_first_in_both(run, tmp_path):
    """The network reads column 6 only; labels are made to follow it."""
    problem = load_problem(run, 1)
    network = build_network("mlp", 28, width=2, depth=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network[0].weight[:, 6] = torch.tensor([-1.0, 1.0])
        network[2].weight[0, 0] = network[2].weight[2, 1] = 6.0
    column = problem.matrix[: problem.values.classes.size, 6]
    planted = np.digitize(column, np.quantile(column, (0.2, 0.8))).astype(np.int8)
    with pytest.MonkeyPatch.context() as patch:
        same = problem._replace(values=problem.values._replace(classes=planted))
        patch.setattr(explanation, "load_problem", lambda *_: same)
        patch.setattr("labelsearch.classifiers.files.load_network", lambda *_: network.eval())
        explain_unit((run, 1, N_ROWS), tmp_path)
    figures = json.loads((tmp_path / "explanation.json").read_text())
    first = figures["features"][0]
    assert first["column"] == 6
    assert first["direction"]["buy"] < -0.8
    assert first["direction"]["sell"] > 0.8
    for entry in figures["features"][1:]:
        assert entry["ablation"]["value"] == 0 < first["ablation"]["value"]
        assert max(entry["mean_abs_shap"].values()) < 1e-6
    by_family = {family["family"]: family["ablation"]["value"] for family in figures["families"]}
    assert max(by_family, key=by_family.get) == first["family"]


def test_ensembles_with_windows(run, tmp_path, monkeypatch):
    """Explained by their mean logit, judged as the ensemble that they are."""
    members = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        members.append(build_network("gru", 28, window=3, width=4))
    network = Ensemble(members, 1.5).eval()
    monkeypatch.setattr(explanation, "N_JUDGED_WINDOWS", 200)
    monkeypatch.setattr("labelsearch.classifiers.files.load_network", lambda *_: network)
    explain_unit((run, 1, 12), tmp_path)
    figures = json.loads((tmp_path / "explanation.json").read_text())
    assert figures["explainer"] == "windows"
    assert figures["additivity_error"] < 1e-5
    assert sum(figures["background"].values()) == 10
    assert sum(figures["ablation"]["rows"].values()) == 200
    text = " ".join(how_explained(figures))
    assert "the mean logits of 2 networks, divided by the temperature 1.500" in text
    assert "sampled orders" in text


def invoke(run, label, *options):
    command = ["explain", run.folder.name, "--label", label, "--runs", run.folder.parent, "--store", run.store]
    return CliRunner().invoke(main, [str(part) for part in (*command, "--rows", N_ROWS, *options)])


def test_command(found, run, label):
    figures, folder = found
    shown = invoke(run, label)
    assert shown.exit_code == 0, shown.output
    for words in (figures["features"][0]["feature"], "By family", "volatility", "Spearman", "DeepExplainer", "20 buy"):
        assert words in shown.stdout
    pictures = {path.name: path.read_bytes() for path in (folder / "pictures").iterdir()}
    assert set(pictures) == {"beeswarm.png", "bars.png"}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    data = json.loads(invoke(run, label, "--json").stdout)
    assert data["explanation"] == figures
    assert data["pictures"] == str(folder / "pictures")


def test_wrong_names_end_with_one_line(run, label):
    nowhere = ["explain", "nothing", "--label", label, "--runs", str(run.folder.parent)]
    for got, words in (
        (invoke(run, "x"), "no label 'x' in the run"),
        (CliRunner().invoke(main, nowhere), "no run matches 'nothing'"),
    ):
        assert got.exit_code == 2
        assert got.stderr.startswith("Error: ")
        assert got.stderr.count("\n") == 1
        assert words in got.stderr
    assert invoke(run, label, "--rows", "2").exit_code == 2


def test_runs_without_classifiers_are_refused(run, label, tmp_path):
    shutil.copytree(run.folder, tmp_path / "half", ignore=shutil.ignore_patterns("classifiers", "explanations"))
    half = open_context(tmp_path / "half", run.store)
    with pytest.raises(RunError, match="no classifiers yet"):
        explain_label(half, label)
    with pytest.raises(ExperimentError, match="no label 'x'"):
        explain_label(half, "x")
    assert not (tmp_path / "half" / "explanations").exists()
