"""Facts measured on the real market data; skipped where it is not there."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from labelsearch.market.archive import read, read_all, read_raw
from labelsearch.market.bars import BarError, Bars
from labelsearch.market.store import Store

pytestmark = pytest.mark.real_data

GAPS = """
2018-01-04 03:01 125, 2018-02-08 00:29 2010, 2018-02-10 06:00 15, 2018-02-11 04:01 34, 2018-06-26 02:00 600,
2018-06-27 13:00 105, 2018-07-04 00:23 457, 2018-10-19 06:00 210, 2018-11-14 02:00 420, 2019-03-12 02:00 360,
2019-05-15 03:00 600, 2019-06-07 21:14 61, 2019-08-15 02:00 480, 2019-11-13 02:00 140, 2019-11-13 05:30 3,
2019-11-25 02:00 120, 2020-02-09 02:00 60, 2020-02-19 11:36 354, 2020-03-04 09:22 128, 2020-04-25 02:00 150,
2020-06-28 02:00 210
"""


def ms(text: str) -> int:
    """A UTC time in milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def bitcoin(market_data: Path) -> Bars:
    """The main file."""
    return read(market_data / "btcusdt_1m.parquet", "BTCUSDT")


@pytest.fixture(scope="module")
def sample(market_data: Path) -> Path:
    """The sample of the exchange's archive."""
    return market_data / "binance_archive_sample"


def test_rows_and_gaps(market_data: Path, bitcoin: Bars) -> None:
    report = read_raw(market_data / "btcusdt_1m.parquet").report()
    assert report.ok
    assert report.rows == len(bitcoin) == 1_423_278
    expected = [line.strip().rsplit(" ", 1) for line in GAPS.strip().split(",")]
    found = [(gap.first_ms, gap.count) for gap in report.gaps]
    assert found == [(ms(when), int(n)) for when, n in expected]
    assert all(gap.last_ms - gap.first_ms == (gap.count - 1) * 60_000 for gap in report.gaps)
    longest = report.zero_volume_runs[0]
    assert (longest.first_ms, longest.length) == (ms("2019-06-07 20:01"), 73)


@pytest.mark.parametrize(
    ("first", "last", "rows", "minutes"),
    [
        ("2018-01-01", "2020-01-01", 1_045_460, 1_051_200),
        ("2020-01-04", "2020-05-06", 176_428, 177_120),
        ("2020-05-09", "2020-09-20", 192_750, 192_960),
    ],
)
def test_the_three_windows(bitcoin: Bars, first: str, last: str, rows: int, minutes: int) -> None:
    window = bitcoin.between(ms(first), ms(last))
    assert len(window) == rows
    dense = window.on_grid()
    assert len(dense) == minutes
    assert dense.filled.sum() == minutes - rows
    assert dense.present().digest() == window.digest()


def test_known_prices(bitcoin: Bars) -> None:
    assert bitcoin.between(ms("2018-12-15 15:51"), ms("2018-12-15 15:52")).low[0] == 3156.26
    assert bitcoin.between(ms("2019-06-26 20:00"), ms("2019-06-26 20:01")).high[0] == 13970.0


def test_the_genuine_zips_equal_the_main_file(sample: Path, bitcoin: Bars) -> None:
    zips = sorted(sample.glob("genuine/**/*.zip"))
    assert len(zips) == 3
    bars, _ = read_all(zips, "BTCUSDT")
    same = bitcoin.between(ms("2020-01-01"), ms("2020-01-04"))
    for name in ("open_time", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(bars, name), getattr(same, name))
    assert bars.quote_volume is not None
    inside = (bars.vwap >= bars.low * (1 - 1e-6)) & (bars.vwap <= bars.high * (1 + 1e-6))
    assert inside.all()


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_milliseconds_and_microseconds_join(sample: Path, symbol: str) -> None:
    zips = sorted(sample.glob(f"reconstructed/**/{symbol}-1h-*.zip"))
    bars, _ = read_all(zips, symbol)
    assert bars.interval_ms == 3_600_000
    hours = ms("2024-12-01") + np.arange(62 * 24) * 3_600_000
    np.testing.assert_array_equal(bars.open_time, hours)


def test_a_futures_file_with_a_header(sample: Path) -> None:
    bars = read(next(sample.glob("um_futures_csv_excerpt/*.csv")))
    assert (bars.symbol, len(bars)) == ("ALGOUSDT", 1440)
    assert bars.open_time[0] == ms("2025-02-01")
    assert bars.trades is not None
    assert bars.trades[0] == 558
    assert bars.taker_buy_volume is not None
    assert bars.taker_buy_volume[0] == 245241.0


def test_the_first_months_are_refused(market_data: Path) -> None:
    path = market_data / "btcusdt_1m_2017.parquet"
    with pytest.raises(BarError, match=r"2017.parquet: row 156662: duplicate time 2017-12-04 06:00$"):
        read(path, "BTCUSDT")
    report = read_raw(path).report()
    assert (report.rows, report.duplicates, report.missing, len(report.gaps)) == (196_544, 1, 497, 3)


def test_one_pair_of_many(market_data: Path) -> None:
    bars = read(market_data / "binance_spot_1h_33pairs_2017_2022.parquet", "CHZUSDT")
    assert (len(bars), int((bars.volume == 0).sum())) == (27_115, 10)


def test_zips_go_on_top_of_the_stored_file(sample: Path, bitcoin: Bars, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(bitcoin.between(ms("2020-01-01"), ms("2020-01-03")))
    added = store.add(read_all(sorted(sample.glob("genuine/**/*.zip")), "BTCUSDT")[0])
    assert (added.new, added.same, added.replaced) == (1440, 2880, 0)
    assert added.dropped == ("quote_volume", "taker_buy_volume", "trades")
    assert store.load("BTCUSDT").digest() == bitcoin.between(ms("2020-01-01"), ms("2020-01-04")).digest()
