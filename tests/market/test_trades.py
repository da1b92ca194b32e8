"""Bars made of trades, against the bars that those trades make."""

import numpy as np
import pandas as pd
import pytest

from labelsearch.market.archive import read_raw
from labelsearch.market.formats import ReadOptions
from labelsearch.market.rules import BarError

MINUTE = ReadOptions(interval_ms=60_000)
T0 = 1_577_836_800_000


def trades(seed: int, n: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    time = T0 + np.sort(rng.integers(0, 3_600_000, n))
    price = np.round(100.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, n))), 2)
    side = rng.choice(["buy", "sell"], n)
    return pd.DataFrame({"timestamp": time, "id": np.arange(n), "side": side, "price": price, "amount": rng.random(n)})


@pytest.mark.parametrize("interval_ms", [1_000, 60_000, 900_000])
def test_bars_are_those_of_a_plain_loop(interval_ms, tmp_path):
    frame = trades(1)
    path = tmp_path / "x.csv"
    frame.sample(frac=1, random_state=0).sort_values("timestamp", kind="stable").to_csv(path)  # ties in any order
    frame = pd.read_csv(path, index_col=0)
    bars = read_raw(path, ReadOptions(interval_ms=interval_ms)).bars("X")
    wanted: dict[int, list] = {}
    for row in frame.itertuples():
        wanted.setdefault(row.timestamp // interval_ms * interval_ms, []).append(row)
    assert bars.open_time.tolist() == list(wanted)
    for i, rows in enumerate(wanted.values()):
        prices = [row.price for row in rows]
        assert (bars.open[i], bars.high[i], bars.low[i], bars.close[i]) == (
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
        )
        assert bars.trades[i] == len(rows)
        assert bars.volume[i] == pytest.approx(sum(row.amount for row in rows), rel=1e-12)
        assert bars.quote_volume[i] == pytest.approx(sum(row.amount * row.price for row in rows), rel=1e-12)
        bought = sum(row.amount for row in rows if row.side == "buy")
        assert bars.taker_buy_volume[i] == pytest.approx(bought, rel=1e-12, abs=1e-15)


def test_layouts_of_trades(tmp_path):
    path = tmp_path / "BTCUSDT-trades-2020-01-01.csv"
    second = f"2,101.0,1.0,101.0,{T0 + 500},False,True\n"
    path.write_text(f"1,100.0,2.0,200.0,{T0},True,True\n{second}{second}")
    raw = read_raw(path, MINUTE)
    bars = raw.bars("X")
    assert (bars.volume[0], bars.taker_buy_volume[0], bars.close[0], bars.trades[0]) == (3.0, 1.0, 101.0, 2.0)
    assert raw.notes == ["1 bars of 1m are made of 3 trades, 1 of them repeated"]
    path.write_text(f"7,100.0,2.0,1,3,{T0},False,True\n8,101.0,1.0,4,4,{T0 + 500},True,True\n")
    assert read_raw(path, MINUTE).bars("X").taker_buy_volume.tolist() == [2.0]
    path.write_text(f"{T0 // 1000},100.0,2.0\n{T0 // 1000 + 70},90.0,1.0\n")
    assert read_raw(path, MINUTE).bars("X").close.tolist() == [100.0, 90.0]


def test_bad_trades_are_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"{T0 // 1000},100.0,2.0\n{T0 // 1000 + 70},90.0,1.0\n")
    with pytest.raises(BarError, match="contains trades: give the interval"):
        read_raw(path)
    for cell in ("-1", "0", "nan", "x"):
        path.write_text(f"time,price,amount\n{T0},100.0,2.0\n{T0},{cell},1.0\n")
        with pytest.raises(BarError, match="row 2: price is not a positive number"):
            read_raw(path, MINUTE)


@pytest.mark.real_data
def test_genuine_trades_make_the_exchange_s_bars(market_data):
    folder = market_data / "format_samples" / "ticks"
    made = read_raw(folder / "freqtrade_binance_XRP_ETH-trades.feather", MINUTE).bars("X")
    bars = read_raw(folder / "freqtrade_binance_XRP_ETH-1m.feather").bars("X")
    assert len(made) == 2469
    for name in ("open_time", "open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(made, name), getattr(bars, name))
    np.testing.assert_allclose(made.volume, bars.volume, rtol=1e-9)
    one = read_raw(folder / "nautilus_binance_btcusdt-trades_20210108.parquet", MINUTE).bars("X")
    assert (len(one), one.trades[0]) == (1, 2001.0)
    assert 0.0 < one.taker_buy_volume[0] < one.volume[0]
