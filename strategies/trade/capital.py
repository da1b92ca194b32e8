"""Capital of an ensemble: how much each strategy gets.

Equal capital is Balcerak & Schmelzer 2020. Inverse volatility and hierarchical risk parity (Lopez de Prado 2016) fix
shares at the start from returns known by then. The universal rule moves capital every day by the exponentiated gradient
of Helmbold, Schapire, Singer & Warmuth 1998, which needs no assumption on how returns are distributed.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from labelsearch.registry import Registry
from strategies import StrategyError
from strategies.trade.pool import Holdings, Pool
from strategies.trade.proof import proved_values


class CapitalRule(NamedTuple):
    """A way to divide capital among S strategies, a row of `CAPITAL_RULES`.

    ``shares`` gives non-negative weights (S,) in proportion to the capital at the start, from daily returns (D, S)
    known by then; D may be 0. With ``learns`` they must be equal, and capital moves every day by the exponentiated
    gradient.
    """

    name: str
    explanation: str
    shares: Callable[[np.ndarray], np.ndarray]
    learns: bool = False
    origin: str = ""  # the user's file that it comes from


def _equal(past: np.ndarray) -> np.ndarray:
    return np.ones(past.shape[1])


def _inverse_volatility(past: np.ndarray) -> np.ndarray:
    volatility = past.std(axis=0) if len(past) else np.zeros(past.shape[1])
    moved = volatility > 0
    return np.divide(1.0, volatility, out=np.zeros_like(volatility), where=moved) if moved.any() else _equal(past)


def _hierarchical_risk_parity(past: np.ndarray) -> np.ndarray:
    try:
        from skfolio.optimization import HierarchicalRiskParity
    except ImportError as error:
        message = "capital rule 'hierarchical_risk_parity' needs skfolio: pip install 'labelsearch[portfolio]'"
        raise StrategyError(message) from error
    moved = past.std(axis=0) > 0 if len(past) > 2 else np.zeros(past.shape[1], dtype=bool)
    weight = moved.astype(np.float64)
    if moved.sum() > 1:
        with warnings.catch_warnings():
            # near-duplicates make a singular covariance, which it mends and tells
            warnings.filterwarnings("ignore", message="The covariance matrix is not positive definite")
            weight[moved] = HierarchicalRiskParity(raise_on_failure=True).fit(past[:, moved]).weights_
    return weight if moved.any() else _equal(past)


CAPITAL_RULES = Registry(
    "capital rule",
    StrategyError,
    (
        CapitalRule("equal", "the same for each strategy", _equal),
        CapitalRule(
            "inverse_volatility",
            "in proportion to 1 / standard deviation; nothing for what never moved, unless nothing moved",
            _inverse_volatility,
        ),
        CapitalRule(
            "hierarchical_risk_parity",
            "by clusters of correlated strategies, each half in proportion to 1 / variance (needs skfolio)",
            _hierarchical_risk_parity,
        ),
        CapitalRule("universal", "equal at first, then moved every day by exponentiated gradient", _equal, learns=True),
    ),
)


def shares(rule_name: str, past: np.ndarray) -> np.ndarray:
    """Shares of capital (S,) at the start, from daily returns (D, S) known by then; they sum to 1.

    Raises
    ------
    StrategyError
        If the rule is unknown, there is no strategy, or a user's rule gives a weight that is no share.
    """
    rule = CAPITAL_RULES.find(rule_name)
    if not past.shape[1]:
        raise StrategyError("no strategy to give capital to")
    return _normalised(rule.name, rule.shares(past))


def _normalised(name: str, weight: np.ndarray) -> np.ndarray:
    total = weight.sum()
    if not (weight.min() >= 0 and 0 < total < np.inf):
        raise StrategyError(f"capital rule {name!r} must give weights of 0 or more, not all 0")
    return weight / total


def prove_capital_rule(row: CapitalRule) -> None:
    """Raise a StrategyError of one line unless a rule gives shares whatever the past.

    Pasts are varied returns, constant ones, a single strategy and no day at all.
    """
    varied = np.random.default_rng(0).normal(0.001, 0.02, (60, 7))
    for past in (varied, np.zeros((60, 7)), varied[:, :1], varied[:0]):
        past = past.copy()
        what = f"capital rule {row.name!r} on returns {past.shape}"
        weight = proved_values(what, partial(row.shares, past), past.shape[1], [past])
        if row.learns and np.ptp(weight):
            raise StrategyError(f"capital rule {row.name!r} learns, so its shares at the start must be equal")
        _normalised(row.name, weight)


def gradient_rate(past: np.ndarray, n_days: int) -> float:
    """Learning rate that makes `gradient_bound` least if the next days are as wide as daily returns (D, S) of past.

    sqrt(8 ln S / (n_days * mean of (largest / smallest growth of a day - 1)^2)); 0 where nothing differs.
    """
    spread = float(np.mean(_spread(past) ** 2)) if len(past) else 0.0
    return float(np.sqrt(8.0 * np.log(past.shape[1]) / (n_days * spread))) if spread > 0 and n_days > 0 else 0.0


def _spread(returns: np.ndarray) -> np.ndarray:
    growth = np.maximum(1.0 + returns, 1e-300)
    return growth.max(axis=1) / growth.min(axis=1) - 1.0


def gradient_weights(returns: np.ndarray, rate: float) -> np.ndarray:
    """Weights (D, S) at the start of each day by the exponentiated gradient of log wealth.

    w[0] = 1/S; w[d+1] is in proportion to w[d] exp(rate * growth[d] / (w[d] . growth[d])). Row d depends on returns up
    to day d - 1 only.

    Parameters
    ----------
    returns : (D, S) array
        Daily returns of the strategies.
    rate : float
        Learning rate; 0 keeps equal weights.
    """
    weights = np.empty(returns.shape)
    gradient = Gradient(returns.shape[1], rate)
    for d in range(len(returns)):
        weights[d] = gradient.weights()
        gradient.learn(returns[d])
    return weights


class Gradient:
    """The exponentiated gradient a day at a time; ``power`` (S,) is all that it keeps."""

    def __init__(self, n_strategies: int, rate: float) -> None:
        self.rate = rate
        self.power = np.zeros(n_strategies)

    def weights(self) -> np.ndarray:
        """Weights (S,) for the next day."""
        weight = np.exp(self.power - self.power.max())
        return weight / weight.sum()

    def learn(self, returns: np.ndarray) -> None:
        """Take the returns (S,) of a day."""
        growth = np.maximum(1.0 + returns, 0.0)
        mean = self.weights() @ growth
        if mean > 0:
            self.power += self.rate * growth / mean


def gradient_bound(returns: np.ndarray, rate: float) -> float:
    """How far log wealth can lie below that of the best constant weights in hindsight, before costs.

    ln S / rate + rate / 8 * sum over days of (largest / smallest growth - 1)^2: the proof of Helmbold et al. 1998 with
    Hoeffding's lemma on the range that each day has. The best single strategy is among the constant weights.
    """
    return float(np.log(returns.shape[1]) / rate + rate / 8.0 * (_spread(returns) ** 2).sum())


def weights_by_day(rule: str, past: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Target weights: (1, S) set once at the start, or (D, S) for each day if the rule moves capital.

    Parameters
    ----------
    rule : str
        A name in `CAPITAL_RULES`.
    past : (P, S) array
        Daily returns before the first day.
    returns : (D, S) array
        Daily returns; row d of the result depends on rows before d only.
    """
    if CAPITAL_RULES.find(rule).learns:
        return gradient_weights(returns, gradient_rate(past, len(returns)))
    return shares(rule, past)[None, :]


