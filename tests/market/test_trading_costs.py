"""Costs bar by bar: by hand, without knowledge of the future, and the same bits however bars arrive."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelsearch.market.bars import Bars
from labelsearch.market.funding import Funding
from labelsearch.market.rules import BarError
from labelsearch.market.trading_costs import (
    HOUR_MS,
    CostTerms,
    Impact,
    base_funding,
    borrow_due,
    funding_due,
    traded_value,
)

DAY_MS = 24 * HOUR_MS
TERMS = CostTerms(impact=1.0, capital=1000.0, impact_days=10)


def days(n: int, seed: int = 0, bars_a_day: int = 4):
    """Times, traded values and closes of some days."""
    rng = np.random.default_rng(seed)
    time = np.arange(n * bars_a_day) * (DAY_MS // bars_a_day)
    return time, rng.uniform(1e4, 1e5, len(time)), 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(time))))


def test_impact_by_hand():
    time, value, close = days(40)
    found = Impact(TERMS).of(time, value, close)
    assert np.isnan(found[: 11 * 4]).all()  # ten returns are needed
    for day in (11, 12, 30):
        first = day - 11
        volume = np.median(value.reshape(-1, 4).sum(axis=1)[first + 1 : day])
        deviation = np.diff(np.log(close[3::4][first:day])).std(ddof=1)
        expected = deviation * np.sqrt(1000.0 / volume)
        np.testing.assert_allclose(found[4 * day : 4 * day + 4], expected, rtol=1e-12)


def test_impact_knows_nothing_of_the_day():
    time, value, close = days(30)
    found = Impact(TERMS).of(time, value, close)
    changed = [x.copy() for x in (value, close)]
    for x in changed:
        x[80:] *= 3.0
    other = Impact(TERMS).of(time, *changed)
    np.testing.assert_array_equal(found[:84], other[:84])  # the whole day of the change
    assert (found[84:] != other[84:]).all()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_impact_has_the_same_bits_however_bars_arrive(sizes, seed):
    time, value, close = days(30, seed, bars_a_day=7)
    whole = Impact(TERMS).of(time, value, close)
    meter, parts, first = Impact(TERMS), [], 0
    for size in [*sizes, len(time)]:
        rows = slice(first, first + size)
        if first < len(time):
            parts.append(meter.of(time[rows], value[rows], close[rows]))
            other = Impact(TERMS)  # and after a restart
            other.restore(meter.state())
            meter = other
        first += size
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_capital_above_the_days_volume_is_counted():
    time, value, close = days(30)
    meter = Impact(TERMS._replace(capital=1e9))
    found = meter.of(time, value, close)
    assert meter.beyond == 30 - 11
    deviation = np.diff(np.log(close[3::4][:11])).std(ddof=1)
    assert found[44] == pytest.approx(deviation)  # as an order of a day's volume
    quiet = Impact(TERMS).of(time, np.zeros_like(value), close)
    assert np.isfinite(quiet[44:]).all()


def payments(*rows):
    time, rate, mark = (np.array(column) for column in zip(*rows, strict=True))
    return Funding("X", time.astype(np.int64), rate, mark)


def test_funding_is_due_where_it_falls():
    """Bars of 4 hours from 8:00, the third missing; what falls into the gap is due at the next open."""
    time = HOUR_MS * np.array([8, 12, 20])
    close = np.array([100.0, 110.0, 120.0])
    found = funding_due(
        payments(
            (HOUR_MS * 7, 0.5, np.nan),  # before all
            (HOUR_MS * 8, 0.001, np.nan),
            (HOUR_MS * 10, 0.002, np.nan),
            (HOUR_MS * 12, 0.003, np.nan),
            (HOUR_MS * 16, 0.004, np.nan),  # within the missing bar
            (HOUR_MS * 20, 0.005, 115.0),
            (HOUR_MS * 24, 0.5, np.nan),  # the next bar's
        ),
        time, close, 4 * HOUR_MS, 90.0,
    )  # fmt: skip
    expected = [[0.001 * 90, 0.002 * 90], [0.003 * 100, 0.0], [0.004 * 110 + 0.005 * 115, 0.0]]
    np.testing.assert_allclose(found, expected)
    since = funding_due(payments((HOUR_MS * 7, 0.5, np.nan)), time, close, 4 * HOUR_MS, 90.0, since=HOUR_MS * 6)
    np.testing.assert_allclose(since, [[45.0, 0.0], [0.0, 0.0], [0.0, 0.0]])


def test_funding_has_the_same_bits_however_bars_arrive():
    rng = np.random.default_rng(1)
    time = HOUR_MS * np.flatnonzero(rng.random(400) < 0.8)
    close = rng.uniform(90, 110, len(time))
    due = base_funding("X", CostTerms(funding="base", funding_rate=1e-4, funding_ms=8 * HOUR_MS), 0, 400 * HOUR_MS)
    whole = funding_due(due, time, close, HOUR_MS, 100.0)
    assert (whole[:, 0] > 0).sum() > 40
    found, last, since = [], 100.0, int(time[0])
    for row in range(len(time)):
        part = slice(row, row + 1)
        found.append(funding_due(due, time[part], close[part], HOUR_MS, last, since))
        last, since = float(close[row]), int(time[row]) + HOUR_MS
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_base_funding_falls_on_full_intervals():
    terms = CostTerms(funding="base", funding_rate=1e-4, funding_ms=8 * HOUR_MS)
    found = base_funding("X", terms, HOUR_MS, 25 * HOUR_MS)
    assert (found.time // HOUR_MS).tolist() == [8, 16, 24]
    assert set(found.rate) == {1e-4}


def test_borrowing_is_charged_each_full_hour():
    time = 60_000 * np.array([30, 59, 60, 61, 185])
    close = np.array([10.0, 11.0, 12.0, 13.0, 14.0])
    found = borrow_due(0.024, time, close, int(time[0]), 9.0)
    np.testing.assert_allclose(found, [0.0, 0.0, 0.011, 0.0, 0.026])


def test_value_traded():
    one, two = np.ones(2), np.array([2.0, 4.0])
    plain = Bars("X", 60_000, np.array([0, 60_000]), two, two, two, two, two + 1)
    np.testing.assert_allclose(traded_value(plain), [6.0, 20.0])
    huge = Bars("X", 60_000, np.array([0, 60_000]), two, two, two, two, np.array([1.0, 1e308]))
    with pytest.raises(BarError, match=r"X: all bars have a volume of 1: what is traded is not known"):
        traded_value(Bars("X", 60_000, np.array([0, 60_000]), two, two, two, two, one))
    with pytest.raises(BarError, match=r"X: the value traded at 1970-01-01 00:01 is too large"):
        traded_value(huge)
