"""Files of bars: every layout that is read, every kind that is refused."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelsearch.market.archive import parse_file_name, read, read_all, read_raw
from labelsearch.market.bars import BarError, Bars

Write = Callable[..., Path]
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
DAY = 86_400_000


def microseconds(lines: list[str]) -> list[str]:
    """Rewrite archive lines as those from 2025 on."""
    cells = [line.split(",") for line in lines]
    return [",".join([c[0] + "000", *c[1:6], c[6] + "999", *c[7:]]) for c in cells]


def refusal(path: Path, **kwargs: str) -> BarError:
    """Read, and give the error after looking at its form: one line that starts with the file."""
    with pytest.raises(BarError) as caught:
        read(path, **kwargs)
    assert str(caught.value).startswith(f"{caught.value.file}: ")
    assert "\n" not in str(caught.value)
    return caught.value


def test_every_layout_gives_the_same_bars(
    frame: pd.DataFrame, bars: Bars, lines: list[str], write_zip: Write, tmp_path: Path
) -> None:
    text = {
        "bare.csv": "\n".join(lines),
        "us.csv": "\n".join(microseconds(lines)) + "\n",
        "futures.csv": "\n".join([HEADER, *lines]) + "\n",
        "crlf.csv": "\ufeff" + "\r\n".join([HEADER, *lines]) + "\r\n",
    }
    paths = [write_zip(lines), write_zip(microseconds(lines), "TESTUSDT-1m-2020-01")]
    for name, content in text.items():
        paths.append(tmp_path / name)
        paths[-1].write_text(content, newline="")
    paths.append(tmp_path / "plain.parquet")
    frame.assign(open_time=frame["open_time"].astype("datetime64[ms]"), offset_ms=0).to_parquet(paths[-1])
    iso = pd.to_datetime(frame["open_time"], unit="ms").dt.strftime("%Y-%m-%d %H:%M:%S")
    for suffix in ("", "Z", "+00:00", " UTC"):
        paths.append(tmp_path / f"iso{len(suffix)}.csv")
        frame.assign(open_time=iso + suffix).rename(
            columns={"open_time": "Timestamp", "trades": "count", "taker_buy_volume": "taker_buy_base_volume"}
        ).to_csv(paths[-1], index=False)
    for path in paths:
        assert read(path, "TEST").digest() == bars.digest(), path.name


def test_doubles_are_the_nearest_to_the_text(tmp_path: Path) -> None:
    price = np.random.default_rng(0).uniform(0.0001, 20_000, 5_000)
    start = 1_577_836_800_000
    rows = [f"{start + 60_000 * t},{p!r},{p!r},{p!r},{p!r},1" for t, p in enumerate(price.tolist())]
    path = tmp_path / "x.csv"
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    np.testing.assert_array_equal(read(path, "TEST").close, price)


def test_the_interval_comes_from_the_name_or_the_steps(lines: list[str], tmp_path: Path) -> None:
    hourly = [f"2020-01-01 {h:02}:00,1,1,1,1,1" for h in (0, 1, 2, 5)]
    path = tmp_path / "x.csv"
    path.write_text("time,open,high,low,close,volume\n" + "\n".join(hourly))
    assert read(path, "X").interval_ms == 3_600_000
    wrong = path.rename(tmp_path / "BTC_1m_x.csv")
    assert refusal(wrong, symbol="X").rule == "bars of 1m expected, the most common time step is 1h"
    one = tmp_path / "one.csv"
    one.write_text("time,open,high,low,close,volume\n" + hourly[0])
    assert refusal(one, symbol="X").rule == "the interval cannot be determined from the times"
    assert read(one.rename(tmp_path / "one_15m.csv"), "X").interval_ms == 900_000


@pytest.mark.parametrize(
    ("name", "interval", "start", "days"),
    [
        ("BTCUSDT-1m-2020-02.zip", 60_000, 18_293, 29),
        ("BTCUSDT-4h-2019-12.csv", 14_400_000, 18_231, 31),
        ("BTCUSDT-1d-2020-02-29.zip", DAY, 18_321, 1),
        ("1000SHIBUSDT-1s-2025-01.first_day.csv", 1_000, 20_089, 31),
    ],
)
def test_what_a_file_name_says(name: str, interval: int, start: int, days: int) -> None:
    said = parse_file_name(name)
    assert (said.symbol, said.interval_ms) == (name.split("-")[0], interval)
    assert (said.start_ms, said.stop_ms) == (start * DAY, (start + days) * DAY)


def test_names_that_say_little_or_nonsense() -> None:
    assert parse_file_name("btcusdt_1m.parquet").interval_ms == 60_000
    assert parse_file_name("btcusdt_1m.parquet").symbol is None
    assert parse_file_name("mine.csv").interval_ms is None
    for name, rule in (("BTCUSDT-1w-2020-01.zip", "'1w' is not an interval"),
                       ("BTCUSDT-1M-2020-01.zip", "'1M' is not an interval"),
                       ("BTCUSDT-1m-2020-13.zip", "the date in the file name is not valid")):  # fmt: skip
        with pytest.raises(BarError, match=rule):
            parse_file_name(name)


def test_off_grid_rows_are_floored_and_counted(lines: list[str], write_zip: Write, bars: Bars) -> None:
    moved = [
        ",".join([str(int(line.split(",")[0]) + 14_789 * (i > 4)), *line.split(",")[1:]])
        for i, line in enumerate(lines)
    ]
    raw = read_raw(write_zip(moved))
    assert raw.report().off_grid == 5
    assert raw.report().ok
    assert raw.bars("TEST").digest() == bars.digest()


def test_a_zip_cut_anywhere_is_refused(lines: list[str], write_zip: Write) -> None:
    path = write_zip(lines)
    whole = path.read_bytes()
    for length in [1, 10, 50, len(whole) // 2, len(whole) - 60, len(whole) - 10, len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert refusal(path).rule.startswith("the zip is truncated or damaged"), length
    path.write_bytes(b"")
    assert refusal(path).rule == "the file is empty"


def test_no_flipped_byte_of_a_zip_changes_the_bars(lines: list[str], write_zip: Write, bars: Bars) -> None:
    path = write_zip(lines)
    whole = path.read_bytes()
    refused = 0
    for position in range(0, len(whole), 3):
        broken = bytearray(whole)
        broken[position] ^= 0x55
        path.write_bytes(broken)
        try:
            assert read(path, "TEST").digest() == bars.digest()
        except BarError:
            refused += 1
    assert refused > len(whole) / 3 / 2


def test_zips_with_none_or_several_files(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w"):
        pass
    assert refusal(path).rule == "the zip contains 0 files instead of one"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "\n".join(lines))
        archive.writestr("b.csv", "\n".join(lines))
    assert refusal(path).rule == "the zip contains 2 files instead of one"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "")
    assert refusal(path).rule == "the file in the zip is empty"


def test_a_checksum_file_is_verified(lines: list[str], write_zip: Write) -> None:
    path = write_zip(lines)
    checksum = path.with_name(path.name + ".CHECKSUM")
    checksum.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
    assert len(read(path)) == 10
    checksum.write_text(f"{'0' * 64}  {path.name}")
    assert "TESTUSDT-1m-2020-01-01.zip.CHECKSUM says 000000000000.." in refusal(path).rule
    checksum.write_text("<html>not found</html>")
    assert refusal(path).file == str(checksum)


def shifted(line: str, hours: int) -> str:
    cells = line.split(",")
    cells[0] = str(int(cells[0]) + hours * 3_600_000)
    cells[6] = str(int(cells[6]) + hours * 3_600_000)
    return ",".join(cells)


@pytest.mark.parametrize("hours", [-8, 24])
def test_a_file_written_in_another_zone_is_refused(lines: list[str], write_zip: Write, hours: int) -> None:
    error = refusal(write_zip([shifted(line, hours) for line in lines]))
    assert error.row == 1
    assert "is outside the period of the file name, 2020-01-01 00:00 .. 2020-01-02 00:00" in error.rule
    # A month's file holds any of its days.
    if hours > 0:
        assert len(read(write_zip([shifted(line, hours) for line in lines], "TESTUSDT-1m-2020-01"))) == 10


@pytest.mark.parametrize(
    ("row", "column", "value", "rule"),
    [
        (3, 6, "1577837039998", "close_time 1577837039998 is not open_time + interval - 1"),
        (3, 6, "", "close_time nan is not"),
        (4, 0, "1577837040000000", "some times are in milliseconds and some in microseconds"),
        (4, 0, "1577837040", "some times are in milliseconds and some in seconds"),
        (4, 0, "", "time nan cannot be read"),
        (4, 0, "x", "time 'x' cannot be read"),
        (4, 0, "1577836980000", "duplicate time 2020-01-01 00:03"),
        (4, 0, "1577836800000", "time 2020-01-01 00:00 is earlier than the row before it"),
        (2, 4, "NaN", "close is not a finite number"),
        (2, 4, "abc", "close is not a finite number"),
        (2, 2, "", "high is not a finite number"),
        (2, 2, "90", "high is below low"),
        (9, 5, "-1", "volume is negative"),
    ],
)
def test_a_broken_archive_row_is_named(
    lines: list[str], write_zip: Write, row: int, column: int, value: str, rule: str
) -> None:
    cells = lines[row].split(",")
    cells[column] = value
    lines[row] = ",".join(cells)
    error = refusal(write_zip(lines))
    assert rule in error.rule
    assert error.row == row + 1


@pytest.mark.parametrize(
    "stamp",
    ["2020-01-01 08:01:00+08:00", "2019-12-31T19:01-0500", "2020-01-01 01:01:00.000+01", "2020-01-01 00:01 utc"],
)
def test_offsets_count(tmp_path: Path, stamp: str) -> None:
    path = tmp_path / "x_1m.csv"
    good = "2020-01-01 00:00:00+00:00,1,1,1,1,1"
    path.write_text(f"date,open,high,low,close,volume\n{good}\n{stamp},1,1,1,1,1\n")
    assert read(path, "X").open_time.tolist() == [1_577_836_800_000, 1_577_836_860_000]


@pytest.mark.parametrize(
    "stamp",
    ["2020-01-01T00+05", "2020-01-01 00:00+00:00+05:00", "2020-01-01+05:00", "2020-01-01 00:00 EST", "2020-01"],
)
def test_times_in_other_spellings_are_refused(tmp_path: Path, stamp: str) -> None:
    path = tmp_path / "x_1m.csv"
    good = "2019-12-31 23:00,1,1,1,1,1"
    path.write_text(f"date,open,high,low,close,volume\n{good}\n{stamp},1,1,1,1,1\n")
    assert refusal(path, symbol="X").row == 2


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"\n\n", "no rows"),
        (HEADER.encode() + b"\n", "no rows"),
        (b"1577836800000,1,1,1,1,1,1,1,1\n", "no header, and 9 columns of no known format"),
        (b"time,open,close\n1577836800000,1,1\n", "missing columns: high, low"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe\n\x80", None),
        (b"time,open,high,low,close,volume\n\xff\xfe\xff,1,1,1,1,1\n", None),
        (
            b"time,open,high,low,close,volume\n01/02/2020 00:00,1,1,1,1,1\n",
            "whether 01/02 is day/month or month/day is not clear",
        ),
        (b'time,open,high,low,close,volume\n"2020-01-01 00:00,1,1,1,1,1\n', None),
        (b"time,open,high,low,close,volume\nTrue,1,1,1,1,1\n", "neither numbers nor dates"),
        (b"time,open,high,low,close,volume\n2020-01-01,True,1,1,1,1\n", "cannot be determined"),
        (b"\x00" * 500, None),
    ],
)
def test_what_is_no_csv_of_bars(tmp_path: Path, content: bytes, rule: str | None) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    assert (rule or "") in refusal(path, symbol="X").rule


def test_rows_with_too_many_or_too_few_cells(lines: list[str], write_zip: Write) -> None:
    longer = [*lines[:5], lines[5] + ",7", *lines[6:]]
    assert "saw 13" in refusal(write_zip(longer)).rule
    cut = [*lines[:9], lines[9][:40]]
    assert refusal(write_zip(cut)).row == 10


def test_rows_longer_than_the_header(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "x_1m.csv"
    path.write_text("\n".join([HEADER, *(line + ",7" for line in lines)]))
    assert refusal(path, symbol="X").rule.startswith("not readable CSV text")


def test_what_is_no_parquet_of_bars(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    frame.to_parquet(path)
    whole = path.read_bytes()
    for length in (3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert refusal(path, symbol="X").rule.startswith("not a readable Parquet file")
    frame.drop(columns="close").to_parquet(path)
    assert refusal(path, symbol="X").rule == "missing columns: close"
    frame.assign(close="abc").to_parquet(path)
    assert refusal(path, symbol="X").rule.startswith("column close is not numeric")
    frame.assign(close=[[1.0]] * 10).to_parquet(path)
    assert refusal(path, symbol="X").rule.startswith("column close is not numeric")
    frame.iloc[:0].to_parquet(path)
    assert refusal(path, symbol="X").rule == "no rows"


def test_a_file_of_several_symbols(frame: pd.DataFrame, bars: Bars, tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    other = frame.assign(symbol="OTHER", close=-1.0)
    pd.concat([other, frame.assign(symbol="TEST")]).to_parquet(path)
    assert read(path, "TEST").digest() == bars.digest()
    assert refusal(path).rule == "contains 2 symbols, choose one: OTHER, TEST"
    assert refusal(path, symbol="XRP").rule == "contains 2 symbols, not XRP: OTHER, TEST"
    broken = frame.assign(symbol="TEST", volume=-1.0)
    pd.concat([other, broken]).to_parquet(path)
    assert refusal(path, symbol="TEST").row == 11  # the row of the file, not of the symbol


def test_paths_that_are_no_file_of_bars(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.zip").rule == "no such file"
    assert refusal(tmp_path).rule == "no such file"
    (tmp_path / "x.feather").write_bytes(b"1")
    assert refusal(tmp_path / "x.feather").rule.startswith("not a readable Feather file")
    (tmp_path / "x.xlsx").write_bytes(b"1")
    assert refusal(tmp_path / "x.xlsx").rule.startswith("not a file of bars: its name must end in .parquet")


def test_several_files_in_any_order(lines: list[str], bars: Bars, write_zip: Write) -> None:
    first = write_zip(lines[:6], "TESTUSDT-1m-2020-01")
    second = write_zip(lines[4:], "TESTUSDT-1m-2020-01-01")  # two rows are in both
    assert read_all([second, first], "TEST")[0].digest() == bars.digest()
    other = write_zip(lines, "OTHER-1m-2020-01-01")
    with pytest.raises(BarError, match="different symbols: OTHER, TESTUSDT"):
        read_all([first, other], "TEST")
    changed = lines[5].replace("104.50000000", "104.60000000")
    assert changed != lines[5]
    second = write_zip([lines[4], changed], "TESTUSDT-1m-2020-01-01")
    with pytest.raises(BarError, match=r"00:05: open 104.6 conflicts with 104.5 in .*2020-01.zip") as caught:
        read_all([first, second], "TEST")
    assert (caught.value.file, caught.value.row) == (str(second), 2)


@pytest.mark.parametrize(
    ("content", "rule"),
    [(b"\n" * 11_000_000, "11,000,000 rows; at most 10,000,000"), (b"1\r" * 11_000_000, "11,000,000 rows"),
     (b"1," * 200 + b"1\n", "more than 100 columns")],
)  # fmt: skip
def test_a_small_zip_of_much_text_is_refused_before_it_is_parsed(content, rule, tmp_path, monkeypatch):
    def parse(*arguments, **options):
        raise AssertionError("it was parsed")

    path = tmp_path / "TEST-1m-2020-01.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
    monkeypatch.setattr(pd, "read_csv", parse)
    with pytest.raises(BarError, match=rule):
        read(path)


def test_text_of_many_bytes_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("labelsearch.market.readers.LARGEST_TEXT", 1000)
    for name in ("TEST-1m-2020-01.zip", "TEST-1m-2020-01.csv"):
        path = tmp_path / name
        path.write_bytes(b"1" * 1001)
        if path.suffix == ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("a.csv", b"1" * 1001)
        with pytest.raises(BarError, match=r"1,001 bytes of text; at most 1,000 can be read"):
            read(path)


def test_a_small_parquet_file_of_many_rows_or_much_text_is_refused(frame, tmp_path, monkeypatch):
    path = tmp_path / "TEST-1m.parquet"
    frame.assign(symbol="x" * 101).to_parquet(path)
    with pytest.raises(BarError, match="column symbol holds text of more than 100 characters"):
        read(path)
    frame.assign(symbol="TEST").to_parquet(path)
    assert len(read(path, "TEST")) == 10
    monkeypatch.setattr("labelsearch.market.rules.MOST_ROWS", 9)
    with pytest.raises(BarError, match="10 rows; at most 9 can be read from one file: split it"):
        read(path, "TEST")
