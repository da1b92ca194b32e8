"""Slow plain twins of `strategies.tiers.metrics` and of the account of `strategies.trade.pool`."""

import itertools
import math

YEAR = 365


def day_closes(equity, time_ms):
    """Equity at the last bar of each day, in order."""
    last = {}
    for value, time in zip(equity, time_ms, strict=True):
        last[time // 86_400_000] = value
    return [last[day] for day in sorted(last)]


def returns(equity, time_ms):
    """Daily returns from equity 1."""
    closes = [1.0, *day_closes(equity, time_ms)]
    return [b / a - 1 for a, b in itertools.pairwise(closes)]


def deviation(values):
    """Sample standard deviation."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def metrics(account, window, market):
    """A dict of the fields of `Metrics`, for accounts where every ratio exists."""
    equity, position, traded, fills, _, paid = account
    time_ms, months = window.open_time.tolist(), window.months
    r, m = returns(equity, time_ms), returns(market, time_ms)
    mean, mean_market = math.fsum(r) / len(r), math.fsum(m) / len(m)
    down = math.sqrt(math.fsum(x * x for x in r if x < 0) / len(r))
    peak, worst, worst_peak, bottom = 1.0, 0.0, 1.0, 0
    for t, value in enumerate(equity):
        peak = max(peak, value)
        if 1 - value / peak > worst:
            worst, worst_peak, bottom = 1 - value / peak, peak, t
    back = next((t for t in range(bottom, len(equity)) if equity[t] >= worst_peak), None)
    levered = 1.0
    for x in r:
        levered *= max(1 + x * deviation(m) / deviation(r), 0.0)
    products = math.fsum((x - mean) * (y - mean_market) for x, y in zip(r, m, strict=True))
    return {
        "total_return_pct": 100 * (equity[-1] - 1),
        "monthly_return_pct": 100 * (equity[-1] ** (1 / months) - 1),
        "volatility_pct": 100 * deviation(r) * math.sqrt(YEAR),
        "sharpe": mean / deviation(r) * math.sqrt(YEAR),
        "sortino": mean / down * math.sqrt(YEAR),
        "calmar": (equity[-1] ** (12 / months) - 1) / worst,
        "max_drawdown_pct": 100 * worst,
        "recovery_days": None if back is None else (time_ms[back] - time_ms[bottom]) / 86_400_000,
        "matched_return_pct": 100 * (levered - 1),
        "trades_per_month": fills / months,
        "mean_position_pct": 100 * math.fsum(map(abs, position)) / len(position),
        "invested_pct": 100 * sum(p != 0 for p in position) / len(position),
        "turnover_per_month": math.fsum(v / e for v, e in zip(traded, equity, strict=True)) / months,
        **{f"{name}_pct": 100 * math.fsum(of) for name, of in paid._asdict().items()},
        "break_even_bp": 1e4
        * (equity[-1] - 1 + math.fsum([*paid.fees, *paid.spread, *paid.impact]))
        / math.fsum(traded),
        "beta": products / math.fsum((y - mean_market) ** 2 for y in m),
    }


def account(equity, position, window, days, weights, rules):
    """Equity and value traded per bar of strategies whose shares are set anew at the first open of each day.

    Books are kept in cash and coins per strategy. At a change of weights every strategy gets its share of the whole,
    after costs found by bisection, in the mix of cash and coins it has at that open; the market sees the net coins.
    ``days``: first rows of the stretches between changes; ``weights`` a list per stretch.
    """
    open_, close, fee, slippage = window.open, window.close, rules.fee_share, rules.half_spread
    n = len(equity[0])
    own = [(1.0, 0.0)] * n  # cash and coins of each strategy as it runs by itself
    cash, coins = 1.0, [0.0] * n  # ours: all cash at first
    scale = [0.0] * n
    values, trades = [], []
    for t in range(len(close)):
        traded = 0.0
        if t in days:
            price = open_[t]
            stand = [c + q * price for c, q in own]
            weight = weights[days.index(t)]

            def after(left, weight=weight, stand=stand, own=tuple(own)):
                return [w * left / s * q for w, s, (_, q) in zip(weight, stand, own, strict=True)]

            def books(left, after=after, coins=tuple(coins), cash=cash, price=price):
                """What is missing in cash, and the value traded, when ``left`` is what is left after costs."""
                net = math.fsum(after(left)) - math.fsum(coins)
                worth = net * price * (1 + slippage if net > 0 else 1 - slippage)
                return left - (cash - worth - abs(worth) * fee) - math.fsum(after(left)) * price, abs(worth)

            low, high = 0.0, 2 * (cash + math.fsum(coins) * price)
            for _ in range(200):
                middle = (low + high) / 2
                low, high = (middle, high) if books(middle)[0] < 0 else (low, middle)
            left = (low + high) / 2
            traded += books(left)[1]
            scale = [w * left / s for w, s in zip(weight, stand, strict=True)]
        before = own
        own = [(e * (1 - p), e * p / close[t]) for e, p in zip(equity[t], position[t], strict=True)]
        for k, (_, old), (_, new) in zip(scale, before, own, strict=True):
            if abs(new - old) * close[t] > 1e-9:
                traded += k * abs(new - old) * open_[t] * (1 + slippage if new > old else 1 - slippage)
        cash = math.fsum(k * c for k, (c, _) in zip(scale, own, strict=True))
        coins = [k * q for k, (_, q) in zip(scale, own, strict=True)]
        values.append(cash + math.fsum(coins) * close[t])
        trades.append(traded)
    return values, trades
