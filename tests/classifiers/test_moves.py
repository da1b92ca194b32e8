"""Networks that predict moves: losses and figures against plain twins, what is learnt, and the same bits everywhere."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from labelsearch.classifiers.classifier import load_predictor
from labelsearch.classifiers.dataset import Samples, Windows, joined_samples, make_samples, thinned
from labelsearch.classifiers.explain import shap_values
from labelsearch.classifiers.files import load_network, save_network
from labelsearch.classifiers.fitting import TrainingSettings, weighted_loss
from labelsearch.classifiers.inference import strategy_outputs
from labelsearch.classifiers.intervals import resamples
from labelsearch.classifiers.kinds import NETWORKS, Choice, NetworkError, NetworkKind
from labelsearch.classifiers.losses import MagnitudeLoss
from labelsearch.classifiers.moves import evaluate_moves
from labelsearch.classifiers.networks import averaged, build_network
from labelsearch.classifiers.onnx_file import write_onnx
from labelsearch.classifiers.prediction import predict
from labelsearch.classifiers.proof import prove_network
from labelsearch.classifiers.training import train_network
from labelsearch.labels.magnitude import Magnitude
from tests.naive import moves as naive

F = 4
LOSSES = [MagnitudeLoss(kind, q) for kind in ("squared", "huber") for q in (0.0, 0.7)]
SETTINGS = TrainingSettings(
    network="mlp", n_trials=2, search_rows=9999, max_epochs=9, batch_size=128, seed=3, device="cpu", window=4,
    loss="cross_entropy", n_seeds=1, magnitude=MagnitudeLoss("squared"),
)  # fmt: skip


def moves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and moves, both with equal values and zeros."""
    rng = np.random.default_rng(seed)
    y = np.clip(np.round(rng.normal(0.2, 1.3, n), 1), -3, 3)
    f = np.round(0.4 * y + rng.normal(0, 1, n), 1).astype(np.float32)
    f[:3], y[:3] = (0, 0, 1), (0, 1, 0)
    return f, y


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_losses_are_those_of_the_plain_twin(loss):
    f, y = moves(300, 0)
    assert {(a, b) for a, b in zip(np.sign(f), np.sign(y), strict=True)} >= {(0, 1), (1, 0), (0, 0), (-1, 1), (1, 1)}
    outputs = torch.from_numpy(f[:, None]).double().requires_grad_()
    target, weights = torch.from_numpy(y), torch.rand(300, dtype=torch.float64)
    wanted = [naive.loss(a, b, loss.kind, loss.sign_penalty) for a, b in zip(f.tolist(), y.tolist(), strict=True)]
    np.testing.assert_allclose(loss.rows(outputs, target).detach(), wanted, rtol=1e-12)
    mean = loss.mean(outputs, target, weights)
    assert mean.item() == pytest.approx(np.mean(weights.numpy() * wanted), rel=1e-12)
    mean.backward()
    step = 1e-6  # at a sign of its own, the penalty is a constant
    for i in np.flatnonzero((f != 0) & (np.abs(np.abs(y - f) - 1) > 1e-3))[:40]:
        up, down = (naive.loss(float(f[i]) + s, float(y[i]), loss.kind, loss.sign_penalty) for s in (step, -step))
        slope = weights[i].item() * (up - down) / (2 * step) / 300
        assert outputs.grad[i, 0].item() == pytest.approx(slope, rel=1e-5, abs=1e-9)


