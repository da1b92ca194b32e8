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


def test_trades_may_come_newest_first(tmp_path):
    """Trades of one time stand in the opposite order too."""
    frame = trades(2, 500).assign(timestamp=lambda f: f["timestamp"] // 1000).drop(columns="id")
    made = []
    for name, rows in (("oldest.csv", frame), ("newest.csv", frame.iloc[::-1])):
        rows.to_csv(tmp_path / name, index=False)
        made.append(read_raw(tmp_path / name, ReadOptions(interval_ms=1_000)).bars("X"))
    assert made[0].digest() == made[1].digest()


def test_no_trade_is_lost_for_its_id(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"time,price,qty,id\n{T0},3,1,\n{T0 + 1},4,1,\n{T0 + 2},5,1,8\n{T0 + 2},5,1,8\n")
    assert read_raw(path, MINUTE).bars("X").volume.tolist() == [3.0]
    path.write_text(f"time,price,qty,id\n{T0},3,1,7\n{T0 + 1},4,1,7\n")
    with pytest.raises(BarError, match="row 2: 7 is the id of two different trades"):
        read_raw(path, MINUTE)


@pytest.mark.parametrize(
    ("heading", "cells", "bought"),
    [
        ("side", ["BUY", "s", "Sell"], 1.0),
        ("side", ["1", "-1", "1"], None),
        ("side", ["bid", "ask", "bid"], None),
        ("is_buyer_maker", ["0.0", "1.0", "0"], 5.0),
        ("is_buyer_maker", ["False", "", "True"], None),
    ],
)
def test_the_side_of_takers_is_not_guessed(heading, cells, bought, tmp_path):
    path = tmp_path / "x.csv"
    rows = [f"{T0 + i},3,{2.0**i},{cell}\n" for i, cell in enumerate(cells)]
    path.write_text(f"time,price,qty,{heading}\n" + "".join(rows))
    raw = read_raw(path, MINUTE)
    volume = raw.bars("X").taker_buy_volume
    assert (None if volume is None else volume[0]) == bought
    assert (bought is None) == any("no taker_buy_volume is made" in note for note in raw.notes)


def test_broken_trades_may_be_left_out(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"time,price,qty\n{T0},3,1\n{T0 + 1},0,0\n{T0 + 2},5,1\n")
    raw = read_raw(path, ReadOptions(interval_ms=60_000, skip_broken=True))
    assert raw.bars("X").trades.tolist() == [2.0]
    assert any("1 trades without a price or an amount above 0" in note for note in raw.notes)


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
