"""Blocked resampling: weighted AUC against scikit-learn, covers by hand, and coverage on dependent rows."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from labelsearch.classifiers.evaluation import evaluate
from labelsearch.classifiers.intervals import (
    Ranking,
    auc_intervals,
    block_length,
    interval,
    paired_difference,
    resamples,
)


@pytest.mark.parametrize("decimals", [1, 2, 7])
def test_weighted_auc_is_that_of_scikit_learn(decimals):
    rng = np.random.default_rng(0)
    truth = rng.random(500) < 0.3
    scores = np.round(rng.random(500) + 0.2 * truth, decimals).astype(np.float32)
    ranking = Ranking(scores, truth)
    for weights in (np.ones(500), rng.random(500), rng.integers(0, 4, 500).astype(float)):
        wanted = roc_auc_score(truth, scores, sample_weight=weights)
        assert ranking.auc(weights) == pytest.approx(wanted, rel=1e-12)


def test_auc_without_either_class_is_undefined():
    scores = np.array([0.1, 0.2, 0.3], dtype=np.float32)
    assert math.isnan(Ranking(scores, np.zeros(3, bool)).auc(np.ones(3)))
    assert math.isnan(Ranking(scores, np.array([True, False, False])).auc(np.array([0.0, 1, 1])))


def naive_cover(rows: np.ndarray, length: int, starts: np.ndarray) -> np.ndarray:
    span = rows[-1] - rows[0] + 1
    covered = [(s + k) % span for s in starts for k in range(length)]
    return np.array([covered.count(r - rows[0]) for r in rows], dtype=float)


@pytest.mark.parametrize("length", [1, 4, 20])
def test_resamples_are_whole_blocks(length):
    rows = np.array([100, 101, 103, 104, 105, 109, 119])
    rng = np.random.default_rng(5)
    drawn = list(resamples(rows, length, 20, seed=5))
    assert len(drawn) == 20
    for weights in drawn:
        starts = rng.integers(0, 20, -(-20 // length))
        np.testing.assert_array_equal(weights, naive_cover(rows, length, starts))
    every_row = next(resamples(np.arange(20), length, 1))
    assert every_row.sum() == length * -(-20 // length)


def dependent(n: int, seed: int) -> np.ndarray:
    """Mean 0, each value shared by fifty rows."""
    return np.repeat(np.random.default_rng(seed).normal(size=n // 50), 50)


def test_blocks_cover_where_single_rows_do_not():
    rows = np.arange(5000)
    covered = {1: 0, 250: 0}
    for seed in range(60):
        x = dependent(5000, seed)
        for length in covered:
            low, high = interval([float(w @ x / w.sum()) for w in resamples(rows, length, 100, seed)])
            covered[length] += low <= 0 <= high
    assert covered[250] >= 48
    assert covered[1] <= 30


def test_block_length():
    assert block_length(overlap=5.0, day=1440, span=200_000) == 1440
    assert block_length(overlap=5000.2, day=1440, span=200_000) == 10_001
    assert block_length(overlap=5000.0, day=1440, span=3000) == 300
    assert block_length(overlap=3.0, day=24, span=5) == 1


def test_undefined_values_are_left_out():
    assert interval([math.nan] * 6 + [1.0] * 4) is None
    assert interval([]) is None
    low, high = interval([math.nan, *np.linspace(0, 1, 101)])
    assert (low, high) == pytest.approx((0.025, 0.975))


@pytest.mark.parametrize(("gain", "verdict"), [(0.3, "better"), (-0.3, "worse"), (0.0, "no difference shown")])
def test_paired_difference(gain, verdict):
    rng = np.random.default_rng(1)
    rows = np.arange(4000)
    reference = 1 + dependent(4000, 2) ** 2
    loss = reference - gain + rng.normal(0, 0.5, 4000)
    weights = rng.random(4000) + 0.5
    got = paired_difference(loss, reference, weights, rows, 200)
    assert got.verdict == verdict
    assert got.value == pytest.approx(np.average(loss - reference, weights=weights), rel=1e-12)
    assert got.low < got.value < got.high
    assert paired_difference(reference, reference, weights, rows, 200).verdict == "no difference shown"


def test_evaluation_has_intervals_of_the_auc():
    rng = np.random.default_rng(0)
    classes = rng.choice(2, 3000, p=[0.3, 0.7]).astype(np.int8)
    p = rng.dirichlet([1, 1, 1], 3000).astype(np.float32)
    p[classes == 0, 0] += 0.3
    rows = np.arange(3000) * 2
    got = evaluate(p, classes, blocks=(rows, 60))
    low, high = got.buy.auc_interval
    assert 0.5 < low < got.buy.auc < high < 1
    assert got.sell.auc_interval is None
    assert [got.side(c).auc_interval for c in ("buy", "neutral", "sell")] == auc_intervals(p, classes, rows, 60)
    assert got.has_intervals
    without = evaluate(p, classes)
    assert not without.has_intervals
    assert without.buy.auc_interval is None
    assert not evaluate(p[:0], classes[:0], blocks=(rows[:0], 60)).has_intervals
