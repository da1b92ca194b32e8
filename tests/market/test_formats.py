"""Files as people have them: each format is found, read as it is, and what was assumed is said."""

import gzip
import time

import numpy as np
import pandas as pd
import pytest

from labelsearch.market import archive
from labelsearch.market.archive import read_all, read_raw
from labelsearch.market.formats import FORMATS, ReadOptions
from labelsearch.market.rules import BarError
from labelsearch.market.times import Spelling, time_text

CDD = """https://www.CryptoDataDownload.com
unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount
1609286400000,2020-12-30 00:00:00,BTC/USDT,4,6,3,5,2,10,7
1609282800.0,2020-12-29 11-PM,BTC/USDT,3,5,2,4,1,4,NULL
1609279200.0,2020-12-29 10-PM,BTC/USDT,2,4,1,3,1,3,NULL
"""
GEMINI = """Created on 12-30-2020,https://www.CryptoDataDownload.com
Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume
1609286400000,2020-12-30 00:00:00,BTCUSD,4,6,3,5,2
1609282800000,2020-12-29 23:00:00,BTCUSD,3,5,2,4,1
""".replace("\n", "\r\n")
KAGGLE = "2947,Bitcoin,BTC,23/05/2021 23:59,6,3,4,5,2,6.51E+11\n2948,Bitcoin,BTC,24/05/2021 23:59,7,4,5,6,2,7.24E+11\n"
MT5 = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume"
PLAIN = "date,open,high,low,close,volume"


def lines(*rows):
    return "".join(row + "\n" for row in rows)


