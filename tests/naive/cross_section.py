"""A slow plain twin of the cross-section: every figure of every row from the bars that were closed by then.

Markets are dictionaries of time in ms -> (close, value traded); one row and one market at a time.
"""

import math
from datetime import UTC, datetime

LEAST_SHARE = 0.5


def month(time_ms: int) -> tuple[int, int]:
    """Year and month of a time."""
    when = datetime.fromtimestamp(time_ms / 1000, UTC)
    return when.year, when.month


class NaiveCrossSection:
    """The same as `labelsearch.market.cross_section.cross_section`; arrays are lists of rows of markets."""

    def __init__(self, markets, terms, a_day):
        self.markets, self.terms, self.a_day = markets, terms, a_day
        self.times = sorted({time for market in markets for time in market})
        rows, n = range(len(self.times)), range(len(markets))
        self.traded = [[self.times[t] in markets[m] for m in n] for t in rows]
        self.close = [[self.close_of(t, m) for m in n] for t in rows]
        self.has = [[self.before(t, m) is not None for m in n] for t in rows]
        self.returns = [[self.return_of(t, m) for m in n] for t in rows]
        self.eligible = []
        for t in rows:
            chosen = self.chosen_at(self.month_start(t)) if terms.size else set(n)
            self.eligible.append([m in chosen and self.fit(t, m) for m in n])
        self.basket = [self.basket_of(t) for t in rows]
        self.beta = [[self.beta_of(t, m) for m in n] for t in rows]
        self.sigma = [[self.sigma_of(t, m) for m in n] for t in rows]
        self.member = [
            [self.eligible[t][m] and not math.isnan(self.beta[t][m]) and self.sigma[t][m] > 0 for m in n] for t in rows
        ]

    def last_bar(self, t, m):
        """Row of the last bar of a market at or before a row; None without one."""
        return next((s for s in range(t, -1, -1) if self.times[s] in self.markets[m]), None)

    def before(self, t, m):
        """Row of the bar before, None without one, or if more than a day's rows lie between."""
        if self.times[t] not in self.markets[m]:
            return None
        s = self.last_bar(t - 1, m)
        return s if s is not None and t - s - 1 <= self.a_day else None

    def close_of(self, t, m):
        s = self.last_bar(t, m)
        return math.nan if s is None else self.markets[m][self.times[s]][0]

    def return_of(self, t, m):
        s = self.before(t, m)
        return 0.0 if s is None else self.markets[m][self.times[t]][0] / self.markets[m][self.times[s]][0] - 1.0

    def began(self, t, m):
        """Row of the first bar since the last long gap."""
        s = self.last_bar(t, m)
        while self.before(s, m) is not None:
            s = self.before(s, m)
        return s

    def fit(self, t, m):
        s = self.last_bar(t, m)
        return s is not None and t - s <= self.a_day and t - self.began(t, m) >= self.terms.history_days * self.a_day

    def month_start(self, t):
        """First row of the month of a row."""
        return min(s for s in range(t + 1) if month(self.times[s]) == month(self.times[t]))

    def chosen_at(self, first):
        """The most liquid markets by the rows before one."""
        since = max(first - self.terms.liquidity_days * self.a_day, 0)
        liquid = {}
        for m, market in enumerate(self.markets):
            value = sum(market[time][1] for time in self.times[since:first] if time in market)
            if self.fit(first, m) and value > 0:
                liquid[m] = value
        return set(sorted(liquid, key=lambda m: (-liquid[m], m))[: self.terms.size])

    def basket_of(self, t):
        held = [m for m in range(len(self.markets)) if t and self.eligible[t - 1][m] and self.traded[t][m]]
        return sum(self.returns[t][m] for m in held) / len(held) if held else 0.0

    def window(self, t, m, days):
        """Rows of a full window on which a market has a return; None where they are too few."""
        length = max(days * self.a_day, 2)
        if t + 1 < length:
            return None
        rows = [s for s in range(t - length + 1, t + 1) if self.has[s][m]]
        return rows if len(rows) >= max(LEAST_SHARE * length, 2) else None

    def beta_of(self, t, m):
        rows = self.window(t, m, self.terms.beta_days)
        if rows is None:
            return math.nan
        x, y = [self.basket[s] for s in rows], [self.returns[s][m] for s in rows]
        mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
        xx = sum((a - mean_x) ** 2 for a in x)
        xy = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
        return xy / xx if xx > 0 else math.nan

    def sigma_of(self, t, m):
        rows = self.window(t, m, self.terms.volatility_days)
        if rows is None:
            return math.nan
        y = [self.returns[s][m] for s in rows]
        return math.sqrt(sum((b - sum(y) / len(y)) ** 2 for b in y) / len(y))
