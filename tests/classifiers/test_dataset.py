"""Sampling of rows, importance weights and batches."""

import numpy as np
import pytest
import torch

from labelsearch.classifiers.dataset import Batches, Samples, make_samples, sample_rows, thinned
from labelsearch.classifiers.loss_scaling import balance, loss_factors
from labelsearch.classifiers.losses import cross_entropy
from labelsearch.labels.kinds import LabelValues


@pytest.fixture(scope="module")
def label():
    value = np.clip(np.random.default_rng(0).normal(0, 0.3, 2000), -1, 1)
    classes = np.where(value > 0.5, 2, np.where(value < -0.5, 0, 1)).astype(np.int8)
    return LabelValues(value, classes, np.arange(2000))


@pytest.fixture(scope="module")
def rows():
    return np.flatnonzero(np.random.default_rng(1).random(2000) < 0.8)


def test_every_action_row_is_kept(label, rows):
    kept, importance = sample_rows(label.classes, rows, 100, np.random.default_rng(0))
    action = rows[label.classes[rows] != 1]
    neutral = rows[label.classes[rows] == 1]
    assert set(action) <= set(kept)
    assert set(kept) <= set(rows)
    assert (np.diff(kept) > 0).all()
    assert kept.size == action.size + 100
    is_action = label.classes[kept] != 1
    assert (importance[is_action] == 1).all()
    assert (importance[~is_action] == neutral.size / 100).all()


@pytest.mark.parametrize("n_neutral", [10_000, 0])
def test_all_or_no_neutral_rows(label, rows, n_neutral):
    kept, importance = sample_rows(label.classes, rows, n_neutral, np.random.default_rng(0))
    wanted = rows if n_neutral else rows[label.classes[rows] != 1]
    np.testing.assert_array_equal(kept, wanted)
    assert (importance == 1).all()


def z_score(estimates: np.ndarray, truth: float) -> float:
    return abs(estimates.mean() - truth) / (estimates.std(ddof=1) / np.sqrt(estimates.size))


def test_weighted_sums_are_unbiased(label, rows):
    """Over many draws the weighted sum of any figure has the mean of the full sum; unweighted it has not."""
    figure = np.cos(np.arange(2000)) + 5 * label.value**2 + 1
    truth = figure[rows].sum()
    weighted, plain, squares = [], [], []
    for seed in range(400):
        kept, importance = sample_rows(label.classes, rows, 60, np.random.default_rng(seed))
        weighted.append((figure[kept] * importance).sum())
        plain.append(figure[kept].sum() * rows.size / kept.size)
        squares.append((figure[kept] * importance**2).sum())
    assert z_score(np.array(weighted), truth) < 3
    assert z_score(np.array(plain), truth) > 6
    assert z_score(np.array(squares), truth) > 6


def test_samples(label, rows):
    matrix = np.random.default_rng(2).normal(size=(2000, 3)).astype(np.float32)
    factors = np.zeros(2000)
    factors[rows] = loss_factors(label.value[rows], label.classes[rows])
    means = []
    for seed in range(50):
        samples = make_samples(matrix, label, rows, 200, np.random.default_rng(seed))
        kept, importance = sample_rows(label.classes, rows, 200, np.random.default_rng(seed))
        np.testing.assert_array_equal(samples.features.numpy(), matrix[kept])
        np.testing.assert_array_equal(samples.target.numpy(), label.classes[kept])
        wanted = factors[kept] * importance * kept.size / rows.size
        np.testing.assert_allclose(samples.weights.numpy(), wanted, rtol=1e-6)
        means.append(float(samples.weights.mean()))
        action = samples.target != 1
        # a fair share: half of the weight is on action, up to the luck of the draw
        assert abs(float(samples.weights[action].sum() / samples.weights.sum()) - 0.5) < 0.02
    assert z_score(np.array(means), 1.0) < 3
    assert samples.features.dtype == samples.weights.dtype == torch.float32
    assert samples.target.dtype == torch.int64


def test_later_rows_on_the_fitted_balance(label):
    matrix = np.zeros((2000, 1), dtype=np.float32)
    fit, later = np.arange(1500), np.arange(1500, 2000)
    a = balance(label.value[fit], label.classes[fit])
    samples = make_samples(matrix, label, later, 10_000, np.random.default_rng(0), a)
    wanted = loss_factors(label.value[later], label.classes[later], a)
    np.testing.assert_allclose(samples.weights.numpy(), wanted, rtol=1e-6)
    # no action bar among the later ones is fine then
    calm = later[label.classes[later] == 1]
    assert make_samples(matrix, label, calm, 50, np.random.default_rng(0), a).weights.mean() > 0.9


def numbered(n: int) -> Samples:
    x = torch.arange(n, dtype=torch.float32)
    return Samples(x[:, None], torch.arange(n) % 3, x + 1)


