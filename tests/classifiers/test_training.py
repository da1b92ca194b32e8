"""Networks: what they learn, what they do not, and that they repeat bit by bit."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from labelsearch.classifiers import prediction, training
from labelsearch.classifiers.dataset import Samples, Windows, thinned
from labelsearch.classifiers.draws import distributions
from labelsearch.classifiers.explain import shap_values
from labelsearch.classifiers.files import load_network, save_network
from labelsearch.classifiers.fitting import Fit, TrainingSettings, weighted_loss
from labelsearch.classifiers.hyperband import brackets, epochs_of_trials
from labelsearch.classifiers.losses import cross_entropy
from labelsearch.classifiers.networks import build_network
from labelsearch.classifiers.prediction import predict
from labelsearch.classifiers.threads import one_thread
from labelsearch.classifiers.training import train_network

SETTINGS = TrainingSettings(
    network="mlp", n_trials=2, search_rows=9999, max_epochs=3, batch_size=128, seed=3,
    device="cpu", window=32, loss="cross_entropy",
    n_seeds=1,
)  # fmt: skip


def make_problem(n: int, seed: int, *, planted: bool) -> Samples:
    """Four features; planted: the first decides the class up to some noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 4)).astype(np.float32)
    signal = (x[:, 0] if planted else rng.uniform(-1, 1, n)) + rng.normal(0, 0.1, n)
    classes = np.where(signal < -0.4, 0, np.where(signal > 0.4, 2, 1))
    weights = np.ones(n, dtype=np.float32)
    return Samples(torch.from_numpy(x), torch.from_numpy(classes), torch.from_numpy(weights))


@pytest.fixture(scope="module")
def trained():
    return train_network(make_problem(1500, 0, planted=True), make_problem(500, 1, planted=True), SETTINGS)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return build_network("mlp", 4, width=16, depth=2, dropout=0.2)


def auc(trained, *, planted: bool) -> float:
    """Buy against the rest, on samples of their own."""
    test = make_problem(1500, 2, planted=planted)
    return roc_auc_score(test.target.numpy() == 0, predict(trained.network, test.features.numpy())[:, 0])


def test_learns_what_is_planted(trained):
    assert auc(trained, planted=True) > 0.95
    assert trained.validation_loss < 0.8 * np.log(3)


def test_finds_nothing_in_noise():
    got = train_network(
        make_problem(1500, 0, planted=False), make_problem(500, 1, planted=False), replace(SETTINGS, n_trials=1)
    )
    assert abs(auc(got, planted=False) - 0.5) < 0.06
    assert got.validation_loss > 0.95 * np.log(3)


def test_same_seed_same_bits(trained):
    """Whatever the threads and the state of the global generator."""
    threads = torch.get_num_threads()
    torch.manual_seed(123)
    torch.set_num_threads(2)
    try:
        again = train_network(make_problem(1500, 0, planted=True), make_problem(500, 1, planted=True), SETTINGS)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert again.losses == trained.losses
    assert again.trials == trained.trials
    assert again.options == trained.options
    for name, tensor in trained.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name])


def test_another_seed_is_another_network(trained):
    other = train_network(
        make_problem(1500, 0, planted=True), make_problem(500, 1, planted=True), replace(SETTINGS, seed=4, n_trials=1)
    )
    assert other.trials[0] != trained.trials[0]


def test_the_record_of_a_search(trained):
    validation = make_problem(500, 1, planted=True)
    assert len(trained.trials) == 2
    assert [t.number for t in trained.trials] == [0, 1]
    assert {t.state for t in trained.trials} <= {"COMPLETE", "PRUNED"}
    assert min(t.best for t in trained.trials) == trained.validation_loss == min(trained.losses)
    assert weighted_loss(trained.network, validation) == trained.validation_loss  # the best epoch's weights
    best = min(trained.trials, key=lambda t: t.best)
    assert {k: best.parameters[k] for k in trained.options} == trained.options
    assert not trained.network.training
    json.dumps([asdict(trial) for trial in trained.trials])
    study = trained.study
    assert (study.direction, study.n_trials, study.seed) == ("MINIMIZE", 2, 3)
    assert json.loads(study.sampler)["class"] == "TPESampler"
    assert json.loads(study.pruner)["arguments"]["brackets"] == [{"trials": 2, "epochs": [3]}]
    ranges = distributions("mlp", best.parameters)
    assert list(ranges) == ["width", "depth", "dropout", "learning_rate", "weight_decay"]
    assert ranges["width"].choices == (32, 64, 128)


def test_the_best_epoch_counts_not_the_last():
    train, validation = make_problem(150, 0, planted=False), make_problem(500, 1, planted=False)
    settings = replace(SETTINGS, n_trials=1, max_epochs=12, batch_size=16)
    got = train_network(train, validation, settings)
    assert got.losses[-1] > min(got.losses)  # overfitted noise
    assert weighted_loss(got.network, validation) == min(got.losses)


