"""The report on a table of bars, on data broken on purpose."""

import numpy as np
import pandas as pd
import pytest

from labelsearch.market.bars import BarError, Bars
from labelsearch.market.checks import Gap, Run, check

START = 1_577_836_800_000
MINUTE = 60_000


def test_good_bars_have_nothing_to_report(bars: Bars, frame: pd.DataFrame) -> None:
    for data in (bars, frame):
        report = check(data)
        assert report.ok
        assert (report.rows, report.expected_rows, report.missing) == (10, 10, 0)
        assert (report.first_ms, report.last_ms) == (START, START + 9 * MINUTE)
        assert report.gaps == report.zero_volume_runs == ()
        assert report.interval_ms == MINUTE


def test_gaps_by_hand(frame: pd.DataFrame) -> None:
    holes = frame.drop(index=[1, 5, 6, 7])
    expected = (
        Gap(START + MINUTE, START + MINUTE, 1),
        Gap(START + 5 * MINUTE, START + 7 * MINUTE, 3),
    )
    report = check(holes, MINUTE)
    assert report.gaps == expected
    assert (report.rows, report.expected_rows, report.missing) == (6, 10, 4)
    # Filled bars are still missing.
    assert check(Bars.from_frame(holes, "TEST").on_grid()).gaps == expected


def test_quiet_runs_longest_first_and_cut_by_gaps(frame: pd.DataFrame) -> None:
    frame.loc[[0, 3, 4, 6, 7, 9], ["volume", "taker_buy_volume"]] = 0.0
    report = check(frame.drop(index=8), MINUTE)
    assert report.zero_volume_runs == (
        Run(START + 3 * MINUTE, 2),
        Run(START + 6 * MINUTE, 2),
        Run(START, 1),
        Run(START + 9 * MINUTE, 1),
    )
    assert report.zero_volume_bars == 6


def test_everything_wrong_at_once(frame: pd.DataFrame) -> None:
    frame["open_time"] = frame["open_time"].to_numpy() + np.array([0, 0, 0, 14_789, 0, 0, 0, 0, 0, 0])
    frame.loc[0, "close"] = np.nan
    frame.loc[0, "open"] = -1.0  # the same row is counted once
    frame.loc[1, "high"] = 1.0
    frame.loc[2, "volume"] = -1.0
    frame.loc[5, "open"] = 1000.0
    messy = pd.concat([frame, frame.iloc[[4]]])
    report = check(messy, MINUTE)
    assert not report.ok
    assert (report.duplicates, report.unsorted, report.off_grid) == (1, 1, 1)
    assert (report.bad_prices, report.bad_volumes) == (1, 1)
    # Rows 1 and 5, and row 0, whose open is below its low.
    assert report.ohlc_violations == 3
    assert report.missing == 0


def test_a_duplicate_does_not_move_the_quiet_bars(frame: pd.DataFrame) -> None:
    frame.loc[6, ["volume", "taker_buy_volume"]] = 0.0
    doubled = pd.concat([frame.iloc[:3], frame.iloc[2:]])
    assert check(doubled, MINUTE).zero_volume_runs == (Run(START + 6 * MINUTE, 1),)


def test_what_cannot_be_looked_at(frame: pd.DataFrame) -> None:
    with pytest.raises(BarError, match="missing columns: close"):
        check(frame.drop(columns="close"))
    with pytest.raises(BarError, match="cannot be determined"):
        check(frame.iloc[:1])
    with pytest.raises(BarError, match="7 s, does not divide a day"):
        check(frame.assign(open_time=START + np.arange(10) * 7_000))
