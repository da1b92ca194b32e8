"""Bars: what they hold, what they refuse."""

import hashlib
import struct

import numpy as np
import pandas as pd
import pytest

from labelsearch.market.bars import BarError, Bars

START = 1_577_836_800_000


def test_a_frame_goes_in_and_comes_out(frame: pd.DataFrame, bars: Bars) -> None:
    assert len(bars) == 10
    assert bars.open_time.dtype == np.int64
    np.testing.assert_array_equal(bars.open_time, frame["open_time"])
    np.testing.assert_array_equal(bars.quote_volume, frame["quote_volume"])
    assert str(bars.index[1]) == "2020-01-01 00:01:00+00:00"
    again = Bars.from_frame(bars.to_frame(), "TEST")
    assert again.digest() == bars.digest()


def test_the_arrays_are_writable_and_not_shared_with_the_frame(frame: pd.DataFrame, bars: Bars) -> None:
    bars.close[0] = 1.0
    assert frame["close"].iloc[0] == 100.0


def test_vwap_by_hand(frame: pd.DataFrame) -> None:
    frame.loc[[0, 3], ["volume", "quote_volume", "taker_buy_volume"]] = 0.0
    vwap = Bars.from_frame(frame, "TEST").vwap
    # Bar 0 has no volume and nothing before it: its own close; bar 3 the close before it.
    np.testing.assert_allclose(vwap[:5], [100.0, 101.25, 102.25, 102.0, 104.25], rtol=1e-15)
    vwap = Bars.from_frame(frame.drop(columns="quote_volume"), "TEST").vwap
    np.testing.assert_allclose(vwap[:5], [100.0, 101.0, 102.0, 102.0, 104.0], rtol=1e-15)


def test_rows_and_between_are_half_open(bars: Bars) -> None:
    np.testing.assert_array_equal(bars.rows(2, 4).close, [102.0, 103.0])
    by_time = bars.between(START + 2 * 60_000, START + 4 * 60_000)
    np.testing.assert_array_equal(by_time.close, [102.0, 103.0])
    assert by_time.digest() == bars.rows(2, 4).digest()
    np.testing.assert_array_equal(bars.between(START + 2 * 60_000 + 1, None).close, np.arange(103.0, 110.0))
    assert len(bars.between(START + 5, START + 5)) == 0
    assert len(bars.between(None, START)) == 0


def test_on_grid_carries_the_last_close(frame: pd.DataFrame) -> None:
    bars = Bars.from_frame(frame.drop(index=[2, 3, 7]), "TEST")
    dense = bars.on_grid()
    np.testing.assert_array_equal(dense.open_time, frame["open_time"])
    np.testing.assert_array_equal(np.flatnonzero(dense.filled), [2, 3, 7])
    for column in (dense.open, dense.high, dense.low, dense.close):
        np.testing.assert_array_equal(column[[2, 3, 7]], [101.0, 101.0, 106.0])
    for column in (dense.volume, dense.quote_volume, dense.trades, dense.taker_buy_volume):
        assert column is not None
        assert not column[dense.filled].any()
        assert column[~dense.filled].all()
    assert dense.vwap[3] == 101.0
    assert dense.present().digest() == bars.digest() != dense.digest()
    assert dense.on_grid().digest() == dense.digest()


def test_digest_sees_every_array_and_nothing_else(bars: Bars, frame: pd.DataFrame) -> None:
    digests = {bars.digest(), Bars.from_frame(frame, "OTHER").digest(), bars.rows(0, 9).digest()}
    for column in frame.columns:
        changed = frame.copy()
        changed[column] = changed[column].astype(float)
        changed.loc[9, column] += 60_000 if column == "open_time" else 1e-9
        digests.add(Bars.from_frame(changed, "TEST").digest())
    digests.add(Bars.from_frame(frame.drop(columns="trades"), "TEST").digest())
    assert len(digests) == 3 + len(frame.columns) + 1
    assert Bars.from_frame(frame.assign(volume=-0.0 * frame.volume, taker_buy_volume=0), "A").digest() == (
        Bars.from_frame(frame.assign(volume=0.0, taker_buy_volume=0), "A").digest()
    )


