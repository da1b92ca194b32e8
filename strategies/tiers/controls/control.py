"""The controls, how each is fitted on past, and how it is traded in any window.

A stacking is traded by the rule of the searched strategies. Its prediction, in standard deviations of past, stands in
for the outputs: the signal is the experiment's map of a z + b, and a, b and the three thresholds are those of the best
past score among `N_TRADED` points that fill their box evenly (Sobol 1967), that of the thresholds being the searched
one. Its fills, costs and side are those of every strategy.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from labelsearch.registry import Registry
from strategies import StrategyError
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import Record
from strategies.tiers.controls import selection, stacking
from strategies.tiers.controls.folds import Fold, FoldSums, NotFitted, fold_sums, purged_folds
from strategies.tiers.controls.inputs import Stacked, design, stacked
from strategies.tiers.ensemble import ranking
from strategies.trade.equity_grid import equity_grid
from strategies.trade.payments import Payments, joined
from strategies.trade.pool import Account, Pool, from_start
from strategies.trade.rules import CLIP, HALF, LOGISTIC, TradingRules
from strategies.trade.simulate import simulate_paths
from strategies.trade.window import TradingWindow

N_TRADED = 512
SLOPES, SHIFTS = (0.05, 1.0), (-0.5, 0.5)  # of the signal, a share of equity, on a standard deviation; and from 1/2
AT_ONCE = 8  # strategies whose flows are held at once

FitStack = Callable[[Stacked, FoldSums, tuple[Fold, ...], float], stacking.LinearFit]


class Control(NamedTuple):
    """A way to use the outputs, a row of `CONTROLS`; without ``fit`` it selects strategies that were searched."""

    name: str
    title: str  # in tables
    explanation: str
    fit: FitStack | None
    origin: str = ""


CONTROLS = Registry(
    "control",
    StrategyError,
    (
        Control("ridge", "ridge", "least squares with squared weights penalised", stacking.ridge),
        Control("lasso", "lasso", "least squares with absolute weights penalised", stacking.lasso),
        Control("elastic_net", "elastic net", "least squares with both penalised", stacking.elastic_net),
        Control("logistic", "logistic", "odds that the later return is above 0", stacking.logistic),
        Control(
            "logistic_costs",
            "logit, costs",
            "odds that the later return is above the costs of a round trip",
            stacking.logistic_beyond_costs,
        ),
        Control("elimination", "elimination", "least squares on the inputs that last", stacking.elimination),
        Control("greedy", "greedy", "searched strategies, added while the Sharpe ratio rises", None),
    ),
)


class Stack(NamedTuple):
    """A linear function of outputs and statistics over them, and how it is traded."""

    inputs: tuple[str, ...]  # p that were kept
    columns: tuple[int, ...]  # of `strategies.tiers.controls.inputs.design`
    weights: tuple[float, ...]  # for a standard deviation of each input; their scale does not matter
    slopes: tuple[float, ...]  # of the prediction z on each input as it is
    intercept: float
    params: tuple[float, ...]  # a, b, theta_buy, theta_sell, delta
    choice: dict[str, float]  # what the folds chose
    held_out: float  # share of the error that it explains on held-out rows

    def predict(self, outputs: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Prediction z (T,) from outputs (T, K), in standard deviations of past; NaN where an output is."""
        inputs = design(outputs, names)
        z = np.full(len(inputs), self.intercept)
        for column, slope in zip(self.columns, self.slopes, strict=True):
            z += slope * inputs[:, column]  # one by one: a product of matrices may depend on the number of threads
        z[~np.isfinite(outputs).all(axis=1)] = np.nan
        return z


class Members(NamedTuple):
    """Searched strategies and their shares of the capital at the start."""

    rows: tuple[int, ...]
    shares: tuple[float, ...]
    sharpe: float  # of daily returns on past, a day's


class Fit(NamedTuple):
    """A control fitted on past: one of both, or the reason why there is none."""

    stack: Stack | None = None
    members: Members | None = None
    reason: str = ""


class Past(NamedTuple):
    """All that controls may be fitted on."""

    problem: SearchProblem
    names: tuple[str, ...]  # of the outputs
    horizon: int  # bars from the next open over which the later return is taken
    params: np.ndarray  # (S, P) of the searched strategies
    score: np.ndarray  # (S,)


def fit_controls(
    past: Past, controls: tuple[Control, ...], progress: Callable[[int], None] = lambda done: None
) -> list[Fit]:
    """Fit controls on past; the bits do not depend on the number of threads.

    Parameters
    ----------
    past : Past
    controls : tuple of Control
    progress : callable
        Told how many are done.
    """
    from threadpoolctl import threadpool_limits

    found: list[Fit] = []
    with threadpool_limits(1, "blas"):  # bits depend on its threads
        inputs = _prepared(past)
        for control in controls:
            try:
                if control.fit is None:
                    found.append(Fit(members=_select(past)))
                elif isinstance(inputs, NotFitted):
                    raise inputs
                else:
                    found.append(Fit(stack=_stack(past, control.fit, *inputs)))
            except NotFitted as reason:
                found.append(Fit(reason=str(reason)))
            progress(len(found))
    return found


def _prepared(past: Past) -> tuple[Stacked, FoldSums, tuple[Fold, ...]] | NotFitted:
    try:
        found = stacked(past.problem.window, past.names, past.horizon)
        folds = purged_folds(len(found.known), past.horizon + 1)
        return found, fold_sums(found.z, found.target, found.known, folds), folds
    except NotFitted as reason:
        return reason


