"""Ensembles: the best strategies by past score, with equal capital each.

Top-100, 20, 10 and 5 are Balcerak & Schmelzer 2020; that equity curves are summed, without rebalancing
between strategies, is our reconstruction.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

TIER_SIZES = (100, 20, 10, 5)


class Curve(NamedTuple):
    """Equity, 1 at the start, and the share of it held; (T,) each, at each bar's close."""

    equity: np.ndarray
    position: np.ndarray


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
    ValueError
        If a tier would be larger than the population, or empty.
    """
    order = ranking(score)
    for n in sizes:
        if not 1 <= n <= len(order):
            raise ValueError(f"a tier of {n} cannot be taken from {len(order)} strategies")
    return {n: order[:n] for n in sizes}


def combine(equity: np.ndarray, position: np.ndarray, initial: float = 1.0) -> Curve:
    """Equal capital at the start in each strategy, then left alone.

    Parameters
    ----------
    equity, position : (T, S) array
        Equity and the share of it held by each strategy.
    initial : float
        Equity of each strategy before the first bar.

    Returns
    -------
    Curve
        Mean of the normalised curves; value held by all over equity of all.

    Raises
    ------
    ValueError
        If the shapes differ or there is no strategy.
    """
    if equity.shape != position.shape or equity.ndim != 2 or not equity.shape[1]:
        raise ValueError(f"equity {equity.shape} and position {position.shape} do not fit")
    total = equity.sum(axis=1)
    held = (equity * position).sum(axis=1)
    share = np.divide(held, total, out=np.zeros_like(held), where=total > 0)
    return Curve(total / (initial * equity.shape[1]), share)


def buy_and_hold(open_: np.ndarray, close: np.ndarray, fee: float = 0.0005) -> Curve:
    """All in at the first open, the fee taken from the cash, and held; prices (T,)."""
    equity = np.asarray(close, dtype=np.float64) / (open_[0] * (1.0 + fee))
    return Curve(equity, np.ones(len(equity)))
