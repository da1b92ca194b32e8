"""Labels by hand and against their slow twins."""

import itertools
import math

import numpy as np
import pytest

from labelsearch.labels.kernels import centred_mean_nb, legs_to_values_nb, trailing_mean_nb, zigzag_nb
from labelsearch.labels.kinds import Extrema, Published, Threshold, make_label
from tests.naive import labels as naive


def walk(n, seed, *, coarse=False):
    """Random walk around 100; coarse: steps of one tick and many equal prices."""
    rng = np.random.default_rng(seed)
    if coarse:
        return 100.0 + 0.25 * np.cumsum(rng.integers(-1, 2, n))
    return 100.0 * np.exp(np.cumsum(rng.standard_t(4, n) * 3e-3))


def assert_equals(got, wanted, n):
    values, classes = wanted
    np.testing.assert_allclose(got.value, values, rtol=1e-9, atol=1e-9)
    edge = np.abs(np.abs(got.value) - 0.5) < 1e-9  # a value on the edge may fall to either side
    np.testing.assert_array_equal(got.classes[~edge], np.array(classes)[~edge])
    assert got.value.shape == got.classes.shape == got.last_used.shape == (n,)


PRICE = np.array([100.0, 101.0, 102.0, 99.0, 99.0, 108.9])


def test_point_by_hand():
    got = Threshold(0.02, 2).values(PRICE, 1.0)
    moves = [0.02, 99 / 101 - 1, 99 / 102 - 1, 0.1]
    np.testing.assert_allclose(got.value, [-1, (2 / 101 / 0.02) ** 3, 1, -1, 0, 0], rtol=1e-12)
    assert moves[0] == pytest.approx(0.02)
    assert got.classes.tolist() == [0, 1, 2, 0, 1, 1]
    assert got.last_used.tolist() == [2, 3, 4, 5, 6, 6]
    assert got.settled.tolist() == [True] * 4 + [False] * 2
    half = Threshold(0.04, 2).values(PRICE, 1.0)
    np.testing.assert_allclose(half.value[0], -0.125, rtol=1e-12)
    assert half.classes.tolist() == [1, 1, 1, 0, 1, 1]


def test_a_move_of_exactly_theta_is_an_action():
    got = Threshold(0.5, 1).values(np.array([4.0, 6.0, 3.0, 4.0]), 1.0)
    assert got.classes.tolist() == [0, 2, 1, 1]
    assert got.value[:2].tolist() == [-1, 1]


def test_wma_by_hand():
    got = Threshold(0.01, 2, future="wma").values(PRICE, 1.0)
    # weights 2, 1, nearest heaviest: (2 * 101 + 102)/3, (2 * 102 + 99)/3, (2 * 99 + 99)/3, (2 * 99 + 108.9)/3
    moves = np.array([304 / 300, 1.0, 99 / 102, 306.9 / 297]) - 1
    np.testing.assert_allclose(got.value, [-1, 0, 1, -1, 0, 0], atol=1e-12)
    assert got.classes.tolist() == [0, 1, 2, 0, 1, 1]
    wide = Threshold(0.1, 2, future="wma").values(PRICE, 1.0)
    np.testing.assert_allclose(wide.value[:4], -((moves / 0.1) ** 3), rtol=1e-9, atol=1e-15)


def test_quantile_by_hand():
    price = np.cumprod(np.r_[100.0, 1 + np.arange(1, 101) / 1e4])  # moves of 1 to 100 basis points
    label = Threshold(0.5, 1, scale="quantile")
    assert label.reference(price) == pytest.approx(0.0099, rel=1e-9)  # the 99th of 100: 'lower'
    got = label.values(price, 0.01)
    np.testing.assert_allclose(got.value[:100], -((np.arange(1, 101) / 100) ** 3), rtol=1e-9)
    # action where the cube exceeds one half: above 0.7937 of the reference
    assert got.classes[:100].tolist() == [1] * 79 + [0] * 21
    assert label.values(1e4 / price, 0.01).classes[99] == 2


def test_volatility_by_hand():
    a = 2 / 1441
    step = 0.01
    price = np.array([100.0, 100.0 * math.exp(step), 100.0, 100.0])
    # weighted mean of squared returns 0, s^2, s^2, 0; weights 1, 1-a, .. from the newest
    weight = [1, 2 - a, 1 + (1 - a) + (1 - a) ** 2, 1 + (1 - a) + (1 - a) ** 2 + (1 - a) ** 3]
    square = [0, 1, 1 + (1 - a), (1 - a) + (1 - a) ** 2]
    sd = np.sqrt(np.array(square) / weight) * step
    label = Threshold(0.02, 1, scale="volatility")
    assert label.reference(price) == pytest.approx(sd.mean(), rel=1e-9)
    theta = 0.02 * np.clip(sd / 0.005, 0.5, 3.0)
    assert theta[0] == 0.01  # no return yet: the lower limit
    got = label.values(price, 0.005)
    moves = np.array([math.exp(step), math.exp(-step), 1.0]) - 1
    np.testing.assert_allclose(got.value[:3], -(np.clip(moves / theta[:3], -1, 1) ** 3), rtol=1e-9, atol=1e-15)
    assert got.classes.tolist() == [0, 1, 1, 1]
    # calmer than 1/3 of train is held at 3 theta
    assert label.values(price, 1e-6).value[1] == pytest.approx((-moves[1] / 0.06) ** 3, rel=1e-9)


