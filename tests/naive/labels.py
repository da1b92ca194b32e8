"""Slow plain twins of `labelsearch.labels`, with lists and for reading."""

import itertools
import math

BUY, NEUTRAL, SELL = 0, 1, 2


def clip(x, low, high):
    return min(max(x, low), high)


def by_value(c):
    return SELL if c > 0.5 else BUY if c < -0.5 else NEUTRAL


def quantile_lower(values, q):
    """The value that a share q of the others lies below, never between two values."""
    return sorted(values)[math.floor(q * (len(values) - 1))]


def smoothed(price, window=5):
    """Centred mean; the first window//2 + 1 and the last window//2 points stay raw."""
    half = window // 2
    out = []
    for t in range(len(price)):
        inside = half + 1 <= t < len(price) - half
        out.append(math.fsum(price[t - half : t + half + 1]) / window if inside else price[t])
    return out


def moves(price, horizon, future):
    """Relative move ahead of every bar; None where it is not known yet."""
    out = []
    for t in range(len(price)):
        ahead = price[t + 1 : t + horizon + 1]
        if len(ahead) < horizon:
            out.append(None)
        elif future == "point":
            out.append(ahead[-1] / price[t] - 1)
        else:
            weights = range(horizon, 0, -1)
            mean = math.fsum(w * p for w, p in zip(weights, ahead, strict=True)) / sum(weights)
            out.append(mean / price[t] - 1)
    return out


def volatility(price, span=1440):
    """Exponentially weighted root mean square of log returns so far, the first return 0."""
    alpha = 2 / (span + 1)
    returns = [0.0] + [math.log(b / a) for a, b in itertools.pairwise(price)]
    out = []
    for t in range(len(price)):
        weights = [(1 - alpha) ** j for j in range(t + 1)]
        squares = [w * returns[t - j] ** 2 for j, w in enumerate(weights)]
        out.append(math.sqrt(math.fsum(squares) / math.fsum(weights)))
    return out


def threshold(price, theta, horizon, future="point", scale="fixed", span=1440):
    """Values, classes and last bars used, with the reference taken from the same prices."""
    move = moves(price, horizon, future)
    thetas = [theta] * len(price)
    if scale == "volatility":
        s = volatility(price, span)
        middle = math.fsum(s) / len(s)
        thetas = [theta * clip(v / middle, 0.5, 3) for v in s]
    if scale == "quantile":
        thetas = [quantile_lower([abs(m) for m in move if m is not None], 0.99)] * len(price)
    values, classes = [], []
    for r, limit in zip(move, thetas, strict=True):
        c = 0.0 if r is None else -(clip(r / limit, -1, 1) ** 3)
        values.append(c)
        if scale == "quantile":
            classes.append(by_value(c))
        else:
            classes.append(NEUTRAL if r is None else BUY if r >= limit else SELL if r <= -limit else NEUTRAL)
    return values, classes, [min(t + horizon, len(price)) for t in range(len(price))]


def published(price, horizon):
    """x_t = -sum_i (d - i + 1)(S_{t+i}/S_t - 1), over its 99th percentile, clipped, cubed."""
    s = smoothed(price)
    x = []
    for t in range(len(s)):
        terms = [(horizon - i + 1) * (s[t + i] / s[t] - 1) for i in range(1, horizon + 1) if t + i < len(s)]
        x.append(-math.fsum(terms) if len(terms) == horizon else 0.0)
    q = quantile_lower([abs(v) for v in x], 0.99)
    values = [clip(v / q, -1, 1) ** 3 for v in x]
    ends = [t + horizon if t + horizon < 3 else t + horizon + 2 for t in range(len(s))]  # the first three stay raw
    return values, [by_value(c) for c in values], [min(end, len(s)) for end in ends]


def turning_points(s):
    """Local minima and maxima in turn, from a walk: down while not rising, up while rising."""
    out = []
    t, last = 0, len(s) - 1
    while t < last:
        while t < last and s[t + 1] <= s[t]:
            t += 1
        if t == last:
            break
        low = t
        while t < last and s[t + 1] > s[t]:
            t += 1
        out.append((low, t))
    return out


def extrema_legs(s, up, down):
    """Accepted legs [trough, peak]; up and down in price, per bar."""
    legs = []
    buy = 0  # None where a fresh one is needed
    for low, j in turning_points(s):
        if buy is None or s[low] <= s[buy]:
            buy = low
        if j == len(s) - 1:  # still rising at the end
            legs.append([buy, j])
            break
        limit = j + 1
        higher = bool(legs) and s[j] > s[legs[-1][1]]
        if s[j] - s[buy] > up[limit]:
            if legs and s[legs[-1][1]] - s[buy] < down[limit]:
                if len(legs) >= 2 and higher:
                    legs[-1][1] = j
            else:
                legs.append([buy, j])
            buy = None
        elif higher:
            legs[-1][1] = j
            buy = None
    return legs


def extrema(price, up, down, span=5000):
    """Values and classes."""
    s = smoothed(price)
    level = [math.fsum(s[max(t + 1 - span, 0) : t + 1]) / min(t + 1, span) for t in range(len(s))]
    legs = extrema_legs(s, [up / 100 * v for v in level], [down / 100 * v for v in level])
    values = [0.0] * len(s)
    turns = [bar for leg in legs for bar in leg]  # trough, peak, trough, peak, ..
    for i in range(len(turns) - 1):
        a, b = turns[i], turns[i + 1]
        trough, peak = (s[a], s[b]) if i % 2 == 0 else (s[b], s[a])
        for t in range(a, b + 1):
            x = (s[t] - trough) / (peak - trough) if peak != trough else 1.0
            values[t] = clip(x**3 - (1 - x) ** 3, -1, 1)
    return values, [by_value(c) for c in values]


