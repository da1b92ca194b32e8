"""The sampled estimator covers the exact value as often as it says; the null is level and has power."""

import numpy as np
import pytest
from scipy.signal import lfilter

from feature_space.confirmation import LaterBars, confirm
from feature_space.histograms import cross_class
from feature_space.separation import (
    N_BINS,
    distances_nb,
    estimate_mass,
    near_zero_weights,
    sample_pairs,
    separation_power,
)


def walk(n: int, n_features: int, seed: int) -> np.ndarray:
    """Features that wander slowly, as indicators do."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 1, (n, n_features))
    out = np.empty_like(steps)
    level = np.zeros(n_features)
    for t in range(n):
        level = 0.97 * level + steps[t]
        out[t] = level
    return np.tanh(out / 4).astype(np.float32)


def blocks(n: int, seed: int) -> np.ndarray:
    """Classes in runs, mostly neutral, as labels are."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(rng.choice(3, n // 20 + 1, p=(0.15, 0.7, 0.15)), 20)[:n]
    return classes.astype(np.int8)


@pytest.mark.slow  # 400 repetitions
def test_the_interval_covers_the_exact_value_as_often_as_it_says():
    matrix, classes = walk(1500, 4, 1), blocks(1500, 2)
    histogram = cross_class(matrix, classes)
    exact = histogram.counts @ np.exp(-((histogram.centres / 0.4) ** 2)) / histogram.n_pairs
    weights, rows = near_zero_weights(4, N_BINS), np.arange(1500)
    rng = np.random.default_rng(3)
    covered, repeats = 0, 400
    for _ in range(repeats):
        pairs = sample_pairs(classes, rows, 2000, rng, cross=True)
        estimate = estimate_mass(distances_nb(matrix, pairs.left, pairs.right), weights, 4)
        covered += abs(estimate.mass - exact) <= 1.96 * estimate.standard_error
    # 95% of 400 is 380 with standard deviation 4.4
    assert 380 - 15 <= covered <= 380 + 15


def test_power_interval_by_hand():
    estimate = estimate_mass(np.array([0.1, 0.1, 1.9, 1.9]), np.array([1.0, 0.0]), 1)
    assert estimate.mass == 0.5
    assert estimate.standard_error == pytest.approx(np.sqrt(1 / 3) / 2)
    low, high = estimate.power_interval(1.0)
    assert low == separation_power(0.5 + estimate.standard_error)
    assert high == separation_power(0.5 - estimate.standard_error)


def test_p_values_are_level_where_the_label_knows_nothing():
    p = np.array(
        [
            confirm([LaterBars(walk(800, 3, s), [], blocks(800, 1000 + s))], n_pairs=1500, n_shifts=19, seed=s).p_value
            for s in range(120)
        ]
    )
    # 19 shifts give p of 0.05, 0.10, .. 1 with equal chance: mean 0.525, standard deviation 0.288 of one
    assert abs(p.mean() - 0.525) < 3.5 * 0.288 / np.sqrt(len(p))
    assert (p <= 0.1).mean() < 0.1 + 3.5 * np.sqrt(0.09 / len(p))


def test_p_values_are_level_where_features_and_labels_remember_long():
    """Against shifts by a tenth of the bars or more alone, 0.14 of these p-values are at or below 0.1."""
    n_bars, memory, run = 800, 0.995, 60
    p = []
    for seed in range(400):
        rng = np.random.default_rng(1000 + seed)
        start = int(rng.integers(run))
        classes = np.repeat(rng.choice(3, n_bars // run + 2, p=(0.25, 0.5, 0.25)), run)[start : start + n_bars]
        if len(np.unique(classes)) < 3:
            continue
        steps = np.random.default_rng(seed).normal(0, 1, (n_bars + 1000, 3))
        states = lfilter([np.sqrt(1 - memory**2)], [1.0, -memory], steps, axis=0)[1000:]
        matrix = np.tanh(states).astype(np.float32)
        p.append(
            confirm([LaterBars(matrix, [], classes.astype(np.int8))], n_pairs=1500, n_shifts=19, seed=seed).p_value
        )
    # two standard deviations of a share of 0.1
    assert np.mean(np.array(p) <= 0.1) < 0.1 + 2 * np.sqrt(0.09 / len(p))


def test_a_label_that_the_features_know_is_confirmed():
    matrix = walk(2000, 3, 5)
    classes = np.where(matrix[:, 0] > 0.5, 0, np.where(matrix[:, 0] < -0.5, 2, 1)).astype(np.int8)
    noise = [walk(2000, 3, 50 + i) for i in range(3)]
    found = confirm([LaterBars(matrix, noise, classes)], n_pairs=4000, n_shifts=99, seed=1)
    assert found.p_value == 0.01
    assert found.power > found.power_random
    assert confirm([LaterBars(matrix, noise, classes)], n_pairs=4000, n_shifts=99, seed=1) == found


def test_a_missing_class_is_refused():
    with pytest.raises(ValueError, match="only one class"):
        confirm([LaterBars(walk(100, 2, 1), [], np.ones(100, dtype=np.int8))], n_pairs=10, n_shifts=3, seed=1)
