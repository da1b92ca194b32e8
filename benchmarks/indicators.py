"""Milliseconds per indicator: our kernels against the shortest composition of TA-Lib calls, in the same run.

One thread for both, compilation left out, best of several runs taken in turns. Both read contiguous float64
columns; numpy stands in for what TA-Lib lacks. A pair is compared only if its values agree: to 1e-7 after the
warm-up, but for the bars that TA-Lib's running sums cannot give (see `agreement`).

``LABELSEARCH_DATA`` names a folder with ``btcusdt_1m.parquet``: its bars of 2018 and 2019 are used. Without it
the bars are synthetic. Where the bars carry no number of trades, 20 per unit of volume stand in.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import talib

from feature_space.feature_set import N_THREADS, Feature, FeatureSet
from feature_space.indicators import BY_NAME, INDICATORS, Array, Inputs, make_inputs
from feature_space.normalise import Normalisation
from labelsearch.market.synthetic import synthetic_bars

SYNTHETIC_BARS = 1_000_000
TOLERANCE = 1e-7
LOST = 0.03  # share of bars that the peer's running sums may get wrong


def steps(x: Array) -> Array:
    """Change from the bar before, 0 at the first."""
    return np.diff(x, prepend=x[:1])


def time_correlation(b: Inputs, k: int) -> Array:
    # CORREL with the bar number is faster, but its sums of squares are gone to rounding after some ten thousand bars
    return talib.LINEARREG_SLOPE(b.price, k) * np.sqrt((k * k - 1) / 12) / talib.STDDEV(b.price, k)


def directional_movement(b: Inputs, k: int) -> Array:
    plus, minus = talib.PLUS_DM(b.high, b.low, k), talib.MINUS_DM(b.high, b.low, k)
    return (plus - minus) / (plus + minus)


def bollinger(b: Inputs, k: int) -> Array:
    upper, middle, _ = talib.BBANDS(b.price, k, 1, 1, 0)
    return (b.price - middle) / (upper - middle)


def semivariance(b: Inputs, k: int) -> Array:
    up, down = np.maximum(b.log_return, 0), np.minimum(b.log_return, 0)
    up, down = talib.SUM(up * up, k), talib.SUM(down * down, k)
    return (up - down) / (up + down)


def volatility_ratio(b: Inputs, short: int, long: int) -> Array:
    square = b.log_return * b.log_return
    return 0.5 * np.log(talib.SMA(square, short) / talib.SMA(square, long))


def activity(x: Array, short: int, long: int) -> Array:
    return np.log(talib.SMA(x, short) / talib.SMA(x, long))


PEERS: dict[str, Callable[..., Array]] = {
    "price_to_sma": lambda b, k: b.price / talib.SMA(b.price, k) - 1,
    "price_to_vwap": lambda b, k: b.price / talib.VWMA(b.price, b.volume, k) - 1,
    "macd": lambda b, fast, slow: talib.APO(b.price, fast, slow, 1) / b.price,
    "macd_histogram": lambda b, *spans: talib.MACD(b.price, *spans)[2] / b.price,
    "trix": lambda b, k: talib.TRIX(b.price, k) / 100,
    "time_correlation": time_correlation,
    "momentum": lambda b, k: talib.ROCP(b.close, k),
    "rsi": lambda b, k: talib.CMO(b.close, k) / 100,
    "stochastic": lambda b, k: talib.WILLR(b.high, b.low, b.close, k) / 50 + 1,
    "cci": lambda b, k: talib.CCI(b.high, b.low, b.close, k),
    "directional_movement": directional_movement,
    "aroon": lambda b, k: talib.AROONOSC(b.high, b.low, k) / 100,
    "bollinger": bollinger,
    "keltner": lambda b, k: (b.price - talib.EMA(b.price, k)) / talib.ATR(b.high, b.low, b.close, k),
    "volatility_ratio": volatility_ratio,
    "semivariance": semivariance,
    "efficiency": lambda b, k: talib.MOM(b.close, k) / talib.SUM(np.abs(steps(b.close)), k),
    "volume_activity": lambda b, short, long: activity(b.volume, short, long),
    "trade_activity": lambda b, short, long: activity(b.trades, short, long),
    "signed_volume": lambda b, k: talib.SUM(np.sign(steps(b.close)) * b.volume, k) / talib.SUM(b.volume, k),
    "money_flow": lambda b, k: talib.MFI(b.high, b.low, b.close, b.volume, k) / 50 - 1,
    "chaikin": lambda b, k: talib.CMF(b.high, b.low, b.close, b.volume, k),
    "force": lambda b, k: talib.EFI(b.close, b.volume, k) / (b.close * talib.EMA(b.volume, k)),
}


def peer_of(name: str) -> Callable[..., Array]:
    """The composition for an indicator; those of several lengths share one."""
    return PEERS.get(name) or PEERS[name.rsplit("_", 1)[0]]


def load() -> tuple[Inputs, str]:
    """Input columns and where they are from."""
    path = Path(os.environ.get("LABELSEARCH_DATA", "")) / "btcusdt_1m.parquet"
    if path.is_file():
        bars = pd.read_parquet(path)
        bars = bars[(bars.open_time >= "2018-01-01") & (bars.open_time < "2020-01-01")]
        high, low, close, volume = (bars[c].to_numpy(np.float64).copy() for c in ("high", "low", "close", "volume"))
        return make_inputs((high + low + close) / 3, high, low, close, volume, np.ceil(20 * volume)), path.name
    made = synthetic_bars(SYNTHETIC_BARS, seed=0)
    return make_inputs(made.vwap, made.high, made.low, made.close, made.volume, made.trades), "synthetic"


def agreement(ours: Array, peer: Array, warm_up: int) -> float:
    """Share of bars after the warm-up where the two differ by more than the tolerance.

    Almost all of them are windows at rest, or just after a large value left: TA-Lib subtracts what leaves the
    window, so that a rest of rounding stays where ours is exactly 0.
    """
    gap = np.abs(ours - peer)[warm_up:]
    return float(np.mean(~(gap <= TOLERANCE * np.maximum(1.0, np.abs(ours[warm_up:])))))


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
    """Run all and print the ratios; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()

    inputs, source = load()
    middle = {i.name: tuple((a + b) // 2 for a, b in i.parameters.values()) for i in INDICATORS}
    rows: dict[str, tuple[float, float]] = {}
    print(f"{inputs.close.size:,} bars ({source}), TA-Lib {talib.__version__}, one thread, best of {args.repeats}")
    print(f"{'':32} {'ours ms':>8} {'peer ms':>8} {'ratio':>6}  bars the peer gets wrong")
    with np.errstate(all="ignore"):
        for name, values in middle.items():
            indicator, peer = BY_NAME[name], peer_of(name)
            lost = agreement(
                indicator.compute(inputs, values), peer(inputs, *values), max(indicator.warm_up(*values), 100)
            )
            if lost > LOST:
                raise SystemExit(f"{name}{values}: {lost:.2%} of the bars differ from TA-Lib's")
            ours_s, peer_s = best_of(
                args.repeats,
                lambda i=indicator, v=values: i.compute(inputs, v),
                lambda p=peer, v=values: p(inputs, *v),
            )
            rows[name] = ours_s, peer_s
            title = Feature(name, values).title
            print(f"{title:32} {1e3 * ours_s:8.2f} {1e3 * peer_s:8.2f} {peer_s / ours_s:6.2f}  {lost:.4%}")

    whole = FeatureSet(
        tuple(Feature(name, values) for name, values in middle.items()), Normalisation("local", 1440, 1.0)
    )
    whole.matrix(inputs)  # compile
    (all_s,) = best_of(max(args.repeats // 5, 1), lambda: whole.matrix(inputs))
    ratios = {name: peer_s / ours_s for name, (ours_s, peer_s) in rows.items()}
    mean = float(np.exp(np.mean(np.log(list(ratios.values())))))
    worst = min(ratios, key=ratios.__getitem__)
    print(f"geometric mean {mean:.2f}, worst {worst} {ratios[worst]:.2f}")
    print(f"all 28 with normalisation, {N_THREADS} threads: {all_s:.2f} s")
    result = {
        "benchmark": "indicators",
        "ours": round(1e3 * sum(ours_s for ours_s, _ in rows.values()), 2),
        "peer": round(1e3 * sum(peer_s for _, peer_s in rows.values()), 2),
        "ratio": round(mean, 2),
        "unit": "ms for all 28, raw values; ratio is the geometric mean of peer/ours",
        "worst": {worst: round(ratios[worst], 2)},
        "peer_name": f"TA-Lib {talib.__version__} with numpy",
        "bars": inputs.close.size,
        "source": source,
        "threads": 1,
        "all_28_normalised_s": round(all_s, 3),
        "all_28_threads": N_THREADS,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
