"""Doubt: the entropy of classes, of the columns that are said to be classes."""

import math

import numpy as np
import pytest

from strategies.book.window import doubt_of


def entropy(buy, sell):
    return -sum(p * math.log(p) for p in (buy, sell, 1 - buy - sell) if p > 0) / math.log(3)


def test_doubt_by_hand():
    row = [[0.2, 0.5, 0.0], [0.3, 0.5, 1.0], [1 / 3, 0.1, math.nan], [1 / 3, 0.1, math.nan]]  # buy, sell of two labels
    got = doubt_of(np.array([[row]]))
    assert got.shape == (1, 3)
    wanted = [(entropy(0.2, 0.3) + 1) / 2, (entropy(0.5, 0.5) + entropy(0.1, 0.1)) / 2, (0 + 1) / 2]
    assert got[0] == pytest.approx(wanted)


def test_a_magnitude_is_never_sure():
    """Whatever its value; beside classes it counts as one label of doubt 1."""
    p = np.array([[[[0.9], [0.2], [0.3]]]])
    assert doubt_of(p, (1,))[0, 0] == pytest.approx((1 + entropy(0.2, 0.3)) / 2)
    assert doubt_of(p, (0,))[0, 0] == pytest.approx((1 + entropy(0.9, 0.2)) / 2) != doubt_of(p, (1,))[0, 0]
    assert doubt_of(p[:, :, 1:], ())[0, 0] == 1.0  # two magnitudes, not a pair
    assert doubt_of(p)[0, 0] == 1.0  # an odd number is no pairs
    assert doubt_of(p[:, :, 1:]).tobytes() == doubt_of(p[:, :, 1:], (0,)).tobytes()
