"""Files of many symbols: each is what it would be alone, broken ones are named, and nothing is half-written."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from labelsearch.market import archive, many
from labelsearch.market.archive import read_all
from labelsearch.market.bars import BarError, Bars
from labelsearch.market.formats import ReadOptions
from labelsearch.market.many import add_all, read_many
from labelsearch.market.store import Extent, Store
from labelsearch.market.symbols import joined, pick_symbol, spelled, stored_name
from labelsearch.market.synthetic import synthetic_bars

NAMES = ("AAA", "BTC/USDT", "C:D")


@pytest.fixture
def frame() -> pd.DataFrame:
    """Three symbols of different length, their rows mixed."""
    parts = []
    for seed, name in enumerate(NAMES, 1):
        part = synthetic_bars(50 + 10 * seed, seed).to_frame().drop(columns="filled").reset_index()
        parts.append(part.assign(symbol=name))
    return pd.concat(parts).sort_values(["open_time", "symbol"], ignore_index=True)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a table as a Parquet or text file, by its name."""

    def written(frame: pd.DataFrame, name: str = "panel.parquet") -> Path:
        path = tmp_path / name
        frame.to_parquet(path, index=False) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
        return path

    return written


def bars_of(frame: pd.DataFrame, symbol: str, name: str) -> Bars:
    return Bars.from_frame(frame[frame["symbol"] == symbol].reset_index(drop=True), name)


@pytest.mark.parametrize("name", ["panel.parquet", "panel.csv"])
def test_each_symbol_is_what_it_is_alone(frame: pd.DataFrame, write: Callable[..., Path], name: str) -> None:
    path = write(frame, name)
    panel = read_many([path], None, ReadOptions())
    assert list(panel.bars) == ["AAA", "BTCUSDT", "C_D"]
    for symbol in NAMES:
        alone, _ = read_all([path], symbol)
        stored = panel.bars[stored_name(symbol)]
        assert stored.digest() == replace(alone, symbol=stored.symbol).digest()
    assert panel.heard() == [f"{name}: read as table"]


