"""Local extrema labels by hand and against their slow twins."""

import itertools
import math

import numpy as np
import pytest

from labelsearch.labels.extrema import Extrema
from labelsearch.labels.kernels import centred_mean_nb, legs_to_values_nb, trailing_mean_nb, zigzag_nb
from tests.naive import labels as naive
from tests.naive.prices import assert_equals, walk


def test_smoothing_by_hand():
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    assert centred_mean_nb(x, 5).tolist() == [1, 2, 4, 62 / 5, 124 / 5, 32, 64]
    assert trailing_mean_nb(x, 2).tolist() == [1, 1.5, 3, 6, 12, 24, 48]
    for n, window in itertools.product((1, 4, 5, 6, 50), (1, 3, 5)):
        price = walk(n, n)
        np.testing.assert_allclose(centred_mean_nb(price, window), naive.smoothed(price.tolist(), window), rtol=1e-12)


def test_extrema_by_hand():
    """Rise of more than 3 makes a leg; a fall of less than 2 does not part two."""
    #             0   1  2   3   4   5   6   7   8  9  10  11 12
    s = np.array([10, 8, 11, 10, 14, 13, 17, 12, 9, 9, 13, 10, 11.0])
    limits = np.full(13, 3.0), np.full(13, 2.0)
    troughs, peaks, decided = zigzag_nb(s, *limits)
    # (1, 2) rises only 3; from 8 at bar 1 to 14 at 4 it is a leg; 17 extends it: from 13 the rise is 4, but the fall
    # from 14 to 13 is below 2, so it is dropped - and with one leg so far nothing is extended
    # the last rise, of 1, still goes on at the end and is kept, but not decided
    assert troughs.tolist() == [1, 9, 11]
    assert peaks.tolist() == [4, 10, 12]
    assert decided.tolist() == [5, 11, 13]
    assert naive.extrema_legs(s, *limits) == [[1, 4], [9, 10], [11, 12]]
    # one leg more before it, and the peak moves to 17
    longer = np.r_[5.0, 9.0, 6.0, s]
    troughs, peaks, decided = zigzag_nb(longer, np.full(16, 3.0), np.full(16, 2.0))
    assert troughs.tolist() == [0, 2, 12, 14]
    assert peaks.tolist() == [1, 9, 13, 15]
    # a rise too small for a leg extends the peak too, if higher
    s = np.array([5.0, 9, 8, 10, 9, 9.5, 9])
    troughs, peaks, _ = zigzag_nb(s, np.full(7, 3.0), np.full(7, 0.5))
    assert (troughs.tolist(), peaks.tolist()) == ([0], [3])


def test_extrema_values_by_hand():
    # smoothing keeps a straight line; 61 bars down, up, down, up, by 1 per bar
    turns = np.r_[np.arange(120, 100, -1), np.arange(100, 130), np.arange(130, 110, -1), np.arange(110, 126), 125, 124]
    s = centred_mean_nb(turns.astype(float), 5)
    assert s[20] == 101.2
    assert s[50] == 128.8
    assert s[70] == 111.2
    got = Extrema(5, 1).values(turns.astype(float), 1.0)
    assert got.value[:20].tolist() == [0.0] * 20
    assert got.value[20] == -1
    assert got.value[50] == 1
    assert got.value[70] == -1
    x = (110 - 101.2) / (128.8 - 101.2)
    assert got.value[30] == pytest.approx(x**3 - (1 - x) ** 3)
    x = (120 - 111.2) / (128.8 - 111.2)
    assert got.value[60] == pytest.approx(x**3 - (1 - x) ** 3)
    assert got.classes[[0, 20, 50, 60, 70]].tolist() == [1, 0, 2, 1, 0]
    # first trough settled by the first peak's decision, the leg by the next one's
    n = turns.size
    peak = int(np.argmax(s[70:])) + 70
    assert got.last_used[0] == 51 + 2
    assert got.last_used[20] == got.last_used[69] == min(peak + 1 + 2, n)
    assert (got.last_used[70:] == n).all()


@pytest.mark.parametrize("coarse", [False, True])
def test_extrema_equal_their_twin(coarse):
    n_legs = []
    for seed in range(60):
        price = walk(250, seed, coarse=coarse)
        for up, down in ((1, 0.1), (2, 0.2), (0.6, 0.5), (1.5, 1.5)):
            got = Extrema(up, down).values(price, 1.0)
            assert_equals(got, naive.extrema(price.tolist(), up, down))
            n_legs.append(int((got.value == -1).sum()))
    assert np.mean(n_legs) > 3


def test_zigzag_equals_its_twin():
    """Integer series with ties and limits that are met exactly."""
    extended = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        s = 50.0 + np.cumsum(rng.integers(-2, 3, 80))
        up, down = rng.integers(1, 6, 80).astype(float), rng.integers(1, 4, 80).astype(float)
        troughs, peaks, decided = zigzag_nb(s, up, down)
        wanted = naive.extrema_legs(s.tolist(), up.tolist(), down.tolist())
        assert np.transpose([troughs, peaks]).tolist() == wanted
        assert (troughs < peaks).all()
        assert (peaks[:-1] < troughs[1:]).all()
        extended += int((decided < peaks).sum())
    assert extended > 50


def test_extrema_without_a_fall_asked_for():
    """A plateau after a peak is as high as the peak: no division by 0."""
    price = np.repeat([100.0, 110.0, 110.0, 130.0, 110.0, 140.0], 9)
    got = Extrema(5, 0).values(price, 1.0)
    assert np.isfinite(got.value).all()
    s = np.array([10.0, 12, 12, 14, 13])
    assert zigzag_nb(s, np.ones(5), np.zeros(5))[0].tolist() == [0, 2]
    value, _ = legs_to_values_nb(s, *zigzag_nb(s, np.ones(5), np.zeros(5)), 0)
    assert value.tolist() == [-1, 1, -1, 1, 0]


def test_broken_prices_are_refused():
    with pytest.raises(ValueError, match="finite prices"):
        Extrema(1, 0.1).values(np.array([1.0, np.nan, 2.0]), 1.0)


def test_the_running_mean_does_not_drift():
    """What leaves the running sum is subtracted; a price that has fallen far must not keep the rounding of its peak."""
    price = walk(1_000_000, 7) * np.exp(-np.linspace(0.0, 15.0, 1_000_000))
    assert price[0] > 1e4 * price[-1]
    got = trailing_mean_nb(price, 5000)
    for t in (4_999, 5_000, 123_456, 700_001, 999_999):
        assert got[t] == pytest.approx(math.fsum(price[t - 4_999 : t + 1]) / 5000, rel=1e-12)
    assert trailing_mean_nb(price[:123_457], 5000).tobytes() == got[:123_457].tobytes()
