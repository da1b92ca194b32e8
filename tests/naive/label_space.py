"""Slow plain twins of the figures of candidate labels."""

import numpy as np


def events(passes, rows, horizon: int) -> list[int]:
    """Places that begin an event: those that pass, none before the end of the one before."""
    found, free = [], -1
    for i, row in enumerate(rows):
        if passes[i] and row >= free:
            found.append(i)
            free = row + horizon
    return found


def mean_and_t(returns, days, costs: float) -> tuple[float, float]:
    """Mean after costs, and over its standard error where the events of a day move together."""
    gains = np.asarray(returns) - costs
    mean = gains.mean()
    by_day: dict[int, float] = {}
    for gain, day in zip(gains, days, strict=True):
        by_day[int(day)] = by_day.get(int(day), 0.0) + gain - mean
    error = np.sqrt(sum(x * x for x in by_day.values())) / len(gains)
    return float(mean), float(mean / error)
