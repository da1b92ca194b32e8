"""One contract for every network by name."""

from dataclasses import replace

import numpy as np
import optuna
import pytest
import torch
from torch import nn

from labelsearch.classifiers import prediction
from labelsearch.classifiers.dataset import Batches, Samples, Windows
from labelsearch.classifiers.draws import suggest_options
from labelsearch.classifiers.explain import shap_values
from labelsearch.classifiers.files import load_network, save_network
from labelsearch.classifiers.fitting import TrainingSettings
from labelsearch.classifiers.kinds import NETWORKS
from labelsearch.classifiers.networks import Ensemble, build_network, positions, window_of
from labelsearch.classifiers.prediction import predict
from labelsearch.classifiers.training import train_network

F, L, T = 5, 12, 300


def options_of(name: str) -> dict:
    small = {k: v for k, v in {"width": 8, "dropout": 0.2}.items() if k in {its.name for its in NETWORKS[name].ranges}}
    return {"window": L, **small} if NETWORKS[name].windowed else small


def build(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(name, F, **options_of(name)).eval()


@pytest.fixture(scope="module")
def matrix():
    return np.random.default_rng(0).uniform(-1, 1, (T, F)).astype(np.float32)


@pytest.fixture(params=NETWORKS)
def name(request):
    return request.param


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(prediction, "CHUNK", 64)
    monkeypatch.setattr(prediction, "CHUNK_BARS", 64 * L)


def inputs(network: nn.Module, n: int) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn((n, F) if window_of(network) == 1 else (n, L, F))


def test_shape(name):
    network = build(name)
    assert network(inputs(network, 7)).shape == (7, 3)
    assert window_of(network) == (L if NETWORKS[name].windowed else 1)


def test_the_gradient_reaches_every_parameter(name):
    network = build(name)
    x = inputs(network, 64).requires_grad_()
    nn.functional.cross_entropy(network(x), torch.arange(64) % 3).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad.abs().sum() > 0, key
    assert (x.grad.abs().sum(dim=(0, 2)) > 0).all() if x.ndim == 3 else True  # every bar of the window matters


def test_each_activation_is_a_module_used_once(name):
    calls = {}
    network = build(name).train()  # inference of the encoder is fused
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda m, *_: calls.__setitem__(id(m), calls.get(id(m), 0) + 1))
    network(inputs(network, 4))
    assert set(calls.values()) <= {1}
    assert len(calls) == {"mlp": 2, "tcn": 3, "transformer": 1, "concat": 4, "stacked": 3}.get(name, 0)


def test_causal_within_the_window_bit_by_bit(name, matrix, small_chunks):
    network = build(name)
    whole = predict(network, matrix)
    first = window_of(network) - 1
    for t in (0, 3, first, 63, 64, 150, T - 1):
        other = np.random.default_rng(t).normal(0, 3, (T, F)).astype(np.float32)
        kept = slice(max(t - first, 0), t + 1)
        other[kept] = matrix[kept]
        if t < first:  # the rows before count as copies of the first
            assert kept.start == 0
        assert predict(network, other)[t].tobytes() == whole[t].tobytes()
        for back in {0, first}:
            changed = matrix.copy()
            changed[max(t - back, 0)] += 1
            assert predict(network, changed)[t].tobytes() != whole[t].tobytes()


def test_what_follows_and_where_it_is_cut_change_nothing(name, matrix, small_chunks):
    network = build(name)
    whole = predict(network, matrix)
    for stop in (1, 2, 63, 64, 65, 200, T - 1):
        assert predict(network, matrix[:stop]).tobytes() == whole[:stop].tobytes()
    broken = matrix.copy()
    broken[200:] = np.nan
    assert predict(network, broken)[:200].tobytes() == whole[:200].tobytes()
    assert predict(network, matrix[:0]).shape == (0, 3)
    rows = np.array([5, 299, 7, 100])
    assert predict(network, matrix, rows).tobytes() == whole[rows].tobytes()
    np.testing.assert_allclose(whole.sum(axis=1), 1, rtol=1e-6)


def test_one_bar_at_a_time_has_the_bits_of_all(name, matrix, small_chunks):
    """From the bars of its window alone, given the number of the first of them."""
    network = build(name)
    whole = predict(network, matrix)
    window = window_of(network)
    for t in (window - 1, 64, 100, 131, T - 1):
        first = t - window + 1
        alone = predict(network, matrix[first : t + 1], np.array([window - 1]), origin=first)
        assert alone.tobytes() == whole[t].tobytes()


def test_chunks_of_another_size(name, matrix, monkeypatch):
    """Matrix products of another size may round the last bit otherwise, no more."""
    network = build(name)
    whole = predict(network, matrix)
    monkeypatch.setattr(prediction, "CHUNK", 50)
    monkeypatch.setattr(prediction, "CHUNK_BARS", 50 * L)
    np.testing.assert_allclose(predict(network, matrix), whole, rtol=1e-5)


def test_prediction_is_the_network_on_hand_cut_windows(name, matrix):
    network = build(name)
    padded = np.concatenate([np.repeat(matrix[:1], L - 1, axis=0), matrix])
    windows = np.stack([padded[t : t + L] for t in range(T)]) if NETWORKS[name].windowed else matrix
    with torch.no_grad():
        wanted = torch.softmax(network(torch.from_numpy(windows)), 1).numpy()
    np.testing.assert_allclose(predict(network, matrix), wanted, rtol=1e-5)


