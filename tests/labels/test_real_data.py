"""Label counts on the real market."""

import numpy as np
import pandas as pd
import pytest

from labelsearch.labels.kinds import Threshold
from labelsearch.labels.spans import Span

COUNTS = [
    (0.012, 5, 3411, 3528),
    (0.012, 60, 49555, 53489),
    (0.022, 2, 152, 119),
    (0.03, 5, 266, 174),
    (0.03, 60, 7847, 8867),
]
# the same labels as a run makes them: on every minute, a missing one carrying the last close
GRID_COUNTS = [
    (0.012, 5, 3405, 3523),
    (0.012, 60, 49501, 53419),
    (0.022, 2, 150, 119),
    (0.03, 5, 261, 174),
    (0.03, 60, 7789, 8848),
]
TRAIN = Span.of_days("2018-01-01", "2019-12-31")


@pytest.fixture(scope="module")
def minutes(market_data):
    """Time and close of each row present until past begins."""
    frame = pd.read_parquet(market_data / "btcusdt_1m.parquet", columns=["open_time", "close"])
    times = frame["open_time"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    rows = Span.of_days("2018-01-01", "2020-01-03").rows(times)
    return times[rows], frame["close"].to_numpy()[rows]


@pytest.fixture(scope="module")
def closes(minutes):
    times, close = minutes
    return close[TRAIN.rows(times)]


@pytest.mark.real_data
@pytest.mark.parametrize(("theta", "horizon", "buys", "sells"), COUNTS)
def test_threshold_counts(closes, theta, horizon, buys, sells):
    """The five threshold labels on the minutes that are there, 2018 and 2019."""
    assert closes.size == 1_045_460
    got = Threshold(theta, horizon).values(np.ascontiguousarray(closes), 1.0)
    assert (got.classes == 0).sum() == buys
    assert (got.classes == 2).sum() == sells


@pytest.mark.real_data
@pytest.mark.parametrize(("theta", "horizon", "buys", "sells"), GRID_COUNTS)
def test_threshold_counts_of_a_run(minutes, theta, horizon, buys, sells):
    times, close = minutes
    rows = (times - times[0]) // 60_000
    traded = np.zeros(rows[-1] + 1, dtype=bool)
    traded[rows] = True
    got = Threshold(theta, horizon).values(close[np.cumsum(traded) - 1], 1.0)
    counted = traded & (times[0] + 60_000 * np.arange(traded.size) < TRAIN.stop_ms)
    assert (got.classes[counted] == 0).sum() == buys
    assert (got.classes[counted] == 2).sum() == sells
