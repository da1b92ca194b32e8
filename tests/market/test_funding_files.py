"""Files of funding: those that people have are read, faults are named by file and row."""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelsearch.market.archive import read
from labelsearch.market.formats import ReadOptions
from labelsearch.market.funding import FundingExtent, funding_gaps, uncovered
from labelsearch.market.funding_files import ManyFunding, add_all_funding, add_marks, read_archive_month, read_funding
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.times import Spelling, parse_time

START = parse_time("2024-01-01")
HOUR = 3_600_000
STEP = 8 * HOUR
RATES = (1e-4, -2.5e-4, 0.0)
NAME = "BTCUSDT-fundingRate-2024-01"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "funding.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def archive_text(late: int = 6) -> str:
    rows = [f"{START + STEP * i + late * (i > 0)},8,{rate:.8f}" for i, rate in enumerate(RATES)]
    return "\n".join(["calc_time,funding_interval_hours,last_funding_rate", *rows]) + "\n"


def only(many: ManyFunding, symbol: str = "BTCUSDT") -> list[tuple[int, float, float]]:
    held = many.series[symbol]
    assert held.symbol == symbol
    return [*zip(((held.time - START) // HOUR).tolist(), held.rate.tolist(), held.mark.tolist(), strict=True)]


UNKNOWN = [(0, 1e-4), (8, -2.5e-4), (16, 0.0)]


def two(rows: list[tuple[int, float, float]]) -> list[tuple[int, float]]:
    return [row[:2] for row in rows]


def test_a_month_of_the_archive(write: Write, write_zip: Write) -> None:
    path = write_zip(archive_text().splitlines(), NAME)
    many = read_funding([path], ["BTCUSDT"], ReadOptions())
    assert two(only(many)) == UNKNOWN
    assert many.heard() == [
        f"{NAME}.zip: read as funding",
        f"{NAME}.zip: 2 times less than a minute after a whole hour are set to it (BTCUSDT)",
    ]
    assert read_archive_month(path, "BTCUSDT").digest() == many.series["BTCUSDT"].digest()
    assert two(only(read_funding([path], None, ReadOptions()))) == UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "symbol,fundingTime,fundingRate,markPrice\nBTCUSDT,{0},1e-4,\nBTCUSDT,{1},-2.5e-4,42000.5\nBTCUSDT,{2},0,\n",
        "funding_time;funding_rate;mark_price\n{0};0,0001;\n{1};-0,00025;42000,5\n{2};0,0;\n",
        "timestamp,fundingRate,markPrice\n{0}.0,1e-4,NaN\n{1}.0,-2.5e-4,42000.5\n{2}.0,0,NaN\n",
        "DateTime,FUNDING_RATE,Mark_Price\n2024-01-01T00:00:00.003Z,1e-4,\n2024-01-01T08:00:00.000Z,-2.5e-4,42000.5\n"
        "2024-01-01T16:00:00.000Z,0,\n",
        "# a remark\ntime,funding_rate,markprice,x\n{2},0,,1\n{1},-0.00025,42000.5,2\n{0},1e-4,,3\n",
        "calc_time,last_funding_rate,mark_price\n{0},1e-4,\n{1},-2.5e-4,42000.5\n{1},-2.5e-4,42000.5\n{2},0,\n",
    ],
)
@pytest.mark.parametrize("unit", [1, 1000])
def test_spellings_of_files(write: Write, text: str, unit: int) -> None:
    path = write(text.format(*(str((START + STEP * i) // unit) for i in range(3))))
    rows = only(read_funding([path], ["BTCUSDT"], ReadOptions()))
    assert two(rows) == UNKNOWN
    np.testing.assert_array_equal([row[2] for row in rows], [np.nan, 42000.5, np.nan])


def test_a_history_as_ccxt_gives_it(write: Write) -> None:
    info = "\"{'symbol': 'BTCUSDT', 'fundingRate': '0.0001'}\""
    lines = ["info,symbol,fundingRate,timestamp,datetime"]
    for i, rate in enumerate(RATES):
        lines.append(f"{info},BTC/USDT:USDT,{rate},{START + STEP * i},2024-01-01T{8 * i:02d}:00:00.000Z")
    path = write("\n".join(lines))
    assert two(only(read_funding([path], ["BTCUSDT"], ReadOptions()))) == UNKNOWN
    assert two(only(read_funding([path], None, ReadOptions()), "BTCUSDT_USDT")) == UNKNOWN


def test_zones_headings_and_zipped_text(write: Write, tmp_path: Path) -> None:
    text = "2024-01-01 02:00:00,0.0001\n2024-01-01 10:00:00,-0.00025\n2024-01-01 18:00:00,0\n"
    path = tmp_path / "f.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    options = ReadOptions(columns=("time", "funding_rate"), spelling=Spelling("Europe/Athens"))
    assert two(only(read_funding([path], ["BTCUSDT"], options))) == UNKNOWN


def table(symbols: tuple[str, ...] = ("AAA", "BTC/USDT")) -> pd.DataFrame:
    time = pd.to_datetime([START + STEP * i for i in range(3)], unit="ms")
    parts = [pd.DataFrame({"symbol": s, "funding_time": time, "funding_rate": RATES, "source": "x"}) for s in symbols]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "feather"])
def test_several_symbols_of_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"panel.{suffix}"
    frame = table()
    {"parquet": frame.to_parquet, "csv": frame.to_csv, "feather": frame.to_feather}[suffix](path)
    many = read_funding([path], None, ReadOptions())
    assert list(many.series) == ["AAA", "BTCUSDT"]
    assert two(only(many)) == two(only(many, "AAA")) == UNKNOWN
    assert list(read_funding([path], ["BTCUSDT"], ReadOptions()).series) == ["BTCUSDT"]
    with pytest.raises(BarError, match="contains 2 symbols, not ETH: AAA, BTC/USDT"):
        read_funding([path], ["ETH"], ReadOptions())
    with pytest.raises(BarError, match=r"no file has ETH$"):
        read_funding([path], ["AAA", "ETH"], ReadOptions())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "the file is empty"),
        ("fundingTime,fundingRate\n", "BTCUSDT: no rows"),
        ("fundingRate,x\n0.1,1\n", "missing columns: funding_time"),
        ("open_time,open,high,low,close,volume\n1,1,1,1,1,1\n", "no column is of funding rates: it needs"),
        (f"{START},0.1\n", "row 1: no header: give the names of its columns"),
        ("fundingTime,fundingRate\n1704067200000,0.1\n,0.1\n", "row 2: BTCUSDT: time nan cannot be read"),
        ("fundingTime,fundingRate\n2024-01-01,0.1\nyesterday,0.1\n", "row 2: BTCUSDT: time 'yesterday' cannot be read"),
        (
            "fundingTime,fundingRate\n1704067200000,0.1\n1704096000000,?\n",
            "row 2: BTCUSDT: the funding rate is not",
        ),
        ("fundingTime,fundingRate\n1704067200000,3\n", "row 1: BTCUSDT: the funding rate is not a fraction between"),
        ("fundingTime,fundingRate,markPrice\n1704067200000,0,0\n", "row 1: BTCUSDT: the mark price is not positive"),
        (
            "fundingTime,fundingRate\n1704067200000,0.1\n1704067200007,0.2\n",
            "row 2: BTCUSDT: duplicate time",
        ),
        (
            "fundingTime,fundingRate\n1704067200000,0.1\n1704096000000,0.2\n1704074400000,0.2\n",
            "row 3: BTCUSDT: time 2024-01-01 02:00 is earlier than the row before it",
        ),
    ],
)
def test_a_bad_file_is_one_line(write: Write, text: str, rule: str) -> None:
    path = write(text)
    with pytest.raises(BarError) as error:
        read_funding([path], ["BTCUSDT"], ReadOptions())
    assert str(error.value).startswith(f"{path}: {rule}")
    assert "\n" not in str(error.value)