def check_against_twin(found, f, y, mean):
    own, other = naive.figures(f.tolist(), y.tolist()), naive.figures([mean] * len(y), y.tolist())
    error, sign = found.mean_absolute_error, found.sign_accuracy
    assert error.figure.value == pytest.approx(own["mean_absolute_error"], rel=1e-6)
    assert error.of_mean == pytest.approx(other["mean_absolute_error"], rel=1e-9)
    assert error.gain.value == pytest.approx(other["mean_absolute_error"] - own["mean_absolute_error"], abs=1e-7)
    assert (
        found.r2.figure.value == found.r2.gain.value == pytest.approx(1 - own["squares"] / other["squares"], rel=1e-6)
    )
    assert found.rank_correlation.figure.value == pytest.approx(own["rank_correlation"], rel=1e-9)
    assert sign.figure.value == pytest.approx(own["sign_accuracy"], rel=1e-12)
    assert sign.of_mean == pytest.approx(other["sign_accuracy"], rel=1e-12)
    assert sign.gain.value == pytest.approx(own["sign_accuracy"] - other["sign_accuracy"], rel=1e-9)
    assert found.r2.of_mean == found.rank_correlation.of_mean == 0.0


def test_figures_are_those_of_the_plain_twin():
    f, y = moves(400, 1)
    found = evaluate_moves(f, y, 0.1)
    check_against_twin(found, f, y, 0.1)
    assert (found.n, found.mean_move, found.has_intervals) == (400, 0.1, False)
    assert found.r2.figure.interval is None


def test_intervals_are_those_of_rows_that_are_repeated(monkeypatch):
    f, y = moves(150, 2)
    rows = np.sort(np.random.default_rng(0).choice(400, 150, replace=False))
    (weights,) = resamples(rows, 30, 1)
    monkeypatch.setattr("labelsearch.classifiers.moves.resamples", lambda *_: iter([weights]))
    found = evaluate_moves(f, y, -0.2, (rows, 30))
    again = np.repeat(np.arange(150), weights.astype(int))
    plain = evaluate_moves(f[again], y[again], -0.2)
    check_against_twin(plain, f[again], y[again], -0.2)
    for name in ("mean_absolute_error", "r2", "rank_correlation", "sign_accuracy"):
        for part in ("figure", "gain"):
            value = getattr(getattr(plain, name), part).value
            assert getattr(getattr(found, name), part).interval == pytest.approx((value, value), rel=1e-9)


def test_what_is_undefined_is_none():
    constant = evaluate_moves(np.full(30, 0.5, dtype=np.float32), np.linspace(-1, 2, 30), 0.5, (np.arange(30), 5))
    assert constant.rank_correlation.figure == type(constant.rank_correlation.figure)(None, None)
    assert constant.r2.figure.value == pytest.approx(0.0, abs=1e-6)
    still = evaluate_moves(np.zeros(9, dtype=np.float32), np.zeros(9), 0.0)
    assert still.sign_accuracy.figure.value is None
    assert still.r2.figure.value is None
    empty = evaluate_moves(np.empty(0, dtype=np.float32), np.empty(0), 0.0, (np.empty(0, dtype=np.int64), 5))
    assert (empty.n, empty.mean_absolute_error.figure.value, empty.has_intervals) == (0, None, False)