@pytest.mark.parametrize("seed", [None, 0, 7])
@pytest.mark.parametrize(("n", "size"), [(10, 3), (9, 3), (5, 8), (1, 1)])
def test_an_epoch_covers_each_sample_once(n, size, seed):
    batches = Batches(numbered(n), size, seed)
    epochs = []
    for _ in range(3):
        parts = list(batches)
        assert len(parts) == len(batches) == -(-n // size)
        assert [len(p.target) for p in parts[:-1]] == [size] * (len(parts) - 1)
        order = torch.cat([p.features[:, 0] for p in parts])
        assert sorted(order.tolist()) == list(range(n))
        for p in parts:  # columns stay together
            assert (p.target == p.features[:, 0].long() % 3).all()
            assert (p.weights == p.features[:, 0] + 1).all()
        epochs.append(order.tolist())
    again = [torch.cat([p.features[:, 0] for p in b]).tolist() for b in [Batches(numbered(n), size, seed)]]
    assert again[0] == epochs[0]
    if seed is None:
        assert epochs[0] == list(range(n))
    elif n >= 9:
        assert epochs[0] != epochs[1]


@pytest.mark.slow
def test_the_sampled_loss_and_its_gradient_are_unbiased(label, rows):
    """Over many draws of neutral rows, the training loss of a fixed network and each part of its gradient have the
    mean of those over all rows; without importance weights they have not."""
    matrix = np.column_stack([label.value, np.sin(np.arange(2000)), np.ones(2000)]).astype(np.float32)
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 3)

    def loss_and_gradient(samples: Samples) -> np.ndarray:
        network.zero_grad()
        loss = cross_entropy(network(samples.features), samples.target, samples.weights)
        loss.backward()
        return np.r_[loss.item(), network.weight.grad.numpy().ravel()].astype(float)

    full = loss_and_gradient(make_samples(matrix, label, rows, 10_000, np.random.default_rng(0)))
    fair, unfair = [], []
    for seed in range(400):
        samples = make_samples(matrix, label, rows, 60, np.random.default_rng(seed))
        fair.append(loss_and_gradient(samples))
        kept, importance = sample_rows(label.classes, rows, 60, np.random.default_rng(seed))
        plain = samples.weights / torch.from_numpy(importance).float()
        unfair.append(loss_and_gradient(samples._replace(weights=plain * rows.size / kept.size)))
    # ten figures at once: a z-score beyond 3.5 has a chance of half a percent among them
    assert max(z_score(np.array(fair)[:, k], full[k]) for k in range(10)) < 3.5
    assert min(z_score(np.array(unfair)[:, k], full[k]) for k in range(10)) > 6


def test_windows_take_the_rows_and_weights_of_single_bars(label, rows):
    matrix = np.random.default_rng(2).normal(size=(2000, 3)).astype(np.float32)
    flat = make_samples(matrix, label, rows, 200, np.random.default_rng(0))
    windows = make_samples(matrix, label, rows, 200, np.random.default_rng(0), window=5)
    assert torch.equal(windows.features.gather()[:, -1], flat.features)
    assert torch.equal(windows.weights, flat.weights)
    assert torch.equal(windows.target, flat.target)
    assert np.shares_memory(windows.features.matrix.numpy(), matrix)


@pytest.mark.parametrize(("n", "n_action", "n_neutral"), [(200, 100, 100), (1000, 500, 500), (1400, 584, 816)])
def test_a_part_of_the_samples(label, rows, n, n_action, n_neutral):
    """Action rows fill half of it as far as they go, and sums over either kind stay unbiased."""
    samples = make_samples(np.arange(2000, dtype=np.float32)[:, None], label, rows, 10_000, np.random.default_rng(0))
    action = samples.target != 1
    size = {True: int(action.sum()), False: int((~action).sum())}
    wanted = {True: min(n_action, size[True]), False: n - min(n_action, size[True])}
    sums = []
    for seed in range(60):
        part = thinned(samples, n, np.random.default_rng(seed))
        acting = part.target != 1
        assert {True: int(acting.sum()), False: int((~acting).sum())} == wanted
        where = part.features[:, 0].numpy().astype(int)
        assert (np.diff(where) > 0).all()
        assert (part.target.numpy() == label.classes[where]).all()
        scale = len(samples.target) / len(part.target)
        sums.append([float(part.weights[acting].sum()) * scale, float(part.weights[~acting].sum()) * scale])
    whole = np.array([float(samples.weights[action].sum()), float(samples.weights[~action].sum())])
    error = np.std(sums, axis=0) / np.sqrt(60) + 1e-5 * whole
    assert (np.abs(np.mean(sums, axis=0) - whole) < 4 * error).all()


def test_samples_that_are_few_stay_as_they_are(label, rows):
    samples = make_samples(np.zeros((2000, 1), dtype=np.float32), label, rows, 10_000, np.random.default_rng(0))
    assert thinned(samples, len(samples.target), np.random.default_rng(0)) is samples


def test_a_part_of_windows_is_not_gathered(label, rows):
    matrix = np.arange(2000, dtype=np.float32)[:, None]
    samples = make_samples(matrix, label, rows, 10_000, np.random.default_rng(0), window=3)
    part = thinned(samples, 50, np.random.default_rng(1))
    assert part.features.shape == (50, 3, 1)
    assert part.features.matrix is samples.features.matrix
