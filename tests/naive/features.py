"""Slow plain twins of `feature_space`: one bar at a time, one list per window, sums by `math.fsum`."""

import math

import numpy as np


def windows(x, k):
    """The last k elements at every t, fewer at the start."""
    return [list(x[max(0, t + 1 - k) : t + 1]) for t in range(len(x))]


def total(values):
    """Exact sum; plain where it is not finite."""
    return math.fsum(values) if all(map(math.isfinite, values)) else float(np.sum(values))


def mean(values):
    """Mean, taken from the first value on, so that the mean of a constant is that constant."""
    return values[0] + total([v - values[0] for v in values]) / len(values) if math.isfinite(values[0]) else values[0]


def variance(values):
    m = mean(values)
    return mean([(v - m) ** 2 for v in values])


def divide(a, b):
    return a / b if b != 0 else 0.0


def rolling_sum(x, k):
    return np.array([total(w) for w in windows(x, k)])


def rolling_mean(x, k):
    return np.array([mean(w) for w in windows(x, k)])


def rolling_max(x, k):
    return np.array([max((v for v in w if not math.isnan(v)), default=-math.inf) for w in windows(x, k)])


def rolling_min(x, k):
    return np.array([min((v for v in w if not math.isnan(v)), default=math.inf) for w in windows(x, k)])


def rolling_std(x, k):
    return np.array([math.sqrt(variance(w)) for w in windows(x, k)])


def rolling_squares(x, k):
    """Sum of squared deviations from the mean."""
    return np.array([variance(w) * len(w) for w in windows(x, k)])


def rolling_cross(x, k):
    """Sum of (value - mean)(time - mean time)."""
    out = []
    for w in windows(x, k):
        m, middle = mean(w), (len(w) - 1) / 2
        out.append(total([(v - m) * (i - middle) for i, v in enumerate(w)]))
    return np.array(out)


def smooth(x, alpha):
    """Weighted mean of all elements so far: alpha (1-alpha)^j, the rest of the weight on the first."""
    out = []
    for t in range(len(x)):
        terms = [alpha * (1 - alpha) ** j * x[t - j] for j in range(t)]
        out.append(total([*terms, (1 - alpha) ** t * x[0]]))
    return np.array(out)


def ema(x, k):
    return smooth(x, 2 / (k + 1))


def wilder(x, k):
    return smooth(x, 1 / k)


def steps(x):
    return np.array([x[t] - x[t - 1] if t else 0.0 for t in range(len(x))])


def bars_since_max(x, k):
    out = []
    for w in windows(x, k):
        top = max((v for v in w if not math.isnan(v)), default=math.nan)
        out.append(next((back for back, v in enumerate(reversed(w)) if v == top), 0))
    return np.array(out, dtype=float)


# The formulas. `b` holds the input columns; parameters follow. Names are those of the kernels.


def price_to_sma(b, k):
    return b.price / rolling_mean(b.price, k) - 1


def price_to_vwap(b, k):
    q, v = rolling_sum(b.value, k), rolling_sum(b.volume, k)
    return np.array([p / (q_ / v_) - 1 if v_ > 0 else 0.0 for p, q_, v_ in zip(b.price, q, v, strict=True)])


def macd(b, fast, slow):
    return (ema(b.price, fast) - ema(b.price, slow)) / b.price


def macd_histogram(b, fast, slow, signal):
    m = ema(b.price, fast) - ema(b.price, slow)
    return (m - ema(m, signal)) / b.price


def trix(b, k):
    triple = ema(ema(ema(b.price, k), k), k)
    return np.array([triple[t] / triple[t - 1] - 1 if t else 0.0 for t in range(len(triple))])


def time_correlation(b, k):
    out = []
    for w in windows(b.price, k):
        times = list(range(len(w)))
        spread = math.sqrt(variance(w) * variance(times))
        m, middle = mean(w), mean(times)
        out.append(divide(mean([(v - m) * (i - middle) for i, v in enumerate(w)]), spread))
    return np.array(out)


def momentum(b, k):
    return np.array([b.close[t] / b.close[max(t - k, 0)] - 1 for t in range(len(b.close))])


def balance(up, down):
    return np.array([divide(u - d, u + d) for u, d in zip(up, down, strict=True)])


def rsi(b, k):
    moves = steps(b.close)
    return balance(wilder(np.where(moves > 0, moves, 0), k), wilder(np.where(moves < 0, -moves, 0), k))


def stochastic(b, k):
    out = []
    for high, low, c in zip(windows(b.high, k), windows(b.low, k), b.close, strict=True):
        top, bottom = max(high), min(low)
        out.append(2 * (c - bottom) / (top - bottom) - 1 if top > bottom else 0.0)
    return np.array(out)


def cci(b, k):
    out = []
    for w in windows(b.typical, k):
        m = mean(w)
        out.append(divide(w[-1] - m, 0.015 * mean([abs(v - m) for v in w])))
    return np.array(out)


