"""Trade wishes at the costs of every strategy, and measure how well an account hedges another.

Pairs are held in shares inverse to the volatilities of both on earlier days, set anew at every close of a day, and pay
for it. A hedge is told from noise by the gain in Sharpe ratio of the pair over the base alone, with blocks of days.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from strategies.luck.panel import fixed_b_widening
from strategies.luck.resample import block_weights
from strategies.tiers.metrics import market_beta, max_drawdown, sharpe
from strategies.trade.payments import Payments
from strategies.trade.pool import Account, Holdings, Pool, from_start
from strategies.trade.rules import CLIP, TradingRules
from strategies.trade.simulate import simulate_paths
from strategies.trade.window import TradingWindow

BAND = 0.2  # of equity: smaller changes are not traded
LEAST_DAYS = 10
WEEK = 7
REPS = 2000
LEVEL = 0.95


def wish_outputs(wish: np.ndarray, open_time: np.ndarray, window: TradingWindow, *, short: bool) -> np.ndarray:
    """Output (T, 1) of a window that wants shares ``wish`` (N,) at the closes of bars that open at times (N,).

    The wish becomes the signal of the simulator, 0 to 1: of [-1, 1] where positions may be short, else of [0, 1].
    Bars without a wish have NaN.
    """
    outputs = np.full((len(window.close), 1), np.nan)
    at = np.minimum(np.searchsorted(open_time, window.open_time), len(open_time) - 1)
    there = open_time[at] == window.open_time
    signal = 0.5 + 0.5 * wish if short else np.maximum(wish, 0.0)
    outputs[there, 0] = signal[at[there]]
    return outputs


def trade_wishes(
    wishes: Sequence[np.ndarray], open_time: np.ndarray, window: TradingWindow, rules: TradingRules
) -> Holdings:
    """Trade each of n wishes (N,) over a window, from cash, by the simulator of strategies at its costs.

    A change of at least `BAND` of equity is traded, at the next open.
    """
    delta = BAND * (0.5 if rules.short else 1.0)
    params = np.array([[1.0, -1.0, 2.0, delta]])  # weight; thresholds that every signal passes; least change
    rules = rules._replace(signal_map=CLIP)
    equity, position, payments = [], [], []
    for wish in wishes:
        own = window._replace(outputs=wish_outputs(wish, open_time, window, short=rules.short))
        paths = simulate_paths(params, own, rules, flows=True)
        assert paths.flows is not None
        equity.append(paths.equity)
        position.append(paths.position)
        payments.append(Payments.of(paths.flows, own, rules))
    joined = Payments(*(np.hstack(fields) for fields in zip(*payments, strict=True)))
    return from_start(np.hstack(equity), np.hstack(position), joined, window)


def combined(holdings: Holdings, rules: TradingRules) -> Account:
    """One account with equal capital in all, left alone."""
    n = holdings.equity.shape[1]
    pool = Pool(rules)
    pool.run(np.full(n, 1.0 / n), holdings)
    return pool.account()


def hedge_share(base: np.ndarray, hedge: np.ndarray) -> float | None:
    """Share of capital for the hedge, inverse to volatility: s(base) / (s(base) + s(hedge)) of daily returns (D,).

    None below ten days, or if one of both does not vary.
    """
    if len(base) < LEAST_DAYS:
        return None
    own, other = float(np.std(base, ddof=1)), float(np.std(hedge, ddof=1))
    return own / (own + other) if own > 0 and other > 0 else None


def paired(base: np.ndarray, hedge: np.ndarray, share: float, cost: float) -> np.ndarray:
    """Daily returns (D,) of both, ``share`` of the capital in the hedge, set anew at the close of each day.

    What is moved between them is paid as if all of it were sold and bought at ``cost`` a unit of value: an upper bound,
    as it is partly cash.
    """
    growth = (1.0 - share) * (1.0 + base) + share * (1.0 + hedge)
    moved = np.abs(share * (1.0 + hedge) - share * growth)
    return growth - 2.0 * cost * moved - 1.0


class Gain(NamedTuple):
    """Sharpe ratio of a pair less that of the base, a year."""

    value: float
    low: float  # 95% by circular blocks of days, the same for both
    high: float
    p_value: float  # one-sided, of no gain


def _sharpes(returns: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Daily Sharpe ratios (R,) of returns (D,) weighted by (R, D), rows of which sum to 1; 0 where nothing varies."""
    mean, square = (np.einsum("rd,d->r", weight, x) for x in (returns, returns**2))  # for any number of threads
    variance = np.maximum(square - mean**2, 0.0)
    return np.divide(mean, np.sqrt(variance), out=np.zeros(len(mean)), where=variance > 0)


