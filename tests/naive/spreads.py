"""A slow plain twin of the estimate of the spread, and bars of simulated trades."""

import math

import numpy as np


def squared_spread(times, opens, highs, lows, closes, interval_ms) -> float:
    """Square of the spread by EDGE, pair by pair, with every mean written out; bars are not filled in."""
    rows = []
    for t in range(1, len(times)):
        if times[t] - times[t - 1] != interval_ms:
            continue
        o, h, low, c1 = (math.log(x) for x in (opens[t], highs[t], lows[t], closes[t - 1]))
        h1, l1 = math.log(highs[t - 1]), math.log(lows[t - 1])
        m, m1 = (h + low) / 2, (h1 + l1) / 2
        tau = int(highs[t] != lows[t] or lows[t] != closes[t - 1])
        rows.append(
            {
                "tau": tau,
                "o!=h": tau * int(opens[t] != highs[t]),
                "o!=l": tau * int(opens[t] != lows[t]),
                "c1!=h1": tau * int(closes[t - 1] != highs[t - 1]),
                "c1!=l1": tau * int(closes[t - 1] != lows[t - 1]),
                "m-o": m - o,
                "o-m1": o - m1,
                "m-c1": m - c1,
                "c1-m1": c1 - m1,
                "o-c1": o - c1,
            }
        )

    def mean(function):
        return sum(function(row) for row in rows) / len(rows)

    def mean_of(name):
        return mean(lambda row: row[name])

    p_open, p_close = mean_of("o!=h") + mean_of("o!=l"), mean_of("c1!=h1") + mean_of("c1!=l1")

    def centred(row, name):
        return row[name] - row["tau"] * mean_of(name) / mean_of("tau")

    centres = [{name: centred(row, name) for name in ("m-o", "m-c1", "o-c1")} for row in rows]
    first = [
        -4 / p_open * c["m-o"] * row["o-m1"] - 4 / p_close * c["m-c1"] * row["c1-m1"]
        for row, c in zip(rows, centres, strict=True)
    ]
    second = [
        -4 / p_open * c["m-o"] * row["o-c1"] - 4 / p_close * c["o-c1"] * row["c1-m1"]
        for row, c in zip(rows, centres, strict=True)
    ]
    e1, e2 = sum(first) / len(rows), sum(second) / len(rows)
    v1, v2 = sum(x * x for x in first) / len(rows) - e1**2, sum(x * x for x in second) / len(rows) - e2**2
    return (v2 * e1 + v1 * e2) / (v1 + v2)


def traded_bars(n_bars, spread, seed, *, trades=20, observed=1.0, volatility=0.01, missing=False):
    """Open, high, low and close (n, 4) of a random walk, traded at random at bid or ask, and whether there was a trade.

    Every one of ``trades`` steps of a bar is seen with probability ``observed``. A bar without a trade has the last
    close, or is NaN if ``missing``.
    """
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((n_bars, trades)) * volatility / np.sqrt(trades)
    middle = np.exp(np.cumsum(steps).reshape(n_bars, trades)) * 100.0
    prices = middle * (1.0 + spread / 2.0 * rng.choice((-1.0, 1.0), (n_bars, trades)))
    seen = rng.random((n_bars, trades)) < observed
    out, last = np.empty((n_bars, 4)), prices[0, 0]
    for t in range(n_bars):
        own = prices[t][seen[t]]
        if len(own):
            out[t] = own[0], own.max(), own.min(), own[-1]
            last = own[-1]
        else:
            out[t] = np.nan if missing else last
    return out, seen.any(axis=1)