def test_digest_is_spelled_out_byte_by_byte() -> None:
    time, one = np.array([START], dtype=">i8"), np.ones(1, dtype=">f8")
    text = b"bars 1\nX\n60000\n1\nopen_time True\n" + struct.pack("<q", START)
    for name in ("open", "high", "low", "close", "volume"):
        text += name.encode() + b" True\n" + struct.pack("<d", 1.0)
    text += b"quote_volume False\ntrades False\ntaker_buy_volume False\nfilled True\n\0"
    digest = Bars("X", 60_000, time, one, one, one, one, one).digest()
    assert digest == hashlib.sha256(text).hexdigest()


NAN, INF = float("nan"), float("inf")
PRICES = ("open", "high", "low", "close")


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        *[(c, v, f"{c} is not a finite number") for c in PRICES for v in (NAN, INF)],
        *[(c, v, f"{c} is not positive") for c in PRICES for v in (0.0, -1.0)],
        ("high", 1.0, "high is below low"),
        ("open", 105.5, r"open is outside \[low, high\]"),
        ("close", 102.9, r"close is outside \[low, high\]"),
        ("volume", -1.0, "volume is negative"),
        ("volume", INF, "volume is not a finite number"),
        ("quote_volume", -1.0, "quote_volume is negative"),
        ("trades", NAN, "trades is not a finite number"),
        ("taker_buy_volume", 7.0, "taker_buy_volume is above volume"),
        ("open_time", START + 3 * 60_000, "duplicate time 2020-01-01 00:03"),
        ("open_time", START + 3 * 60_000 + 20_799, "duplicate time 2020-01-01 00:03"),
        ("open_time", START, "time 2020-01-01 00:00 is earlier than the row before it"),
        ("open_time", 10_000_000_000, "time 10000000000 is outside 1973-03-03"),
        ("open_time", 4_000_000_000_000, "time 4000000000000 is outside 1973-03-03"),
        ("open_time", (START + 4 * 60_000) * 1000, "some times are in milliseconds and some in microseconds"),
        ("open_time", (START + 4 * 60_000) // 1000, "some times are in milliseconds and some in seconds"),
    ],
)
def test_a_broken_row_is_named(frame: pd.DataFrame, column: str, value: float, rule: str) -> None:
    frame[column] = frame[column].astype(float)
    frame.loc[4, column] = value
    with pytest.raises(BarError, match=f"^FILE: row 5: {rule}" if "seconds" not in rule else rule) as caught:
        Bars.from_frame(frame, "TEST", file="FILE")
    assert (caught.value.file, caught.value.row) == ("FILE", 5)
    assert "\n" not in str(caught.value)


def test_missing_columns_are_named(frame: pd.DataFrame) -> None:
    with pytest.raises(BarError, match=r"^missing columns: open_time, low, volume$"):
        Bars.from_frame(frame.drop(columns=["open_time", "low", "volume"]), "TEST")
    with pytest.raises(BarError, match="no rows"):
        Bars.from_frame(frame.iloc[:0], "TEST")


def test_zones(frame: pd.DataFrame, bars: Bars) -> None:
    utc = pd.to_datetime(frame["open_time"], unit="ms", utc=True)
    for same in (utc, utc.dt.tz_localize(None), utc.dt.tz_convert("Etc/UTC"), utc.dt.tz_convert("Asia/Shanghai")):
        assert Bars.from_frame(frame.assign(open_time=same), "TEST").digest() == bars.digest()


def test_the_constructor_refuses_what_is_no_series() -> None:
    one = np.ones(2)
    for times, rule in (([0, 0], "increasing"), ([60_000, 0], "increasing"), ([0, 60_001], "grid")):
        with pytest.raises(BarError, match=rule):
            Bars("X", 60_000, np.array(times), one, one, one, one, one)
    with pytest.raises(BarError, match=r"volume has shape \(3,\)"):
        Bars("X", 60_000, np.array([0, 60_000]), one, one, one, one, np.ones(3))
