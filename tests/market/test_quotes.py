"""Bars of quotes: how they are kept, and the files they come from."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelsearch.market.archive import read, read_all, read_raw
from labelsearch.market.bars import Bars
from labelsearch.market.checks import check
from labelsearch.market.formats import ReadOptions
from labelsearch.market.many import read_many
from labelsearch.market.resample import resample
from labelsearch.market.rules import PRICES, QUOTES, BarError
from labelsearch.market.store import Store, merge
from labelsearch.market.times import Spelling, time_text
from labelsearch.notebook.frame_checks import grid_of

START = 1_577_836_800_000  # 2020-01-01 00:00 UTC
HOUR = 3_600_000


@pytest.fixture
def quotes() -> pd.DataFrame:
    """Twelve good hours of quotes with five decimals, and a spread that differs at every price."""
    rng = np.random.default_rng(3)
    middle = 1.1 + 0.001 * rng.standard_normal((12, 4))
    middle = np.column_stack([middle[:, 0], middle.max(axis=1), middle.min(axis=1), middle[:, 1]])
    half = 0.0001 * rng.uniform(0.5, 1.5, (12, 1)) * np.array([1.0, 1.2, 1.2, 1.1])
    half[:, 0] = half[:, 1] = half[:, 2]  # so that neither side breaks a rule
    half[:, 3] = half[:, 1]
    sides = np.hstack([middle - half, middle + half]).round(5)
    return pd.DataFrame(sides, columns=list(QUOTES)).assign(open_time=START + np.arange(12) * HOUR, volume=1.0)


@pytest.fixture
def bars(quotes: pd.DataFrame) -> Bars:
    """The same as bars."""
    return Bars.from_frame(quotes, "EURUSD", HOUR)


def test_both_sides_come_back_from_the_middle_and_the_spread(quotes, bars):
    for price in PRICES:
        middle = (quotes[f"bid_{price}"] + quotes[f"ask_{price}"]) / 2
        np.testing.assert_array_equal(getattr(bars, price), middle)
    for side, sign in (("bid", -1), ("ask", 1)):
        np.testing.assert_allclose(bars.open + sign * bars.spread / 2, quotes[f"{side}_open"], rtol=3e-16)
    assert Bars.from_frame(bars.to_frame(), "EURUSD", HOUR).digest() == bars.digest()


def test_the_digest_sees_the_spread(bars):
    changed = replace(bars, spread=bars.spread + 1e-5 * (np.arange(12) == 3))
    without = Bars("EURUSD", HOUR, bars.open_time, bars.open, bars.high, bars.low, bars.close, bars.volume)
    assert len({bars.digest(), changed.digest(), without.digest()}) == 3


def test_a_filled_bar_carries_the_last_spread(bars):
    dense = merge([bars.rows(0, 3), bars.rows(5, 8)])[0].on_grid()
    np.testing.assert_array_equal(np.flatnonzero(dense.filled), [3, 4])
    np.testing.assert_array_equal(dense.spread[3:5], bars.spread[[2, 2]])
    np.testing.assert_array_equal(dense.spread[5:], bars.spread[5:8])
    assert dense.present().digest() == merge([bars.rows(0, 3), bars.rows(5, 8)])[0].digest()


def test_a_longer_bar_has_the_spread_of_its_open(bars):
    longer = resample(bars, 4 * HOUR)
    np.testing.assert_array_equal(longer.open, bars.open[::4])
    np.testing.assert_array_equal(longer.spread, bars.spread[::4])


def test_the_store_keeps_the_spread(bars, tmp_path):
    store = Store(tmp_path)
    assert store.add(bars.rows(0, 8)).new == 8
    assert store.add(bars).new == 4
    assert store.load("EURUSD", "1h").digest() == bars.digest()
    assert check(store.load("EURUSD", "1h")).ok
    without = Bars.from_frame(bars.to_frame().drop(columns="spread"), "EURUSD", HOUR)
    with pytest.raises(BarError, match="the new bars lack spread, which the stored bars have"):
        store.add(without)
    changed = replace(bars, spread=np.where(np.arange(12) == 3, 2e-3, bars.spread))
    with pytest.raises(BarError, match=r"2020-01-01 03:00: spread .* conflicts with"):
        store.add(changed)


def test_tables_of_a_notebook_may_be_quotes(quotes, bars):
    index = pd.to_datetime(quotes.pop("open_time"), unit="ms", utc=True)
    np.testing.assert_array_equal(grid_of(quotes.set_index(pd.DatetimeIndex(index))).spread, bars.spread)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (-1e-9, "spread is negative"),
        (np.nan, "spread is not a finite number"),
        (np.inf, "spread is not a finite number"),
        (2.5, "spread is twice the open or more"),
    ],
)
def test_a_broken_spread_is_named(bars, value, rule):
    frame = bars.to_frame()
    frame.loc[frame.index[6], "spread"] = value
    with pytest.raises(BarError, match=f"^f: row 7: {rule}$"):
        Bars.from_frame(frame, "X", HOUR, "f")
    report = check(frame, file="f")
    assert (report.bad_spreads, report.ok) == (1, False)


@pytest.mark.parametrize(
    ("column", "value", "rule", "counted"),
    [
        ("ask_open", 1.0, "ask_open is below bid_open", "bad_spreads"),
        ("ask_close", 1.0, "ask_close is below bid_close", "bad_spreads"),
        ("bid_open", np.nan, "bid_open is not a finite number", "bad_prices"),
        ("ask_low", np.nan, "ask_low is not a finite number", "bad_prices"),
        ("bid_close", 0.0, "bid_close is not positive", "bad_prices"),
        ("bid_high", 0.5, "bid_high is below bid_low", "ohlc_violations"),
        ("ask_open", 1.5, r"ask_open is outside \[ask_low, ask_high\]", "ohlc_violations"),
    ],
)
def test_a_broken_quote_is_named_and_reported(quotes, column, value, rule, counted, tmp_path):
    quotes.loc[6, column] = value
    path = tmp_path / "x.csv"
    quotes.drop(columns="volume").to_csv(path, index=False)
    with pytest.raises(BarError, match=rf"x.csv: row 7: {rule}$"):
        read_all([path], "X")
    report = read_raw(path).report()
    assert report.refusal.endswith(f"row 7: {rule.replace(chr(92), '')}")
    assert getattr(report, counted) == 1
    bars, notes = read_all([path], "X", ReadOptions(skip_broken=True))
    assert len(bars) == 11
    assert any(note.endswith(f"the first is row 7: {rule.replace(chr(92), '')}") for note in notes)


def test_sides_that_cross_within_a_bar_are_read(quotes):
    quotes.loc[6, "bid_high"] = quotes.loc[6, "ask_high"] + 1e-5
    assert len(Bars.from_frame(quotes, "X", HOUR)) == 12


SPELLINGS = {
    "oanda": lambda side, price: f"{side}.{price[0]}",
    "oanda 1": lambda side, price: f"{price}{side.title()}",
    "fxcm": lambda side, price: f"{side.title()}{price.title()}",
    "ig": lambda side, price: f"{'OFR' if side == 'ask' else 'BID'}_{price.upper()}",
    "words": lambda side, price: f"{side.title()} {price.title()}",
    "turned": lambda side, price: f"{price}_{side}",
    "offer": lambda side, price: f"{'offer' if side == 'ask' else 'bid'}-{price}",
    "letters": lambda side, price: f"{side}_{price[0].upper()}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather"])
def test_names_of_quotes(quotes, bars, spelling, suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    names = {f"{side}_{price}": SPELLINGS[spelling](side, price) for side in ("bid", "ask") for price in PRICES}
    frame = quotes[["open_time", *QUOTES]].rename(columns={"open_time": "DateTime", **names})
    if suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif suffix == ".feather":
        frame.to_feather(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    found, notes = read_all([path], "EURUSD")
    assert found.digest() == bars.digest()
    assert any("read as quotes" in note for note in notes)
    assert any("the middle of bid and ask" in note for note in notes)
    assert any("there is no volume: 1 is stored" in note for note in notes)


def test_quotes_count_before_other_prices_and_have_the_volume_of_the_file(quotes, bars, tmp_path):
    path = tmp_path / "x.csv"
    other = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "spread": 13, "volume": 7.0}
    quotes.assign(**other).to_csv(path, index=False)
    found = read(path, "X")
    np.testing.assert_array_equal(found.spread, bars.spread)
    np.testing.assert_array_equal(found.close, bars.close)
    assert set(found.volume) == {7.0}


def test_half_of_the_columns(quotes, tmp_path):
    path = tmp_path / "x.csv"
    quotes.drop(columns=["ask_low", "bid_high"]).to_csv(path, index=False)
    with pytest.raises(BarError, match=r"missing columns: bid_high, ask_low$"):
        read(path, "X")
    prices = quotes[list(QUOTES[:4])].set_axis(PRICES, axis=1)
    prices.assign(open_time=quotes.open_time, bid_open=1.0).to_csv(path, index=False)
    assert read(path, "X").spread is None


def test_a_spread_in_points_is_not_read(bars, tmp_path):
    path = tmp_path / "x.csv"
    frame = bars.to_frame().reset_index()
    frame.to_csv(path, index=False)
    assert read(path, "EURUSD").digest() == bars.digest()
    frame.rename(columns={"open_time": "time"}).assign(spread=13).to_csv(path, index=False)
    assert read(path, "EURUSD").spread is None


def lean(path: Path, rows: list[str]) -> Path:
    """A zip of Lean's layout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.csv", "\n".join(rows) + "\n")
    return path


