"""Magnitude labels by hand."""

import numpy as np
import pytest

from labelsearch.labels.base import LabelError
from labelsearch.labels.magnitude import Magnitude


def test_moves_by_hand():
    # with a span of 1 the volatility is the size of the last return
    log_price = np.array([0.0, 0.01, 0.03, 0.03, -0.01, 0.0, 0.02])
    got = Magnitude(horizon=1, edge=1.0, span=1).values(np.exp(log_price), 1.0)
    # no volatility at the first bar; 2; 0; none known after a flat bar; 0.25; 2; unsettled
    np.testing.assert_allclose(got.value * -3, [0.0, 2.0, 0.0, 0.0, 0.25, 2.0, 0.0], atol=1e-9)
    assert got.classes.tolist() == [1, 0, 1, 1, 1, 0, 1]
    assert got.last_used.tolist() == [0, 2, 3, 3, 5, 6, 7]
    two = Magnitude(horizon=2, edge=0.5, span=1).values(np.exp(log_price), 1.0)
    np.testing.assert_allclose(two.value[1] * -3, 0.02 / (0.01 * np.sqrt(2.0)), rtol=1e-9)


def test_large_moves_are_clipped():
    log_price = np.array([0.0, 0.01, 0.5, 0.51, -3.0])
    got = Magnitude(horizon=1, edge=3.0, span=1).values(np.exp(log_price), 1.0)
    np.testing.assert_array_equal(got.value[[1, 3]], [-1.0, 1.0])
    assert got.classes.tolist() == [1, 0, 1, 2, 1]


def test_a_mirrored_price_has_mirrored_moves():
    log_price = np.cumsum(np.random.default_rng(3).normal(0, 0.01, 500))
    label = Magnitude(horizon=6, span=60)
    up, down = (label.values(np.exp(side * log_price), 1.0) for side in (1.0, -1.0))
    np.testing.assert_allclose(up.value, -down.value, atol=1e-12)
    np.testing.assert_array_equal(up.classes, 2 - down.classes)
    assert 0.2 < np.mean(up.classes != 1) < 0.45  # a normal move is beyond one sd in 32 % of bars


@pytest.mark.parametrize("options", [{"horizon": 0}, {"horizon": 1, "span": 0}, {"horizon": 1, "edge": 0.0},
                                     {"horizon": 1, "edge": 3.1}])  # fmt: skip
def test_bad_options_are_refused(options):
    with pytest.raises(LabelError, match="a magnitude label needs"):
        Magnitude(**options)