def directional_movement(b, k):
    plus, minus = [0.0], [0.0]
    for t in range(1, len(b.high)):
        up, down = b.high[t] - b.high[t - 1], b.low[t - 1] - b.low[t]
        plus.append(up if up > down and up > 0 else 0.0)
        minus.append(down if down > up and down > 0 else 0.0)
    return balance(wilder(plus, k), wilder(minus, k))


def aroon(b, k):
    """Classic: up - down with up = (k - steps since the high)/k over k steps, i.e. k + 1 bars."""
    up = (k - bars_since_max(b.high, k + 1)) / k
    down = (k - bars_since_max(-b.low, k + 1)) / k
    return up - down


def bollinger(b, k):
    return np.array([divide(w[-1] - mean(w), math.sqrt(variance(w))) for w in windows(b.price, k)])


def keltner(b, k):
    true_range = [b.high[0] - b.low[0] if len(b.high) else 0.0]
    for t in range(1, len(b.high)):
        before = b.close[t - 1]
        true_range.append(max(b.high[t] - b.low[t], abs(b.high[t] - before), abs(b.low[t] - before)))
    # the first bar has no close before; its own stands in, which lies between low and high
    spread, centre = wilder(true_range, k), ema(b.price, k)
    return np.array([(p - c) / s if s > 1e-9 * p else 0.0 for p, c, s in zip(b.price, centre, spread, strict=True)])


def log_quotient(a, b):
    return np.array([math.log(x / y) if x > 0 and y > 0 else 0.0 for x, y in zip(a, b, strict=True)])


def volatility_ratio(b, short, long):
    square = b.log_return**2
    return 0.5 * log_quotient(rolling_mean(square, short), rolling_mean(square, long))


def semivariance(b, k):
    out = []
    for w in windows(b.log_return, k):
        up, down = total([r * r for r in w if r > 0]), total([r * r for r in w if r < 0])
        out.append(divide(up - down, up + down))
    return np.array(out)


def efficiency(b, k):
    out = []
    for t in range(len(b.close)):
        path = list(b.close[max(t - k, 0) : t + 1])
        way = total([abs(path[i + 1] - path[i]) for i in range(len(path) - 1)])
        out.append(divide(path[-1] - path[0], way))
    return np.array(out)


def activity(x, short, long):
    return log_quotient(rolling_mean(x, short), rolling_mean(x, long))


def volume_activity(b, short, long):
    return activity(b.volume, short, long)


def trade_activity(b, short, long):
    return activity(b.trades, short, long)


def signed_volume(b, k):
    moves = steps(b.close)
    out = []
    for t in range(len(moves)):
        bars = range(max(t + 1 - k, 0), t + 1)
        signed = total([b.volume[i] * float(np.sign(moves[i])) for i in bars])
        out.append(divide(signed, total([b.volume[i] for i in bars])))
    return np.array(out)


def money_flow(b, k):
    moves = [m if abs(m) > 1e-12 * p else 0.0 for m, p in zip(steps(b.typical), b.typical, strict=True)]
    out = []
    for t in range(len(moves)):
        bars = range(max(t + 1 - k, 0), t + 1)
        up = total([b.typical[i] * b.volume[i] for i in bars if moves[i] > 0])
        down = total([b.typical[i] * b.volume[i] for i in bars if moves[i] < 0])
        out.append(divide(up - down, up + down))
    return np.array(out)


def chaikin(b, k):
    place = [
        divide(2 * c - h - low, h - low) * v for h, low, c, v in zip(b.high, b.low, b.close, b.volume, strict=True)
    ]
    return np.array([divide(total(p), total(v)) for p, v in zip(windows(place, k), windows(b.volume, k), strict=True)])


def force(b, k):
    push, volume = ema(steps(b.close) * b.volume, k), ema(b.volume, k)
    return np.array([divide(f, c * v) for f, c, v in zip(push, b.close, volume, strict=True)])


TWINS = {
    **{f"price_to_sma_{size}": price_to_sma for size in ("short", "medium", "long")},
    **{f"momentum_{size}": momentum for size in ("short", "long")},
    **{f"rsi_{size}": rsi for size in ("short", "long")},
    **{f"stochastic_{size}": stochastic for size in ("short", "long")},
    "price_to_vwap": price_to_vwap, "macd": macd, "macd_histogram": macd_histogram, "trix": trix,
    "time_correlation": time_correlation, "cci": cci, "directional_movement": directional_movement,
    "aroon": aroon, "bollinger": bollinger, "keltner": keltner, "volatility_ratio": volatility_ratio,
    "semivariance": semivariance, "efficiency": efficiency, "volume_activity": volume_activity,
    "trade_activity": trade_activity, "signed_volume": signed_volume, "money_flow": money_flow,
    "chaikin": chaikin, "force": force,
}  # fmt: skip


# Relative indicators


def log_of(x, scale=1.0):
    return np.array([scale * math.log(v) if v > 0 else 0.0 for v in x])


def basket_momentum(b, k):
    return rolling_sum(b.basket, k)


