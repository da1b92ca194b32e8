"""What arrives: late, repeated, missing, broken."""

import itertools
import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelsearch.live.feed import Bar, Counts, Feed, FeedError, bars_in
from labelsearch.market.bars import BarError, Bars

T0 = 1_577_836_800_000  # 2020-01-01
GOOD = {"open_time": T0, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0}


def arrive(feed, minute, **changes):
    return feed.take({**GOOD, "open_time": T0 + 60_000 * minute, **changes})


def test_bars_in_order_pass():
    feed = Feed(60_000)
    assert arrive(feed, 0) == [Bar(T0, 10.0, 12.0, 9.0, 11.0, 5.0)] or math.isnan(arrive(feed, 0)[0].trades)
    (bar,) = arrive(feed, 1)
    assert (bar.open_time, bar.close, bar.filled) == (T0 + 60_000, 11.0, False)
    assert math.isnan(bar.trades)


@pytest.mark.parametrize("time", [T0, T0 * 1000, "2020-01-01", "2020-01-01T00:00:00Z", T0 + 14_789, str(T0)])
def test_times_as_they_are_written(time):
    """Milliseconds, microseconds, words; off the grid is floored to it."""
    (bar,) = Feed(60_000).take({**GOOD, "open_time": time})
    assert bar.open_time == T0


def test_a_bar_that_is_not_closed_is_dropped():
    clock = [T0 + 65_000]
    feed = Feed(60_000, clock=lambda: clock[0])
    assert len(arrive(feed, 0)) == 1
    for minute in (1, 60, 1440):
        assert arrive(feed, minute) == []
        assert "is not closed yet" in feed.notice
    clock[0] = T0 + 95_000  # a clock that is half a minute behind
    assert len(arrive(feed, 1)) == 1
    assert feed.counts == Counts(taken=2, refused=3)


def test_missing_bars_are_filled_with_the_last_close():
    feed = Feed(60_000)
    arrive(feed, 0)
    bars = arrive(feed, 4, close=9.5)
    assert [b.open_time - T0 for b in bars] == [60_000, 120_000, 180_000, 240_000]
    assert [b.filled for b in bars] == [True, True, True, False]
    for bar in bars[:3]:
        assert bar[1:8] == (11.0, 11.0, 11.0, 11.0, 0.0, 0.0, 0.0)
    assert feed.counts == Counts(taken=2, missing=3)


def test_what_comes_again_or_too_late_is_dropped():
    feed = Feed(60_000)
    arrive(feed, 0)
    arrive(feed, 5)
    assert arrive(feed, 5, close=9.1) == []
    assert feed.notice == "repeated: 2020-01-01 00:05"
    assert arrive(feed, 3) == []
    assert feed.notice == "late: 2020-01-01 00:03"
    (bar,) = arrive(feed, 6)
    assert bar.open_time == T0 + 360_000
    assert feed.notice == ""
    assert feed.counts == Counts(taken=3, missing=4, repeated=1, late=1)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"close": None}, "missing close"),
        ({"open_time": None}, "missing open_time"),
        ({"trades": None}, "missing trades"),
        ({"close": "cheap"}, "close is not a number"),
        ({"close": math.nan}, "close is not a finite number"),
        ({"close": True}, "close is not a number"),
        ({"close": "1_1"}, "close is not a number"),
        ({"close": "١١"}, "close is not a number"),
        ({"close": 10**400}, "close is not a number"),
        ({"volume": 1e300}, "volume is out of range"),
        ({"low": 1e-300}, "low is out of range"),
        ({"open_time": True}, "neither numbers nor dates"),
        ({"open_time": 10**400}, "cannot be read"),
        ({"close": -1.0}, "close is not positive"),
        ({"high": 8.0}, "high is below low"),
        ({"close": 13.0}, r"close is outside \[low, high\]"),
        ({"volume": -1.0}, "volume is negative"),
        ({"open_time": "yesterday"}, "cannot be read"),
        ({"open_time": 12}, "is outside 1973-03-03"),
        ({"open_time": T0 * 10}, "is outside 1973-03-03"),
    ],
)
def test_broken_bars_are_dropped_and_told(changes, rule):
    feed = Feed(60_000, ("trades",))
    arrive(feed, 0, trades=3)
    assert arrive(feed, 1, **{"trades": 3, **changes}) == []
    import re

    assert re.search(rule, feed.notice)
    assert feed.counts.refused == 1
    assert len(arrive(feed, 1, trades=3)) == 1  # as if nothing had come


