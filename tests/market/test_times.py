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
    Spelling,
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
# no number below is taken for a time; milliseconds of 1976 may be the digits of a date, as 202001311530
numbers = st.integers(100_000_000_000, LATEST_MS).filter(lambda ms: not 190_001_010_000 <= ms <= 209_912_312_359)
DIVISORS = [second for second in range(1, 86_401) if 86_400 % second == 0]


@quick
@given(times)
def test_a_written_time_is_read_back(ms):
    assert parse_time(iso_time(ms)) == ms
    assert parse_time(time_text(ms)) == ms


@quick
@given(st.lists(numbers, min_size=1, max_size=20))
def test_all_notations_of_a_column_agree(values):
    wanted = np.array(values)
    stamps = pd.to_datetime(values, unit="ms")
    columns = (
        pd.Series(values),
        pd.Series(np.array(values) * 1000),
        pd.Series(np.array(values) * 1_000_000),
        pd.Series(np.array(values) / 1000.0),
        pd.Series(list(map(str, values))),
        pd.Series(list(map(iso_time, values))),
        pd.Series(stamps),
        pd.Series(stamps.tz_localize("UTC")),
    )
    for column in columns:
        assert np.array_equal(to_ms(column), wanted)


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["2019.02.15 14:00", "2019.02.15 14:00:30"], ["2019-02-15 14:00", "2019-02-15 14:00:30.000"]),
        (["23/05/2021 23:59", "01/06/2021 00:00"], ["2021-05-23 23:59", "2021-06-01 00:00"]),
        (["05/23/2021 1:05 PM", "06/01/2021 12:00 am"], ["2021-05-23 13:05", "2021-06-01 00:00"]),
        (["15.02.2019", "01.03.2019"], ["2019-02-15 00:00", "2019-03-01 00:00"]),
        (["2017-08-17 04-AM", "2017-08-17 12-PM"], ["2017-08-17 04:00", "2017-08-17 12:00"]),
        (["20190215 140000", "20190215 1405"], ["2019-02-15 14:00", "2019-02-15 14:05"]),
        (["20190215", "20190216"], ["2019-02-15 00:00", "2019-02-16 00:00"]),
        (["2025-08-12T14:00:00+01:00", "2025-11-12T14:00:00Z"], ["2025-08-12 13:00", "2025-11-12 14:00"]),
        (["1998-01-02"], ["1998-01-02 00:00"]),
        ([1381017600, 1381104000], ["2013-10-06 00:00", "2013-10-07 00:00"]),
        ([20190215, 20190216], ["2019-02-15 00:00", "2019-02-16 00:00"]),
    ],
)
def test_spellings_that_files_have(texts, wanted):
    assert [time_text(int(ms)) for ms in to_ms(pd.Series(texts))] == wanted


def test_what_a_column_leaves_open():
    either = pd.Series(["01/02/2020", "03/04/2020"])
    with pytest.raises(BarError, match="row 1: whether 01/02 is day/month or month/day is not clear: say dmy or mdy"):
        to_ms(either)
    days = [time_text(int(to_ms(either, spelling=Spelling(date_order=order))[0])) for order in ("dmy", "mdy")]
    assert days == ["2020-02-01 00:00", "2020-01-02 00:00"]
    for text in ("2020-13-01", "2020-02-30 10:00", "2020-01-01 25:00", "13/2020/01", "yesterday"):
        with pytest.raises(BarError, match="row 1: time"):
            to_ms(pd.Series([text]))
    mixed = pd.Series([1609286400000.0, 1502942400.0])
    with pytest.raises(BarError, match="row 2: some times are in milliseconds and some in seconds"):
        to_ms(mixed)
    assert to_ms(mixed, spelling=Spelling(mixed_units=True)).tolist() == [1609286400000, 1502942400000]


def test_local_times_become_utc():
    athens = Spelling("Europe/Athens")
    texts = pd.Series(["2020-01-15 12:00", "2020-07-15 12:00", "2020-07-15 12:00+00:00", "2020.07.15 12:00"])
    hours = [time_text(int(ms))[11:] for ms in to_ms(texts, spelling=athens)]
    assert hours == ["10:00", "09:00", "12:00", "09:00"]
    for text in ("2020-10-25 03:30", "2020-03-29 03:30"):  # clocks show it twice, and never
        with pytest.raises(BarError, match="exists twice or never in Europe/Athens"):
            to_ms(pd.Series([text]), spelling=athens)
    with pytest.raises(BarError, match="'Mars/Olympus' is not a time zone"):
        to_ms(texts, spelling=Spelling("Mars/Olympus"))


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
