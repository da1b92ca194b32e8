"""Slow plain twins of the losses and figures of predicted moves."""

import math


def sign(x):
    return (x > 0) - (x < 0)


def loss(f, y, kind, q=0.0):
    """Loss of one predicted move."""
    distance = abs(y - f)
    plain = {"squared": distance**2, "huber": distance**2 / 2 if distance <= 1 else distance - 0.5}[kind]
    return plain * (1 + (q * abs(y) if sign(f) != sign(y) else 0))


def ranks(values):
    """From 1, equal values sharing their mean."""
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]


def correlation(x, y):
    """Pearson's; None where one does not vary."""
    a, b = math.fsum(x) / len(x), math.fsum(y) / len(y)
    xy = math.fsum((u - a) * (v - b) for u, v in zip(x, y, strict=True))
    square = math.fsum((u - a) ** 2 for u in x) * math.fsum((v - b) ** 2 for v in y)
    return xy / math.sqrt(square) if square > 0 else None


def figures(predicted, moves):
    """Mean absolute error, sum of squares, rank correlation and sign accuracy."""
    pairs = list(zip(predicted, moves, strict=True))
    moving = [(f, y) for f, y in pairs if y != 0]
    return {
        "mean_absolute_error": math.fsum(abs(y - f) for f, y in pairs) / len(pairs),
        "squares": math.fsum((y - f) ** 2 for f, y in pairs),
        "rank_correlation": correlation(ranks(predicted), ranks(moves)),
        "sign_accuracy": sum(sign(f) == sign(y) for f, y in moving) / len(moving),
    }
