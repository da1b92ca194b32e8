"""A slow plain twin of the scan: ranks by counting, resamples row by row."""

import statistics


def ranks(values):
    """Average rank of each value."""
    return [sum(b < a for b in values) + (sum(b == a for b in values) + 1) / 2 for a in values]


def weighted_correlation(x, y, day, weight):
    """Correlation of ranks (taken before any resampling) when each day counts as often as its weight."""
    x, y = ranks(x), ranks(y)
    pairs = [(a, b) for a, b, d in zip(x, y, day, strict=True) for _ in range(int(weight[d]))]
    return statistics.correlation(*zip(*pairs, strict=True))
