"""The store: what goes in comes out, merges are exact, nothing half-written."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from labelsearch.market.bars import BarError, Bars
from labelsearch.market.store import Store, merge
from labelsearch.market.synthetic import synthetic_bars

START = 1_577_836_800_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in a folder that does not exist yet."""
    return Store(tmp_path / "deep" / "store")


def names(store: Store) -> list[str]:
    """Every file under the store, also hidden ones, but for the locks."""
    files = [path for path in store.root.rglob("*") if path.is_file() and path.name != ".lock"]
    return sorted(str(path.relative_to(store.root)) for path in files)


def test_saved_bars_come_back(store: Store, bars: Bars, frame: pd.DataFrame) -> None:
    assert store.symbols() == []
    store.save(bars)
    assert store.load("TEST").digest() == bars.digest()
    part = store.load("TEST", "1m", START + 60_000, START + 180_000)
    assert part.digest() == bars.rows(1, 3).digest()
    plain = frame.drop(columns=["quote_volume", "trades", "taker_buy_volume"])
    store.save(Bars.from_frame(plain.iloc[::2], "OTHER", 120_000))
    assert store.load("OTHER", "2m").quote_volume is None
    assert store.contents() == [("OTHER", "2m"), ("TEST", "1m")]
    assert store.symbols() == ["OTHER", "TEST"]
    assert names(store) == ["OTHER/2m.parquet", "TEST/1m.parquet"]


def test_a_missing_bar_stays_missing(store: Store, frame: pd.DataFrame) -> None:
    holes = Bars.from_frame(frame.drop(index=[3, 4]), "TEST")
    store.save(holes.on_grid())
    assert store.load("TEST").digest() == holes.digest()


def test_unknown_names(store: Store, bars: Bars) -> None:
    with pytest.raises(BarError, match="no 1m bars of TEST; the store holds nothing"):
        store.load("TEST")
    store.save(bars)
    with pytest.raises(BarError, match="no 1m bars of ETH; the store holds TEST 1m"):
        store.load("ETH")
    with pytest.raises(BarError, match=r"no bars in that range; stored are 2020-01-01 00:00 \.\. 2020"):
        store.load("TEST", start_ms=START + 600_000)
    with pytest.raises(BarError, match="'1x' is not an interval"):
        store.load("TEST", "1x")


@pytest.mark.parametrize(
    "symbol", ["", ".", "..", "../X", "a/b", "/etc", ".hidden", "a\\b", "a b", "A\n", "é", "x" * 99]
)
def test_no_symbol_leaves_the_store(store: Store, frame: pd.DataFrame, symbol: str) -> None:
    with pytest.raises(BarError, match="is not a valid symbol"):
        store.load(symbol)
    with pytest.raises(BarError, match="is not a valid symbol"):
        store.save(Bars.from_frame(frame, symbol))
    assert not store.root.exists()


def test_add_counts_what_it_did(store: Store, bars: Bars) -> None:
    added = store.add(bars.rows(2, 6))
    assert (added.new, added.same, added.replaced) == (4, 0, 0)
    added = store.add(bars.rows(0, 4))  # earlier bars, two known
    assert (added.new, added.same, added.replaced) == (2, 2, 0)
    added = store.add(bars.rows(8, 10))
    assert (added.new, added.same, added.replaced) == (2, 0, 0)
    added = store.add(bars)
    assert (added.new, added.same, added.replaced) == (2, 8, 0)
    assert store.load("TEST").digest() == bars.digest()


def test_adding_the_same_again_does_not_write(store: Store, bars: Bars) -> None:
    path = store.save(bars)
    os.utime(path, (1, 1))
    store.add(bars.rows(3, 5))
    assert path.stat().st_mtime == 1


def test_a_conflict_is_refused_unless_replaced(store: Store, bars: Bars, frame: pd.DataFrame) -> None:
    path = store.save(bars.rows(0, 8))
    before = path.read_bytes()
    frame.loc[[5, 6], "trades"] += 1
    changed = Bars.from_frame(frame, "TEST").rows(4, 10)
    rule = r"row 2: 2020-01-01 00:05: trades 11.0 conflicts with 10.0 in .*1m.parquet"
    with pytest.raises(BarError, match=rule):
        store.add(changed)
    assert path.read_bytes() == before
    added = store.add(changed, replace=True)
    assert (added.new, added.same, added.replaced) == (2, 2, 2)
    assert store.load("TEST").digest() == Bars.from_frame(frame, "TEST").digest()


