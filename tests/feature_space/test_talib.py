"""The indicators against TA-Lib, wherever it has them, on synthetic and on real bars.

Each entry maps TA-Lib's result to our formula. Without a counterpart, and so held by the twins alone, are

* volatility_ratio: no mean of squares around zero, no ratio of two of them;
* semivariance: no sums over the moves of one sign;
* volume_activity, trade_activity: its RVOL divides by the mean of the bars before, without a logarithm;
* signed_volume: its OBV adds up without a window;
* keltner: its KC has bands around the close's mean; of ours only the parts, EMA and ATR, are there.

The last five are put together from its SUM, SMA, EMA and ATR here, which still checks windows and smoothing.
"""

import numpy as np
import pandas as pd
import pytest

from feature_space.indicators import BY_NAME, INDICATORS, Inputs, make_inputs

talib = pytest.importorskip("talib")


def steps(x):
    return np.diff(x, prepend=x[:1])


def time_correlation(b, k):
    """Slope of the regression line over the ratio of the two standard deviations."""
    x = b.price - b.price.mean()  # its variance is a difference of squares: the smaller, the more digits are left
    return talib.LINEARREG_SLOPE(x, k) * np.sqrt((k * k - 1) / 12) / talib.STDDEV(x, k)


def directional_movement(b, k):
    plus, minus = talib.PLUS_DM(b.high, b.low, k), talib.MINUS_DM(b.high, b.low, k)
    return (plus - minus) / (plus + minus)


def semivariance(b, k):
    up, down = (talib.SUM(np.maximum(sign * b.log_return, 0) ** 2, k) for sign in (1, -1))
    return (up - down) / (up + down)


def log_ratio(x, a, b):
    return np.log(talib.SMA(x, a) / talib.SMA(x, b)) if a > 1 else np.log(x / talib.SMA(x, b))


SAME = {
    **dict.fromkeys(
        ("price_to_sma_short", "price_to_sma_medium", "price_to_sma_long"),
        lambda b, k: b.price / talib.SMA(b.price, k) - 1,
    ),
    "price_to_vwap": lambda b, k: b.price * talib.SUM(b.volume, k) / talib.SUM(b.value, k) - 1,
    "macd": lambda b, *spans: talib.APO(b.price, *spans, 1) / b.price,
    "macd_histogram": lambda b, *spans: talib.MACD(b.price, *spans)[2] / b.price,
    "trix": lambda b, k: talib.TRIX(b.price, k) / 100,
    "time_correlation": time_correlation,
    **dict.fromkeys(("momentum_short", "momentum_long"), lambda b, k: talib.ROCP(b.close, k)),
    **dict.fromkeys(("rsi_short", "rsi_long"), lambda b, k: talib.RSI(b.close, k) / 50 - 1),
    "stochastic_short": lambda b, k: 2 * talib.STOCHF(b.high, b.low, b.close, k, 1, 0)[0] / 100 - 1,
    "stochastic_long": lambda b, k: 2 * talib.WILLR(b.high, b.low, b.close, k) / 100 + 1,
    "cci": lambda b, k: talib.CCI(b.high, b.low, b.close, k),
    "directional_movement": directional_movement,
    "aroon": lambda b, k: talib.AROONOSC(b.high, b.low, k) / 100,
    "bollinger": lambda b, k: (b.price - talib.SMA(b.price, k)) / talib.STDDEV(b.price, k),
    "efficiency": lambda b, k: talib.MOM(b.close, k) / talib.SUM(np.abs(steps(b.close)), k),
    "money_flow": lambda b, k: talib.MFI(b.high, b.low, b.close, b.volume, k) / 50 - 1,
    "chaikin": lambda b, k: talib.CMF(b.high, b.low, b.close, b.volume, k),
    "force": lambda b, k: talib.EFI(b.close, b.volume, k) / (b.close * talib.EMA(b.volume, k)),
}
PARTS = {
    "keltner": lambda b, k: (b.price - talib.EMA(b.price, k)) / talib.ATR(b.high, b.low, b.close, k),
    "volatility_ratio": lambda b, *spans: 0.5 * log_ratio(b.log_return**2, *spans),
    "semivariance": semivariance,
    "volume_activity": lambda b, *spans: log_ratio(b.volume, *spans),
    "trade_activity": lambda b, *spans: log_ratio(b.trades, *spans),
    "signed_volume": lambda b, k: talib.SUM(np.sign(steps(b.close)) * b.volume, k) / talib.SUM(b.volume, k),
}
PEERS = {**SAME, **PARTS}


@pytest.fixture(scope="module")
def real(market_data) -> Inputs:
    """October 2019; 20 trades per unit of volume stand in for their number, which the file has not."""
    bars = pd.read_parquet(market_data / "btcusdt_1m.parquet")
    bars = bars[(bars.open_time >= "2019-10-01") & (bars.open_time < "2019-11-01")]
    high, low, close, volume = (bars[c].to_numpy(np.float64).copy() for c in ("high", "low", "close", "volume"))
    return make_inputs((high + low + close) / 3, high, low, close, volume, np.ceil(20 * volume))


def settings(indicator):
    lows, highs = zip(*indicator.parameters.values(), strict=True)
    return lows, tuple((a + b) // 2 for a, b in zip(lows, highs, strict=True)), highs


def compare(name, inputs):
    indicator = BY_NAME[name]
    for values in settings(indicator):
        start = 2 * indicator.warm_up(*values) + 300  # TA-Lib begins its means otherwise; twice, for 1e-9
        with np.errstate(all="ignore"):
            wanted = PEERS[name](inputs, *values)[start:]
        got = indicator.compute(inputs, values)[start:]
        scale = np.maximum(1.0, np.abs(got))
        wrong = ~(np.abs(got - wanted) <= 1e-9 * scale)
        assert wrong.sum() == 0, f"{name}{values}: {wrong.sum()} of {wrong.size}, {np.nanmax(np.abs(got - wanted)):.1e}"


def test_all_are_compared():
    assert set(PEERS) == {i.name for i in INDICATORS}


@pytest.mark.parametrize("name", PEERS)
def test_synthetic(name, market):
    compare(name, market)


@pytest.mark.real_data
@pytest.mark.parametrize("name", PEERS)
def test_real(name, real):
    compare(name, real)
