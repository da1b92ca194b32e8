"""Tiers: the best strategies by past score. Top-100, 20, 10 and 5 are Balcerak & Schmelzer 2020."""

from collections.abc import Sequence

import numpy as np

from strategies import StrategyError

TIER_SIZES = (100, 20, 10, 5)


def ranking(score: np.ndarray) -> np.ndarray:
    """Indices (S,) from the best score to the worst; ties by index, NaN last."""
    score = np.asarray(score, dtype=np.float64)
    return np.argsort(np.where(np.isnan(score), np.inf, -score), kind="stable")


def tiers(score: np.ndarray, sizes: Sequence[int] = TIER_SIZES) -> dict[int, np.ndarray]:
    """The best ``n`` strategies for each ``n`` in sizes; the smaller tiers are the first rows of the larger.

    Parameters
    ----------
    score : (S,) array
        Score on the past window. NaN ranks last.
    sizes : sequence of int
        Sizes of the tiers.

    Returns
    -------
    dict of int to (n,) array
        Indices, best first.

    Raises
    ------
    StrategyError
        If a tier would be larger than the population, or empty.
    """
    order = ranking(score)
    for n in sizes:
        if not 1 <= n <= len(order):
            raise StrategyError(f"a tier of {n} cannot be taken from {len(order)} strategies")
    return {n: order[:n] for n in sizes}