# text, time of the first bar, closes, part of a note
CASES = {
    "cryptodatadownload": (CDD, "2020-12-29 22:00", [3, 4, 5], "newest row comes first"),
    "gemini": (GEMINI, "2020-12-29 23:00", [4, 5], "newest row comes first"),
    "kraken": (
        lines("1381017600,4,6,3,5,0.1,1", "1381104000,5,7,4,6,0.1,1"), "2013-10-06 00:00", [5, 6], "read as kraken",
    ),
    "metatrader4": (
        lines("2019.02.15,14:00,4,6,3,5,99", "2019.02.15,15:00,5,7,4,6,79"), "2019-02-15 14:00", [5, 6], "--zone",
    ),
    "metatrader5": (
        lines(MT5, "2015.01.02\t09:00:00\t4\t6\t3\t5\t93\t0\t50", "2015.01.02\t10:00:00\t5\t7\t4\t6\t93\t0\t50"),
        "2015-01-02 09:00", [5, 6], "--zone",
    ),
    "stooq": (
        lines("Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen", "2020-05-01,4,6,3,5,9", "2020-05-02,5,7,4,6,9"),
        "2020-05-01 00:00", [5, 6], "read as stooq",
    ),
    "yahoo": (
        lines(YAHOO, "2000-01-03,4,6,3,5,1.25,100", "2000-01-04,5,7,4,6,1.5,200"),
        "2000-01-03 00:00", [5, 6], "read as yahoo",
    ),
    "kaggle": (KAGGLE, "2021-05-23 00:00", [5, 6], "times mark the end of their bars"),
    "tradingview": (
        lines("time,open,high,low,close,CVD (Haut", "2025-08-12T14:00:00+01:00,4,6,3,5,NaN",
              "2025-08-12T15:00:00+01:00,5,7,4,6,NaN"),
        "2025-08-12 13:00", [5, 6], "there is no volume",
    ),
    "ohlcv": (
        lines("1577836800000,4,6,3,5,2", "1577836860000,5,7,4,6,2"), "2020-01-01 00:00", [5, 6], "read as ohlcv",
    ),
    "seconds": (
        lines(PLAIN, "1577836800,4,6,3,5,2", "1577836860,5,7,4,6,2"), "2020-01-01 00:00", [5, 6], "read as table",
    ),
    "nanoseconds": (
        lines(PLAIN, "1577836800000000000,4,6,3,5,2", "1577836860000000000,5,7,4,6,2"),
        "2020-01-01 00:00", [5, 6], "read as table",
    ),
    "twelve digits": (
        lines(PLAIN, "202001010000,4,6,3,5,2", "202001020000,5,7,4,6,2"), "2020-01-01 00:00", [5, 6], "read as table",
    ),
    "fourteen digits": (
        lines(PLAIN.replace(",", ";"), "20200101100000;4;6;3;5;2,5", "20200101110000;5;7;4;6;2"),
        "2020-01-01 10:00", [5, 6], "commas are taken for decimal points",
    ),
    "named offsets": (
        lines("Local time," + PLAIN[5:], "13.01.2020 01:00:00.000 GMT+0100,4,6,3,5,2",
              "13.01.2020 02:00:00.000 GMT+0100,5,7,4,6,2"),
        "2020-01-13 00:00", [5, 6], "read as table",
    ),
    "unnamed": (
        lines(",open,high,low,close,volume", "2020-01-01 00:00,4,6,3,5,2", "2020-01-01 00:01,5,7,4,6,2"),
        "2020-01-01 00:00", [5, 6], "read as table",
    ),
    "capitals": (
        lines("Open Time,Open,High,Low,Close,Volume", "2020-01-01 00:00,4,6,3,5,2", "2020-01-01 00:01,5,7,4,6,2"),
        "2020-01-01 00:00", [5, 6], "read as table",
    ),
    "thousands": (
        lines(PLAIN, '2020-01-01,"1,004.5","1,006","1,003","1,005",2', '2020-01-02,"1,005","1,007","1,004","1,006",2'),
        "2020-01-01 00:00", [1005, 1006], "read as table",
    ),
    "semicolons": (
        lines(PLAIN.replace(",", ";"), "01.02.2020;1.004,5;1.006,0;1.003,0;1.005,0;2,5",
              "02.02.2020;1.005,0;1.007,0;1.004,0;1.006,0;2,0"),
        "2020-02-01 00:00", [1005, 1006], "read as table",
    ),
    "twice": (
        lines(PLAIN, "2020-01-01,4,6,3,5,2", "2020-01-01,4,6,3,5,2", "2020-01-02,5,7,4,6,2"),
        "2020-01-01 00:00", [5, 6], "1 rows stand there twice",
    ),
    "rounding": (
        lines(PLAIN, "2020-01-01,0.1,0.30000000000000004,0.1,0.3,2", "2020-01-02,0.3,0.3,0.1,0.30000000000000004,2"),
        "2020-01-01 00:00", [0.3, 0.30000000000000004], "read as table",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_format_is_found_and_read(case, encoding, tmp_path):
    text, first, close, note = CASES[case]
    path = tmp_path / ("file.tsv" if "\t" in text else "file.csv")
    path.write_bytes(text.encode(encoding))
    bars, notes = read_all([path], "X")
    assert time_text(int(bars.open_time[0])) == first
    assert bars.close.tolist() == close
    assert any(note in line for line in notes)
    packed = tmp_path / "file.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_all([packed], "X")[0].digest() == bars.digest()


def test_volumes_go_by_their_currency(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(CDD)
    bars, notes = read_all([path], "X")
    assert (bars.volume.tolist(), bars.quote_volume.tolist()) == ([1, 1, 2], [3, 4, 10])
    assert bars.trades is None
    assert any("not all rows have trades, which is left out" in note for note in notes)


def test_a_format_by_name(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(KAGGLE)
    assert read_raw(path, ReadOptions(format="kaggle")).bars("X").open.tolist() == [4, 5]
    for name in ("kraken", "klines", "yahoo"):
        with pytest.raises(BarError, match=f"is not of the format {name}"):
            read_raw(path, ReadOptions(format=name))
    path.write_text("5,6,3,4,2020-01-01,x\n6,7,4,5,2020-01-02,x\n")
    with pytest.raises(BarError, match="no header, and 6 columns of no known format: give their names"):
        read_raw(path)
    names = ("close", "high", "low", "open", "date", "remark")
    assert read_raw(path, ReadOptions(columns=names)).bars("X").close.tolist() == [5, 6]


def test_every_format_is_in_the_table_of_the_documents():
    text = (archive.Path(__file__).parents[2] / "docs" / "DATA.md").read_text()
    for row in FORMATS.values():
        assert f"| `{row.name}` |" in text


def write(path, rows, symbol=None):
    """Bars of five columns at these times."""
    frame = pd.DataFrame({"date": rows, "open": 4.0, "high": 6.0, "low": 3.0, "close": 5.0, "volume": 2.0})
    if symbol is not None:
        frame["symbol"] = symbol
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    "symbols", [["7203", "6758"], ["000001", "000002"], ["NA", "BTC"], ["BTC/USD", "ETH/USD"], ["nan", "1e3"]]
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_symbols_are_text(symbols, suffix, tmp_path):
    frame = pd.DataFrame({"Date": ["2020-01-01"] * 2 + ["2020-01-02"] * 2, "Ticker": symbols * 2})
    frame = frame.assign(
        Open=[4.0, 40.0] * 2, High=[6.0, 60.0] * 2, Low=[3.0, 30.0] * 2, Close=[5.0, 50.0] * 2, Volume=2.0
    )
    path = tmp_path / f"x{suffix}"
    (frame.to_csv if suffix == ".csv" else frame.to_parquet)(path, index=False)
    for symbol, close in zip(symbols, (5.0, 50.0), strict=True):
        assert read_raw(path, ReadOptions(symbol)).bars("X").close.tolist() == [close] * 2
    with pytest.raises(BarError, match="contains 2 symbols, choose one"):
        read_raw(path)


def test_a_pair_is_found_without_its_separator(tmp_path):
    path = write(
        tmp_path / "x.csv", ["2020-01-01", "2020-01-01", "2020-01-02", "2020-01-02"], ["BTC/USD", "ETH/USD"] * 2
    )
    assert len(read_raw(path, ReadOptions("ETHUSD")).bars("X")) == 2


def test_times_off_the_grid_are_not_moved_silently(tmp_path):
    four = pd.date_range("2020-01-01 22:00", periods=30, freq="4h").astype(str)
    path = write(tmp_path / "x.csv", four)
    with pytest.raises(BarError, match="row 1: 100 % of the times are not on the grid of 4h, most of them 2h"):
        read_all([path], "X")
    shifted, notes = read_all([path], "X", ReadOptions(anchor_ms=7_200_000))
    assert time_text(int(shifted.open_time[0])) == "2020-01-01 20:00"
    assert any("times are shifted 2h earlier" in note for note in notes)
    rounded, notes = read_all([path], "X", ReadOptions(floor=True))
    assert rounded.digest() == shifted.digest()
    assert any("30 times off the grid are rounded down" in note for note in notes)
    half = write(tmp_path / "y.csv", pd.date_range("2020-01-01 14:30", periods=7, freq="1h").astype(str))
    with pytest.raises(BarError, match=r"the grid of 1h, most of them 30m after it: shift them by it \(--anchor 30m\)"):
        read_all([half], "X")


def test_uneven_times_are_not_made_even(tmp_path):
    minutes = np.cumsum(np.random.default_rng(0).choice([1, 2, 2, 3], 200))
    path = write(tmp_path / "x.csv", (pd.Timestamp("2020-01-01") + pd.to_timedelta(minutes, unit="m")).astype(str))
    with pytest.raises(BarError, match="of the times are not on the grid of 2m"):
        read_all([path], "X")
    assert (
        len(read_all([path], "X", ReadOptions(interval_ms=60_000))[0]) == 200
        if (np.diff(minutes) == 1).sum() > 100
        else True
    )


def test_bars_that_begin_late_stay_in_their_interval(tmp_path):
    days = [f"2020-01-0{d} {t}" for d in (1, 2, 3) for t in ("09:30", "10:00", "11:00", "12:00")]
    bars, notes = read_all([write(tmp_path / "x.csv", days)], "X")
    assert time_text(int(bars.open_time[4])) == "2020-01-02 09:00"
    assert any("3 times off the grid are rounded down" in note for note in notes)


def test_a_bar_that_is_still_open_is_left_out(tmp_path, monkeypatch):
    path = write(tmp_path / "x.csv", ["2020-01-01 18:00", "2020-01-01 19:00", "2020-01-01 20:00"])
    clock = pd.Timestamp("2020-01-01 20:39").timestamp()
    monkeypatch.setattr(time, "time", lambda: clock)
    bars, notes = read_all([path], "X")
    assert [time_text(int(ms))[11:] for ms in bars.open_time] == ["18:00", "19:00"]
    assert any("the bar of 2020-01-01 20:00 is not closed yet and is left out" in note for note in notes)
    for hours in (2, 20):
        when = pd.Timestamp("2020-01-01 20:00") + pd.Timedelta(hours=hours)
        later = write(tmp_path / "y.csv", ["2020-01-01 18:00", "2020-01-01 19:00", str(when)])
        with pytest.raises(BarError, match="is in the future: wrong time zone, or a wrong clock"):
            read_all([later], "X")


def test_empty_and_broken_rows_are_left_out_only_if_asked(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        "date,open,high,low,close,volume\n2020-01-01,4,6,3,5,2\n,,,,,\n2020-01-02,5,7,4,6,2\n2020-01-03,0,7,4,6,2\n2020-01-04,5,7,4,6,2\n"
    )
    with pytest.raises(BarError, match="row 2: the row is empty; --skip-broken leaves such rows out"):
        read_all([path], "X")
    bars, notes = read_all([path], "X", ReadOptions(skip_broken=True))
    assert len(bars) == 3
    assert any("1 rows without a time or without any price are left out" in note for note in notes)
    assert any(
        "1 rows that break a rule are left out, the first is row 4: open is not positive" in note for note in notes
    )


def test_local_times_and_orders_of_dates(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("date,open,high,low,close,volume\n01/02/2020 10:00,4,6,3,5,2\n01/02/2020 11:00,5,7,4,6,2\n")
    options = ReadOptions(spelling=Spelling("Europe/Athens", "dmy"))
    assert time_text(int(read_all([path], "X", options)[0].open_time[0])) == "2020-02-01 08:00"


@pytest.mark.real_data
def test_genuine_files(market_data):
    folder = market_data / "format_samples"
    found = {
        "cryptodatadownload_Binance_BTCUSDT_1h.head.csv": ("cryptodatadownload", 200, "2020-12-21 13:00", 27_385.0),
        "cryptodatadownload_Binance_BTCUSDT_1h.tail.csv": ("cryptodatadownload", 120, "2017-08-17 04:00", None),
        "cryptodatadownload_Binance_ETCBTC_d.csv": ("cryptodatadownload", 27, "2020-12-04 00:00", None),
        "cryptodatadownload_gemini_BTCUSD_1hr.head.csv": ("cryptodatadownload", 150, "2020-12-23 19:00", None),
        "fxcm_m1_bid_gbpusd_2012.head.csv": ("table", 249, "2012-02-01 00:00", None),
        "kraken_XBTUSD_1440.head.csv": ("kraken", 250, "2013-10-06 00:00", None),
        "metatrader4_EURUSD60.head.csv": ("metatrader4", 250, "2019-02-15 14:00", None),
        "stooq_^spx_d.head.csv": ("stooq", 250, "2020-05-01 00:00", None),
        "tradingview_BINANCE_BTCUSDT, 60.head.csv": ("tradingview", 250, "2025-08-12 13:00", None),
        "copied_text/kaggle_coin_Bitcoin.excerpt.csv": ("kaggle", 16, "2013-04-29 00:00", None),
        "copied_text/kaggle_coin_Bitcoin_excel_resaved.excerpt_no_header.csv": ("kaggle", 12, "2021-05-23 00:00", None),
        "copied_text/metatrader5_EURUSD_H1.excerpt.tsv": ("metatrader5", 22, "2015-01-02 00:00", None),
        "copied_text/yahoo_yfinance_ACHV.excerpt.csv": ("yahoo", 20, "2000-01-03 00:00", None),
        "ticks/freqtrade_binance_XRP_ETH-1m.feather": ("table", 2469, "2019-10-11 00:00", None),
    }
    for name, (kind, n, first, last_open) in found.items():
        raw = read_raw(folder / name)
        bars = raw.bars("X")
        assert (raw.format, len(bars), time_text(int(bars.open_time[0]))) == (kind, n, first), name
        assert last_open in (None, bars.open[-1])
    broken = folder / "cryptodatadownload_gemini_BTCUSD_1hr.tail.csv"
    with pytest.raises(BarError, match="row 100: open is not positive"):
        read_raw(broken).bars("X")
    assert len(read_raw(broken, ReadOptions(skip_broken=True)).bars("X")) == 99
