"""The labels stage: any number of labels of any kind, and what it writes."""

import numpy as np
import pytest

from labelsearch.labels.base import NEUTRAL
from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.labels import price_of
from tests.running import run_experiment

BARRIER = {"kind": "triple_barrier", "up": 2.0, "down": 2.0, "horizon": 60}
TREND = {"kind": "trend_scanning", "shortest": 10, "longest": 60, "edge": 20.0}
SIGN = {"kind": "triple_barrier", "up": 0.004, "down": 0.004, "horizon": 30, "scale": "fixed", "vertical": "sign"}
PUBLISHED = {"kind": "published", "horizon": 30}
QUANTILE = {"kind": "threshold", "theta": 0.01, "horizon": 30, "future": "wma", "scale": "quantile"}
THRESHOLD = {"kind": "threshold", "theta": 0.003, "horizon": 5}
EXTREMA = {"kind": "extrema", "up": 1.0, "down": 0.1}


def experiment(base, *chosen, **sections):
    return Experiment.from_dict({**base.to_dict(), "label": list(chosen), **sections})


@pytest.fixture(scope="module")
def labelled(tiny_experiment, tmp_path_factory):
    """Twelve labels of all kinds, labelled and no more."""
    widths = [{**BARRIER, "horizon": h} for h in (20, 40, 60, 80)]
    others = ({**TREND, "step": 5}, {**EXTREMA, "up": 2.0})
    twelve = (THRESHOLD, EXTREMA, *widths, SIGN, TREND, PUBLISHED, QUANTILE, *others)
    root = tmp_path_factory.mktemp("labels")
    return Results(run_experiment(experiment(tiny_experiment, *twelve), root / "runs", root / "store", last="labels"))


def test_counts_horizons_and_overlap_are_those_of_the_labels(labelled):
    found = labelled.labels
    kinds = labelled.experiment.label_kinds()
    train = labelled.rows("train")
    assert list(found.names) == [label.name for label in kinds]
    chosen = []
    for label, entry in zip(kinds, found.counts, strict=True):
        values = found.values[label.name]
        settled, ahead = values.settled[train], values.last_used[train] - np.arange(train.stop)
        classes = np.where(settled, values.classes[train], -1)
        assert entry.train.unsettled == (~settled).sum()
        for name, k in (("buy", 0), ("neutral", 1), ("sell", 2)):
            assert getattr(entry.train, name) == (classes == k).sum()
        action = settled & (classes != NEUTRAL)
        assert entry.train.mean_horizon_bars == pytest.approx(ahead[action].mean(), rel=1e-12)
        assert (entry.train.mean_leg_bars is not None) == label.name.startswith("extrema")
        chosen.append(np.where(action, classes, NEUTRAL))
    for i, a in enumerate(chosen):
        for j, b in enumerate(chosen):
            wanted = ((a == b) & (a != NEUTRAL)).sum() / (a != NEUTRAL).sum()
            assert found.overlap[i][j] == pytest.approx(wanted, rel=1e-12)
    legs = [entry.train.mean_leg_bars for entry in found.counts if entry.train.mean_leg_bars is not None]
    assert 1 < legs[0] < legs[1]  # a larger rise asked for makes longer legs


def test_labels_end_before_past(labelled):
    """Other bars in past and future leave the labels of train as they are."""
    stop = labelled.rows("past").start
    price = price_of(labelled.bars, "close").copy()
    price[stop:] *= 3.0
    for label in labelled.experiment.label_kinds():
        stored = labelled.labels.values[label.name]
        again = label.values(price[:stop], label.reference(price[labelled.rows("train")]))
        assert stored.value.tobytes() == again.value.tobytes()
        assert stored.last_used.max() <= stop


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param((BARRIER,), id="one"),
        pytest.param((TREND, EXTREMA, PUBLISHED), id="three", marks=pytest.mark.slow),
    ],
)
def test_strategies_get_two_weights_for_each_label(tiny_experiment, tmp_path, chosen):
    small = experiment(
        tiny_experiment, *chosen,
        separation={"n_pairs": 1000, "n_values": 2, "n_restarts": 1, "n_shifts": 9},
        network={"n_neutral": 2000, "n_trials": 1, "max_epochs": 1, "batch_size": 1024},
        search={"n_strategies": 30, "island_size": 15}, tiers={"sizes": [5]},
    )  # fmt: skip
    results = Results(run_experiment(small, tmp_path / "runs", tmp_path / "store", last="search", workers=1))
    assert results.outputs.past.outputs.shape[1] == 2 * len(chosen)
    weights = [c for c in results.strategies.frame.columns if c.startswith("w")]
    assert weights == [f"w{k:02d}" for k in range(2 * len(chosen))]


def test_a_label_without_neutral_bars_is_refused_by_name(tiny_experiment, tmp_path):
    """The sign of every move leaves no bar neutral, and the networks tell three classes apart."""
    with pytest.raises(ExperimentError, match=r"triple_barrier_0.4_0.4_30_fixed_sign marks \d+ buy, 0 neutral"):
        run_experiment(experiment(tiny_experiment, SIGN), tmp_path / "runs", tmp_path / "store", workers=1)
