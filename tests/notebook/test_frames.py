"""Stages as functions of pandas objects: one after another they give the numbers of a run, and refuse what is wrong."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import labelsearch
from labelsearch.notebook.frame_checks import values_of
from labelsearch.settings.sections import FeatureSpace
from labelsearch.stages.features import inputs_of
from labelsearch.stages.plan import RunValues
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.tiers.controls.control import CONTROLS


@pytest.fixture(scope="module")
def run(tiny_run):
    return labelsearch.open_run(tiny_run.folder, tiny_run.store)


@pytest.fixture(scope="module")
def bars(run):
    return run.bars.drop(columns=["vwap", "filled"])


@pytest.fixture(scope="module")
def kinds(run):
    return run.experiment.label_kinds()


@pytest.fixture(scope="module")
def train(bars, run):
    return bars.loc[slice(*run.experiment.windows.train)]


@pytest.fixture(scope="module")
def labels(bars, train, kinds):
    return [labelsearch.label_bars(bars.loc[:"2018-01-21"], kind, reference=train) for kind in kinds]


def test_labels_are_those_of_the_run(labels, run):
    for ours, name in zip(labels, run.label_names, strict=True):
        pd.testing.assert_frame_equal(ours, run.label(name), check_exact=True, check_freq=False)


def test_scale_of_a_label_comes_from_the_reference(bars, train, run):
    kind = labelsearch.make_label("threshold", theta=0.5, horizon=30, scale="quantile")
    found = labelsearch.label_bars(bars.loc[:"2018-01-21"], kind, reference=train, price="vwap")
    vwap = run.bars["vwap"].to_numpy()
    expected = kind.values(vwap[: len(found)], kind.reference(vwap[: len(train)]))
    assert found["value"].tolist() == expected.value.tolist()
    assert found["value"].tolist() != labelsearch.label_bars(bars.loc[:"2018-01-21"], kind)["value"].tolist()


def test_features_are_those_of_the_run(train, labels, kinds, run, tiny_run):
    e = run.experiment
    found, power = labelsearch.choose_features(train, labels[0], kinds[0], e.feature_space, e.separation, seed=e.seed)
    theirs = tiny_run.features.of(kinds[0].name)
    assert found == theirs.feature_set
    assert power.loc[kinds[0].name, ["power", "power_random"]].tolist() == [theirs.power, theirs.power_random]
    assert power["p_value"].item() == theirs.confirmation.p_value
    matrix = labelsearch.compute_features(train, found)
    whole = theirs.feature_set.matrix(inputs_of(tiny_run.bars))
    assert matrix.to_numpy().tobytes() == whole[: len(train)].tobytes()
    assert matrix.columns[0] == theirs.feature_set.features[0].title


@pytest.fixture(scope="module")
def classifier(bars, train, labels, kinds, run, tiny_run):
    """The classifier of the last label, and its features on all bars."""
    theirs = tiny_run.features.of(kinds[2].name).feature_set
    ours = labelsearch.train_classifier(
        labelsearch.compute_features(train, theirs), labels[2], kinds[2], run.experiment.network, seed=3
    )
    return ours, labelsearch.compute_features(bars, theirs)


def test_classifier_is_that_of_the_run(classifier, run, tiny_run):
    ours, matrix = classifier
    theirs = tiny_run.classifiers.of(ours.label)
    for name in ("losses", "validation_loss", "trials", "n_fit", "calibration"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.evaluation == theirs.validation
    found = labelsearch.predict(ours, matrix)
    assert found.columns.tolist() == ["buy", "neutral", "sell"]
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    for window in ("past", "future"):
        seen = run.outputs(window)
        expected = seen[ours.label].to_numpy()
        assert found.loc[seen.index, ["buy", "sell"]].to_numpy(np.float64).tobytes() == expected.tobytes()


@pytest.fixture(scope="module")
def strategies(bars, run):
    e = run.experiment
    past = bars.loc[slice(*e.windows.past)]
    return labelsearch.search_strategies(run.outputs("past"), past, e.search, e.make_score(), seed=e.seed)


def test_strategies_are_those_of_the_run(strategies, tiny_run):
    pd.testing.assert_frame_equal(strategies, tiny_run.strategies.frame, check_exact=True)


@pytest.mark.parametrize("window", ["past", "future"])
def test_tiers_are_those_of_the_run(strategies, bars, run, window):
    e = run.experiment
    members = labelsearch.form_tiers(strategies, e.tiers.sizes)
    assert members == {20: run.members(20), 5: run.members(5)}
    past = run.outputs("past"), bars.loc[slice(*e.windows.past)]
    ours, curves = labelsearch.judge_tiers(
        strategies, members, run.outputs(window), bars.loc[slice(*getattr(e.windows, window))], e.search, past=past
    )
    theirs = run.tiers.xs(window, level="window")
    assert list(theirs.index) == [*ours.index, *(control.title for control in CONTROLS.values())]
    pd.testing.assert_frame_equal(ours, theirs.loc[ours.index, ours.columns], check_exact=True, check_dtype=False)
    expected = run.curves(window)[curves.columns]
    pd.testing.assert_frame_equal(curves, expected, check_exact=True, check_names=False, check_index_type=False)


def test_rate_by_volatility_is_that_of_a_run(bars, train, run, tiny_run):
    past = bars.loc[slice(*run.experiment.windows.past)]
    few = replace(run.experiment.search, n_strategies=40, island_size=40)
    found = labelsearch.search_strategies(run.outputs("past"), past, few, train=train, seed=3)
    moving = replace(run.experiment, score={"rate": "volatility"})
    score = RunValues(moving, tiny_run.store)["score"]
    problem = SearchProblem(tiny_run.outputs.past, few.space(6), run.experiment.rules(), score)
    fresh = evaluate_population(problem, found[list(problem.space.names)].to_numpy())
    assert found["score"].tolist() == fresh["score"].tolist()


def test_missing_bars_are_filled_for_features_and_left_out_of_labels(bars, kinds, tiny_run):
    gone = bars.index[[500, 501, 30_000]]
    lacking = bars.drop(gone).loc[:"2018-01-22"]
    found = labelsearch.label_bars(lacking, kinds[0])
    assert found.index.equals(lacking.index)
    whole = labelsearch.label_bars(bars.loc[:"2018-01-22"], kinds[0])
    assert found["last_used"].tolist() == whole.drop(gone)["last_used"].tolist()  # they count bars of the grid
    chosen = tiny_run.features.of(kinds[0].name).feature_set
    matrix = labelsearch.compute_features(lacking, chosen)
    assert matrix.index.equals(whole.index)
    assert labelsearch.compute_features(bars.loc[: gone[0]].iloc[:-1], chosen).equals(matrix.loc[: gone[0]].iloc[:-1])
    values, traded = values_of(found, matrix.index)
    assert np.flatnonzero(~traded).tolist() == [500, 501, 30_000]
    assert (values.last_used[~traded] > len(matrix)).all()


def wrong_bars(bars: pd.DataFrame) -> dict[str, pd.DataFrame]:
    head = bars.iloc[:100]
    return {
        "sorted and none twice": head.iloc[::-1],
        "none twice": pd.concat([head, head]),
        "missing columns: volume": head.drop(columns="volume"),
        "not a finite": head.assign(close=head["close"].where(np.arange(100) != 7)),
        "marked `filled` are rejected": head.assign(filled=np.arange(100) == 7),
        "in UTC": head.tz_localize(None),
        "DatetimeIndex": head.reset_index(drop=True),
        "grid of 60 seconds": head.set_axis(head.index + pd.Timedelta("7s")),
        "two times": head.iloc[:1],
    }


def test_wrong_bars_are_refused_in_one_line(bars, kinds, tiny_run):
    chosen = tiny_run.features.of(kinds[0].name).feature_set
    for words, wrong in wrong_bars(bars).items():
        for call in (lambda w: labelsearch.label_bars(w, kinds[0]), lambda w: labelsearch.compute_features(w, chosen)):
            with pytest.raises(ValueError, match=words) as error:
                call(wrong)
            assert "\n" not in str(error.value)


def test_what_does_not_fit_is_refused(bars, train, labels, kinds, strategies, run, classifier):
    ours, matrix = classifier
    seen = run.outputs("past")
    past = bars.loc[slice(*run.experiment.windows.past)]
    head = matrix.loc[train.index]
    calls = {
        "begin with the same bar": lambda: labelsearch.train_classifier(head, labels[2].iloc[5:], kinds[2]),
        "different times": lambda: labelsearch.train_classifier(
            head, labels[2].set_axis(labels[2].index[:1].append(labels[2].index[1:] + pd.Timedelta("1s"))), kinds[2]
        ),
        "lack bars": lambda: labelsearch.train_classifier(head.drop(head.index[9]), labels[2], kinds[2]),
        "finite": lambda: labelsearch.predict(ours, matrix.iloc[:9] * np.nan),
        "loss scaling needs": lambda: labelsearch.train_classifier(head.iloc[:3000], labels[2], kinds[2]),
        "no bars to validate": lambda: labelsearch.train_classifier(head, labels[2], kinds[2], validation_share=1e-9),
        "columns": lambda: labelsearch.search_strategies(seen.iloc[:, ::-1], past),
        "5 of 10,080 bars have no outputs": lambda: labelsearch.search_strategies(seen.iloc[5:], past),
        "first members": lambda: labelsearch.judge_tiers(strategies, {2: [0, 1], 1: [1]}, seen, past),
        "give past": lambda: labelsearch.judge_tiers(strategies, {1: [0]}, seen, past, capital="universal"),
        "price 'open' is unknown": lambda: labelsearch.label_bars(train, kinds[0], price="open"),
    }
    for words, call in calls.items():
        with pytest.raises(ValueError, match=words):
            call()


def test_names_are_loaded_when_they_are_asked_for():
    code = "import sys, labelsearch; print('pandas' in sys.modules, 'label_bars' in dir(labelsearch))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False True\n"
    for name in ("label_bars", "judge_tiers", "FeatureSpace", "make_label", "open_run"):
        assert getattr(labelsearch, name).__name__ == name
    assert labelsearch.FeatureSpace is FeatureSpace
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        labelsearch.nothing  # noqa: B018
