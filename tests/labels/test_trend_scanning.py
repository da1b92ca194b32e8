"""Trend-scanning labels by hand and against a regression of scipy."""

import numpy as np
import pytest
from scipy.stats import linregress

from labelsearch.labels.kernels import strongest_trend_nb
from labelsearch.labels.trend_scanning import TrendScanning
from tests.naive.labels import slope_t_value
from tests.naive.prices import walk


def test_three_points_by_hand():
    # the first window: slope 1, residuals -1/6, 1/3, -1/6, their squares sum to 1/6, standard error 1/sqrt(12)
    t = strongest_trend_nb(np.array([0.0, 1.5, 2.0, 0.0]), 2, 2, 1)
    np.testing.assert_allclose(t, [np.sqrt(12.0), slope_t_value([1.5, 2.0, 0.0]), 0, 0], rtol=1e-12)


def test_value_is_one_half_at_the_edge():
    x = np.array([0.0, 1.5, 2.0])
    got = TrendScanning(2, 2, edge=np.sqrt(12.0)).values(np.exp(x), 1.0)
    assert got.value[0] == pytest.approx(-0.5, rel=1e-9)
    assert TrendScanning(2, 2, edge=3.4).values(np.exp(x), 1.0).classes.tolist() == [0, 1, 1]
    assert TrendScanning(2, 2, edge=3.5).values(np.exp(x), 1.0).classes.tolist() == [1, 1, 1]
    assert TrendScanning(2, 2, edge=3.4).values(np.exp(-x), 1.0).classes.tolist() == [2, 1, 1]


def test_a_line_without_scatter():
    rising = np.arange(8.0)
    assert strongest_trend_nb(rising, 2, 4, 1).tolist() == [np.inf] * 4 + [0.0] * 4
    assert strongest_trend_nb(-rising, 2, 4, 1).tolist() == [-np.inf] * 4 + [0.0] * 4
    got = TrendScanning(2, 4, edge=5.0).values(2.0**rising, 1.0)
    np.testing.assert_allclose(got.value[:4], -1.0, rtol=1e-9)


def test_flat_prices_have_no_trend():
    assert not strongest_trend_nb(np.full(50, np.log(7345.67)), 2, 20, 1).any()


@pytest.mark.parametrize(("shortest", "longest", "step"), [(2, 2, 1), (3, 9, 1), (5, 40, 7), (5, 39, 34), (10, 11, 5)])
def test_equals_a_regression_of_every_window(shortest, longest, step):
    x = np.log(walk(120, 3))
    horizons = range(shortest, longest + 1, step)
    last = horizons[-1]
    got = strongest_trend_nb(x, shortest, last, step)
    for t in range(x.size - last):
        fits = [linregress(np.arange(h + 1), x[t : t + h + 1]) for h in horizons]
        best = max((fit.slope / fit.stderr for fit in fits), key=abs)
        assert got[t] == pytest.approx(best, rel=1e-7)
    assert not got[x.size - last :].any()


def test_nearly_straight_windows_keep_their_digits():
    """A scatter of 1e-9 around a line, at a level of 10: differences of sums of squares would lose it."""
    rng = np.random.default_rng(0)
    scatter = 1e-9 * rng.normal(size=31)
    wanted = slope_t_value((1e-3 * np.arange(31) + scatter).tolist())
    assert abs(wanted) > 1e6
    got = strongest_trend_nb(10.0 + 1e-3 * np.arange(31) + scatter, 30, 30, 1)
    assert got[0] == pytest.approx(wanted, rel=1e-5)


def test_windows_beyond_the_last_step_are_not_looked_at():
    label = TrendScanning(5, 60, edge=10.0, step=10)
    assert label.lookahead == 55
    got = label.values(walk(100, 1), 1.0)
    assert got.last_used[0] == 55
    assert got.settled.sum() == 45
