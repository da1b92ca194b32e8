"""Figures of a classifier on ten rows, worked out by hand."""

import numpy as np

from labelsearch.classifiers.evaluation import evaluate

BUY, NEUTRAL, SELL = [0.75, 0.15, 0.1], [0.2, 0.55, 0.25], [0.05, 0.3, 0.65]


def test_ten_rows():
    rows = [BUY, BUY, BUY, NEUTRAL, NEUTRAL, NEUTRAL, NEUTRAL, SELL, SELL, SELL]
    classes = np.array([0, 0, 1, 1, 1, 1, 0, 2, 2, 1], dtype=np.int8)
    got = evaluate(np.array(rows, dtype=np.float32), classes)
    assert got.n == 10
    assert got.side("sell") is got.sell
    assert not got.has_intervals
    assert got.confusion == ((2, 1, 0), (1, 3, 1), (0, 0, 2))
    assert got.buy.precision == 2 / 3
    assert got.buy.recall == 2 / 3
    assert got.neutral.precision == 3 / 4
    assert got.neutral.recall == 3 / 5
    assert got.sell.precision == 2 / 3
    assert got.sell.recall == 1.0
    # buy against the other seven: two at .75 meet 1 equal and 6 below, one at .2 meets 1 above, 3 equal, 3 below
    assert abs(got.buy.auc - (2 * (6 + 0.5) + (3 + 1.5)) / 21) < 1e-12
    # sell against eight: both at .65 meet one equal and seven below
    assert abs(got.sell.auc - 7.5 / 8) < 1e-12
    # neutral (.15, .55 x3, .3) against (.15 x2, .55, .3 x2)
    pairs = (1.0, 3 * 4.5, 2 + 2 * 0.5)
    assert abs(got.neutral.auc - sum(pairs) / 25) < 1e-12
    low, middle, high = got.buy.reliability
    np.testing.assert_allclose(low, (0.05, 0.0, 3), rtol=1e-6)
    np.testing.assert_allclose(middle, (0.2, 0.25, 4), rtol=1e-6)
    np.testing.assert_allclose(high, (0.75, 2 / 3, 3), rtol=1e-6)


def test_absent_classes():
    p = np.array([BUY, BUY, NEUTRAL], dtype=np.float32)
    got = evaluate(p, np.array([0, 0, 1], dtype=np.int8))
    assert got.sell.auc is None
    assert got.sell.precision == got.sell.recall == 0.0
    assert got.buy.auc == 1.0
    assert got.confusion == ((2, 0, 0), (0, 1, 0), (0, 0, 0))
    assert evaluate(p, np.zeros(3, dtype=np.int8)).buy.auc is None


def test_certainty_falls_into_the_last_bin():
    p = np.array([[1, 0, 0], [0, 1, 0], [0.75, 0.25, 0]], dtype=np.float32)
    got = evaluate(p, np.array([0, 1, 1], dtype=np.int8), n_bins=4)
    assert got.buy.reliability == ((0.0, 0.0, 1), (0.875, 0.5, 2))