def planted(n: int, seed: int, *, noise: float = 1.0, signal: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Four features, the first and the second of which move the target; errors are shared by ten rows."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, F)).astype(np.float32)
    y = signal * (x[:, 0] + np.abs(x[:, 1]) - 0.5) + noise * np.repeat(rng.normal(0, 1, -(-n // 10)), 10)[:n]
    return x, np.clip(y, -3, 3)


def samples(x: np.ndarray, y: np.ndarray) -> Samples:
    return Samples(torch.from_numpy(x), torch.from_numpy(y.astype(np.float32)), torch.ones(len(y)))


@pytest.mark.parametrize("loss", LOSSES[1:3], ids=lambda loss: loss.name)
def test_a_planted_move_is_learnt_and_noise_is_not(loss):
    settings, found = replace(SETTINGS, n_trials=1, max_epochs=6, magnitude=loss, n_seeds=2), {}
    for signal in (1.0, 0.0):
        x, y = planted(6000, 1, signal=signal)
        trained = train_network(samples(x[:4000], y[:4000]), samples(x[4000:5000], y[4000:5000]), settings)
        assert trained.validation_loss == weighted_loss(trained.network, samples(x[4000:5000], y[4000:5000]), loss.rows)
        assert loss.name in trained.study.objective
        f = predict(trained.network, x[5000:])[:, 0]
        found[signal] = evaluate_moves(f, y[5000:], float(y[:4000].mean()), (np.arange(1000), 20))
    for name in ("mean_absolute_error", "r2", "rank_correlation", "sign_accuracy"):
        assert getattr(found[1.0], name).gain.interval[0] > 0, name  # better than the mean
    assert found[1.0].rank_correlation.figure.value > 0.4
    assert found[0.0].rank_correlation.figure.interval[0] < 0 < found[0.0].rank_correlation.figure.interval[1]
    assert found[0.0].r2.figure.value < 0.01


def test_training_repeats_bit_by_bit():
    x, y = planted(900, 4)
    parts = samples(x[:700], y[:700]), samples(x[700:], y[700:])
    short = replace(SETTINGS, max_epochs=2, n_trials=1)
    one, two = train_network(*parts, short), train_network(*parts, short)
    assert predict(one.network, x).tobytes() == predict(two.network, x).tobytes()
    other = train_network(*parts, replace(short, magnitude=MagnitudeLoss("squared", 2.0)))
    assert predict(one.network, x).tobytes() != predict(other.network, x).tobytes()


def test_moves_weigh_the_same_in_every_market_and_samples_are_unbiased():
    rng = np.random.default_rng(0)
    price = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 6000)))
    label = Magnitude(horizon=4, span=100).values(price, 1.0)
    rows = np.flatnonzero(label.settled)
    matrix = rng.normal(0, 1, (6000, 3)).astype(np.float32)
    y = -3 * label.value
    made = make_samples(matrix, label, rows, 500, rng, head="magnitude")
    assert made.target.dtype == torch.float32
    assert len(made.target) < 3000  # action bars, and 500 others
    assert set(made.target.tolist()) <= set(y.astype(np.float32).tolist())
    assert made.weights.sum().item() == pytest.approx(len(made.target), rel=1e-6)
    for power in (1, 2):
        weighed = np.average(made.target.numpy() ** power, weights=made.weights.numpy())
        assert weighed == pytest.approx((y[rows] ** power).mean(), abs=0.05)
    few = thinned(made, 400, rng)
    assert len(few.target) == 400
    assert few.weights.sum().item() == pytest.approx(400, rel=0.15)
    both = joined_samples([made, few])
    first, second = both.weights[: len(made.target)].sum(), both.weights[len(made.target) :].sum()
    assert first.item() == pytest.approx(second.item(), rel=1e-5)


def options_of(name: str) -> dict[str, int]:
    widths = {"width": 8} if any(its.name == "width" for its in NETWORKS[name].ranges) else {}
    return ({"window": 4} if NETWORKS[name].windowed else {}) | widths


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_predicts_a_move_with_the_same_bits_alone_and_from_files(name, tmp_path):
    members = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        members.append(build_network(name, F, "magnitude", **options_of(name)).eval())
    matrix = np.random.default_rng(0).normal(0, 1, (90, F)).astype(np.float32)
    for network in (members[0], averaged(members, "magnitude")):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        whole = predict(network, matrix)
        assert whole.shape == (90, 1)
        assert predict(network, matrix, np.array([17, 3])).tobytes() == whole[[17, 3]].tobytes()
        assert predict(network, matrix, np.empty(0, dtype=np.int64)).shape == (0, 1)
        save_network(network, name, options_of(name), F, folder, "magnitude")
        assert json.loads((folder / "network.json").read_text())["head"] == "magnitude"
        assert predict(load_network(folder), matrix).tobytes() == whole.tobytes()
        predictor = load_predictor(folder)
        assert predictor.head == "magnitude"
        got = np.concatenate([predictor.outputs(matrix, np.array([t]), 0) for t in (5, 88)])
        assert got.tobytes() == strategy_outputs(whole)[[5, 88]].tobytes()
        with torch.no_grad():
            windows = Windows(torch.from_numpy(matrix), torch.arange(90), 4).gather()
            x = windows if NETWORKS[name].windowed else torch.from_numpy(matrix)
            wanted = network(x)
        np.testing.assert_allclose(whole, wanted, rtol=1e-4, atol=1e-5)
    mean = (predict(members[0], matrix) + predict(members[1], matrix)) / 2
    np.testing.assert_allclose(whole, mean, rtol=1e-4, atol=1e-5)


def test_strategies_see_a_third_of_the_move():
    f = np.array([[-4.0], [-3.0], [0.0], [1.5], [3.3]], dtype=np.float32)
    assert strategy_outputs(f).tolist() == [[-1], [-1], [0], [0.5], [1]]
    p = np.array([[0.5, 0.3, 0.2]], dtype=np.float32)
    assert strategy_outputs(p).tobytes() == p[:, [0, 2]].tobytes()


def test_files_of_another_head_are_refused(tmp_path):
    save_network(build_network("mlp", F, width=8), "mlp", {"width": 8}, F, tmp_path, "magnitude")
    with pytest.raises(ValueError, match="weights of 3 outputs are not those of the head"):
        load_predictor(tmp_path)
    gru = tmp_path / "gru"
    gru.mkdir()
    save_network(build_network("gru", F, "magnitude", window=3), "gru", {"window": 3}, F, gru)
    with pytest.raises(ValueError, match="weights are not those of the network"):
        load_predictor(gru)


@pytest.mark.parametrize("name", ["mlp", "gru"])
def test_shapley_values_of_a_move_add_up(name):
    torch.manual_seed(0)
    network = averaged([build_network(name, F, "magnitude", **options_of(name)) for _ in range(2)], "magnitude")
    x = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (20, *((4,) if name == "gru" else ()), F))).float()
    background, rows = x[:8], x[8:14]
    values, _ = shap_values(network, background.numpy(), rows.numpy())
    assert values.shape == (6, F, 1)
    with torch.no_grad():
        base, wanted = network(background).mean(0), network(rows)
    np.testing.assert_allclose(base.numpy() + values.sum(axis=1), wanted, atol=1e-4)