def round_trip(window: TradingWindow, rules: TradingRules) -> float:
    """Log return that pays for buying and selling again, at the median spread of the window and without impact."""
    half = float(np.median(window.costs.half_spread)) if len(window.costs.half_spread) else rules.half_spread
    return float(2.0 * (np.log1p(rules.fee_share) + np.log1p(half)))


def _stack(past: Past, fit: FitStack, found: Stacked, sums: FoldSums, folds: tuple[Fold, ...]) -> Stack:
    problem = past.problem
    linear = fit(found, sums, folds, round_trip(problem.window, problem.rules))
    predicted = np.zeros(len(found.z))
    for weight, column in zip(linear.weights, found.z.T, strict=True):
        predicted += weight * column
    deviation = float(predicted[found.known].std())
    if not deviation > 0:
        raise NotFitted("it predicts the same at every bar")
    slopes = linear.weights / found.deviation / deviation
    chosen = linear.weights != 0
    stack = Stack(
        inputs=tuple(name for name, kept in zip(found.names, chosen, strict=True) if kept),
        columns=tuple(found.columns[chosen].tolist()),
        weights=tuple(linear.weights[chosen].tolist()),
        slopes=tuple(slopes[chosen].tolist()),
        intercept=-float((slopes * found.mean).sum()),
        params=(),
        choice=linear.choice,
        held_out=linear.held_out,
    )
    return stack._replace(params=_best_traded(problem, stack.predict(problem.window.outputs, past.names)))


def traded_window(window: TradingWindow, z: np.ndarray) -> TradingWindow:
    """The window with two outputs for ``params`` of a `Stack`: the prediction z (T,), and 1."""
    return window._replace(outputs=np.column_stack([z, np.ones(len(z))]))


def traded_box(space: StrategySpace, signal_map: int) -> np.ndarray:
    """Bounds (5, 2) of a, b and the thresholds; a is spread evenly by its logarithm."""
    steep = 4.0 if signal_map == LOGISTIC else 1.0  # the slope of that map is 1/4 in its middle
    middle = {HALF: 0.0, CLIP: 0.5, LOGISTIC: 0.0}[signal_map]
    slope, shift = (np.array(bounds) * steep for bounds in (SLOPES, SHIFTS))
    return np.array([slope, shift + middle, space.theta_buy, space.theta_sell, space.delta])


def _best_traded(problem: SearchProblem, z: np.ndarray) -> tuple[float, ...]:
    from scipy.stats import qmc

    box = traded_box(problem.space, problem.rules.signal_map)
    box[0] = np.log(box[0])
    points = qmc.Sobol(len(box), scramble=False).random(N_TRADED)
    params = box[:, 0] + points * (box[:, 1] - box[:, 0])
    params[:, 0] = np.exp(params[:, 0])
    asked = SearchProblem(traded_window(problem.window, z), StrategySpace(2), problem.rules, problem.score)
    return tuple(params[np.argmax(evaluate_population(asked, params)["score"])].tolist())


def _select(past: Past) -> Members:
    best = ranking(past.score)[: selection.N_CANDIDATES]
    grid = equity_grid(past.params[best], past.problem.window, past.problem.rules)
    counts, sharpe = selection.select(grid.equity)
    added = np.flatnonzero(counts)
    shares = counts[added] / counts.sum()
    return Members(tuple(best[added].tolist()), tuple(shares.tolist()), sharpe)


def control_account(
    fit: Fit, window: TradingWindow, rules: TradingRules, names: tuple[str, ...], params: np.ndarray
) -> Account:
    """Account of a fitted control over a window.

    Parameters
    ----------
    fit : Fit
    window, rules
        As for `strategies.trade.simulate.simulate`.
    names : tuple of str
        Of the outputs.
    params : (S, P) array
        The searched strategies.

    Raises
    ------
    NotFitted
        If there is no fit.
    """
    if fit.stack is not None:
        row = np.array([fit.stack.params])
        return pooled(row, np.ones(1), traded_window(window, fit.stack.predict(window.outputs, names)), rules)
    if fit.members is not None:
        return pooled(params[list(fit.members.rows)], np.array(fit.members.shares), window, rules)
    raise NotFitted(fit.reason)


def pooled(params: np.ndarray, shares: np.ndarray, window: TradingWindow, rules: TradingRules) -> Account:
    """Account of strategies (S, P) that each start with a share (S,) of the capital, which is then left alone."""
    equity, position = np.empty((2, len(window.close), len(params)))
    payments = []
    for first in range(0, len(params), AT_ONCE):
        rows = slice(first, first + AT_ONCE)
        paths = simulate_paths(params[rows], window, rules, flows=True)
        assert paths.flows is not None
        equity[:, rows], position[:, rows] = paths.equity, paths.position
        payments.append(Payments.of(paths.flows, window, rules).packed())
    pool = Pool(rules)
    pool.run(shares, from_start(equity, position, joined(payments), window))
    return pool.account()


def past_score(account: Account, problem: SearchProblem) -> float:
    """Score of an account as if it were one strategy."""
    held = float(np.abs(account.position).mean())
    record = Record(np.array([account.equity[-1]]), np.array([account.fills]), np.array([held]), problem.window.months)
    return float(problem.score.pieces(record)["score"][0])
