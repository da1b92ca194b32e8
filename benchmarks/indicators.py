"""Milliseconds per indicator: our kernels against the shortest composition of calls of each of two libraries in C.

The peer of an indicator is the faster of TA-Lib and Tulip Indicators (``pip install newtulipy``; TA-Lib alone where it
is not installed). One thread for all, compilation left out, best of several runs taken in turns. All read contiguous
float64 columns; numpy stands in for what a library lacks. A pair is compared only if its values agree: to 1e-7 after
the warm-up, but for the bars that the libraries' running sums cannot give (see `agreement`).

``LABELSEARCH_DATA`` names a folder with ``btcusdt_1m.parquet``: its bars of 2018 and 2019 are used. Without it
the bars are synthetic. Where the bars carry no number of trades, 20 per unit of volume stand in.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import talib

try:
    import tulipy as ti
except ImportError:
    ti = None

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


# Tulip's outputs begin with the first bar that has all of its window, so other columns are cut to their end


def last(x: Array, like: Array) -> Array:
    """The end of a column, as long as another."""
    return x[x.size - like.size :]


def over(numerator: Array, denominator: Array) -> Array:
    """Ratio of two columns on the bars that both have."""
    n = min(numerator.size, denominator.size)
    return numerator[numerator.size - n :] / denominator[denominator.size - n :]


def tulip_time_correlation(b: Inputs, k: int) -> Array:
    slope = ti.linregslope(b.price, k)
    return slope * np.sqrt((k * k - 1) / 12) / last(ti.stddev(b.price, k), slope)


def tulip_directional_movement(b: Inputs, k: int) -> Array:
    plus, minus = ti.dm(b.high, b.low, k)
    return (plus - minus) / (plus + minus)


def tulip_bollinger(b: Inputs, k: int) -> Array:
    _, middle, upper = ti.bbands(b.price, k, 1)
    return (last(b.price, middle) - middle) / (upper - middle)


def tulip_keltner(b: Inputs, k: int) -> Array:
    return over(b.price - ti.ema(b.price, k), ti.atr(b.high, b.low, b.close, k))


def tulip_semivariance(b: Inputs, k: int) -> Array:
    up, down = np.maximum(b.log_return, 0), np.minimum(b.log_return, 0)
    up, down = ti.sum(up * up, k), ti.sum(down * down, k)
    return (up - down) / (up + down)


def tulip_activity(x: Array, short: int, long: int) -> Array:
    return np.log(over(ti.sma(x, short), ti.sma(x, long)))


def tulip_chaikin(b: Inputs, k: int) -> Array:
    width = b.high - b.low
    place = np.divide(2 * b.close - b.high - b.low, width, out=np.zeros_like(width), where=width > 0)
    return over(ti.sum(place * b.volume, k), ti.sum(b.volume, k))


RIVALS: dict[str, Callable[..., Array]] = {
    "price_to_sma": lambda b, k: over(b.price, ti.sma(b.price, k)) - 1,
    "price_to_vwap": lambda b, k: over(b.price, ti.vwma(b.price, b.volume, k)) - 1,
    "macd": lambda b, fast, slow: over(ti.apo(b.price, fast, slow), b.price),
    "macd_histogram": lambda b, *spans: over(ti.macd(b.price, *spans)[2], b.price),
    "trix": lambda b, k: ti.trix(b.price, k) / 100,
    "time_correlation": tulip_time_correlation,
    "momentum": lambda b, k: ti.roc(b.close, k),
    "rsi": lambda b, k: ti.rsi(b.close, k) / 50 - 1,
    "stochastic": lambda b, k: ti.willr(b.high, b.low, b.close, k) / 50 + 1,
    "cci": lambda b, k: ti.cci(b.high, b.low, b.close, k),
    "directional_movement": tulip_directional_movement,
    "aroon": lambda b, k: ti.aroonosc(b.high, b.low, k) / 100,
    "bollinger": tulip_bollinger,
    "keltner": tulip_keltner,
    "volatility_ratio": lambda b, short, long: 0.5 * tulip_activity(b.log_return * b.log_return, short, long),
    "semivariance": tulip_semivariance,
    "efficiency": lambda b, k: over(ti.mom(b.close, k), ti.sum(np.abs(steps(b.close)), k)),
    "volume_activity": lambda b, short, long: tulip_activity(b.volume, short, long),
    "trade_activity": lambda b, short, long: tulip_activity(b.trades, short, long),
    "signed_volume": lambda b, k: over(ti.sum(np.sign(steps(b.close)) * b.volume, k), ti.sum(b.volume, k)),
    "money_flow": lambda b, k: ti.mfi(b.high, b.low, b.close, b.volume, k) / 50 - 1,
    "chaikin": tulip_chaikin,
    "force": lambda b, k: ti.ema(steps(b.close) * b.volume, k) / (b.close * ti.ema(b.volume, k)),
}


def peers_of(name: str) -> dict[str, Callable[..., Array]]:
    """The compositions for an indicator by library; those of several lengths share one."""
    found = {"TA-Lib": PEERS, **({"Tulip": RIVALS} if ti else {})}
    return {library: its.get(name) or its[name.rsplit("_", 1)[0]] for library, its in found.items()}


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
    """Share of bars after the warm-up where the two differ by more than the tolerance; the peer's may begin later.

    Almost all of them are windows at rest, or just after a large value left: TA-Lib subtracts what leaves the
    window, so that a rest of rounding stays where ours is exactly 0.
    """
    n = min(peer.size, ours.size - warm_up)
    ours, peer = ours[-n:], peer[-n:]
    return float(np.mean(~(np.abs(ours - peer) <= TOLERANCE * np.maximum(1.0, np.abs(ours)))))


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
    ratios_of: dict[str, list[float]] = {}
    names = f"TA-Lib {talib.__version__}" + (f", Tulip {version('newtulipy')}" if ti else "")
    print(f"{inputs.close.size:,} bars ({source}), {names}, one thread, best of {args.repeats}")
    print(f"{'':32} {'ours ms':>8} {'peer ms':>8} {'ratio':>6}  fastest; of each library, bars it gets wrong")
    with np.errstate(all="ignore"):
        for name, values in middle.items():
            indicator, values_of = BY_NAME[name], {}
            ours_values, warm_up = indicator.compute(inputs, values), max(indicator.warm_up(*values), 100)
            for library, peer in peers_of(name).items():
                lost = agreement(ours_values, peer(inputs, *values), warm_up)
                if lost > LOST and library == "TA-Lib":
                    raise SystemExit(f"{name}{values}: {lost:.2%} of the bars differ from TA-Lib's")
                if lost <= LOST:
                    values_of[library] = lost, peer
            ours_s, *peer_s = best_of(
                args.repeats,
                lambda i=indicator, v=values: i.compute(inputs, v),
                *(lambda p=peer, v=values: p(inputs, *v) for _, peer in values_of.values()),
            )
            times = dict(zip(values_of, peer_s, strict=True))
            fastest = min(times, key=times.__getitem__)
            for library, seconds in times.items():
                ratios_of.setdefault(library, []).append(seconds / ours_s)
            rows[name] = ours_s, times[fastest]
            wrong = ", ".join(f"{library} {lost:.4%}" for library, (lost, _) in values_of.items())
            title = Feature(name, values).title
            print(f"{title:32} {1e3 * ours_s:8.2f} {1e3 * times[fastest]:8.2f} {times[fastest] / ours_s:6.2f}  "
                  f"{fastest}; {wrong}")  # fmt: skip

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
        "peer_name": f"the faster of {names}, with numpy",
        "ratio_by_library": {n: [round(float(np.exp(np.mean(np.log(r)))), 2), len(r)] for n, r in ratios_of.items()},
        "bars": inputs.close.size,
        "source": source,
        "threads": 1,
        "all_28_normalised_s": round(all_s, 3),
        "all_28_threads": N_THREADS,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
