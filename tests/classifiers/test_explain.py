"""Shapley values of centred logits: they add up, find what is planted, and survive a failed check."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest
import torch

from labelsearch.classifiers import explain
from labelsearch.classifiers.explain import N_WINDOWS, background_size, explain_rows, shap_values
from labelsearch.classifiers.networks import Ensemble, build_network
from labelsearch.delivery.tables.explanation import EXPLAINERS

F = 5
BACKGROUND, ROWS = np.arange(80), np.arange(80, 140)


@pytest.fixture(scope="module")
def matrix():
    return np.random.default_rng(0).uniform(-1, 1, (140, F)).astype(np.float32)


def mlp(seed=0):
    torch.manual_seed(seed)
    network = build_network("mlp", F, width=16, depth=2, dropout=0.2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 2.0
    return network.eval()


def centred(network, matrix):
    with torch.no_grad():
        logits = network(torch.from_numpy(matrix)).double().numpy()
    return logits - logits.mean(axis=1, keepdims=True)


def test_values_and_base_add_up_to_the_centred_logits(matrix):
    network = mlp()
    got = explain_rows(network, matrix, BACKGROUND, ROWS)
    assert got.explainer == "deep"
    wanted = centred(network, matrix)
    np.testing.assert_allclose(got.base, wanted[BACKGROUND].mean(axis=0), atol=1e-6)
    sums = got.base + got.values.sum(axis=1)
    np.testing.assert_allclose(sums, wanted[ROWS], atol=1e-4)
    assert got.error == pytest.approx(np.abs(sums - wanted[ROWS]).max(), abs=1e-7)
    np.testing.assert_allclose(got.values.sum(axis=2), 0.0, atol=1e-12)


def exact_values(network, background, row):
    """Shapley values by their definition, over all sets of known features, (F, 3)."""
    worth = {}
    for size in range(F + 1):
        for known in combinations(range(F), size):
            mixed = background.copy()
            mixed[:, list(known)] = row[list(known)]
            worth[known] = centred(network, mixed).mean(axis=0)
    values = np.zeros((F, 3))
    for known, value in worth.items():
        for feature in set(range(F)) - set(known):
            gain = worth[tuple(sorted((*known, feature)))] - value
            values[feature] += gain * factorial(len(known)) * factorial(F - len(known) - 1) / factorial(F)
    return values


def test_values_are_approximate_and_said_to_be(matrix):
    """They order the features much as exact ones do, and are off by more than rounding."""
    network = mlp()
    got = explain_rows(network, matrix, BACKGROUND, ROWS[:20])
    exact = np.array([exact_values(network, matrix[BACKGROUND], matrix[row]) for row in ROWS[:20]])
    np.testing.assert_allclose(exact.sum(axis=1), got.values.sum(axis=1), atol=1e-4)
    error = np.abs(got.values - exact).max() / np.abs(exact).max()
    assert 0.01 < error < 0.4
    assert np.corrcoef(got.values.ravel(), exact.ravel())[0, 1] > 0.97
    assert "approximate" in EXPLAINERS[got.explainer]


def test_the_common_level_of_the_logits_does_not_matter(matrix):
    """It changes no probability, so it must change no explanation."""
    network, other = mlp(), mlp()
    with torch.no_grad():
        other[-1].weight += torch.randn(1, 16)
        other[-1].bias += 3.0
    assert np.abs(network(torch.from_numpy(matrix)).detach() - other(torch.from_numpy(matrix)).detach()).max() > 1
    a, b = (explain_rows(n, matrix, BACKGROUND, ROWS).values for n in (network, other))
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_an_ensemble_is_explained_by_its_mean_logit(matrix):
    members = [mlp(seed) for seed in range(3)]
    got = explain_rows(Ensemble(members, 1.6), matrix, BACKGROUND, ROWS)
    wanted = np.mean([centred(member, matrix) for member in members], axis=0) / 1.6
    np.testing.assert_allclose(got.base + got.values.sum(axis=1), wanted[ROWS], atol=1e-4)
    assert got.error < 1e-4
    assert got.explainer == "deep"


def test_values_are_those_of_each_row_by_itself(matrix, monkeypatch):
    """However many rows pass through the network at once, and no network is changed."""
    import shap

    network = mlp()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    got, _ = shap_values(network, matrix[BACKGROUND], matrix[ROWS])
    monkeypatch.setattr(explain, "N_AT_ONCE", 7 * len(BACKGROUND))
    in_parts, _ = shap_values(network, matrix[BACKGROUND], matrix[ROWS])
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    np.testing.assert_allclose(in_parts, got, atol=1e-5)
    few = torch.from_numpy(matrix[ROWS[::6]])
    wanted = shap.DeepExplainer(network, torch.from_numpy(matrix[BACKGROUND])).shap_values(few)
    np.testing.assert_allclose(got[::6], wanted, atol=1e-5)


class Gated(torch.nn.Module):
    """A product of two layers, through which differences cannot be passed on."""

    def __init__(self):
        super().__init__()
        self.one, self.two = torch.nn.Linear(F, 3), torch.nn.Linear(F, 3)

    def forward(self, x):
        return 3.0 * self.one(x) * self.two(x)


def test_where_the_check_fails_the_exact_explainer_takes_over(matrix):
    torch.manual_seed(0)
    network, gated = mlp(), Gated().eval()
    got = explain_rows(Ensemble([network, gated]), matrix, BACKGROUND, ROWS[:4])
    assert got.explainer == "deep and permutation"
    assert got.error < 1e-4
    exact = np.array([exact_values(gated, matrix[BACKGROUND], matrix[row]) for row in ROWS[:4]])
    alone = explain_rows(gated, matrix, BACKGROUND, ROWS[:4])
    assert alone.explainer == "permutation"
    # of products of two, any order and its reverse are exact
    np.testing.assert_allclose(alone.values, exact, atol=1e-4)


def test_windows(matrix):
    torch.manual_seed(0)
    network = build_network("tcn", F, window=4, width=8).eval()
    assert background_size(network) == N_WINDOWS < background_size(mlp())
    got = explain_rows(network, matrix, BACKGROUND + 4, ROWS[:6])
    assert got.explainer == "windows"
    assert got.error < 1e-5
    assert got.values.shape == (6, F, 3)