def test_the_seed_decides(name):
    one, same, other = (nn.utils.parameters_to_vector(build(name, seed).parameters()) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("several", [False, True])
def test_files_round_trip(name, several, matrix, tmp_path):
    network = Ensemble([build(name, 0), build(name, 1)], 1.3).eval() if several else build(name)
    save_network(network, name, options_of(name), F, tmp_path)
    weights = {"weights_0.safetensors", "weights_1.safetensors"} if several else {"weights.safetensors"}
    assert {p.name for p in tmp_path.iterdir()} == {"network.json", *weights}
    assert predict(load_network(tmp_path), matrix).tobytes() == predict(network, matrix).tobytes()


def test_ensembles_average_probabilities(name, matrix):
    members = [build(name, seed) for seed in range(3)]
    mean = np.mean([predict(m, matrix) for m in members], axis=0)
    np.testing.assert_allclose(predict(Ensemble(members), matrix), mean, rtol=1e-5)
    sharp = mean**2
    np.testing.assert_allclose(
        predict(Ensemble(members, 0.5), matrix), sharp / sharp.sum(axis=1, keepdims=True), rtol=1e-5
    )


def test_every_suggestion_can_be_built(name):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(10):
        options = suggest_options(study.ask(), NETWORKS[name])
        network = build_network(name, F, **options_of(name) | options)
        assert window_of(network) == (L if NETWORKS[name].windowed else 1)


def moving_average_problem(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The class is the sign of the sum of one feature over four bars, which one bar alone hardly tells."""
    x = np.random.default_rng(seed).uniform(-1, 1, (n, 2)).astype(np.float32)
    total = np.convolve(x[:, 0], np.ones(4))[:n]
    return x, np.where(total < -0.5, 0, np.where(total > 0.5, 2, 1)).astype(np.int64)


@pytest.mark.parametrize(
    "name",
    [
        n if n == "lstm" else pytest.param(n, marks=pytest.mark.slow)  # which all go the same way through training
        for n in NETWORKS
        if NETWORKS[n].windowed
    ],
)
def test_windows_are_learnt_and_training_repeats(name):
    x, y = moving_average_problem(2500, 0)
    rows = torch.arange(2500)
    weights = torch.ones(2500)
    parts = [
        Samples(Windows(torch.from_numpy(x), rows[s], 6), torch.from_numpy(y[s]), weights[s])
        for s in (slice(0, 2000), slice(2000, 2500))
    ]
    settings = TrainingSettings(
        network=name, window=6, n_trials=1, search_rows=9999, max_epochs=6, batch_size=64, seed=2,
        device="cpu", loss="cross_entropy",
        n_seeds=1,
    )  # fmt: skip
    got = train_network(*parts, settings)
    assert got.validation_loss < 0.6 * np.log(3)  # one bar alone leaves more than 0.85 of it
    assert got.options["window"] == window_of(got.network) == 6
    short = replace(settings, max_epochs=1)
    one, two = train_network(*parts, short), train_network(*parts, short)
    assert predict(one.network, x).tobytes() == predict(two.network, x).tobytes()


def test_windows_share_the_matrix_and_are_gathered_late():
    matrix = torch.arange(40, dtype=torch.float32).view(20, 2)
    windows = Windows(matrix, torch.tensor([0, 2, 19]), 3)
    assert windows.shape == (3, 3, 2)
    assert windows[1:].matrix is matrix
    first, second, last = windows.gather()
    assert first[:, 0].tolist() == [0, 0, 0]
    assert second[:, 0].tolist() == [0, 2, 4]
    assert last[:, 0].tolist() == [34, 36, 38]
    samples = Samples(windows, torch.tensor([0, 1, 2]), torch.ones(3))
    for batch in Batches(samples, 2, seed=4):
        assert (batch.features[:, -1, 0] == torch.tensor([0.0, 4.0, 38.0])[batch.target]).all()


def test_positions_count_back_from_the_last_bar():
    long, short = positions(9, 6), positions(4, 6)
    assert torch.equal(long[-4:], short)
    assert short[-1].tolist() == [0, 1, 0, 1, 0, 1]
    assert long[-3, 0].item() == pytest.approx(np.sin(2))
    assert long[-3, 5].item() == pytest.approx(np.cos(2 / 10_000 ** (4 / 6)))


def test_shapley_values_of_windows_add_up():
    network = build("gru")
    background, rows = inputs(network, 10).numpy(), inputs(network, 14).numpy()[10:]
    values, explainer = shap_values(network, background, rows)
    assert explainer == "windows"
    assert values.shape == (4, F, 3)
    with torch.no_grad():
        at, base = network(torch.from_numpy(rows)).numpy(), network(torch.from_numpy(background)).numpy()
    np.testing.assert_allclose(values.sum(axis=1), at - base.mean(axis=0), atol=1e-5)


def test_shapley_values_of_an_ensemble_are_those_of_its_mean_logit():
    members = [build("mlp", seed) for seed in (0, 1)]
    x = inputs(members[0], 20).numpy()
    parts = [shap_values(m, x[:10], x[10:])[0] for m in members]
    values, explainer = shap_values(Ensemble(members, 2.0), x[:10], x[10:])
    assert explainer == "deep"
    np.testing.assert_allclose(values, (parts[0] + parts[1]) / 4, rtol=1e-12)
