"""Triple-barrier labels by hand, and where they meet the threshold label."""

import numpy as np
import pytest

from labelsearch.labels.threshold import Threshold
from labelsearch.labels.triple_barrier import TripleBarrier
from tests.naive.prices import walk

#                   0    1    2    3    4    5    6    7
PRICE = np.array([100, 102, 101, 111, 100, 100, 106, 100.0])
FIXED = {"horizon": 3, "scale": "fixed"}


def test_first_touch_by_hand():
    got = TripleBarrier(0.1, 0.05, **FIXED).values(PRICE, 1.0)
    # 0 touches +10% at 3; 1 stops at 4: no +10% (111/102), -2/102; 2 stops at 5: 111/101, then 100 twice
    # 3 falls by 10% at once; 4 stops at 7 unmoved; 5, 6 and 7 run out of data, but 6 touched -5% at 7
    assert got.last_used.tolist() == [3, 4, 5, 4, 7, 8, 7, 8]
    assert got.classes.tolist() == [0, 1, 1, 2, 1, 1, 2, 1]
    r = np.array([0.1, -2 / 102, -1 / 101, -0.05, 0.0, 0.0, -0.05, 0.0])
    np.testing.assert_allclose(got.value, -np.sign(r) * np.abs(r / np.where(r > 0, 0.1, 0.05)) ** 3, rtol=1e-12)


def test_the_sign_of_the_move_at_the_vertical_barrier():
    got = TripleBarrier(0.1, 0.05, **FIXED, vertical="sign").values(PRICE, 1.0)
    assert got.classes.tolist() == [0, 2, 2, 2, 1, 1, 2, 1]
    neutral = TripleBarrier(0.1, 0.05, **FIXED).values(PRICE, 1.0)
    assert got.value.tobytes() == neutral.value.tobytes()
    assert got.last_used.tolist() == neutral.last_used.tolist()


def test_the_first_of_two_touches_counts():
    up_first = TripleBarrier(0.05, 0.05, **FIXED).values(np.array([100.0, 106.0, 90.0, 90.0]), 1.0)
    down_first = TripleBarrier(0.05, 0.05, **FIXED).values(np.array([100.0, 90.0, 106.0, 106.0]), 1.0)
    assert (up_first.classes[0], up_first.last_used[0]) == (0, 1)
    assert (down_first.classes[0], down_first.last_used[0]) == (2, 1)


def test_a_move_of_exactly_the_width_is_a_touch():
    got = TripleBarrier(0.5, 0.5, horizon=2, scale="fixed").values(np.array([4.0, 6.0, 3.0, 4.0]), 1.0)
    assert got.classes.tolist() == [0, 2, 1, 1]
    assert got.last_used.tolist() == [1, 2, 4, 4]


def test_width_by_volatility():
    """Two log returns of one size: the sd is that size, times sqrt(horizon)."""
    step = 0.01
    price = 100.0 * np.exp(step * np.array([0.0, 1, 0, 2, 0, 0, 0, 0, 0]))
    width = step * np.sqrt(2 / 3 * 4)  # bar 2: mean square of returns 0, s, s, at a span so long that all weigh alike
    r = np.exp(2 * step) - 1
    for factor, wanted in ((0.99, 0), (1.01, 1)):
        label = TripleBarrier(factor * r / width, 5.0, horizon=4, span=10**7)
        got = label.values(price, 1.0)
        assert got.classes[2] == wanted
        assert got.last_used[2] == (3 if wanted == 0 else 6)


def test_no_volatility_yet_means_no_barriers():
    got = TripleBarrier(1.0, 1.0, horizon=2).values(np.array([100.0, 100, 100, 150, 100, 100, 100]), 1.0)
    assert got.last_used.tolist()[:3] == [0, 1, 2]
    assert got.classes.tolist()[:3] == [1, 1, 1]


@pytest.mark.parametrize("coarse", [False, True])
def test_one_bar_ahead_it_is_the_threshold_label(coarse):
    price = walk(2000, 5, coarse=coarse)
    barrier = TripleBarrier(0.003, 0.003, horizon=1, scale="fixed").values(price, 1.0)
    threshold = Threshold(0.003, 1).values(price, 1.0)
    np.testing.assert_allclose(barrier.value, threshold.value, rtol=1e-12, atol=0)
    np.testing.assert_array_equal(barrier.classes, threshold.classes)
    np.testing.assert_array_equal(barrier.last_used, threshold.last_used)


def test_touches_settle_before_the_vertical_barrier():
    """Every touched bar stops at its touch: the price there reaches the barrier, none before does."""
    price = walk(500, 6)
    got = TripleBarrier(0.01, 0.02, horizon=40, scale="fixed").values(price, 1.0)
    touched = np.flatnonzero(got.classes != 1)
    assert 100 < touched.size < 490
    for t in touched:
        moves = price[t + 1 : got.last_used[t] + 1] / price[t] - 1
        assert (moves[-1] >= 0.01) == (got.classes[t] == 0)
        assert (moves[-1] <= -0.02) == (got.classes[t] == 2)
        assert ((moves[:-1] < 0.01) & (moves[:-1] > -0.02)).all()
    assert (got.last_used[touched] > 460).any()  # some that the end of the data would have cut off