def test_trials_see_a_part_and_the_winner_all():
    """The network is the one of the best trial's hyper-parameters and seed, fitted on every sample."""
    train, validation = make_problem(1500, 0, planted=True), make_problem(500, 1, planted=True)
    settings = replace(SETTINGS, search_rows=300)
    told = []
    got = train_network(train, validation, settings, told.append)
    assert sum(told) == (settings.n_trials + 1) * settings.max_epochs
    rng = np.random.default_rng(settings.seed)
    few = [thinned(samples, 300, rng) for samples in (train, validation)]
    assert got.trials == train_network(*few, replace(settings, search_rows=9999)).trials
    best = min(got.trials, key=lambda trial: trial.best)
    optimiser = {name: best.parameters[name] for name in ("learning_rate", "weight_decay")}
    seed = settings.seed * 1000 + best.number
    with one_thread():
        fit = Fit(train, validation, settings, got.options, optimiser, seed)
        fit.advance(settings.max_epochs)
    assert got.losses == tuple(fit.losses)
    assert got.validation_loss == min(fit.losses)
    for name, tensor in fit.best().state_dict().items():
        assert torch.equal(tensor, got.network.state_dict()[name])


@pytest.mark.parametrize(
    ("network", "options"), [("mlp", {"width": 8, "depth": 2, "dropout": 0.3}),
                             ("lstm", {"width": 4, "depth": 2, "dropout": 0.3, "window": 3})]
)  # fmt: skip
def test_a_training_that_goes_on_has_the_same_bits(network, options):
    """Also with others at work in between, and with dropout of torch's own."""

    def data(n, seed):
        samples = make_problem(n, seed, planted=True)
        if network == "mlp":
            return samples
        return samples._replace(features=Windows(samples.features, torch.arange(n), 3))

    def fit(seed):
        settings = replace(SETTINGS, network=network)
        optimiser = {"learning_rate": 1e-2, "weight_decay": 1e-2}
        return Fit(data(400, 0), data(100, 1), settings, options, optimiser, seed)

    with one_thread():
        whole = fit(5)
        whole.advance(4)
        parts, other = fit(5), fit(6)
        for epochs in (1, 3, 4):
            parts.advance(epochs)
            other.advance(epochs)
    assert parts.losses == whole.losses
    assert len(whole.losses) == 4
    assert other.losses != whole.losses
    for one, two in zip(parts.best().parameters(), whole.best().parameters(), strict=True):
        assert torch.equal(one, two)


def test_hyperband_ends_the_worse_two_thirds():
    assert brackets(17, 9) == [(9, [1, 3, 9]), (5, [3, 9]), (3, [9])]
    assert brackets(22, 9)[3:] == [(5, [3, 9])]
    assert brackets(9, 9) == [(9, [1, 3, 9])]
    assert brackets(4, 9) == [(3, [9]), (1, [9])]
    assert brackets(2, 6) == [(2, [6])]
    assert brackets(2, 1) == [(1, [1]), (1, [1])]
    assert brackets(27, 27)[0] == (27, [1, 3, 9, 27])
    data = make_problem(300, 0, planted=True), make_problem(100, 1, planted=True)
    told = []
    got = train_network(*data, replace(SETTINGS, n_trials=9, max_epochs=9), told.append)
    assert sum(told) == 81
    epochs = sorted(len(trial.losses) for trial in got.trials)
    assert sum(epochs) == epochs_of_trials(9, 9)
    assert epochs == [1] * 6 + [3] * 2 + [9]
    first = sorted(got.trials, key=lambda trial: trial.losses[0])
    assert {trial.number for trial in first[:3]} == {t.number for t in got.trials if len(t.losses) >= 3}
    assert [t.state for t in got.trials if len(t.losses) == 9] == ["COMPLETE"]
    assert {t.state for t in got.trials if len(t.losses) < 9} == {"PRUNED"}


@pytest.mark.parametrize(("batch", "n", "wanted"), [(4096, 200_000, 1024), (4096, 50_000, 4096), (4096, 20_000, 4096),
                                                    (4096, 1_000_000, 512), (128, 200_000, 128)])  # fmt: skip
def test_batches_of_trials(batch, n, wanted):
    settings = replace(SETTINGS, search_rows=50_000, batch_size=batch)
    assert training._of_trials(settings, n).batch_size == wanted


def test_no_trials_are_refused():
    data = make_problem(20, 0, planted=True)
    with pytest.raises(ValueError, match="at least one trial"):
        train_network(data, data, replace(SETTINGS, n_trials=0))


def test_weighted_loss_by_hand():
    network = nn.Linear(1, 3)
    nn.init.zeros_(network.weight)
    network.bias.data = torch.log(torch.tensor([0.5, 0.25, 0.25]))
    samples = Samples(torch.zeros(3, 1), torch.tensor([0, 1, 2]), torch.tensor([1.0, 2.0, 5.0]))
    wanted = (np.log(2) + 7 * np.log(4)) / 8
    assert weighted_loss(network, samples) == pytest.approx(wanted, rel=1e-6)
    loss = cross_entropy(network(samples.features), samples.target, samples.weights)
    assert loss.item() == pytest.approx(wanted * 8 / 3, rel=1e-6)  # mean over samples


