"""Label counts on the real market."""

import numpy as np
import pandas as pd
import pytest

from labelsearch.labels.kinds import Threshold
from labelsearch.labels.windows import Window

COUNTS = [
    (0.012, 5, 3411, 3528),
    (0.012, 60, 49555, 53489),
    (0.022, 2, 152, 119),
    (0.03, 5, 266, 174),
    (0.03, 60, 7847, 8867),
]


@pytest.fixture(scope="module")
def closes(market_data):
    frame = pd.read_parquet(market_data / "btcusdt_1m.parquet", columns=["open_time", "close"])
    times = frame["open_time"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    return frame["close"].to_numpy()[Window.of_days("2018-01-01", "2019-12-31").rows(times)]


@pytest.mark.real_data
@pytest.mark.parametrize(("theta", "horizon", "buys", "sells"), COUNTS)
def test_threshold_counts(closes, theta, horizon, buys, sells):
    """The five threshold labels on the minutes that are there, 2018 and 2019."""
    assert closes.size == 1_045_460
    got = Threshold(theta, horizon).values(np.ascontiguousarray(closes), 1.0)
    assert (got.classes == 0).sum() == buys
    assert (got.classes == 2).sum() == sells
