"""A slow plain twin of the choice of markets unlike each other."""

import statistics


def correlation(x, has_x, y, has_y):
    """Correlation on the days that both have; None with fewer than 20 or without movement."""
    pairs = [(a, b) for a, p, b, q in zip(x, has_x, y, has_y, strict=True) if p and q]
    if len(pairs) < 20 or any(len(set(values)) == 1 for values in zip(*pairs, strict=True)):
        return None
    return statistics.correlation(*zip(*pairs, strict=True))


def unlike(rho, start, count):
    """Greedy choice from a table of correlations, None where not known."""
    chosen = [start]
    while len(chosen) < count:
        best = None
        for m in range(len(rho)):
            if m in chosen or any(rho[m][k] is None for k in chosen):
                continue
            worst = max(abs(rho[m][k]) for k in chosen)
            if best is None or worst < best[0]:
                best = worst, m
        if best is None:
            break
        chosen.append(best[1])
    return chosen
