"""ONNX files give other programs the same probabilities."""

import builtins

import numpy as np
import pytest

from labelsearch.classifiers.kinds import NETWORKS
from labelsearch.classifiers.networks import Ensemble, build_network
from labelsearch.classifiers.onnx_file import write_onnx
from labelsearch.classifiers.prediction import predict

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(("name", "several"), [("mlp", True), pytest.param("gru", False, marks=pytest.mark.slow)])
def test_another_program_reads_the_same(name, several, tmp_path):
    options = {"window": 6} if NETWORKS[name].windowed else {}
    members = [build_network(name, 5, width=16, **options).eval() for _ in range(2)]
    network = Ensemble(members, 1.4).eval() if several else members[0]
    write_onnx(network, 5, tmp_path / "c.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["c.onnx"]
    matrix = np.random.default_rng(0).normal(0, 1, (30, 5)).astype(np.float32)
    seen = matrix if not options else np.stack([matrix[t - 5 : t + 1] for t in range(5, 30)])
    session = onnxruntime.InferenceSession(tmp_path / "c.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(["probabilities"], {"features": seen})
    wanted = predict(network, matrix)[30 - len(seen) :]
    np.testing.assert_allclose(got, wanted, atol=2e-6)
    (one,) = session.run(None, {"features": seen[:1]})
    np.testing.assert_allclose(one, wanted[:1], atol=2e-6)


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "onnxscript":
            raise ImportError(name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"need onnxscript: pip install 'labelsearch\[onnx\]'"):
        write_onnx(build_network("mlp", 3).eval(), 3, tmp_path / "c.onnx")
