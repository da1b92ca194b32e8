"""Cells and headings that could be taken for something else: no number, time or column is guessed wrongly."""

import pandas as pd
import pytest

from labelsearch.market.archive import read_all
from labelsearch.market.formats import ReadOptions
from labelsearch.market.rules import BarError
from labelsearch.market.times import Spelling, time_text

PLAIN = "date,open,high,low,close,volume"
STOOQ = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"


def lines(*rows):
    return "".join(row + "\n" for row in rows)


@pytest.mark.parametrize(
    ("clocks", "minutes"),
    [
        (["000000", "000500", "001000"], [0, 5, 10]),
        (["000500", "001000", "001500"], [5, 10, 15]),
        (["0000", "0005", "0010"], [0, 5, 10]),
        (["500", "1000", "10000"], [5, 10, 60]),  # a table that lost its zeros, but has a time of five digits
    ],
)
def test_times_of_day_keep_their_zeros(clocks, minutes, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(lines(STOOQ, *(f"EURUSD,5,20200102,{clock},4,6,3,5,2,0" for clock in clocks)))
    bars = read_all([path], "EURUSD", ReadOptions(interval_ms=300_000))[0]
    assert ((bars.open_time - bars.open_time[0]) // 60_000).tolist() == [m - minutes[0] for m in minutes]
    assert bars.open_time[0] % 86_400_000 == minutes[0] * 60_000


def test_times_of_day_as_numbers_of_parquet(tmp_path):
    frame = pd.DataFrame(
        {"date": 20200102, "time": [0, 500, 100000], "open": 4.0, "high": 6.0, "low": 3.0, "close": 5.0}
    )
    frame.assign(volume=2.0).to_parquet(tmp_path / "x.parquet")
    bars = read_all([tmp_path / "x.parquet"], "X", ReadOptions(interval_ms=300_000))[0]
    assert [time_text(int(t))[-5:] for t in bars.open_time] == ["00:00", "00:05", "10:00"]


# cells of open, high, low, close and volume of a row after 20 rows of whole numbers, and what they are
NUMBERS = {
    "comma late": (";", "100,125;101,125;99,125;100,5;2", [100.125, 100.5, 2]),
    "dots of thousands": (";", "1.085,5;1.090,2;1.080,0;1.086,0;12.345", [1085.5, 1086, 12345]),
    "dots of decimals": (";", "1085,5;1090,2;1080,0;1086,0;12.34", [1085.5, 1086, 12.34]),
    "commas of thousands": (";", "1,085.5;1,090;1,080;1,086;12,345", [1085.5, 1086, 12345]),
    "more commas of thousands": (";", "1,085;1,090;1,080;1,086;12,345,678", [1085, 1086, 12345678]),
    "dollars": (",", '"$1,085.5","$1,090",$999,"$1,086",2', [1085.5, 1086, 2]),
    "quoted decimal commas": (",", '"0,512","0,612","0,412","0,552",2', None),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_commas_and_dots_of_numbers(case, tmp_path):
    separator, row, wanted = NUMBERS[case]
    days = pd.date_range("2020-01-01", periods=21).strftime("%Y-%m-%d")
    above = [separator.join([day, "100", "101", "99", "100", "2"]) for day in days[:-1]]
    path = tmp_path / "x.csv"
    path.write_text(lines(PLAIN.replace(",", separator), *above, days[-1] + separator + row))
    if wanted is None:
        with pytest.raises(BarError, match="row 21: open is not a finite number"):
            read_all([path], "X")
        return
    bars, notes = read_all([path], "X")
    assert [bars.open[-1], bars.close[-1], bars.volume[-1]] == wanted
    assert any("comma" in note for note in notes)


def test_headings_with_spaces_are_the_same(tmp_path):
    """A ticker keeps its zeros, and an empty cell is missing, whatever stands around the heading."""
    path = tmp_path / "x.csv"
    row = "2020-01-0{},{},4,6,3,{},2"
    rows = [row.format(i, ticker, close) for ticker, close in (("000001", 5), ("1", 4)) for i in (1, 2, 3)]
    path.write_text(lines(" date , ticker , open,high , low ,close , volume ", *rows))
    assert read_all([path], "000001")[0].close.tolist() == [5, 5, 5]
    path.write_text(lines(" date , open,high , low ,close , volume ", "2020-01-01,4,6,3,5,2", ",,,,,"))
    assert len(read_all([path], "X", ReadOptions(interval_ms=86_400_000, skip_broken=True))[0]) == 1


def test_milliseconds_of_1976_are_no_dates_of_twelve_digits(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(lines(PLAIN, *(f"{189_302_400_000 + 86_400_000 * i},4,6,3,5,2" for i in range(366))))
    bars = read_all([path], "X")[0]
    assert (time_text(int(bars.open_time[0])), len(bars)) == ("1976-01-01 00:00", 366)


@pytest.mark.parametrize(
    "headings", ["Volume BTC,Volume USDT", "Volume USDT,Volume BTC", "Volume_(BTC),Volume_(Currency)"]
)
def test_the_volume_of_the_base_is_told_by_the_price(headings, tmp_path):
    path = tmp_path / "x.csv"
    cells = "1000,2" if headings.startswith("Volume USDT") else "2,1000"
    path.write_text(
        lines("date,open,high,low,close," + headings, *(f"2020-01-0{i},400,600,300,500,{cells}" for i in (1, 2)))
    )
    bars, notes = read_all([path], "X")
    assert (bars.volume[0], bars.quote_volume[0]) == (2, 1000)
    assert headings.startswith("Volume USDT") == any("quote currency comes first" in note for note in notes)


def test_a_turnover_is_no_number_of_trades(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(lines("1577836800000,4,6,3,5,2.5,11.25", "1577836860000,4,6,3,5,2.5,11.25"))
    with pytest.raises(BarError, match="7 columns of no known format: give their names"):
        read_all([path], "X")


def test_another_symbol_in_a_file_is_noted(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(lines("date,symbol," + PLAIN[5:], "2020-01-01,ETH/USDT,4,6,3,5,2", "2020-01-02,ETH/USDT,5,7,4,6,2"))
    assert any("the symbol in the file is ETH/USDT, not BTCUSDT" in note for note in read_all([path], "BTCUSDT")[1])
    assert not any("symbol" in note for note in read_all([path], "ETHUSDT")[1])


def test_a_file_without_rows_or_of_another_kind_breaks_nothing(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,open,high,low,close")
    with pytest.raises(BarError, match="no rows"):
        read_all([path], "X")
    times = pd.date_range("2020-01-01", periods=3, freq="h")
    frame = pd.DataFrame({"time": times, "open": 4.0, "high": 6.0, "low": 3.0, "close": 5.0})
    frame.to_parquet(tmp_path / "x.parquet")
    assert len(read_all([tmp_path / "x.parquet"], "X")[0]) == 3
    frame.rename(columns={"time": "index"}).assign(volume=2.0).to_feather(tmp_path / "x.feather")
    assert len(read_all([tmp_path / "x.feather"], "X")[0]) == 3


def test_a_shift_takes_no_bar_into_the_one_before(tmp_path):
    """Days of New York begin at 05:00 UTC in winter, at 04:00 in summer: two of these would be a day early."""
    path = tmp_path / "x.csv"
    days = pd.bdate_range("2019-11-04", "2020-03-10").strftime("%Y-%m-%d")
    path.write_text(lines(PLAIN, *(f"{day},4,6,3,5,2" for day in days)))
    zone = Spelling("America/New_York")
    with pytest.raises(BarError, match="2 times are before the grid of 1d after the shift, the first by 1h"):
        read_all([path], "X", ReadOptions(spelling=zone, anchor_ms=5 * 3_600_000))
    bars = read_all([path], "X", ReadOptions(spelling=zone, floor=True))[0]
    assert bars.index.strftime("%Y-%m-%d").tolist() == days.tolist()


@pytest.mark.parametrize(("separator", "words"), [(",", ("no", "yes")), (";", ("False", "True")), (",", ("0", "1"))])
def test_only_true_words_mark_a_filled_bar(separator, words, tmp_path):
    path = tmp_path / "x.csv"
    rows = [f"2020-01-0{i + 1},4,6,3,5,2,{words[i == 1]}".replace(",", separator) for i in range(3)]
    text = lines((PLAIN + ",filled").replace(",", separator), *rows)
    path.write_text(text.replace("4;6", "4,5;6"))
    assert read_all([path], "X", ReadOptions(interval_ms=86_400_000))[0].filled.tolist() == [False, True, False]


def test_options_hold_for_klines_too(tmp_path):
    path = tmp_path / "x.csv"
    start = 1_577_836_800_000
    rows = [f"{start + 60_000 * i},4,6,3,{(5, -5)[i == 1]},2,{start + 60_000 * i + 59_999},9,3,1,5,0" for i in range(4)]
    path.write_text(lines(*rows))
    with pytest.raises(BarError, match="row 2: close is not positive"):
        read_all([path], "X")
    bars, notes = read_all([path], "X", ReadOptions(skip_broken=True, anchor_ms=60_000, interval_ms=60_000))
    assert ((bars.open_time - start) // 60_000).tolist() == [-1, 1, 2]
    assert any("1 rows that break a rule are left out" in note for note in notes)
