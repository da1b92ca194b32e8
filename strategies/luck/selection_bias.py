"""How much of a result is luck: rank correlation, and a placebo that keeps everything but the timing.

That the past score ranks future returns is a claim of Balcerak & Schmelzer 2020; the placebo is ours.

The placebo is valid for strategies that were not chosen on the window it is run on: run it on the future
window. On the window they were chosen on, the choice itself makes p small.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from strategies.luck.deflated_sharpe import block_weights
from strategies.tiers.ensemble import TIER_SIZES
from strategies.trade.simulate import final_value, simulate

LEVEL = 0.05


class RankCorrelation(NamedTuple):
    """Spearman's rho and its two-sided p-value; near-duplicate strategies make the p-value too small."""

    rho: float
    p_value: float


class Placebo(NamedTuple):
    """Ensemble log returns per tier: with the real timing, and with each shift."""

    shifts: np.ndarray  # (n_shifts,) bars
    real: dict[int, float]
    null: dict[int, np.ndarray]  # (n_shifts,) each
    p_value: dict[int, float]


def rank_correlation(past_score: np.ndarray, future_return: np.ndarray) -> RankCorrelation:
    """Does the past score (S,) rank the future return (S,)? ValueError below three strategies."""
    from scipy.stats import spearmanr

    if len(past_score) < 3:
        raise ValueError("a rank correlation needs at least three strategies")
    result = spearmanr(past_score, future_return)
    return RankCorrelation(float(result.statistic), float(result.pvalue))


def rank_interval(
    past_score: np.ndarray,
    log_returns: np.ndarray,
    *,
    block: int = 7,
    n_reps: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of Spearman's rho of past score and future return, by circular blocks of future days.

    Days are resampled, the same for all strategies. Resampling strategies would be wrong: they are
    near-duplicates that share the same market, so thousands of them hold little more than one of them does.

    Parameters
    ----------
    past_score : (S,) array
        Scores, as they were; only the future is resampled.
    log_returns : (S, D) array
        Daily logarithmic returns on the future window.
    block : int
        Days in a block; no more than a third of the window is used.
    n_reps : int
        Resampled futures.
    level : float
        Probability inside the interval.
    seed : int
        Of the blocks.

    Returns
    -------
    (float, float)
        Percentiles. A resampled future has the noise of the real one on top, so the interval leans to 0.

    Raises
    ------
    ValueError
        Below three strategies, or if the shapes do not fit.
    """
    from scipy.stats import rankdata

    n_strategies, n_days = log_returns.shape
    if len(past_score) != n_strategies or n_strategies < 3 or n_days < 1:
        raise ValueError(f"{len(past_score)} scores and returns {log_returns.shape} make no rank correlation")
    weight = block_weights(np.random.default_rng(seed), n_days, block, n_reps)
    ranks = rankdata(past_score) - (n_strategies + 1) / 2
    scale = np.sqrt(ranks @ ranks)
    rhos = np.empty(n_reps)
    for first in range(0, n_reps, 50):  # bounds memory
        resampled = rankdata(weight[first : first + 50] @ log_returns.T, axis=1) - (n_strategies + 1) / 2
        spread = scale * np.sqrt((resampled**2).sum(axis=1))
        rhos[first : first + 50] = np.divide(resampled @ ranks, spread, out=np.zeros(len(resampled)), where=spread > 0)
    low, high = np.quantile(rhos, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def placebo_shift(
    params: np.ndarray,
    outputs: np.ndarray,
    open_: np.ndarray,
    close: np.ndarray,
    *,
    fee: float = 0.0005,
    slippage: float = 0.0,
    short: bool = False,
    signal_map: str = "half",
    sizes: Sequence[int] = TIER_SIZES,
    n_shifts: int = 199,
    min_shift: int = 1,
    seed: int = 0,
) -> Placebo:
    """Shift the outputs in a circle against the prices, and trade the same strategies.

    The shifted outputs have the same values, order and dependence as the real ones, so the strategies want
    the same positions as often; only what they know about the prices is gone.

    Parameters
    ----------
    params : (S, K + 3) array
        Strategies, best first: the tier of N is the first N rows.
    outputs, open_, close, fee, slippage, short, signal_map
        The window, as for `strategies.trade.simulate.simulate`.
    sizes : sequence of int
        Tiers to test; none larger than S.
    n_shifts : int
        Shifts drawn, without replacement.
    min_shift : int
        No shift is shorter than this, either way round, nor than a tenth of the window.
    seed : int
        Of the shifts.

    Returns
    -------
    Placebo
        p = (1 + number of shifts with a return as high or higher) / (1 + n_shifts), per tier.

    Raises
    ------
    ValueError
        If a tier is larger than S, or the window has fewer shifts than asked for.
    """
    if not sizes or min(sizes) < 1 or max(sizes) > len(params):
        raise ValueError(f"tiers of {list(sizes)} cannot be taken from {len(params)} strategies")
    n_bars = len(outputs)
    least = max(-(-n_bars // 10), min_shift)
    allowed = np.arange(least, n_bars - least + 1)
    if not 1 <= n_shifts <= len(allowed):
        raise ValueError(f"{n_shifts} shifts asked for, {len(allowed)} possible in {n_bars} bars")
    shifts = np.random.default_rng(seed).choice(allowed, size=n_shifts, replace=False)
    params = params[: max(sizes)]

    def log_returns(shift: int) -> list[float]:
        moved = np.roll(outputs, shift, axis=0) if shift else outputs
        after = simulate(params, moved, open_, close, fee=fee, slippage=slippage, short=short, signal_map=signal_map)
        value = final_value(after)
        return [float(np.log(np.maximum(value[:n].mean(), np.finfo(float).tiny))) for n in sizes]

    real = dict(zip(sizes, log_returns(0), strict=True))
    table = np.array([log_returns(int(shift)) for shift in shifts])
    null = {n: table[:, i] for i, n in enumerate(sizes)}
    p_value = {n: (1 + int((null[n] >= real[n]).sum())) / (1 + n_shifts) for n in sizes}
    return Placebo(shifts, real, null, p_value)


def verdict(p_values: Mapping[int, float]) -> str:
    """``edge`` if the smallest p-value, times the number of tiers (Bonferroni), is at most 5%.

    Otherwise ``no edge shown``. ValueError without p-values.
    """
    if not p_values:
        raise ValueError("no p-values to judge")
    return "edge" if min(p_values.values()) * len(p_values) <= LEVEL else "no edge shown"