@pytest.mark.slow  # as test_onnx shows of classes, in the same file format
def test_another_program_reads_the_same(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = averaged([build_network("mlp", 5, "magnitude", width=8).eval() for _ in range(2)], "magnitude")
    write_onnx(network, 5, tmp_path / "c.onnx", "magnitude")
    matrix = np.random.default_rng(0).normal(0, 1, (30, 5)).astype(np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "c.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(["move"], {"features": matrix})
    np.testing.assert_allclose(got, predict(network, matrix), atol=2e-6)


def with_head(n_features: int, width: int, n_outputs: int = 3) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(n_features, width), torch.nn.Linear(width, n_outputs))


def without_head(n_features: int, width: int) -> torch.nn.Module:
    return with_head(n_features, width)


def wrong_head(n_features: int, width: int, n_outputs: int = 3) -> torch.nn.Module:
    return with_head(n_features, width)


def test_networks_of_your_own_may_have_one_output(registries):
    row = NetworkKind("rows", "two layers", with_head, False, (Choice("width", (4, 8)),), origin="a")
    prove_network(row)
    NETWORKS["rows"] = row
    assert predict(build_network("rows", F, "magnitude", width=4), np.zeros((2, F), dtype=np.float32)).shape == (2, 1)
    with pytest.raises(NetworkError, match=r"n_outputs=1.*must map features"):
        prove_network(replace(row, build=wrong_head))
    NETWORKS["rows"] = replace(row, build=without_head)
    prove_network(NETWORKS["rows"])
    with pytest.raises(NetworkError, match=r"^kind = rows: its builder has no argument n_outputs"):
        build_network("rows", F, "magnitude", width=4)
