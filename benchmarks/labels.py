"""Seconds for the eight default labels of two years of minutes, against a plain numpy and pandas version of them.

The peer is what one would write without Numba: whole-array arithmetic for the threshold labels, rolling means of
pandas, local extrema found by array comparisons, and a Python loop over them that accepts legs. Both give values and
classes, held against each other to 1e-9; ours also gives the last bar that each label used. One thread, compilation
left out, best of several runs taken in turns.

``LABELSEARCH_DATA`` names a folder with ``btcusdt_1m.parquet``: its closes of 2018 and 2019 are used. Without it the
prices are synthetic. The further kinds, which have no peer here, are timed by themselves.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.labels.extrema import Extrema
from labelsearch.labels.kinds import Label, Published, Threshold, TrendScanning, TripleBarrier, make_label
from labelsearch.labels.spans import Span
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.settings.experiment import DEFAULT_LABELS

Array = NDArray[np.float64]
N_BARS = 1_045_460
FURTHER: tuple[Label, ...] = (
    Threshold(0.012, 60, future="wma", scale="volatility"),
    Published(60),
    TripleBarrier(2.0, 2.0, 60),
    TrendScanning(5, 60, 20.0),
)


def load() -> tuple[Array, str]:
    """Closes of train, and where they come from."""
    path = Path(os.environ.get("LABELSEARCH_DATA", "")) / "btcusdt_1m.parquet"
    if not path.is_file():
        return synthetic_bars(N_BARS, 1).close, "synthetic"
    frame = pd.read_parquet(path, columns=["open_time", "close"])
    times = frame["open_time"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    rows = Span.of_days("2018-01-01", "2019-12-31").rows(times)
    return np.ascontiguousarray(frame["close"].to_numpy()[rows]), "BTC/USDT minutes of 2018 and 2019"


def peer_threshold(price: Array, theta: float, horizon: int) -> tuple[Array, NDArray[np.int8]]:
    """Values and classes."""
    move = np.zeros(price.size)
    move[:-horizon] = price[horizon:] / price[:-horizon] - 1.0
    classes = np.ones(price.size, dtype=np.int8)
    classes[move >= theta] = 0
    classes[move <= -theta] = 2
    share = np.clip(move / theta, -1.0, 1.0)
    return -share * share * share, classes


def peer_legs(smooth: Array, up: Array, down: Array) -> NDArray[np.int64]:
    """Bars of trough, peak, trough, peak and so on."""
    rising = np.r_[False, smooth[1:] > smooth[:-1], False]
    lows = np.flatnonzero(rising[1:] & ~rising[:-1])
    highs = np.flatnonzero(rising[:-1] & ~rising[1:])
    limit = np.minimum(highs + 1, smooth.size - 1)
    columns = (lows, highs, smooth[lows], smooth[highs], up[limit], down[limit])
    legs: list[list[int]] = []
    buy, bottom, top = 0, float(smooth[0]), 0.0
    for low, high, low_price, high_price, rise, fall in zip(*(c.tolist() for c in columns), strict=True):
        if low_price <= bottom:
            buy, bottom = low, low_price
        if high == smooth.size - 1:  # still rising at the end
            legs.append([buy, high])
        elif high_price - bottom > rise:
            if legs and top - bottom < fall:
                if len(legs) >= 2 and high_price > top:
                    legs[-1][1], top = high, high_price
            else:
                legs.append([buy, high])
                top = high_price
            bottom = np.inf
        elif legs and high_price > top:
            legs[-1][1], top = high, high_price
            bottom = np.inf
    return np.array(legs, dtype=np.int64).ravel()


def peer_extrema(price: Array, up: float, down: float) -> tuple[Array, NDArray[np.int8]]:
    """Values and classes."""
    smooth = pd.Series(price).rolling(5, center=True).mean().to_numpy(copy=True)
    smooth[:3], smooth[-2:] = price[:3], price[-2:]
    level = pd.Series(smooth).rolling(5000, min_periods=1).mean().to_numpy() / 100.0
    turns = peer_legs(smooth, up * level, down * level)
    heights = smooth[turns]
    lengths = np.diff(turns)
    start, stop = np.repeat(heights[:-1], lengths), np.repeat(heights[1:], lengths)
    low = np.minimum(start, stop)
    x = (smooth[turns[0] : turns[-1]] - low) / (np.maximum(start, stop) - low)
    value = np.zeros(price.size)
    value[turns[0] : turns[-1]] = np.clip(x * x * x - (1.0 - x) * (1.0 - x) * (1.0 - x), -1.0, 1.0)
    value[turns[-1]] = 1.0
    classes = np.ones(price.size, dtype=np.int8)
    classes[value > 0.5] = 2
    classes[value < -0.5] = 0
    return value, classes


def peer(price: Array, label: Label) -> tuple[Array, NDArray[np.int8]]:
    """The plain version of one label."""
    if isinstance(label, Extrema):
        return peer_extrema(price, label.up, label.down)
    assert isinstance(label, Threshold)
    return peer_threshold(price, label.theta, label.horizon)


def best_of(repeats: int, *works: Callable[[], object]) -> list[float]:
    """Shortest time of each work in seconds, taken in turns."""
    best = [np.inf] * len(works)
    for _ in range(repeats):
        for i, work in enumerate(works):
            start = time.perf_counter()
            work()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def main() -> None:
    """Print the times of each label; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    price, source = load()
    labels = [make_label(**options) for options in DEFAULT_LABELS]
    print(f"{price.size:,} bars ({source}), one thread, best of {args.repeats}")
    print(f"{'':32} {'ours ms':>8} {'peer ms':>8} {'ratio':>6}")
    times = []
    for label in labels:
        got = label.values(price, 1.0)  # compiles
        values, classes = peer(price, label)
        np.testing.assert_allclose(got.value, values, rtol=1e-9, atol=1e-9)
        differ = np.flatnonzero(got.classes != classes)
        if not (np.abs(np.abs(values[differ]) - label.class_edge) < 1e-9).all():
            raise SystemExit(f"{label.name}: the classes differ")
        ours_s, peer_s = best_of(args.repeats, lambda k=label: k.values(price, 1.0), lambda k=label: peer(price, k))
        times.append((ours_s, peer_s))
        print(f"{label.name:32} {1e3 * ours_s:8.1f} {1e3 * peer_s:8.1f} {peer_s / ours_s:6.2f}")
    for label in FURTHER:
        reference = label.reference(price)
        label.values(price, reference)
        (alone,) = best_of(args.repeats, lambda k=label, r=reference: k.values(price, r))
        print(f"{label.name:32} {1e3 * alone:8.1f}")
    ours, theirs = (sum(column) for column in zip(*times, strict=True))
    result = {
        "benchmark": "labels",
        "ours": round(ours, 3),
        "peer": round(theirs, 3),
        "ratio": round(theirs / ours, 2),
        "unit": "seconds for the eight default labels, after compilation",
        "peer_name": f"numpy {np.__version__} and pandas {pd.__version__}",
        "bars": price.size,
        "source": source,
        "threads": 1,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
