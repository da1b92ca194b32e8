"""Spans of time and the purge, with rows written out by hand."""

import numpy as np
import pytest

from labelsearch.labels.spans import DAY_MS, Span, check_order, purged_folds, purged_split
from labelsearch.labels.trend_scanning import TrendScanning
from labelsearch.labels.triple_barrier import TripleBarrier

JAN_1_2018 = 1_514_764_800_000
MINUTE = 60_000


def test_days_are_inclusive():
    one = Span.of_days("2018-01-01", "2018-01-01")
    assert (one.start_ms, one.stop_ms) == (JAN_1_2018, JAN_1_2018 + DAY_MS)
    assert one.days == 1
    train = Span.of_days("2018-01-01", "2019-12-31")
    assert train.days == 730
    assert train.months == pytest.approx(24 * 730 / 730.5)
    leap = Span.of_days("2020-02-28", "2020-03-01")
    assert leap.days == 3
    assert Span(0, 15 * MINUTE).days == pytest.approx(15 / 1440)


def test_bad_days_are_refused():
    with pytest.raises(ValueError, match="ends on 2018-01-01, before its start 2018-01-02"):
        Span.of_days("2018-01-02", "2018-01-01")
    with pytest.raises(ValueError, match="day"):
        Span.of_days("2018-02-30", "2018-03-01")


def test_rows():
    times = JAN_1_2018 + DAY_MS + MINUTE * np.array([-2, -1, 0, 1, 5, 1439, 1440, 1441])
    assert Span.of_days("2018-01-02", "2018-01-02").rows(times) == slice(2, 6)
    assert Span.of_days("2018-01-01", "2018-01-03").rows(times) == slice(0, 8)
    empty = Span.of_days("2019-01-01", "2019-01-01").rows(times)
    assert empty == slice(8, 8)


def windows(gap_minutes: int) -> dict[str, Span]:
    return {"train": Span(0, 100 * MINUTE), "past": Span((100 + gap_minutes) * MINUTE, 300 * MINUTE)}


def test_check_order():
    check_order(windows(60), 60 * MINUTE)
    check_order(windows(0), 0)
    check_order({}, 5)
    with pytest.raises(ValueError, match="'train' and 'past' are 59 minutes apart, but labels look 60 minutes"):
        check_order(windows(59), 60 * MINUTE)
    with pytest.raises(ValueError, match="'past' starts before window 'train' ends"):
        check_order(windows(-1), 0)
    swapped = dict(reversed(windows(10).items()))
    with pytest.raises(ValueError, match="'train' starts before window 'past' ends"):
        check_order(swapped, 0)
    # the third window counts too
    with pytest.raises(ValueError, match="'past' and 'future'"):
        check_order({**windows(60), "future": Span(301 * MINUTE, 400 * MINUTE)}, 60 * MINUTE)


def test_purged_split():
    #                     0  1  2  3  4  5  6  7  8   9   10  11
    last_used = np.array([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12])
    usable = np.ones(12, dtype=bool)
    usable[[1, 8]] = False
    fit, validation = purged_split(last_used, usable, 6, 10)
    assert fit.tolist() == [0, 2, 3]  # 4 depends on bar 6
    assert validation.tolist() == [6, 7]  # 9 depends on bar 11, beyond the window
    fit, validation = purged_split(last_used, usable, 6, 12)
    assert validation.tolist() == [6, 7, 9]  # 10 and 11 carry the mark T = 12: not settled
    assert purged_split(last_used, np.zeros(12, dtype=bool), 6, 12)[0].size == 0


def test_purged_split_of_uneven_labels():
    """Labels that reach unevenly far are purged one by one."""
    last_used = np.array([9, 1, 2, 6, 4, 9, 6, 9, 9, 9])
    fit, validation = purged_split(last_used, np.ones(10, dtype=bool), 5, 9)
    assert fit.tolist() == [1, 2, 4]
    assert validation.tolist() == [6]


