"""Events, later returns, and what they are worth."""

import numpy as np
import pytest

from labelsearch.label_space.worth import later_returns, take_events_nb, worth_of
from tests.naive import label_space as naive


def test_events_are_those_of_the_twin_and_never_overlap():
    rng = np.random.default_rng(1)
    for horizon in (1, 3, 20):
        rows = np.sort(rng.choice(500, 200, replace=False))
        passes = rng.random(200) < 0.4
        found = np.flatnonzero(take_events_nb(passes, rows, horizon))
        assert found.tolist() == naive.events(passes, rows, horizon)
        assert (np.diff(rows[found]) >= horizon).all()
    assert not take_events_nb(np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64), 2).size


def test_returns_begin_at_the_next_open_and_end_within_the_part():
    price = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    found = later_returns(price, np.array([0, 1, 2, 3]), 2, 6)
    assert found[:3].tolist() == [3.0, 3.0, 3.0]
    assert np.isnan(found[3])  # its last open is that of bar 6


def test_worth_is_that_of_the_twin():
    rng = np.random.default_rng(2)
    sides = [(rng.normal(0.002, 0.01, n), np.sort(rng.integers(0, 30, n))) for n in (60, 40)]
    found = worth_of(sides, 0.001, 3)
    both, days = (np.concatenate(column) for column in zip(*sides, strict=True))
    mean, t = naive.mean_and_t(both, days, 0.001)
    assert (found.mean, found.t) == pytest.approx((mean, t))
    assert found.t_before_costs == pytest.approx(naive.mean_and_t(both, days, 0.0)[1])
    assert found.events == 100
    assert found.low < found.mean < found.high
    assert found.buy == pytest.approx(sides[0][0].mean() - 0.001)
    assert found == worth_of(sides, 0.001, 3)


def test_few_events_or_days_have_no_worth():
    few = [(np.full(9, 0.01), np.arange(9)), (np.zeros(0), np.zeros(0, dtype=int))]
    assert worth_of(few, 0.0, 1).mean is None
    one_day = [(np.full(50, 0.01), np.repeat([1, 2], 25)), (np.zeros(0), np.zeros(0, dtype=int))]
    assert worth_of(one_day, 0.0, 1).t is None


def test_intervals_cover_as_often_as_they_say():
    """Returns of a day share half of their variance."""
    covered = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        days = np.repeat(np.arange(60), 3)
        returns = rng.normal(0, 1, 60)[days] + rng.normal(0, 1, 180)
        found = worth_of([(returns, days), (np.zeros(0), np.zeros(0, dtype=int))], 0.0, seed)
        covered.append(found.low < 0.0 < found.high)
    assert 0.89 <= np.mean(covered) <= 0.98
