"""Times of any kind: read back as written, or refused as a `BarError`."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelsearch.market.rules import BarError
from labelsearch.market.times import (
    DAY_MS,
    EARLIEST_MS,
    interval_name,
    iso_time,
    next_month,
    parse_interval,
    parse_time,
    time_text,
    to_ms,
)

quick = settings(max_examples=50, deadline=None)
LATEST_MS = 1_760_000_000_000
times = st.integers(EARLIEST_MS, LATEST_MS)
DIVISORS = [second for second in range(1, 86_401) if 86_400 % second == 0]


@quick
@given(times)
def test_a_written_time_is_read_back(ms):
    assert parse_time(iso_time(ms)) == ms
    assert parse_time(time_text(ms)) == ms


@quick
@given(st.lists(times, min_size=1, max_size=20))
def test_all_notations_of_a_column_agree(values):
    wanted = np.array(values)
    stamps = pd.to_datetime(values, unit="ms")
    columns = (
        pd.Series(values),
        pd.Series(np.array(values) * 1000),
        pd.Series(list(map(str, values))),
        pd.Series(list(map(iso_time, values))),
        pd.Series(stamps),
        pd.Series(stamps.tz_localize("UTC")),
    )
    for column in columns:
        assert np.array_equal(to_ms(column), wanted)


@quick
@given(st.text(max_size=40) | st.from_regex(r"20\d\d-\d\d-\d\d[ T]?\d?\d?:?\d?\d?.{0,8}", fullmatch=True))
def test_any_text_is_a_time_or_refused(text):
    try:
        ms = parse_time(text)
    except BarError:
        return
    assert parse_time(iso_time(ms)) == ms


@quick
@given(
    st.lists(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=12)
        | st.lists(st.integers(), max_size=2)
        | times,
        max_size=5,
    )
)
def test_any_column_is_read_or_refused(values):
    try:
        ms = to_ms(pd.Series(values, dtype=object))
    except BarError:
        return
    assert ms.dtype == np.int64
    assert len(ms) == len(values)
    assert (ms >= EARLIEST_MS).all()


@quick
@given(st.sampled_from(DIVISORS))
def test_an_interval_is_read_back(seconds):
    assert parse_interval(interval_name(1000 * seconds)) == 1000 * seconds


@quick
@given(st.text(max_size=8) | st.from_regex(r"[0-9]{1,6}[smhdwM]", fullmatch=True))
def test_any_text_is_an_interval_or_refused(text):
    try:
        interval = parse_interval(text)
    except BarError:
        return
    assert interval > 0
    assert DAY_MS % interval == 0


@pytest.mark.parametrize(("month", "following"), [("2020-01", "2020-02"), ("2019-12", "2020-01")])
def test_next_month(month, following):
    assert f"{next_month(pd.Timestamp(month).to_pydatetime()):%Y-%m}" == following
