"""Pairs, distances, histogram and separation power."""

import numba
import numpy as np
import pytest
from scipy.stats import chisquare

from feature_space.separation import (
    EPSILON,
    N_BINS,
    distances_nb,
    histogram_nb,
    near_zero_mass,
    near_zero_weights,
    sample_pairs,
    separation_power,
)
from tests.naive import features as naive


@pytest.fixture(scope="module")
def labelled():
    """Classes of 500 bars, 40 buy, 420 neutral, 40 sell or so, and the rows that may be drawn."""
    rng = np.random.default_rng(2)
    classes = rng.choice(3, 500, p=[0.1, 0.8, 0.1]).astype(np.int8)
    return classes, np.flatnonzero(rng.random(500) < 0.7)


@pytest.mark.parametrize("cross", [True, False])
def test_pairs_are_of_the_kind_asked_for(labelled, cross):
    classes, rows = labelled
    pairs = sample_pairs(classes, rows, 5000, np.random.default_rng(0), cross=cross)
    assert pairs.left.size == pairs.right.size == 5000
    assert ((classes[pairs.left] != classes[pairs.right]) == cross).all()
    assert (pairs.left != pairs.right).all()
    assert np.isin(pairs.left, rows).all()
    assert np.isin(pairs.right, rows).all()


@pytest.mark.parametrize("cross", [True, False])
def test_every_pair_is_as_likely(cross):
    """All pairs of a handful of bars, counted: uniform by chi-square."""
    classes = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2, 1], dtype=np.int8)
    rows = np.arange(9)
    pairs = sample_pairs(classes, rows, 30_000, np.random.default_rng(1), cross=cross)
    low, high = np.minimum(pairs.left, pairs.right), np.maximum(pairs.left, pairs.right)
    possible = [(i, j) for i in rows for j in rows if i < j and (classes[i] != classes[j]) == cross]
    counts = [int(((low == i) & (high == j)).sum()) for i, j in possible]
    assert sum(counts) == 30_000
    assert chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize("cross", [True, False])
def test_kinds_in_proportion(labelled, cross):
    classes, rows = labelled
    pairs = sample_pairs(classes, rows, 20_000, np.random.default_rng(3), cross=cross)
    size = np.bincount(classes[rows], minlength=3)
    wanted, got = [], []
    for a in range(3):
        for b in range(a, 3):
            if (a != b) == cross:
                wanted.append(size[a] * size[b] if cross else size[a] * (size[a] - 1) / 2)
                kind = np.sort([classes[pairs.left], classes[pairs.right]], axis=0)
                got.append(int(((kind[0] == a) & (kind[1] == b)).sum()))
    assert chisquare(got, np.array(wanted) / sum(wanted) * 20_000).pvalue > 0.01


def test_nothing_to_pair_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="only one class"):
        sample_pairs(np.ones(50, np.int8), np.arange(50), 10, rng, cross=True)
    with pytest.raises(ValueError, match="no class occurs twice"):
        sample_pairs(np.array([0, 1, 2], np.int8), np.arange(3), 10, rng, cross=False)
    # the other classes exist, but not in the rows
    with pytest.raises(ValueError, match="only one class"):
        sample_pairs(np.array([0, 1, 1], np.int8), np.array([1, 2]), 10, rng, cross=True)
    # a class of one bar gives no same-class pair
    pairs = sample_pairs(np.array([0, 1, 1], np.int8), np.arange(3), 20, rng, cross=False)
    assert set(pairs.left) | set(pairs.right) == {1, 2}


def test_distances_and_histogram_equal_their_twins():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (60, 5)).astype(np.float32)
    left, right = rng.integers(0, 60, (2, 400))
    wanted = [naive.l1(x, i, j) for i, j in zip(left, right, strict=True)]
    got = distances_nb(x, left, right)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    counts = histogram_nb(got, 25, 10.0)
    np.testing.assert_array_equal(counts, np.histogram(got, 25, (0, 10))[0])
    for quantile in (None, 3.3):
        mass = near_zero_mass(got, near_zero_weights(5, N_BINS, quantile), 5)
        np.testing.assert_allclose(mass, naive.near_zero_mass(wanted, 5, N_BINS, quantile), rtol=1e-9)


def test_the_edges_of_the_histogram():
    assert histogram_nb(np.array([0.0, 0.999, 1.0, 1.999, 2.0]), 2, 2.0).tolist() == [2, 3]


def test_threads_change_nothing():
    x = np.random.default_rng(0).uniform(-1, 1, (100, 4)).astype(np.float32)
    left, right = np.random.default_rng(1).integers(0, 100, (2, 3000))
    before = numba.get_num_threads()
    results = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        results.append(distances_nb(x, left, right).tobytes())
    numba.set_num_threads(before)
    assert results[0] == results[1]


def test_power_by_hand():
    """Three bars, two features, one bar of each class: distances 0.1, 1 and 1.1 of at most 4."""
    x = np.array([[0.0, 0.0], [0.1, 0.0], [0.1, 1.0]])
    d = distances_nb(x, np.array([0, 1, 0]), np.array([1, 2, 2]))
    np.testing.assert_allclose(d, [0.1, 1.0, 1.1], rtol=1e-15)
    weights = near_zero_weights(2, 8)  # bins of width 0.5, centres 0.25, 0.75, ..; weight exp(-(d/0.2)^2)
    assert weights[0] == np.exp(-(1.25**2))
    mass = near_zero_mass(d, weights, 2)
    np.testing.assert_allclose(mass, (np.exp(-(1.25**2)) + 2 * np.exp(-(6.25**2))) / 3, rtol=1e-14)
    assert separation_power(mass) == 1 / (1e-6 + mass)
    assert separation_power(0.0) == 1 / EPSILON
    # half-weighted by a cut: centres 0.25 and 0.75 count below 1
    assert near_zero_weights(2, 8, 1.0).tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert near_zero_mass(d, near_zero_weights(2, 8, 1.0), 2) == 1 / 3


def test_farther_is_better():
    weights = near_zero_weights(3)
    powers = [separation_power(near_zero_mass(np.full(9, d), weights, 3)) for d in (0.0, 0.1, 0.3, 1.0, 6.0)]
    assert powers == sorted(powers)
    assert len(set(powers)) == 5 or powers[-1] == powers[-2] == 1 / EPSILON
