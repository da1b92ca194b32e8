"""Longer bars made of shorter ones."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from labelsearch.labels.spans import DAY_MS
from labelsearch.market.resample import load_bars, resample
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.market.times import parse_interval

HOUR_MS = 3_600_000
MINUTES = synthetic_bars(3 * 1440, 1, start="2020-01-01")


def kept(bars, rows):
    return replace(
        bars,
        **{name: getattr(bars, name)[rows] for name in vars(bars) if isinstance(getattr(bars, name), np.ndarray)},
    )


@pytest.mark.parametrize("interval", ["5m", "15m", "30m", "1h", "90m", "2h", "4h", "1d"])
def test_as_pandas_does_it(interval):
    step = parse_interval(interval)
    bars = kept(MINUTES, np.random.default_rng(0).random(len(MINUTES)) < 0.7)
    bars = kept(bars, (bars.open_time >= bars.open_time[0]) & (bars.open_time < MINUTES.open_time[-1] - 5 * 60_000))
    got = resample(bars, step)
    frame = bars.to_frame().drop(columns="filled")
    rules = {"open": "first", "high": "max", "low": "min", "close": "last"}
    wanted = frame.resample(pd.Timedelta(step, "ms")).agg({name: rules.get(name, "sum") for name in frame}).dropna()
    times = wanted.index.as_unit("ms").asi8
    whole = (times >= bars.open_time[0]) & (times + step <= bars.open_time[-1] + 60_000)
    wanted, times = wanted[whole], times[whole]
    np.testing.assert_array_equal(got.open_time, times)
    for name in frame:
        np.testing.assert_allclose(getattr(got, name), wanted[name], rtol=1e-12)
    assert got.interval_ms == step


def test_what_no_bar_covers_is_no_bar():
    """The first and the last hour begin or end within; an hour without a trade is missing."""
    minute = (MINUTES.open_time - MINUTES.open_time[0]) // 60_000
    bars = kept(MINUTES, (minute >= 30) & (minute < 330) & ~((minute >= 120) & (minute < 180)))
    hours = (resample(bars, HOUR_MS).open_time - MINUTES.open_time[0]) // HOUR_MS
    assert hours.tolist() == [1, 3, 4]
    assert len(resample(bars.rows(0, 20), HOUR_MS)) == 0


def test_bars_made_in_two_steps_are_the_same():
    twice, once = resample(resample(MINUTES, 900_000), HOUR_MS), resample(MINUTES, HOUR_MS)
    for name in ("open_time", "open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(once, name))
    np.testing.assert_allclose(twice.volume, once.volume, rtol=1e-13)


def test_an_interval_that_does_not_fit():
    for interval_ms in (90_000, 7 * 60_000, 2 * DAY_MS):
        with pytest.raises(BarError):
            resample(resample(MINUTES, HOUR_MS), interval_ms)
    with pytest.raises(BarError, match="bars of 5m cannot be made from bars of 1h"):
        resample(resample(MINUTES, HOUR_MS), 300_000)


def test_the_store_makes_what_it_lacks(tmp_path):
    store = Store(tmp_path)
    store.save(MINUTES)
    store.save(resample(MINUTES, 900_000))
    made = load_bars(store, "SYNTH", "1h")
    assert made.digest() == resample(MINUTES, HOUR_MS).digest()  # of the minutes, not of the quarters of an hour
    assert load_bars(store, "SYNTH", "15m").digest() == store.load("SYNTH", "15m").digest()
    start = int(MINUTES.open_time[0]) + DAY_MS
    assert load_bars(store, "SYNTH", "90m", start, start + DAY_MS).open_time[0] == start
    with pytest.raises(BarError, match="no 1s bars of SYNTH"):
        load_bars(store, "SYNTH", "1s")


@pytest.mark.real_data
def test_hours_of_bitcoin_are_those_that_the_exchange_published(market_data):
    """Minutes against hourly bars of the same exchange, from two different files, until the halt of 2018-02-08.

    After it the minutes begin some seconds late for a day.
    """
    from labelsearch.market.archive import read

    minutes = read(market_data / "btcusdt_1m.parquet", "BTCUSDT").between(None, 1_514_764_800_000 + 38 * DAY_MS)
    hours = read(market_data / "binance_spot_1h_33pairs_2017_2022.parquet", "BTCUSDT")
    made = resample(minutes, HOUR_MS)
    both, mine, theirs = np.intersect1d(made.open_time, hours.open_time, return_indices=True)
    assert len(both) > 850
    same = np.ones(len(both), dtype=bool)
    for name in ("open", "high", "low", "close"):
        same &= getattr(made, name)[mine] == getattr(hours, name)[theirs]
    assert same.all()