def test_broken_rows_may_be_left_out(write: Write) -> None:
    lines = [f"{START},1e-4", ",1", f"{START + STEP},-2.5e-4", f"{START + 9 * HOUR},?", f"{START + 2 * STEP},0"]
    path = write("\n".join(["fundingTime,fundingRate", *lines]))
    many = read_funding([path], ["BTCUSDT"], ReadOptions(skip_broken=True))
    assert two(only(many)) == UNKNOWN
    assert many.notes["BTCUSDT"][1:] == [
        "funding.csv: 1 rows without a time are left out",
        "funding.csv: 1 rows that break a rule are left out, the first is row 4: the funding rate is not a finite "
        "number",
    ]


def test_names_of_the_archive_are_checked(write: Write, tmp_path: Path) -> None:
    path = write(archive_text(), f"{NAME}.csv")
    path.with_name(path.name + ".CHECKSUM").write_text(f"{'0' * 64}  {path.name}")
    with pytest.raises(BarError, match=r"SHA-256 is .*CHECKSUM says 0000"):
        read_funding([path], None, ReadOptions())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}")
    assert two(only(read_funding([path], None, ReadOptions()))) == UNKNOWN
    other = write(archive_text(), "BTCUSDT-fundingRate-2024-02.csv")
    with pytest.raises(BarError, match=r"time 2024-01-01 00:00 is outside the period of the file name"):
        read_funding([other], None, ReadOptions())
    with pytest.raises(BarError, match="the file names contain different symbols: BTCUSDT, ETHUSDT"):
        read_funding([path, write(archive_text(), "ETHUSDT-fundingRate-2024-01.csv")], ["BTCUSDT"], ReadOptions())


