"""Exact histograms: every pair counted, equal to brute force."""

import numba
import numpy as np
import pytest

from feature_space.histograms import COLUMNS, N_BINS, ROWS, SHIFT, all_pairs, cross_class, n_steps, quantise
from tests.naive.separation import cross_class_counts, pair_counts


def draw(n: int, n_features: int, seed: int) -> np.ndarray:
    return np.tanh(np.random.default_rng(seed).normal(0, 1, (n, n_features))).astype(np.float32)


@pytest.mark.parametrize("n_features", [1, 2, 7, 28, 40])
def test_equal_to_brute_force(n_features):
    left, right = draw(37, n_features, 1), draw(53, n_features, 2)
    histogram = all_pairs(left, right)
    steps = n_steps(n_features)
    assert np.array_equal(histogram.counts, pair_counts(left, right, steps, 1 << SHIFT, N_BINS))
    assert histogram.n_pairs == 37 * 53


@pytest.mark.parametrize(("n", "m"), [(1, 1), (ROWS + 1, 3), (3, COLUMNS + 1), (2 * ROWS, COLUMNS)])
def test_tiles_leave_no_pair_out(n, m):
    left, right = draw(n, 3, 1), draw(m, 3, 2)
    assert np.array_equal(all_pairs(left, right).counts, pair_counts(left, right, n_steps(3), 1 << SHIFT, N_BINS))


@pytest.mark.parametrize("present", [(0, 1, 2), (0, 1), (1, 2), (0, 2)])
def test_all_cross_class_pairs_and_no_other(present):
    matrix = draw(60, 5, 3)
    classes = np.random.default_rng(4).choice(present, 60).astype(np.int8)
    histogram = cross_class(matrix, classes)
    assert np.array_equal(histogram.counts, cross_class_counts(matrix, classes, n_steps(5), 1 << SHIFT, N_BINS))
    sizes = np.bincount(classes, minlength=3)
    assert histogram.n_pairs == sizes[0] * sizes[1] + sizes[0] * sizes[2] + sizes[1] * sizes[2]


def test_extreme_features_stay_within_sixteen_bits():
    for n_features in (1, 28, 32, 100):
        histogram = all_pairs(np.full((1, n_features), -1.0), np.full((1, n_features), 1.0))
        assert np.flatnonzero(histogram.counts).tolist() == [(n_steps(n_features) * n_features) >> SHIFT]
        assert histogram.centres[np.argmax(histogram.counts)] == pytest.approx(2.0 * n_features, abs=histogram.width)


def test_distances_are_right_to_the_rounding_of_features():
    left, right = draw(200, 28, 5), draw(300, 28, 6)
    histogram = all_pairs(left, right)
    exact = np.abs(left[:, None, :].astype(float) - right[None, :, :]).sum(axis=2)
    assert histogram.counts @ histogram.centres / histogram.n_pairs == pytest.approx(exact.mean(), abs=1e-3)


def test_threads_do_not_matter():
    left, right = draw(500, 4, 7), draw(700, 4, 8)
    two = all_pairs(left, right).counts
    numba.set_num_threads(1)
    try:
        assert np.array_equal(all_pairs(left, right).counts, two)
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        quantise(np.array([[1.5]]))
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        quantise(np.array([[np.nan]]))
    with pytest.raises(ValueError, match="only one class"):
        cross_class(draw(5, 2, 1), np.zeros(5, dtype=np.int8))
    with pytest.raises(ValueError, match="the sets have"):
        all_pairs(draw(2, 3, 1), draw(2, 4, 1))
    with pytest.raises(ValueError, match="1 to 4096"):
        n_steps(0)