HOURS = ["20200101 21:00,1.1,1.3,1.0,1.2,0,1.2,1.4,1.1,1.3,0", "20200101 22:00,1.2,1.3,1.0,1.2,0,1.3,1.4,1.1,1.3,0"]
MINUTES = [
    "0,11000,13000,10000,12000,5,12000,14000,11000,13000,6",
    "60000,12000,13000,10000,12000,5,12000,14000,11000,13000,6",
]


def test_hours_of_lean(tmp_path):
    bars, notes = read_all([lean(tmp_path / "eurusd.zip", HOURS)], "EURUSD")
    assert time_text(int(bars.open_time[0])) == "2020-01-01 21:00"
    np.testing.assert_allclose(bars.open, [1.15, 1.25], rtol=1e-15)
    np.testing.assert_allclose(bars.spread, [0.1, 0.1], rtol=1e-14)
    assert any("read as lean" in note for note in notes)


def test_minutes_of_lean_count_from_midnight_in_their_zone(tmp_path):
    days = [lean(tmp_path / f"2020010{day}_quote.zip", MINUTES) for day in (2, 3)]
    bars, notes = read_all(days, "X", ReadOptions("X", spelling=Spelling("America/New_York")))
    assert [time_text(int(t)) for t in bars.open_time[:3]] == [
        "2020-01-02 05:00", "2020-01-02 05:01", "2020-01-03 05:00",
    ]  # fmt: skip
    assert bars.open.tolist() == [1.15, 1.2, 1.15, 1.2]
    assert any("divided by 10,000" in note for note in notes)
    assert not any("as UTC" in note for note in notes)
    assert any("times are taken as UTC" in note for note in read_all(days, "X")[1])