def test_a_file_is_read_once(frame: pd.DataFrame, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    kept = archive.read_table
    monkeypatch.setattr(archive, "read_table", lambda path, columns: read.append(path) or kept(path, columns))
    path = write(frame)
    read_many([path], None, ReadOptions())
    assert read == [path]


def test_some_symbols_in_the_spelling_asked_for(frame: pd.DataFrame, write: Callable[..., Path]) -> None:
    panel = read_many([write(frame)], ["AAA", "BTCUSDT"], ReadOptions())
    assert list(panel.bars) == ["AAA", "BTCUSDT"]
    assert panel.bars["BTCUSDT"].digest() == bars_of(frame, "BTC/USDT", "BTCUSDT").digest()


def test_files_are_joined_by_symbol(frame: pd.DataFrame, write: Callable[..., Path]) -> None:
    paths = [write(frame[90:], "late.csv"), write(frame[:110], "early.parquet")]
    panel = read_many(paths, None, ReadOptions())
    for symbol in NAMES:
        assert panel.bars[stored_name(symbol)].digest() == bars_of(frame, symbol, stored_name(symbol)).digest()


def test_names_of_files_serve_where_there_is_no_column(frame: pd.DataFrame, write: Callable[..., Path]) -> None:
    one = frame[frame["symbol"] == "AAA"].drop(columns="symbol")
    panel = read_many([write(one, "XRPUSDT-1m-2018-01.csv"), write(frame)], ["XRPUSDT", "AAA"], ReadOptions())
    assert list(panel.bars) == ["AAA", "XRPUSDT"]
    with pytest.raises(BarError, match=r"one\.csv: has no column of symbols and no symbol in its name"):
        read_many([write(one, "one.csv")], None, ReadOptions())


def test_a_symbol_of_one_row_has_the_interval_of_the_others(frame: pd.DataFrame, write: Callable[..., Path]) -> None:
    single = frame[frame["symbol"] == "AAA"].head(1).assign(symbol="NEW")
    panel = read_many([write(pd.concat([frame, single]))], None, ReadOptions())
    assert (len(panel.bars["NEW"]), panel.bars["NEW"].interval_ms) == (1, 60_000)


def test_a_broken_symbol_is_named_or_left_out(frame: pd.DataFrame, write: Callable[..., Path]) -> None:
    row = int(frame.index[frame["symbol"] == "BTC/USDT"][7])
    broken = frame.copy()
    broken.loc[row, "low"] = -1.0
    path = write(broken)
    with pytest.raises(BarError, match=rf"panel\.parquet: row {row + 1}: BTC/USDT: low is not positive"):
        read_many([path], None, ReadOptions())
    panel = read_many([path], None, ReadOptions(skip_broken=True))
    assert len(panel.bars["BTCUSDT"]) == 69
    assert f"the first is row {row + 1}: low is not positive (BTCUSDT)" in panel.heard()[-1]
    # rows of one time cannot be repaired by leaving out broken ones
    broken = pd.concat([frame, frame.loc[[row]].assign(close=frame.loc[row, "low"])])
    panel = read_many([write(broken)], None, ReadOptions(skip_broken=True))
    assert sorted(panel.bars) == ["AAA", "C_D"]
    assert "time 2018-01-01 00:07 is earlier" in panel.skipped["BTC/USDT"]
    with pytest.raises(BarError, match="no symbol is left"):
        read_many([write(broken)], ["BTC/USDT"], ReadOptions(skip_broken=True))


def test_rows_without_a_symbol(frame: pd.DataFrame, write: Callable[..., Path]) -> None:
    frame.loc[4, "symbol"] = None
    with pytest.raises(BarError, match="row 5: the row has no symbol"):
        read_many([write(frame)], None, ReadOptions())
    panel = read_many([write(frame)], None, ReadOptions(skip_broken=True))
    assert sum(map(len, panel.bars.values())) == len(frame) - 1


def test_what_is_refused(frame: pd.DataFrame, write: Callable[..., Path]) -> None:
    path = write(frame)
    with pytest.raises(BarError, match="no file has ZZZ"):
        read_many([path], ["AAA", "ZZZ"], ReadOptions())
    with pytest.raises(BarError, match="has none of the symbols asked for, but AAA, BTC/USDT, C:D"):
        read_many([path], ["YYY", "ZZZ"], ReadOptions())
    twice = pd.concat([frame, frame[frame["symbol"] == "BTC/USDT"].assign(symbol="BTCUSDT")])
    with pytest.raises(BarError, match="BTC/USDT and BTCUSDT would both be stored as BTCUSDT"):
        read_many([write(twice)], None, ReadOptions())
    other = frame.assign(close=frame["low"])
    with pytest.raises(BarError, match=r"other\.csv: row 1: AAA: 2018-01-01 00:00: close"):
        read_many([write(frame), write(other, "other.csv")], None, ReadOptions())


def test_all_are_compared_before_any_is_written(
    frame: pd.DataFrame, write: Callable[..., Path], tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    stored = bars_of(frame, "C:D", "C_D")
    store.save(replace(stored, close=stored.low))
    panel = read_many([write(frame)], None, ReadOptions())
    with pytest.raises(BarError, match=r"C_D: .*conflicts with"):
        add_all(store, panel, replace=False)
    assert store.symbols() == ["C_D"]
    results = {name: added for name, added, _ in add_all(store, panel, replace=True)}
    assert (results["AAA"].new, results["C_D"].new) == (60, 0)
    assert results["C_D"].replaced > 0


def test_an_extent_is_read_without_the_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, bars = Store(tmp_path), synthetic_bars(1000, 1)
    path = store.save(bars)
    with monkeypatch.context() as patched:
        patched.setattr(Store, "load", None)
        expected = Extent(1000, int(bars.open_time[0]), int(bars.open_time[-1]))
        assert store.extent(bars.symbol) == expected
    bars.to_frame().reset_index().drop(columns="filled").assign(
        open_time=bars.open_time  # numbers, as a user may have written them
    ).to_parquet(path)
    assert store.extent(bars.symbol) == expected
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(BarError, match="not a readable Parquet file"):
        store.extent(bars.symbol)


def test_spellings() -> None:
    assert joined("BTC-USDT_x") == "BTCUSDTx"
    assert spelled("BTCUSDT", ["BTC/USDT", "ETH/USDT"]) == "BTC/USDT"
    assert spelled("BTC/USDT", ["BTC-USDT", "BTCUSDT"]) is None
    assert spelled("BTCUSDT", ["BTC-USDT", "BTCUSDT"]) == "BTCUSDT"
    table = pd.DataFrame({"symbol": ["BTC_USDT", "A"], "close": [1.0, 2.0]})
    assert pick_symbol(table, "BTCUSDT", "x", []).to_dict("list") == {"close": [1.0]}


REAL = {  # symbols, rows and interval
    "binance_spot_1h_33pairs_2017_2022": (33, 950_303, "1h"),
    "binance_spot_2h_full_10pairs": (10, 319_633, "2h"),
    "binance_um_perp_4h_115_2020_2024": (115, 965_504, "4h"),
    "us_equities_daily_300_2004_2024": (300, 1_524_000, "1d"),
}


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_files_are_stored_whole(market_data: Path, tmp_path: Path, name: str) -> None:
    panel = read_many([market_data / f"{name}.parquet"], None, ReadOptions())
    store = Store(tmp_path)
    add_all(store, panel, replace=False)
    found = [store.extent(*each) for each in store.contents()]
    intervals = {interval for _, interval in store.contents()}
    assert (len(found), sum(each.n_bars for each in found), *intervals) == REAL[name]
    again = many.add_all(store, panel, replace=False)
    assert {added.new for _, added, _ in again} == {0}


@pytest.mark.real_data
def test_a_real_panel(market_data: Path) -> None:
    panel = read_many([market_data / "binance_spot_2h_full_10pairs.parquet"], ["BTC/USDT", "SOLUSDT"], ReadOptions())
    assert {name: len(bars) for name, bars in panel.bars.items()} == {"BTCUSDT": 38_069, "SOLUSDT": 25_035}