@pytest.mark.parametrize("future", ["point", "wma"])
@pytest.mark.parametrize("scale", ["fixed", "volatility", "quantile"])
@pytest.mark.parametrize("horizon", [1, 2, 7, 40])
def test_threshold_equals_its_twin(future, scale, horizon):
    label = Threshold(0.002 * math.sqrt(horizon), horizon, future=future, scale=scale)
    seen = set()
    for price in (walk(400, 1), walk(300, 2, coarse=True)):
        got = label.values(price, label.reference(price))
        assert_equals(got, naive.threshold(price.tolist(), label.theta, horizon, future, scale), price.size)
        seen |= set(got.classes.tolist())
    assert seen == {0, 1, 2}


@pytest.mark.parametrize("horizon", [1, 2, 5, 30])
def test_published_equals_its_twin(horizon):
    label = Published(horizon)
    for price in (walk(400, 3), walk(300, 4, coarse=True)):
        got = label.values(price, label.reference(price))
        assert_equals(got, naive.published(price.tolist(), horizon), price.size)


@pytest.mark.parametrize("label", [Threshold(0.01, 5), Threshold(0.01, 5, future="wma"), Published(5), Extrema(1, 0.1)])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7])
def test_fewer_bars_than_the_horizon(label, n):
    got = label.values(walk(n, 0), 1.0)
    assert got.value.shape == (n,)
    assert (got.last_used <= n).all()
    if n <= 5:
        assert not got.value.any()
        assert not got.settled.any()


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
    assert troughs.tolist() == [1, 9]
    assert peaks.tolist() == [4, 10]
    assert decided.tolist() == [5, 11]
    assert naive.extrema_legs(s, *limits) == [[1, 4], [9, 10]]
    # one leg more before it, and the peak moves to 17
    longer = np.r_[5.0, 9.0, 6.0, s]
    troughs, peaks, decided = zigzag_nb(longer, np.full(16, 3.0), np.full(16, 2.0))
    assert troughs.tolist() == [0, 2, 12]
    assert peaks.tolist() == [1, 9, 13]
    # a rise too small for a leg extends the peak too, if higher
    s = np.array([5.0, 9, 8, 10, 9, 9.5])
    troughs, peaks, _ = zigzag_nb(s, np.full(6, 3.0), np.full(6, 0.5))
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
            assert_equals(got, naive.extrema(price.tolist(), up, down), 250)
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


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("moon", {}, "unknown label kind 'moon'; known are threshold, published, extrema"),
        ("threshold", {"theta": 0.01, "horizon": 5, "up": 1}, "unknown option 'up' of a threshold label"),
        ("threshold", {"theta": 0.01}, "a threshold label needs theta, horizon"),
        ("threshold", {"theta": 0.0, "horizon": 5}, "theta > 0"),
        ("threshold", {"theta": 0.01, "horizon": 0}, "horizon >= 1"),
        ("threshold", {"theta": 0.01, "horizon": 5, "future": "max"}, "unknown future 'max'; known are point, wma"),
        ("threshold", {"theta": 0.01, "horizon": 5, "scale": "x"}, "unknown scale 'x'; known are fixed, volat"),
        ("published", {}, "a published label needs horizon"),
        ("published", {"horizon": 0}, "horizon >= 1"),
        ("extrema", {"up": 1, "down": -0.1}, "down >= 0"),
        ("extrema", {"up": 0, "down": 0.1}, "up > 0"),
    ],
)
def test_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        make_label(kind, **options)


@pytest.mark.parametrize(
    "label", [Threshold(0.01, 5, scale="quantile"), Threshold(0.01, 5, scale="volatility"), Published(5)]
)
def test_a_price_at_rest_gives_no_scale(label):
    with pytest.raises(ValueError, match=f"{label.name} cannot be scaled"):
        label.reference(np.full(50, 100.0))


def test_no_move_known_gives_no_scale():
    with pytest.raises(ValueError, match="cannot be scaled"):
        Threshold(0.01, 5, scale="quantile").reference(walk(4, 0))


def test_broken_prices_are_refused():
    with pytest.raises(ValueError, match="finite prices"):
        Extrema(1, 0.1).values(np.array([1.0, np.nan, 2.0]), 1.0)