def triple_barrier(price, up, down, horizon, scale="volatility", vertical="neutral", span=1440):
    """Values, classes and last bars used: walk from each bar until a barrier is met."""
    n = len(price)
    width = [1.0] * n if scale == "fixed" else [v * math.sqrt(horizon) for v in volatility(price, span)]
    values, classes, last_used = [], [], []
    for t in range(n):
        upper, lower = up * width[t], down * width[t]
        path = [p / price[t] - 1 for p in price[t + 1 : t + horizon + 1]]
        touch = next((j for j, r in enumerate(path) if r >= upper or r <= -lower), None)
        if width[t] == 0:
            value, label, end = 0.0, NEUTRAL, t
        elif touch is not None:
            value, label = (-1.0, BUY) if path[touch] > 0 else (1.0, SELL)
            end = t + 1 + touch
        elif len(path) < horizon:
            value, label, end = 0.0, NEUTRAL, n
        else:
            r = path[-1]
            value, label, end = -((r / (upper if r > 0 else lower)) ** 3), NEUTRAL, t + horizon
            if vertical == "sign" and r != 0:
                label = BUY if r > 0 else SELL
        values.append(value)
        classes.append(label)
        last_used.append(end)
    return values, classes, last_used


def slope_t_value(y):
    """Least squares of y on 0, 1, ..: slope over its standard error; infinite where nothing is left over."""
    m = len(y)
    times = [j - (m - 1) / 2 for j in range(m)]
    middle = math.fsum(y) / m
    squares = math.fsum(u * u for u in times)
    slope = math.fsum(u * (v - middle) for u, v in zip(times, y, strict=True)) / squares
    rest = math.fsum((v - middle - slope * u) ** 2 for u, v in zip(times, y, strict=True))
    if slope == 0:
        return 0.0
    return slope / math.sqrt(rest / (m - 2) / squares) if rest > 0 else math.copysign(math.inf, slope)


def trend_scanning(price, shortest, longest, edge, step=1):
    """Values, classes and last bars used: every window regressed anew."""
    n = len(price)
    horizons = range(shortest, longest + 1, step)
    values = []
    for t in range(n):
        if t + horizons[-1] >= n:
            values.append(0.0)
            continue
        y = [math.log(p / price[t]) for p in price[t : t + longest + 1]]
        best = max((slope_t_value(y[: h + 1]) for h in horizons), key=abs)
        values.append(-math.copysign(1 / (1 + edge / abs(best)), best) if best else 0.0)
    return values, [by_value(c) for c in values], [min(t + horizons[-1], n) for t in range(n)]


def magnitude(price, horizon, edge=1.0, span=1440, head="classes"):
    """Values, classes and last bars used: moves in volatilities, one by one."""
    n, values, classes, last_used = len(price), [], [], []
    for t, sd in enumerate(volatility(price, span)):
        last_used.append(min(t + horizon, n) if sd > 0 else t)
        y = 0.0
        if t + horizon < n and sd > 0:
            y = clip(math.log(price[t + horizon] / price[t]) / (sd * math.sqrt(horizon)), -3, 3)
        action = abs(y) >= 3 if edge == 3 else abs(y) > edge
        values.append(-y / 3)
        classes.append((BUY if y > 0 else SELL) if action else NEUTRAL)
    return values, classes, last_used


TWINS = {
    "threshold": threshold,
    "published": published,
    "extrema": extrema,
    "triple_barrier": triple_barrier,
    "trend_scanning": trend_scanning,
    "magnitude": magnitude,
}


def relative(markets, horizon, share=0.2, value="return", head="classes"):
    """Values, classes and last bars used of each market: every row ranked anew."""
    n, n_markets = len(markets.close), len(markets.close[0])
    values, classes = [[0.0] * n for _ in range(n_markets)], [[NEUTRAL] * n for _ in range(n_markets)]
    last_used = [[n] * n for _ in range(n_markets)]
    for t in range(n - horizon):
        common = math.prod(1 + r for r in markets.basket[t + 1 : t + 1 + horizon]) - 1
        gains = {}
        for m in range(n_markets):
            gain = markets.close[t + horizon][m] / markets.close[t][m] - 1 - markets.beta[t][m] * common
            if value == "return":
                gain /= markets.sigma[t][m] * math.sqrt(horizon)
            if markets.member[t][m] and markets.traded[t][m] and math.isfinite(gain):
                gains[m] = gain
        if len(gains) < 3:
            continue
        ordered = sorted(gains.values())
        for m, gain in gains.items():
            rank = ordered.index(gain) + (ordered.count(gain) - 1) / 2  # from 0, the mean of equal ones
            values[m][t] = 1 - 2 * rank / (len(gains) - 1)
            if value == "return":
                n = len(ordered)
                away = gain - (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
                values[m][t] = -min(max(away, -3), 3) / 3
            if (rank + 0.5) / len(gains) > 1 - share + 1e-12:
                classes[m][t] = BUY
            elif (rank + 0.5) / len(gains) < share - 1e-12:
                classes[m][t] = SELL
            last_used[m][t] = t + horizon
    return [(v, c, u) for v, c, u in zip(values, classes, last_used, strict=True)]
