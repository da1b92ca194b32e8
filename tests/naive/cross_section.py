"""Slow plain twin of `labelsearch.market.cross_section`: dictionaries of bars, one row after the other."""

import math
from datetime import UTC, datetime

NAN = math.nan


def cross_section(bars, terms, a_day):
    """Columns by name, lists of rows of markets; ``bars``: closes and values traded by time, of each market."""
    times = sorted({time for closes, _ in bars for time in closes})
    rows = {name: [] for name in ("close", "traded", "returns", "eligible", "member", "basket", "beta", "sigma")}
    chosen, month = set(), None
    for t, time in enumerate(times):
        closes = [next((c[s] for s in reversed(times[: t + 1]) if s in c), NAN) for c, _ in bars]
        before = [next((c[s] for s in reversed(times[:t]) if s in c), NAN) for c, _ in bars]
        traded = [time in c for c, _ in bars]
        has = [there and not math.isnan(old) for there, old in zip(traded, before, strict=True)]
        returns = [now / old - 1 if its else 0.0 for now, old, its in zip(closes, before, has, strict=True)]
        fit = []
        for c, _ in bars:
            own = [s for s in range(t + 1) if times[s] in c]
            fit.append(bool(own) and t - own[-1] <= a_day and t - own[0] >= terms.history_days * a_day)
        now = datetime.fromtimestamp(time / 1000, UTC)
        if terms.size and (now.year, now.month) != month:
            month = now.year, now.month
            reach = times[max(t - terms.liquidity_days * a_day, 0) : t]
            liquid = {m: sum(v.get(s, 0.0) for s in reach) for m, (_, v) in enumerate(bars) if fit[m]}
            chosen = {m for m in sorted(liquid, key=lambda m: -liquid[m])[: terms.size] if liquid[m] > 0}
        eligible = [its and (not terms.size or m in chosen) for m, its in enumerate(fit)]
        held = [r for m, r in enumerate(returns) if t and rows["eligible"][-1][m] and traded[m]]
        rows["basket"].append(math.fsum(held) / len(held) if held else 0.0)
        for name, row in (("close", closes), ("traded", traded), ("returns", returns), ("eligible", eligible)):
            rows[name].append(row)
        rows.setdefault("has", []).append(has)
        beta = [slope(rows, m, t, max(terms.beta_days * a_day, 2)) for m in range(len(bars))]
        sigma = [deviation(rows, m, t, max(terms.volatility_days * a_day, 2)) for m in range(len(bars))]
        rows["beta"].append(beta)
        rows["sigma"].append(sigma)
        rows["member"].append(
            [e and not math.isnan(b) and s > 0 for e, b, s in zip(eligible, beta, sigma, strict=True)]
        )
    return rows


def known(rows, m, t, window):
    """Rows of the last window that a market has; none where they are too few."""
    if t + 1 < window:
        return []
    own = [s for s in range(t + 1 - window, t + 1) if rows["has"][s][m]]
    return own if len(own) >= max(window / 2, 2) else []


def slope(rows, m, t, window):
    own = known(rows, m, t, window)
    if not own:
        return NAN
    x, y = [rows["basket"][s] for s in own], [rows["returns"][s][m] for s in own]
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    spread = math.fsum((v - mean_x) ** 2 for v in x)
    return math.fsum((v - mean_x) * (w - mean_y) for v, w in zip(x, y, strict=True)) / spread if spread > 0 else NAN


def deviation(rows, m, t, window):
    own = known(rows, m, t, window)
    if not own:
        return NAN
    y = [rows["returns"][s][m] for s in own]
    mean = math.fsum(y) / len(y)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in y) / len(y))
