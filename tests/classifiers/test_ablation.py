"""Ablation by shifts in time: strata, shifts, and the increase of the loss by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from labelsearch.classifiers.ablation import draw_shifts, shift_ablation, stratified_rows
from labelsearch.classifiers.networks import build_network
from labelsearch.classifiers.prediction import predict
from labelsearch.classifiers.scores import row_losses


def test_strata_are_equal_as_far_as_they_go():
    rng = np.random.default_rng(0)
    classes = np.repeat(np.array([1, 0, 2], dtype=np.int8), (900, 5, 95))
    rows = np.arange(0, 1000, 1)
    drawn, importance = stratified_rows(classes, rows, 90, rng)
    assert np.bincount(classes[drawn]).tolist() == [5, 42, 43]
    assert np.array_equal(drawn, np.unique(drawn))
    for c, n in ((0, 5), (1, 900), (2, 95)):
        assert importance[classes[drawn] == c].sum() == pytest.approx(n)
    assert np.bincount(classes[stratified_rows(classes, rows, 3, rng)[0]]).tolist() == [1, 1, 1]
    everything, ones = stratified_rows(classes, rows, 5000, rng)
    assert np.array_equal(everything, rows)
    assert (ones == 1).all()
    no_buys = rows[classes != 0]
    assert np.bincount(classes[stratified_rows(classes, no_buys, 30, rng)[0]]).tolist() == [0, 15, 15]
    assert len(stratified_rows(classes, rows[:0], 30, rng)[0]) == 0


@pytest.mark.parametrize(("smallest", "wanted"), [(60, 60), (10_000, 250), (0, 1)])
def test_shifts_keep_their_distance(smallest, wanted):
    shifts = draw_shifts(1000, smallest, 20_000, np.random.default_rng(1))
    assert np.abs(shifts).min() == wanted
    assert np.abs(shifts).max() == 500
    assert abs((shifts > 0).mean() - 0.5) < 0.02


class Reader(nn.Module):
    """Logits from feature 1 alone: buy where it is low, sell where it is high."""

    def forward(self, x):
        return torch.stack([-8 * x[:, 1] - 4, 0 * x[:, 1], 8 * x[:, 1] - 4], dim=1)


@pytest.fixture(scope="module")
def market():
    """A slow feature 1 that decides the class, between two that do not."""
    rng = np.random.default_rng(3)
    matrix = rng.uniform(-1, 1, (3000, 3)).astype(np.float32)
    matrix[:, 1] = np.sin(np.cumsum(rng.normal(0.05, 0.1, 3000)))
    return matrix, np.digitize(matrix[:, 1], (-0.5, 0.5)).astype(np.int8)


def test_only_the_feature_that_is_read_counts(market):
    matrix, classes = market
    rows = np.arange(1000, 3000, 7)
    shifts = np.array([300, -700, 900])
    span = slice(1000, 3000)
    before = matrix.copy()
    loss, increase = shift_ablation(
        Reader(), matrix, span, rows, classes[rows], np.ones(rows.size), [[0], [1], [2], [0, 2], [0, 1]], shifts
    )
    assert np.array_equal(matrix, before)
    assert (increase[[0, 2, 3]] == 0).all()
    assert (increase[1] > 0.5).all()
    assert np.array_equal(increase[1], increase[4])
    assert loss == pytest.approx(row_losses(predict(Reader(), matrix, rows), classes[rows]).mean())


def test_the_increase_by_hand_with_windows_and_weights(market):
    """The shift goes round within the span; windows of its first rows reach back to bars that stay."""
    matrix, classes = market
    torch.manual_seed(0)
    network = build_network("gru", 3, window=6, width=8).eval()
    rows = np.arange(2000, 2400)
    weights = np.random.default_rng(0).random(rows.size)
    changed = matrix.copy()
    for k in range(500):
        changed[2000 + (k + 130) % 500, [0, 1]] = matrix[2000 + k, [0, 1]]
    losses = [row_losses(predict(network, m, rows), classes[rows]) for m in (matrix, changed)]
    wanted = [np.average(loss, weights=weights) for loss in losses]
    loss, increase = shift_ablation(
        network, matrix, slice(2000, 2500), rows, classes[rows], weights, [[0, 1]], np.array([130])
    )
    assert loss == pytest.approx(wanted[0], rel=1e-12)
    assert increase[0, 0] == pytest.approx(wanted[1] - wanted[0], rel=1e-9)
    assert increase[0, 0] != 0