def test_bars_and_funding_are_not_mistaken_for_each_other(write: Write) -> None:
    with pytest.raises(BarError, match="holds funding rates, not bars: --funding imports them"):
        read(write(archive_text()), "BTCUSDT")


def test_files_that_overlap_must_agree(write: Write) -> None:
    first = write(archive_text(), "a.csv")
    second = write(archive_text().replace("-0.00025000", "-0.00026000"), "b.csv")
    rule = r"b\.csv: row 2: BTCUSDT: 2024-01-01 08:00: funding rate -0.00026 conflicts with -0.00025 in .*a\.csv$"
    with pytest.raises(BarError, match=rule):
        read_funding([first, second], ["BTCUSDT"], ReadOptions())


def test_marks_come_from_bars(write: Write) -> None:
    path = write(archive_text())
    bars = "open_time,open,high,low,close\n" + "".join(
        f"{START + HOUR * i},{100 + i},{101 + i},{99 + i},{100 + i}\n" for i in range(10)
    )
    many = read_funding([path], ["BTCUSDT"], ReadOptions())
    add_marks(many, [write(bars, "marks.csv")], ["BTCUSDT"], ReadOptions())
    np.testing.assert_array_equal([row[2] for row in only(many)], [100.0, 108.0, np.nan])
    assert many.notes["BTCUSDT"][-1] == "2 of 3 payments have a mark price"
    many = read_funding([path], ["BTCUSDT"], ReadOptions())
    late = "".join(bars.splitlines(keepends=True)[:1] + bars.splitlines(keepends=True)[2:9])
    with pytest.raises(BarError, match="no bar of the mark price starts at the time of a payment"):
        add_marks(many, [write(late, "marks.csv")], ["BTCUSDT"], ReadOptions())


def test_nothing_is_stored_if_one_symbol_conflicts(tmp_path: Path) -> None:
    table().to_parquet(tmp_path / "panel.parquet")
    many = read_funding([tmp_path / "panel.parquet"], None, ReadOptions())
    store = Store(tmp_path / "store")
    held = many.series["BTCUSDT"]
    store.add_funding(replace(held, rate=held.rate + 0.1))
    with pytest.raises(BarError, match=r"BTCUSDT: 2024-01-01 00:00: funding rate 0\.0001 conflicts with 0\.1001"):
        add_all_funding(store, many, overwrite=False)
    assert store.with_funding() == ["BTCUSDT"]
    added = add_all_funding(store, many, overwrite=True)
    assert [(name, each.new, each.replaced) for name, each, _ in added] == [("AAA", 3, 0), ("BTCUSDT", 0, 3)]


@pytest.mark.real_data
def test_funding_of_the_exchange(market_data: Path, tmp_path: Path) -> None:
    """The 29 contracts lack no payment, in spite of the days on which one was paid for every 2 hours."""
    many = read_funding([market_data / "binance_um_funding_29_2019_2024.parquet"], None, ReadOptions())
    assert len(many.series) == 29
    assert {FundingExtent.of(held).missing for held in many.series.values()} == {0}
    solana = many.series["SOLUSDT"]
    assert solana.rate.min() == -0.02
    days = parse_time("2022-11-09"), parse_time("2022-11-19")
    assert len(uncovered(solana, *days, STEP)) == 0
    assert len(funding_gaps(many.series["BTCUSDT"].time, parse_time("2019-09-01"))) == 1
    marks = [market_data / "binance_um_mark_8h_10_2023_2024.parquet"]
    add_marks(many, marks, list(many.series), ReadOptions())
    store = Store(tmp_path)
    add_all_funding(store, many, overwrite=False)
    bitcoin = store.load_funding("BTCUSDT", parse_time("2023-01-01"), parse_time("2025-01-01"))
    assert (
        bitcoin.digest() == many.series["BTCUSDT"].between(parse_time("2023-01-01"), parse_time("2025-01-01")).digest()
    )
    assert (len(bitcoin), int(np.isfinite(bitcoin.mark).sum())) == (3 * 731, 3 * 731)
    assert bitcoin.mark[0] == pytest.approx(16_540, abs=20)
    assert sum(bool(np.isfinite(held.mark).any()) for held in many.series.values()) == 10
