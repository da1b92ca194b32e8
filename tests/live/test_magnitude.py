"""A bundle with a label whose moves are predicted: bar by bar and all at once with the bits of the run."""

import json

import numpy as np
import pytest

from labelsearch.delivery.export import export_bundle
from labelsearch.live.bundle import load_bundle
from labelsearch.live.engine import Engine
from labelsearch.live.feed import Counts, bars_in
from labelsearch.live.session import as_line
from labelsearch.live.verify import BundleError
from strategies.trade.simulate import simulate
from tests.live.test_bundle import sign


@pytest.fixture(scope="module")
def folder(mixed_run, tmp_path_factory):
    return export_bundle(mixed_run, None, tmp_path_factory.mktemp("mixed-bundle") / "b")


def test_live_is_the_run_bit_by_bit(folder, mixed_run):
    bundle = load_bundle(folder)
    assert bundle.outputs == mixed_run.outputs.columns
    assert bundle.params.shape[1] == 3 + 3
    past, seen = mixed_run.rows("past"), mixed_run.outputs.past
    start = int(mixed_run.bars.open_time[past.start])
    engine, whole = Engine(bundle, start), Engine(bundle, start)
    engine.start(mixed_run.bars.rows(None, past.start))
    steps = [engine.take(bar) for bar in bars_in(mixed_run.bars.rows(past.start, past.stop))]
    assert np.array([step.outputs for step in steps]).tobytes() == seen.outputs.tobytes()
    wanted = simulate(bundle.params, seen, bundle.rules)
    assert engine.state.equity.tobytes() == wanted.equity.tobytes()
    found = mixed_run.strategies.frame.loc[bundle.strategies]
    assert engine.state.equity.tobytes() == found["value"].to_numpy().tobytes()
    whole.start(mixed_run.bars.rows(None, past.stop))
    assert whole.outputs.tobytes() == seen.outputs[-1].tobytes()
    assert whole.state.equity.tobytes() == wanted.equity.tobytes()
    line = as_line(bundle, steps[-1], Counts())
    moves, classes = mixed_run.outputs.labels
    assert line["magnitudes"] == {moves: seen.outputs[-1, 0]}
    assert line["probabilities"] == {classes: {"buy": seen.outputs[-1, 1], "sell": seen.outputs[-1, 2]}}


def test_a_bundle_of_another_head_is_refused(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "b")
    network = tmp_path / "b" / "classifiers" / load_bundle(folder).labels[0] / "network.json"
    description = json.loads(network.read_text())
    assert description["head"] == "magnitude"
    assert "temperature" not in description
    del description["head"]
    network.write_text(json.dumps(description))
    sign(tmp_path / "b")
    with pytest.raises(BundleError, match="weights of 1 outputs are not those of the head"):
        load_bundle(tmp_path / "b")
    description["head"] = "size"
    network.write_text(json.dumps(description))
    sign(tmp_path / "b")
    with pytest.raises(BundleError, match="head"):
        load_bundle(tmp_path / "b")