@pytest.mark.parametrize("raw", [None, [1, 2], "bar", 7, {}])
def test_what_is_no_bar_at_all(raw):
    feed = Feed(60_000)
    assert feed.take(raw) == []
    assert feed.counts == Counts(refused=1)


def test_numbers_may_be_strings():
    """As many exchanges write them."""
    (bar,) = Feed(60_000).take({**GOOD, "close": " 11.00 "})
    assert bar.close == 11.0


def test_a_long_gap_ends_the_session():
    feed = Feed(60_000)
    arrive(feed, 0)
    assert len(arrive(feed, 31 * 1440)) == 31 * 1440
    with pytest.raises(FeedError, match="start again with the missing bars as history"):
        arrive(feed, 63 * 1440)


def test_the_bars_of_a_table(history):
    past = history[1].rows(0, 5)
    bars = list(bars_in(past))
    assert [b.close for b in bars] == past.close.tolist()
    assert bars[0].trades == past.trades[0]
    import dataclasses

    assert math.isnan(next(bars_in(dataclasses.replace(past, trades=None))).trades)


quick = settings(max_examples=50, deadline=None)
odd = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.lists(st.integers(), max_size=2)
)
incoming = st.tuples(
    st.integers(-3, 40),  # minute
    st.integers(0, 59_999),  # milliseconds off the grid
    st.dictionaries(st.sampled_from(sorted(GOOD)), odd, max_size=2),  # spoiled columns
    st.integers(0, 3),  # spoiled only if 0
)


@quick
@given(st.lists(incoming, max_size=25))
def test_any_sequence_becomes_a_regular_series(sequence):
    """Late, repeated, missing and broken bars: the accepted ones are on the grid, without holes and valid."""
    feed, series, n_present = Feed(60_000), [], 0
    for minute, off, changes, spoiled in sequence:
        before = feed.last
        raw = {**GOOD, "open_time": T0 + 60_000 * minute + off, **({} if spoiled else changes)}
        try:
            bars = feed.take(raw)
        except FeedError:  # a time of its own, more than a month ahead
            assert feed.last is before
            continue
        assert bool(bars) == (feed.notice == "")
        assert all(bar.filled for bar in bars[:-1])
        n_present += bool(bars)
        series += bars
    assert [b.open_time - a.open_time for a, b in itertools.pairwise(series)] == [60_000] * max(len(series) - 1, 0)
    for bar in series:
        assert bar.open_time % 60_000 == 0
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    counts = feed.counts
    assert (counts.taken, counts.missing) == (n_present, len(series) - n_present)


@quick
@given(odd | st.dictionaries(st.text(max_size=8) | st.sampled_from(sorted(GOOD)), odd, max_size=6))
def test_any_object_is_a_bar_or_counted_as_refused(raw):
    feed = Feed(60_000, ("trades",))
    bars = feed.take(raw)
    assert (len(bars), feed.counts.refused) in ((1, 0), (0, 1))


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume", "quote_volume", "trades"])
@pytest.mark.parametrize("value", [1e308, 1.1e18, 1e-19, 5e-324, -1.0, math.nan, math.inf])
def test_files_and_live_bars_follow_one_rule(name, value):
    """What `data import` accepts, `live` accepts: the same fault in the same words."""
    bar = {"open_time": T0, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 3.0, "quote_volume": 30.0,
           "trades": 2.0, name: value}  # fmt: skip
    feed = Feed(60_000, ("quote_volume", "trades"))
    assert feed.take(bar) == []
    with pytest.raises(BarError) as caught:
        Bars.from_frame(pd.DataFrame([bar]), "TEST")
    assert feed.notice == f"refused: {caught.value.rule}"