def day_returns(holdings: Holdings, edges: np.ndarray) -> np.ndarray:
    """Returns (D, S) of the strategies from one edge to the next; edges (D + 1,) are rows, the first 0."""
    levels = np.vstack([holdings.equity_before, holdings.equity[np.asarray(edges)[1:] - 1]])
    before = levels[:-1]
    return np.divide(np.diff(levels, axis=0), before, out=np.zeros_like(before), where=before > 0)


def invest(pool: Pool, rule: str, past: np.ndarray, holdings: Holdings, edges: np.ndarray) -> None:
    """Run a pool over a window by a capital rule.

    Parameters
    ----------
    pool : Pool
        Takes the capital on from where it is.
    rule : str
        A name in `CAPITAL_RULES`.
    past : (P, S) array
        Daily returns of the strategies before the window.
    holdings : Holdings
        The strategies over the window.
    edges : (D + 1,) array
        Rows that cut the window into days: 0 first, its length last.
    """
    weights = weights_by_day(rule, past, day_returns(holdings, edges))
    starts = edges[:-1] if len(weights) > 1 else edges[:1]
    for weight, start, stop in zip(weights, starts, (*starts[1:], edges[-1]), strict=True):
        pool.run(weight, holdings.rows(slice(int(start), int(stop))))
