"""The perceptron's own forward pass: the same numbers as torch, the same bits alone as among others."""

import numpy as np
import pytest
import torch

from labelsearch.classifiers.files import save_network
from labelsearch.classifiers.inference import LANES, Perceptron, load_perceptron
from labelsearch.classifiers.networks import Ensemble, build_network
from labelsearch.classifiers.prediction import perceptron_of


def network(seed: int, n_features: int = 28, **options):
    torch.manual_seed(seed)
    return build_network("mlp", n_features, **options).eval()


def rows(n: int, n_features: int = 28):
    return np.random.default_rng(n).normal(0, 2, (n, n_features)).astype(np.float32)


@pytest.mark.parametrize(("n_features", "width", "depth"), [(28, 64, 2), (3, 33, 1), (5, 7, 4)])
@pytest.mark.parametrize("members", [1, 3])
def test_as_torch(n_features, width, depth, members):
    networks = [network(k, n_features, width=width, depth=depth, dropout=0.2) for k in range(members)]
    whole = networks[0] if members == 1 else Ensemble(networks, 1.7).eval()
    x = rows(500, n_features)
    with torch.no_grad():
        wanted = torch.softmax(whole(torch.from_numpy(x)), 1).numpy()
    np.testing.assert_allclose(perceptron_of(whole).predict(x), wanted, rtol=2e-5, atol=1e-7)


def test_bits_do_not_depend_on_the_other_rows():
    perceptron = perceptron_of(network(0))
    x = rows(10 * LANES + 5)
    whole = perceptron.predict(x)
    for t in (0, 1, LANES - 1, LANES, 77, len(x) - 1):
        assert perceptron.predict(x[t : t + 1]).tobytes() == whole[t].tobytes()
    for start, stop in ((3, 40), (31, 300), (0, 64)):
        assert perceptron.predict(x[start:stop]).tobytes() == whole[start:stop].tobytes()
    some = np.array([300, 2, 2, 100])
    assert perceptron.predict(x, some).tobytes() == whole[some].tobytes()
    broken = x.copy()
    broken[::2] = np.nan
    assert perceptron.predict(broken)[1::2].tobytes() == whole[1::2].tobytes()
    assert np.isnan(perceptron.predict(broken)[::2]).all()
    assert perceptron.predict(x[:0]).shape == (0, 3)


def test_large_logits_stay_finite():
    weight, bias = np.eye(3, dtype=np.float32) * 300, np.zeros(3, dtype=np.float32)
    one = Perceptron.of_layers([[(weight, bias)]], 2.0)
    assert one.predict(np.array([[1, 0, -1]], dtype=np.float32)).tolist() == [[1, 0, 0]]


def test_files_without_torch(tmp_path):
    for whole, name in ((network(4, depth=3), "one"), (Ensemble([network(1), network(2)], 0.8), "two")):
        folder = tmp_path / name
        folder.mkdir()
        save_network(whole, "mlp", {}, 28, folder)
        for one, other in zip(load_perceptron(folder), perceptron_of(whole), strict=True):
            assert np.array_equal(one, other)


def test_what_is_no_perceptron(tmp_path):
    gru = build_network("gru", 4, window=5, width=8)
    assert perceptron_of(gru) is None
    a, b, relu = torch.nn.Linear(4, 4), torch.nn.Linear(4, 3), torch.nn.ReLU()
    assert perceptron_of(torch.nn.Sequential(a, relu, b)) is not None
    bare = torch.nn.Linear(4, 3, bias=False)
    for layers in ((a, b), (relu, b), (a, relu), (a, relu, relu, b), (a, torch.nn.Tanh(), b), (a, relu, bare), ()):
        assert perceptron_of(torch.nn.Sequential(*layers)) is None
    save_network(gru, "gru", {"window": 5, "width": 8}, 4, tmp_path)
    with pytest.raises(ValueError, match="kind gru"):
        load_perceptron(tmp_path)
    weight, bias = np.zeros((3, 4), dtype=np.float32), np.zeros(3, dtype=np.float32)
    with pytest.raises(ValueError, match="one shape"):
        Perceptron.of_layers([[(weight, bias)], [(weight[:, :2], bias)]])
    with pytest.raises(ValueError, match="are not those of a classifier"):
        Perceptron.of_layers([[(weight[:2], bias[:2])]])
    with pytest.raises(ValueError, match="are not those of a classifier"):
        Perceptron.of_layers([[(weight, bias), (weight, bias)]])
    with pytest.raises(ValueError, match="do not fit"):
        Perceptron.of_layers([[(weight, bias)]]).predict(rows(3))
