"""Slow plain twins of `strategies.tiers.wishes`, `arima_garch` and `hedging`: one step, one day at a time."""

import itertools
import math
import statistics

from tests.naive import strategies


def trailing_ratio(close, n):
    """Return over the last n steps over its standard deviation, at each close; nan before there is one."""
    found = []
    for t in range(len(close)):
        if t < n:
            found.append(math.nan)
            continue
        returns = [math.log(close[s] / close[s - 1]) for s in range(t - n + 1, t + 1)]
        deviation = statistics.stdev(returns)
        found.append(sum(returns) / (deviation * math.sqrt(n)) if deviation > 1e-9 else 0.0)
    return found


def momentum(close, a_day):
    """Share wanted at each close."""
    return [max(-1.0, min(1.0, x)) if x == x else x for x in trailing_ratio(close, 28 * a_day)]


def contrarian(close, a_day):
    """Share wanted at each close."""
    return [-max(-1.0, min(1.0, x)) if x == x else x for x in trailing_ratio(close, 7 * a_day)]


def garch(returns, constant, slope, omega, alpha, beta, start):
    """(mean, variance) of the next return after each of returns; None after the first."""
    found, square, variance = [None], start, start
    for before, now in itertools.pairwise(returns):
        variance = omega + alpha * square + beta * variance
        square = (now - constant - slope * before) ** 2
        found.append((constant + slope * now, omega + alpha * square + beta * variance))
    return found


def wishes_traded(wishes, times, window, rules):
    """Equity of each wish at each close, by the plain simulator, and of equal capital in all of them."""
    curves = []
    for wish in wishes:
        wanted = dict(zip(times, wish, strict=True))
        outputs = [[signal(wanted.get(time, math.nan), rules.short)] for time in window.open_time.tolist()]
        delta = 0.1 if rules.short else 0.2
        found = strategies.simulate([1.0, -1.0, 2.0, delta], window._replace(outputs=outputs), rules)
        curves.append(found["equities"])
    return curves, [sum(values) / len(values) for values in zip(*curves, strict=True)]


def signal(wish, short):
    """Signal of the simulator that wants a share."""
    if wish != wish:
        return math.nan
    return (1 + wish) / 2 if short else max(wish, 0.0)


def paired(base, hedge, share, cost):
    """Daily returns of a pair whose money is divided anew each evening."""
    found = []
    for b, h in zip(base, hedge, strict=True):
        own, other = (1 - share) * (1 + b), share * (1 + h)
        total = own + other
        moved = abs(other - share * total)
        found.append(total - 2 * cost * moved - 1)
    return found
