"""Splits of an experiment."""

from dataclasses import replace
from itertools import pairwise

import pytest

from labelsearch.settings.roll import Roll, abut
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Windows

FIRST = Windows(
    train=("2017-01-01", "2017-12-31"), past=("2018-01-05", "2018-06-30"), future=("2018-07-01", "2018-12-31")
)


def days(windows: Windows) -> tuple[str, ...]:
    return (*windows.train, *windows.past, *windows.future)


def test_without_a_step_the_windows_are_the_only_split():
    assert Roll().windows(FIRST) == (FIRST,)


def test_days_and_weeks_move_all_windows():
    found = Roll(step="27w", splits=3).windows(FIRST)
    assert days(found[1]) == ("2017-07-09", "2018-07-08", "2018-07-13", "2019-01-05", "2019-01-06", "2019-07-08")
    assert days(found[2])[:2] == ("2018-01-14", "2019-01-13")
    assert Roll(step="189d", splits=3).windows(FIRST) == found


def test_ends_of_months_stay_ends_of_months():
    first = replace(FIRST, future=("2018-07-01", "2018-08-31"))
    found = Roll(step="2mo", splits=5).windows(first)
    assert [w.future for w in found] == [
        ("2018-07-01", "2018-08-31"), ("2018-09-01", "2018-10-31"), ("2018-11-01", "2018-12-31"),
        ("2019-01-01", "2019-02-28"), ("2019-03-01", "2019-04-30"),
    ]  # fmt: skip
    assert all(abut(a, b) for a, b in pairwise(found))


def test_years_and_leap_days():
    first = replace(FIRST, past=("2018-02-28", "2018-06-30"))
    found = Roll(step="1y", splits=3).windows(first)
    assert found[2].train == ("2019-01-01", "2019-12-31")
    assert found[2].past == ("2020-02-28", "2020-06-30")
    leap = Windows(
        train=("2015-01-01", "2015-12-31"), past=("2016-02-29", "2016-03-31"), future=("2016-04-01", "2016-04-30")
    )
    assert Roll(step="1y", splits=2).windows(leap)[1].past[0] == "2017-02-28"


def test_an_expanding_train_keeps_its_first_day():
    found = Roll(step="6mo", splits=3, train="expanding").windows(FIRST)
    assert [w.train for w in found] == [
        ("2017-01-01", "2017-12-31"), ("2017-01-01", "2018-06-30"), ("2017-01-01", "2018-12-31"),
    ]  # fmt: skip


def test_the_last_future_is_cut_at_the_last_day():
    found = Roll(step="6mo", last="2019-03-15").windows(FIRST)
    assert [w.future for w in found] == [("2018-07-01", "2018-12-31"), ("2019-01-01", "2019-03-15")]
    assert not abut(FIRST, replace(FIRST, future=("2019-01-02", "2019-03-15")))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"step": "3m", "splits": 2}, "number of d, w, mo or y"),
        ({"step": "0d", "splits": 2}, "number of d, w, mo or y"),
        ({"step": "30d"}, "needs a number of splits or a last day"),
        ({"splits": 2}, "need a step"),
        ({"last": "2019-01-01"}, "need a step"),
        ({"step": "30d", "last": "soon"}, "must be a day"),
        ({"step": "30d", "splits": 2, "train": "growing"}, "unknown"),
        ({"step": "30d", "splits": 2, "refit": "nothing"}, "unknown"),
        ({"step": "30d", "splits": 10_001}, "splits must be in"),
    ],
)
def test_what_makes_no_splits_is_refused(keys, words):
    with pytest.raises(ExperimentError, match=words):
        Roll(**keys)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"step": "5mo", "splits": 2}, "futures overlap"),
        ({"step": "6mo", "last": "2018-06-30"}, "begins after"),
        ({"step": "90000d", "splits": 2}, "must be in 1900"),
        ({"step": "9999y", "splits": 2}, "after the year 9999"),
    ],
)
def test_splits_that_do_not_fit_are_refused(keys, words):
    with pytest.raises(ExperimentError, match=words):
        Roll(**keys).windows(FIRST)
