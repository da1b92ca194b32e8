"""The simulator against vectorbt on the prices of two real windows, 200 random strategies each."""

import numpy as np
import pandas as pd
import pytest

from strategies.search.linear import StrategySpace
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

WINDOWS = {"past": ("2020-01-04", "2020-05-06"), "future": ("2020-05-09", "2020-09-20")}


@pytest.mark.slow
@pytest.mark.parametrize("window", WINDOWS)
def test_vectorbt_agrees_on_real_prices(market_data, window):
    """Outputs are made up: what is compared is bookkeeping, and nothing is learned of the window."""
    from strategies.trade.backtest import backtest

    first, last = WINDOWS[window]
    bars = pd.read_parquet(market_data / "btcusdt_1m.parquet", columns=["open_time", "open", "close"])
    bars = bars[(bars.open_time >= first) & (bars.open_time < last)]
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(0, 0.05, (len(bars), 16)), axis=0)
    outputs = 1 / (1 + np.exp(2 - 2 * np.sin(walk)))
    times = bars["open_time"].astype("datetime64[ms]").astype("int64")
    traded = TradingWindow.of(outputs, bars["open"], bars["close"], times, 4.0)
    params = StrategySpace(16).sample(rng, 200)
    found = backtest(params, traded, TradingRules())  # raises where fills differ
    assert found.difference < 1e-9
    assert found.fills.sum() > 10_000