def test_a_row_does_not_depend_on_what_follows(tiny, monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 4)).astype(np.float32)
    monkeypatch.setattr(prediction, "CHUNK", 256)
    whole = predict(tiny, x)
    for stop in (1, 2, 255, 256, 257, 511, 599):
        assert predict(tiny, x[:stop]).tobytes() == whole[:stop].tobytes()
    other = x.copy()
    other[300:] = rng.uniform(-9, 9, (300, 4))
    other[400] = np.nan
    assert predict(tiny, other)[:300].tobytes() == whole[:300].tobytes()
    assert predict(tiny, x[:0]).shape == (0, 3)


def test_full_chunks_too(tiny):
    x = np.random.default_rng(0).uniform(-1, 1, (prediction.CHUNK + 3, 4)).astype(np.float32)
    whole = predict(tiny, x)
    for stop in (1, 1000, prediction.CHUNK, prediction.CHUNK + 1):
        assert predict(tiny, x[:stop]).tobytes() == whole[:stop].tobytes()


def test_threads_change_nothing(tiny):
    x = np.random.default_rng(0).uniform(-1, 1, (3000, 4)).astype(np.float32)
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(predict(tiny, x).tobytes())
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert results[0] == results[1]


def test_probabilities_by_hand(tiny):
    """Softmax of the layers, written out; dropout is off."""
    x = np.random.default_rng(0).uniform(-1, 1, (50, 4)).astype(np.float32)
    tiny.train()
    got = predict(tiny, x)
    h = x.astype(float)
    layers = [m for m in tiny if isinstance(m, nn.Linear)]
    for i, layer in enumerate(layers):
        h = h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        h = np.maximum(h, 0) if i < len(layers) - 1 else h
    p = np.exp(h) / np.exp(h).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(got, p, rtol=1e-5)
    np.testing.assert_allclose(got.sum(axis=1), 1, rtol=1e-6)


def test_networks():
    assert [type(m).__name__ for m in build_network("mlp", 4, width=8, depth=1)] == ["Linear", "ReLU", "Linear"]
    deep = build_network("mlp", 4, width=8, depth=3, dropout=0.1)
    assert sum(isinstance(m, nn.Dropout) for m in deep) == 3
    assert deep(torch.zeros(5, 4)).shape == (5, 3)
    with pytest.raises(ValueError, match="unknown network 'cnn'; known are mlp, linear, lstm"):
        build_network("cnn", 4)


def test_files_round_trip(trained, tmp_path):
    save_network(trained.network, trained.kind, trained.options, 4, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["network.json", "weights.safetensors"]
    loaded = load_network(tmp_path)
    assert not loaded.training
    x = make_problem(300, 5, planted=True).features.numpy()
    assert predict(loaded, x).tobytes() == predict(trained.network, x).tobytes()
    description = json.loads((tmp_path / "network.json").read_text())
    assert description == {"kind": "mlp", "n_features": 4, "options": trained.options}


def assert_additive(network, values, background, rows):
    with torch.no_grad():
        at, base = network(torch.from_numpy(rows)).numpy(), network(torch.from_numpy(background)).numpy()
    np.testing.assert_allclose(values.sum(axis=1), at - base.mean(axis=0), atol=1e-4)


def test_shapley_values_add_up(trained):
    x = make_problem(60, 6, planted=True).features.numpy()
    background, rows = x[:40], x[40:]
    values, explainer = shap_values(trained.network, background, rows)
    assert explainer == "deep"
    assert values.shape == (20, 4, 3)
    assert_additive(trained.network, values, background, rows)
    assert np.abs(values).mean(axis=(0, 2)).argmax() == 0  # the planted feature


def test_averaged_seeds_begin_with_the_best_network_and_repeat(trained):
    data = make_problem(1500, 0, planted=True), make_problem(500, 1, planted=True)
    settings = replace(SETTINGS, n_seeds=3)
    told: list[int] = []
    one, two = train_network(*data, settings, told.append), train_network(*data, settings)
    assert sum(told) == (settings.n_trials + 2) * settings.max_epochs
    x = make_problem(300, 5, planted=True).features.numpy()
    assert predict(one.network, x).tobytes() == predict(two.network, x).tobytes()
    first, *others = one.network.members
    assert predict(first, x).tobytes() == predict(trained.network, x).tobytes()
    states = [torch.nn.utils.parameters_to_vector(m.parameters()) for m in others]
    assert not torch.equal(*states)
    assert one.trials == trained.trials
    assert one.losses == trained.losses
    assert one.validation_loss == weighted_loss(one.network, data[1])


def test_a_random_loss_learns_too_and_repeats():
    data = make_problem(1500, 0, planted=True), make_problem(500, 1, planted=True)
    settings = replace(SETTINGS, n_trials=1, loss="ensloss", max_epochs=6)
    one, two = train_network(*data, settings), train_network(*data, settings)
    assert one.losses == two.losses
    assert auc(one, planted=True) > 0.95
    assert one.losses != train_network(*data, replace(settings, loss="cross_entropy")).losses