@pytest.mark.parametrize(("folder", "price"), [("equity/usa", 1.15), ("cryptofuture/binance", 11500.0)])
def test_folders_of_lean_say_whether_prices_are_scaled(tmp_path, folder, price):
    path = lean(tmp_path / folder / "minute" / "x" / "20200102_quote.zip", MINUTES)
    assert read_all([path], "X")[0].open[0] == price


@pytest.mark.parametrize(
    ("name", "rule"), [("x.zip", "the file name has no day"), ("20200231_quote.zip", "20200231, does not exist")]
)
def test_minutes_of_lean_need_a_day(tmp_path, name, rule):
    with pytest.raises(BarError, match=rule):
        read_all([lean(tmp_path / name, MINUTES)], "X")


def test_half_a_quote_of_lean_is_named(tmp_path):
    path = lean(tmp_path / "eurusd.zip", [HOURS[0], "20200101 22:00,,,,,0,1.3,1.4,1.1,1.3,0"])
    with pytest.raises(BarError, match="row 2: bid_open is not a finite number"):
        read_all([path], "X", ReadOptions(interval_ms=HOUR))


@pytest.mark.real_data
def test_currencies_of_oanda(market_data):
    path = market_data / "fx_oanda_1h_eurusd_nzdusd_xauusd_2006_2019.parquet"
    many = read_many([path], None, ReadOptions())
    assert {name: len(bars) for name, bars in many.bars.items()} == {
        "EURUSD": 74_439, "NZDUSD": 74_451, "XAUUSD": 76_499,
    }  # fmt: skip
    file = pd.read_parquet(path)
    for name, bars in many.bars.items():
        rows = file[file.symbol == name]
        np.testing.assert_allclose(bars.open - bars.spread / 2, rows.bid_open, rtol=3e-16)
        np.testing.assert_allclose(bars.open + bars.spread / 2, rows.ask_open, rtol=3e-16)
    assert abs(np.median(many.bars["EURUSD"].spread) - 1.3e-4) < 1e-9
    dense = many.bars["EURUSD"].on_grid("FX")
    assert dense.filled.any()
    assert dense.spread.min() > 0


@pytest.mark.real_data
def test_genuine_quotes_of_lean(market_data):
    path = market_data / "format_samples" / "lean" / "equity_usa_minute_spy_20131007_quote.zip"
    bars, _ = read_all([path], "SPY", ReadOptions("SPY", spelling=Spelling("America/New_York")))
    assert (len(bars), time_text(int(bars.open_time[0]))) == (908, "2013-10-07 08:00")
    first = bars.open[0] - bars.spread[0] / 2, bars.open[0] + bars.spread[0] / 2
    np.testing.assert_allclose(first, (167.27, 168.0), rtol=3e-16)
    assert read_raw(path).report().ok