def test_purge_of_a_triple_barrier_label():
    """Bars are kept by the bar of their own touch, not by the longest look ahead."""
    #                   0    1    2    3    4    5    6    7    8
    price = np.array([100, 101, 111, 111, 111, 122, 110, 110, 110.0])
    values = TripleBarrier(0.095, 0.095, horizon=4, scale="fixed").values(price, 1.0)
    # 0 and 1 touch +9.5% at 2; 2, 3, 4 at 5; 5 touches -9.5% at 6; 6, 7 and 8 are not settled
    assert values.last_used.tolist() == [2, 2, 5, 5, 5, 6, 9, 9, 9]
    fit, validation = purged_split(values.last_used, np.ones(9, dtype=bool), 3, 9)
    assert fit.tolist() == [0, 1]  # a fixed look ahead of 4 would have left none
    assert validation.tolist() == [3, 4, 5]
    fit, validation = purged_split(values.last_used, np.ones(9, dtype=bool), 5, 6)
    assert fit.tolist() == [0, 1]
    assert validation.tolist() == []


def test_purge_of_a_trend_scanning_label():
    """The label depends on all windows, so the longest counts whichever was chosen."""
    values = TrendScanning(2, 4, edge=5.0).values(np.linspace(100.0, 110.0, 10), 1.0)
    fit, validation = purged_split(values.last_used, np.ones(10, dtype=bool), 6, 10)
    assert fit.tolist() == [0, 1]
    assert validation.tolist() == []
    fit, validation = purged_split(values.last_used, np.ones(10, dtype=bool), 5, 10)
    assert fit.tolist() == [0]
    assert validation.tolist() == [5]


def test_one_fold_is_the_split_itself():
    fit, validation = np.arange(3, 80), np.arange(80, 100)
    (found,) = purged_folds(np.arange(100), fit, validation, 80, 1)
    assert found[0] is fit
    assert found[1] is validation


def test_folds_lie_in_the_middle_of_equal_stretches():
    """Four rows are validated on, and labels look two bars ahead: two rows go before what is validated on."""
    last_used = np.arange(24) + 2
    fit, validation = purged_split(last_used, np.ones(24, dtype=bool), 18, 24)
    assert validation.tolist() == [18, 19, 20, 21]
    _, first, second = purged_folds(last_used, fit, validation, 18, 3)
    assert first[1].tolist() == [2, 3]  # of 2 to 5, whose labels end before 6
    assert first[0].tolist() == [*range(6, 16), 18, 19, 20, 21]
    assert second[1].tolist() == [11, 12]
    assert second[0].tolist() == [*range(9), 15, 18, 19, 20, 21]


@pytest.mark.parametrize("seed", range(5))
def test_no_fold_leaks_on_either_side(seed):
    """Bars that labels of one side depend on are none that labels of the other do; without the purge some are."""
    rng = np.random.default_rng(seed)
    n, boundary = 300, 240
    last_used = np.arange(n) + rng.integers(0, 25, n)
    usable = rng.random(n) > 0.1
    fit, validation = purged_split(last_used, usable, boundary, n)
    leaks = []
    for fitted, judged in purged_folds(last_used, fit, validation, boundary, 4)[1:]:
        assert fitted.size > 150
        assert judged.size > 20
        used = np.zeros(n, dtype=bool)
        for row in fitted:
            used[row : last_used[row] + 1] = True
        for row in judged:
            assert not used[row : last_used[row] + 1].any()
        every = np.concatenate([fit, validation])
        rest = every[(every < judged[0]) | (every > judged[-1])]
        leaks.append(last_used[rest[rest < judged[0]]].max(initial=0) >= judged[0])
        leaks.append(last_used[judged].max() >= rest[rest > judged[-1]].min(initial=n))
    assert any(leaks)


def test_folds_of_too_few_rows_are_empty_or_the_split():
    fit, none = np.arange(5), np.array([], dtype=np.int64)
    assert [[len(part) for part in fold] for fold in purged_folds(np.arange(9), fit, none, 5, 3)] == [[5, 0]] * 3
    folds = purged_folds(np.arange(9) + 4, np.array([0, 1]), np.array([6, 7]), 6, 3)
    assert [len(judged) for _, judged in folds[1:]] == [0, 0]