def sharpe_gain(pair: np.ndarray, base: np.ndarray, *, year: int, seed: int, n_reps: int = REPS) -> Gain | None:
    """Gain of a pair over its base, from daily returns (D,) each.

    Days are resampled in circular blocks of D^(1/3) days, at least a week, the same for both. Percentiles are widened
    as those of `strategies.luck.panel.block_interval`; the p-value takes the bootstrap's standard error, as much wider,
    and the normal distribution. None below ten days, or if one of both does not vary.
    """
    from scipy.stats import norm

    n = len(base)
    if n < LEAST_DAYS or np.ptp(base) == 0 or np.ptp(pair) == 0:
        return None
    block = min(max(round(n ** (1 / 3)), WEEK), n // 3)
    weight = block_weights(np.random.default_rng(seed), n, block, n_reps) / n
    whole = np.full((1, n), 1.0 / n)
    found = float((_sharpes(pair, whole) - _sharpes(base, whole))[0])
    drawn = _sharpes(pair, weight) - _sharpes(base, weight)
    wider, tail, root = fixed_b_widening(LEVEL, n, block), (1.0 - LEVEL) / 2.0, float(year) ** 0.5
    low, high = (root * (found + wider * (np.quantile(drawn, [tail, 1.0 - tail]) - found))).tolist()
    error = wider * float(np.std(drawn, ddof=1))
    p_value = float(norm.sf(found / error)) if error > 0 else 1.0
    return Gain(root * found, low, high, p_value)


def sharpe_influence(returns: np.ndarray) -> np.ndarray:
    """What each day (D,) adds to the error of the daily Sharpe ratio, to first order; its mean is 0 (Lo 2002)."""
    mean, deviation = float(returns.mean()), float(returns.std())
    if deviation == 0:
        return np.zeros(len(returns))
    z = (returns - mean) / deviation
    return z - mean / deviation * (z**2 - 1.0) / 2.0


class HedgeFigures(NamedTuple):
    """How well an account hedges a base; None where it cannot be told."""

    correlation: float | None  # of daily returns
    beta: float | None  # of the hedge, to the basket of all markets
    share_pct: float | None  # of the capital, for the hedge
    sharpe_base: float  # a year
    sharpe_hedge: float
    sharpe_pair: float | None
    drawdown_base_pct: float
    drawdown_hedge_pct: float
    drawdown_pair_pct: float | None
    return_hedge_pct: float
    gain: Gain | None


def hedge_figures(
    base: np.ndarray, hedge: np.ndarray, basket: np.ndarray, share: float | None, *, cost: float, year: int, seed: int
) -> tuple[HedgeFigures, np.ndarray | None]:
    """Figures of a hedge, and daily returns (D,) of the pair; all from daily returns (D,).

    Parameters
    ----------
    base, hedge, basket : (D,) array
    share : float or None
        Of the hedge, from earlier days; None where there is none to go by: no pair then.
    cost : float
        See `paired`.
    year : int
        Daily returns in a year.
    seed : int
        Of the blocks.
    """
    both_vary = len(base) > 2 and np.ptp(base) > 0 and np.ptp(hedge) > 0
    pair = None if share is None else paired(base, hedge, share, cost)
    figures = HedgeFigures(
        correlation=float(np.corrcoef(base, hedge)[0, 1]) if both_vary else None,
        beta=market_beta(hedge, basket),
        share_pct=None if share is None else 100.0 * share,
        sharpe_base=sharpe(base, year),
        sharpe_hedge=sharpe(hedge, year),
        sharpe_pair=None if pair is None else sharpe(pair, year),
        drawdown_base_pct=_drawdown_pct(base),
        drawdown_hedge_pct=_drawdown_pct(hedge),
        drawdown_pair_pct=None if pair is None else _drawdown_pct(pair),
        return_hedge_pct=100.0 * (float(np.prod(1.0 + hedge)) - 1.0),
        gain=None if pair is None else sharpe_gain(pair, base, year=year, seed=seed),
    )
    return figures, pair


def _drawdown_pct(returns: np.ndarray) -> float:
    return 100.0 * max_drawdown(np.cumprod(1.0 + returns))