def test_columns_that_only_one_side_has(store: Store, bars: Bars, frame: pd.DataFrame) -> None:
    plain = Bars.from_frame(frame.drop(columns=["trades", "quote_volume"]), "TEST")
    store.save(bars.rows(0, 5))
    with pytest.raises(BarError, match="the new bars lack quote_volume, trades, which the stored bars have"):
        store.add(plain)
    assert store.add(plain, replace=True).dropped == ("quote_volume", "trades")
    assert store.load("TEST").digest() == plain.digest()
    # The other way round the stored columns stay, and what is left out is told.
    assert store.add(bars).dropped == ("quote_volume", "trades")
    assert store.load("TEST").digest() == plain.digest()


def test_a_failed_write_leaves_the_old_file(store: Store, bars: Bars, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(bars.rows(0, 5))

    def fail(table: object, file: object, **options: object) -> None:
        file.write(b"PAR1 half")  # type: ignore[attr-defined]
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        store.add(bars)
    assert names(store) == ["TEST/1m.parquet"]
    assert store.load("TEST").digest() == bars.rows(0, 5).digest()


def test_an_open_reader_keeps_the_old_file(store: Store, bars: Bars) -> None:
    path = store.save(bars.rows(0, 5))
    before = path.read_bytes()
    with path.open("rb") as reader:
        store.save(bars)
        assert reader.read() == before
    assert path.read_bytes() != before


def test_adding_at_once_loses_nothing(store: Store, bars: Bars) -> None:
    with ThreadPoolExecutor(5) as pool:
        done = list(pool.map(lambda i: store.add(bars.rows(2 * i, 2 * i + 2)).new, range(5)))
    assert done == [2] * 5
    assert store.load("TEST").digest() == bars.digest()


ADDER = """
import sys
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
bars = synthetic_bars(80, 1)
for i in range(int(sys.argv[2]), 80, 2):
    Store(sys.argv[1]).add(bars.rows(i, i + 1))
"""


def test_two_processes_add_to_one_store(tmp_path: Path) -> None:
    commands = [[sys.executable, "-c", ADDER, str(tmp_path / "store"), str(i)] for i in range(2)]
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in running] == [0, 0]
    assert Store(tmp_path / "store").load("SYNTH").digest() == synthetic_bars(80, 1).digest()


def test_leftovers_of_a_crash_are_not_bars(store: Store, bars: Bars) -> None:
    path = store.save(bars)
    path.with_name(".1m.0123.tmp").write_bytes(b"PAR1 half")
    path.with_name(".5m.0123.tmp").write_bytes(b"PAR1 half")
    assert store.contents() == [("TEST", "1m")]
    assert len(store.load("TEST")) == 10
    store.save(bars)  # whoever writes next holds the lock: nobody else is writing this file
    assert sorted(p.name for p in path.parent.iterdir()) == [".5m.0123.tmp", ".lock", "1m.parquet"]


def test_a_damaged_file_is_refused(store: Store, bars: Bars) -> None:
    path = store.save(bars)
    whole = path.read_bytes()
    for position in (len(whole) // 4, len(whole) // 2):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        path.write_bytes(broken)
        try:
            same = store.load("TEST").digest() == bars.digest()
        except BarError:
            continue
        assert same
    path.write_bytes(whole[:-5])
    with pytest.raises(BarError, match=r"1m.parquet: not a readable Parquet file"):
        store.load("TEST")


def test_no_bars_are_not_stored(store: Store, bars: Bars) -> None:
    with pytest.raises(BarError, match="no bars to store"):
        store.save(bars.rows(0, 0))
    assert not store.root.exists()


def test_merge_of_three(bars: Bars) -> None:
    merged, replaced = merge([bars.rows(6, 10), bars.rows(0, 7), bars.rows(3, 8)])
    assert (merged.digest(), replaced) == (bars.digest(), 0)
    other = Bars("ELSE", 60_000, bars.open_time, bars.open, bars.high, bars.low, bars.close, bars.volume)
    with pytest.raises(BarError, match="ELSE 1m bars cannot be merged with TEST 1m bars"):
        merge([bars, other])
    assert np.all(np.diff(merged.open_time) == 60_000)


def test_a_symbol_that_is_not_there_names_those_most_like_it(tmp_path):
    store = Store(tmp_path)
    for n in range(40):
        times = np.arange(3) * 60_000
        ones = np.ones(3)
        store.add(Bars(f"COIN{n:02d}", 60_000, times, ones, ones, ones, ones, ones))
    with pytest.raises(BarError, match=r"holds .*COIN07 1m.* and 28 more$"):
        store.load("COIN007")
    with pytest.raises(BarError, match=r"no 1h bars of COIN05; the store holds COIN05 1m and 39 more$"):
        store.load("COIN05", "1h")
