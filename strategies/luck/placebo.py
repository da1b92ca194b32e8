"""Placebo of the timing: the same strategies on outputs shifted against the prices.

A circular shift keeps the outputs' values, order and dependence, and the prices; only what the outputs know of the
prices is gone. The placebo is ours. It is valid for strategies that were not chosen on the window it is run on: run it
on the future window. On the window they were chosen on, the choice itself makes p small.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import final_value, simulate
from strategies.trade.window import TradingWindow

LEVEL = 0.05


class Placebo(NamedTuple):
    """Ensemble log returns per tier: with the real timing, and with each shift."""

    shifts: np.ndarray  # (n_shifts,) bars
    real: dict[int, float]
    null: dict[int, np.ndarray]  # (n_shifts,) each
    p_value: dict[int, float]


def shift_floor(n_bars: int, least: int = 1) -> int:
    """Shortest shift of a window, in bars, either way round: a tenth of it, or ``least`` if that is longer.

    Raises
    ------
    StrategyError
        If the window is too short to be shifted by so much.
    """
    floor = max(-(-n_bars // 10), least)
    if 2 * floor > n_bars:
        raise StrategyError(f"a window of {n_bars} bars cannot be shifted by {floor} or more either way")
    return floor


def draw_shifts(n_bars: int, n_shifts: int, seed: int, min_shift: int = 1) -> np.ndarray:
    """Shifts (n_shifts,) in bars, drawn with replacement, no shorter than `shift_floor`; a longer list goes on."""
    least = shift_floor(n_bars, min_shift)
    return np.random.default_rng(seed).integers(least, n_bars - least + 1, n_shifts)


def p_value(real: float, null: np.ndarray) -> float:
    """Share of results as high or higher, the real one counted: (1 + #{null >= real})/(1 + n)."""
    return (1 + int((np.asarray(null) >= real).sum())) / (1 + len(null))


def placebo_shift(
    params: np.ndarray,
    window: TradingWindow,
    rules: TradingRules,
    *,
    sizes: Sequence[int],
    n_shifts: int,
    min_shift: int = 1,
    seed: int,
) -> Placebo:
    """Shift the outputs in a circle against the prices, and trade the same strategies.

    The shifted outputs have the same values, order and dependence as the real ones, so the strategies want
    the same positions as often; only what they know about the prices is gone.

    Parameters
    ----------
    params : (S, K + 3) array
        Strategies, best first: the tier of N is the first N rows.
    window, rules
        As for `strategies.trade.simulate.simulate`.
    sizes : sequence of int
        Tiers to test; none larger than S.
    n_shifts : int
        Shifts drawn, without replacement.
    min_shift : int
        No shift is shorter than this many bars, either way round, nor than a tenth of the window.
    seed : int
        Of the shifts.

    Returns
    -------
    Placebo
        With the `p_value` of each tier.

    Raises
    ------
    ValueError
        If a tier is larger than S, or the window has fewer shifts than asked for.
    """
    if not sizes or min(sizes) < 1 or max(sizes) > len(params):
        raise ValueError(f"tiers of {list(sizes)} cannot be taken from {len(params)} strategies")
    n_bars = len(window.close)
    least = shift_floor(n_bars, min_shift)
    allowed = np.arange(least, n_bars - least + 1)
    if not 1 <= n_shifts <= len(allowed):
        raise ValueError(f"{n_shifts} shifts asked for, {len(allowed)} possible in {n_bars} bars")
    shifts = np.random.default_rng(seed).choice(allowed, size=n_shifts, replace=False)
    params = params[: max(sizes)]

    def log_returns(shift: int) -> list[float]:
        value = final_value(simulate(params, window.shifted(shift), rules))
        return [float(np.log(np.maximum(value[:n].mean(), np.finfo(float).tiny))) for n in sizes]

    real = dict(zip(sizes, log_returns(0), strict=True))
    table = np.array([log_returns(int(shift)) for shift in shifts])
    null = {n: table[:, i] for i, n in enumerate(sizes)}
    return Placebo(shifts, real, null, {n: p_value(real[n], null[n]) for n in sizes})


def verdict(p_values: Mapping[int, float]) -> str:
    """``edge`` if the smallest p-value, times the number of tiers (Bonferroni), is at most 5%.

    Otherwise ``no edge shown``. ValueError without p-values.
    """
    if not p_values:
        raise ValueError("no p-values to judge")
    return "edge" if min(p_values.values()) * len(p_values) <= LEVEL else "no edge shown"
