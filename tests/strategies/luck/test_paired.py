"""Paired differences of daily returns."""

import numpy as np
import pytest

from strategies.luck.paired import paired_difference


def test_what_both_share_does_not_widen_the_interval():
    rng = np.random.default_rng(0)
    shared, own = rng.normal(0, 0.03, 120), rng.normal(0.001, 0.002, 120)
    got = paired_difference(shared + own, shared)
    assert got.mean == pytest.approx(own.mean())
    low, high = got.interval
    assert low < own.mean() < high
    assert high - low < 6 * 0.002 / 120**0.5
    assert paired_difference(shared, shared + own).interval == pytest.approx((-high, -low), rel=0.05)


def test_an_interval_says_better_in_few_cases_without_a_difference():
    """In 2.5% if it held, here with tails and spells of volatility; it may be a little more, never twice."""
    rng = np.random.default_rng(1)
    better = worse = 0
    n = 400
    for trial in range(n):
        spell = np.exp(0.5 * np.repeat(rng.normal(size=14), 10)[:134])
        low, high = paired_difference(
            0.01 * spell * rng.standard_t(4, 134), np.zeros(134), seed=trial, n_reps=500
        ).interval
        better += low > 0
        worse += high < 0
    assert better <= 0.05 * n
    assert worse <= 0.05 * n
    assert better + worse >= 0.01 * n


def test_too_little_to_tell():
    rng = np.random.default_rng(2)
    assert paired_difference(rng.normal(size=9), np.zeros(9)).interval is None
    same = rng.normal(size=30)
    assert paired_difference(same, same) == (0.0, None)
    for other in (np.zeros(8), np.zeros((9, 1))):
        with pytest.raises(ValueError, match="are not of the same days"):
            paired_difference(np.zeros(9), other)
