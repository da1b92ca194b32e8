"""The exported bundle: complete, checksummed, and enough to trade the tier again."""

import hashlib
import json

import numpy as np
import pytest
from click.testing import CliRunner

from feature_space.feature_set import FeatureSet
from labelsearch.classifiers.files import load_network
from labelsearch.classifiers.prediction import predict
from labelsearch.commands import main
from labelsearch.stages.features import inputs_of
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import final_value, simulate


@pytest.fixture(scope="module")
def bundle(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundle") / "winners"
    result = CliRunner().invoke(main, ["export", str(tiny_run.folder), "--tier", "5", "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


def test_manifest_names_every_file_with_its_checksum(bundle, tiny_run):
    manifest = json.loads((bundle / "manifest.json").read_text())
    files = {str(p.relative_to(bundle)) for p in bundle.rglob("*") if p.is_file()} - {"manifest.json"}
    assert set(manifest["sha256"]) == files
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((bundle / name).read_bytes()).hexdigest() == digest
    assert manifest["tier"] == 5
    assert manifest["run"] == tiny_run.folder.name
    assert {name.rsplit(".")[-1] for name in files} == {"json", "safetensors", "toml"}


def test_the_bundle_alone_trades_like_the_run(bundle, tiny_run):
    """Features, classifiers, weights and thresholds from the bundle give the tier's own past values."""
    book = json.loads((bundle / "strategies.json").read_text())
    labels = list(dict.fromkeys(name.split(":")[0] for name in book["outputs"]))
    past = tiny_run.rows("past")
    probabilities = {}
    for label in labels:
        feature_set = FeatureSet.from_dict(json.loads((bundle / "feature_sets" / f"{label}.json").read_text()))
        matrix = feature_set.matrix(inputs_of(tiny_run.bars))[past]
        p = predict(load_network(bundle / "classifiers" / label), matrix)
        probabilities[f"{label}:buy"], probabilities[f"{label}:sell"] = p[:, 0], p[:, 2]
    seen = tiny_run.outputs.past
    columns = np.column_stack([probabilities[name] for name in book["outputs"]]).astype(np.float64)
    assert np.array_equal(columns, seen.outputs)
    params = np.array(
        [[s["weights"][n] for n in book["outputs"]] + list(s["thresholds"].values()) for s in book["strategies"]]
    )
    rules = TradingRules.of(
        fee_share=book["fee_share"],
        half_spread=book["half_spread"],
        short=book["side"] == "both",
        signal_map=book["signal_map"],
    )
    values = final_value(simulate(params, seen._replace(outputs=columns), rules))
    members = list(tiny_run.ensembles.members[5])
    assert [s["strategy"] for s in book["strategies"]] == members
    assert np.array_equal(values, tiny_run.strategies.frame["value"].to_numpy()[members])


def test_what_cannot_be_exported_is_refused(bundle, tiny_run, tmp_path):
    again = CliRunner().invoke(main, ["export", str(tiny_run.folder), "--tier", "5", "--out", str(bundle)])
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    other = CliRunner().invoke(main, ["export", str(tiny_run.folder), "--tier", "7", "--out", str(tmp_path / "x")])
    assert other.exit_code == 2
    assert "no tier of 7; it has 20, 5" in other.stderr
    assert not (tmp_path / "x").exists()