def basket_volatility_ratio(b, short, long):
    square = b.basket**2
    return 0.5 * log_quotient(rolling_mean(square, short), rolling_mean(square, long))


def deviation(values):
    """Sum of squared deviations; 0 where it is rounding."""
    found = variance(values) * len(values)
    return found if found > 1e-12 * total([v * v for v in values]) else 0.0


def regressions(b, k):
    """Summed squared deviation of b, of r, and of their product, at every bar."""
    out = []
    for x, y in zip(windows(b.basket, k), windows(b.log_return, k), strict=True):
        xx, yy, mx, my = deviation(x), deviation(y), mean(x), mean(y)
        xy = total([(p - mx) * (q - my) for p, q in zip(x, y, strict=True)]) if xx > 0 and yy > 0 else 0.0
        out.append((xx, yy, xy, len(x)))
    return out


def basket_beta(b, k):
    return np.array([divide(xy, xx) for xx, _, xy, _ in regressions(b, k)])


def basket_correlation(b, k):
    return np.array([divide(xy, math.sqrt(xx) * math.sqrt(yy)) for xx, yy, xy, _ in regressions(b, k)])


def residual_level(b, k):
    left = [(yy - divide(xy * xy, xx), yy, n) for xx, yy, xy, n in regressions(b, k)]
    return log_of([v / n if v > 1e-12 * yy else 0.0 for v, yy, n in left], 0.5)


def beta_free(b, k, long):
    return rolling_sum(b.log_return, k) - basket_beta(b, long) * rolling_sum(b.basket, k)


def basket_distance(b, k):
    """From the path of the price over the level of the basket, from the first bar on."""
    path = np.array([total(list(b.log_return[: t + 1] - b.basket[: t + 1])) for t in range(len(b.basket))])
    out = []
    for w in windows(path, k):
        spread = variance(w)
        way = mean([(w[-1] - v) ** 2 for v in w])
        out.append((w[-1] - mean(w)) / math.sqrt(spread) if spread > 1e-12 * way else 0.0)
    return np.array(out)


def volatility_level(b, k):
    return log_of(rolling_mean(b.log_return**2, k), 0.5)


def range_level(b, k):
    return log_of(rolling_mean((b.high - b.low) / b.close, k))


def value_level(b, k):
    return log_of(rolling_mean(b.value, k))


def value_ratio(b, short, long):
    return activity(b.value, short, long)


def skewness(b, k):
    out = []
    for w in windows(b.log_return, k):
        m = mean(w)
        out.append(divide(mean([(v - m) ** 3 for v in w]), variance(w) ** 1.5))
    return np.array(out)


def from_high(b, k):
    return b.close / rolling_max(b.high, k) - 1


def funding_mean(b, k):
    return rolling_mean(b.funding, k)


def funding_change(b, short, long):
    return funding_mean(b, short) - funding_mean(b, long)


def ranks(values, takes):
    """Twice the mean rank of values equal in single precision, less n + 1, over n, by row; 0 for others."""
    values, out = np.float32(values), np.zeros(np.shape(values))
    for t, (row, parts) in enumerate(zip(values, takes, strict=True)):
        seen = sorted(v for v, part in zip(row, parts, strict=True) if part)
        for m, (v, part) in enumerate(zip(row, parts, strict=True)):
            if part:
                places = [i + 1 for i, other in enumerate(seen) if other == v]
                out[t, m] = (2 * mean(places) - 1 - len(seen)) / len(seen)
    return out


RELATIVE_TWINS = {
    "basket_momentum_short": basket_momentum, "basket_momentum_long": basket_momentum,
    "basket_volatility_ratio": basket_volatility_ratio, "beta_free_short": beta_free, "beta_free_long": beta_free,
    "basket_distance": basket_distance, "basket_beta": basket_beta, "basket_correlation": basket_correlation,
    "residual_level": residual_level, "volatility_level": volatility_level, "range_level": range_level,
    "value_level": value_level, "value_ratio": value_ratio, "skewness": skewness, "from_high": from_high,
    "funding_mean": funding_mean, "funding_change": funding_change,
}  # fmt: skip


def normalise_local(x, window, gain):
    """(2/pi) arctan(x / (gain sd)), sd over the trailing window; 0 where the sd is rounding."""
    out = []
    for w in windows(x, window):
        sd = gain * math.sqrt(variance(w))
        out.append(math.atan(w[-1] / sd) * 2 / math.pi if sd > 1e-12 else 0.0)
    return np.array(out)


# Separation


def l1(x, i, j):
    return total([abs(float(a) - float(b)) for a, b in zip(x[i], x[j], strict=True)])


def near_zero_mass(distances, n_features, n_bins, quantile=None):
    """Share of pairs in each bin times the weight at the bin's centre."""
    width = 2 * n_features / n_bins
    mass = []
    for d in distances:
        centre = (min(int(d / width), n_bins - 1) + 0.5) * width
        if quantile is None:
            mass.append(math.exp(-((centre / (0.1 * n_features)) ** 2)))
        else:
            mass.append(1.0 if centre < quantile else 0.0)
    return mean(mass)
