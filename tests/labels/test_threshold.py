"""Threshold labels by hand and against their slow twins."""

import math

import numpy as np
import pytest

from labelsearch.labels.threshold import Published, Threshold
from tests.naive import labels as naive
from tests.naive.prices import assert_equals, walk

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
        assert_equals(got, naive.threshold(price.tolist(), label.theta, horizon, future, scale))
        seen |= set(got.classes.tolist())
    assert seen == {0, 1, 2}


@pytest.mark.parametrize("horizon", [1, 2, 5, 30])
def test_published_equals_its_twin(horizon):
    label = Published(horizon)
    for price in (walk(400, 3), walk(300, 4, coarse=True)):
        got = label.values(price, label.reference(price))
        assert_equals(got, naive.published(price.tolist(), horizon))


@pytest.mark.parametrize(
    "label", [Threshold(0.01, 5, scale="quantile"), Threshold(0.01, 5, scale="volatility"), Published(5)]
)
def test_a_price_at_rest_gives_no_scale(label):
    with pytest.raises(ValueError, match=f"{label.name} cannot be scaled"):
        label.reference(np.full(50, 100.0))


def test_no_move_known_gives_no_scale():
    with pytest.raises(ValueError, match="cannot be scaled"):
        Threshold(0.01, 5, scale="quantile").reference(walk(4, 0))
