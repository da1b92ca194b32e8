"""A candidate label: its counts, a feature set, quick classifiers, and what they show on later bars."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space import FeatureError
from feature_space.discriminant import class_products, draw_rows, make_problems
from feature_space.discriminant_search import DiscriminantSearch
from labelsearch.classifiers.ablation import stratified_rows
from labelsearch.classifiers.intervals import Ranking, block_length, interval, resamples
from labelsearch.classifiers.loss_scaling import balance, loss_factors
from labelsearch.classifiers.quick import train_quick
from labelsearch.classifiers.scores import row_losses
from labelsearch.label_space.market import Parts, SpaceMarket
from labelsearch.label_space.worth import Figure, Worth, later_returns, take_events_nb, worth_of
from labelsearch.labels.base import BUY, NEUTRAL, SELL, Label, LabelError, LabelValues

LEAST_FITTED, LEAST_JUDGED = 40, 15  # buy bars, and sell bars
KIND_WEIGHTS = np.array([1.0, 2.0, 2.0])
N_JUDGED_ACTIONS = 6000
N_RESAMPLES = 100


class Budget(NamedTuple):
    """What a candidate is judged with."""

    rows: int  # that quick classifiers are trained on
    epochs: int
    most_features: int
    intervals: bool


class Judged(NamedTuple):
    """What a candidate shows on the judging part."""

    counts: tuple[int, int, int]  # buy, neutral and sell bars of the fitted part
    horizon: float  # bars from an action bar to the last one its label depends on, in the mean
    uniqueness: float  # bars of the fitted part for each bar that a label shares with others, at most 1
    columns: tuple[int, ...]  # settings of the feature set among all
    error: float  # of the discriminant of the set on time left out; 1: it knows nothing
    skill: Figure  # of the classifiers: 1 - loss / loss of a constant
    skill_linear: float
    skill_perceptron: float
    auc_buy: Figure
    auc_sell: Figure
    auc_sides: Figure  # of buy against sell bars
    worth: Worth
    outputs: NDArray[np.float32]  # (N, 2) probabilities of buy and sell on the grid of the judging part


def fitted_rows(values: LabelValues, usable: NDArray[np.bool_], start: int, stop: int) -> NDArray[np.int64]:
    """Usable rows of a part whose labels depend on no bar after it."""
    rows = start + np.flatnonzero(usable[start:stop])
    return rows[values.last_used[rows] < stop]


def judge(
    label: Label,
    market: SpaceMarket,
    parts: Parts,
    budget: Budget,
    top: float,
    seed: Callable[..., int],
) -> Judged | str:
    """Judge a label.

    Parameters
    ----------
    label : Label
    market : SpaceMarket
    parts : Parts
    budget : Budget
    top : float
        Share of bars whose probability makes an event, by side.
    seed : callable
        Seed by names.

    Returns
    -------
    Judged or str
        Or why it cannot be judged.
    """
    price = market.price[: parts.stop]
    try:
        values = label.values(price, label.reference(price[: parts.calibrate]))
    except LabelError as reason:
        return str(reason)
    fit = fitted_rows(values, market.usable, parts.start, parts.calibrate)
    later = fitted_rows(values, market.usable, parts.judge, parts.stop)
    counts = np.bincount(values.classes[fit], minlength=3)
    judged = np.bincount(values.classes[later], minlength=3)
    if min(counts) < LEAST_FITTED or min(judged) < LEAST_JUDGED:
        return f"marks {counts[0]} buy and {counts[2]} sell bars, and later {judged[0]} and {judged[2]}"
    try:
        columns, left = _feature_set(values, market, fit, budget, seed)
    except FeatureError as reason:
        return str(reason)
    networks = _train(values, market, fit, columns, budget, seed)
    action = fit[values.classes[fit] != NEUTRAL]
    reach = float(np.mean(values.last_used[action] - action))
    grid, before = market.grid(parts.judge, parts.stop), market.grid(parts.calibrate, parts.judge)

    def predict(rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        return list(networks.probabilities(market.features.at(rows, columns).T))

    on_grid = np.mean(predict(grid), axis=0)
    figures = _figures(values, market, fit, later, predict, reach, budget, seed)
    worth = _worth(market, grid, on_grid, np.mean(predict(before), axis=0), reach, parts.stop, top, budget, seed)
    buys, neutrals, sells = counts.tolist()
    return Judged(
        (buys, neutrals, sells), reach, _uniqueness(values, fit), columns, left, *figures, worth,
        on_grid[:, [BUY, SELL]]
    )  # fmt: skip


def _uniqueness(values: LabelValues, fit: NDArray[np.int64]) -> float:
    """Rows over the sum of bars that their labels span (average uniqueness: Lopez de Prado 2018, chapter 4)."""
    span = values.last_used[fit] - fit + 1
    return min(1.0, float(fit.size / span.sum()))


def _feature_set(
    values: LabelValues, market: SpaceMarket, fit: NDArray[np.int64], budget: Budget, seed: Callable[..., int]
) -> tuple[tuple[int, ...], float]:
    rng = np.random.default_rng(seed("bars"))
    drawn = draw_rows(values.classes, fit, values.last_used, max(budget.rows // 3, LEAST_FITTED), rng)
    products = class_products(market.features.at(drawn.rows), [drawn])
    search = DiscriminantSearch(make_problems(products), market.features.offsets, KIND_WEIGHTS)
    found = search.search(budget.most_features)
    if not found.rows:  # judged all the same: the best of few labels would look worse than that of many
        found = search.search(budget.most_features, 1)
    return found.rows, found.error


def _train(
    values: LabelValues,
    market: SpaceMarket,
    fit: NDArray[np.int64],
    columns: tuple[int, ...],
    budget: Budget,
    seed: Callable[..., int],
) -> Any:
    rows, importance = stratified_rows(values.classes, fit, budget.rows, np.random.default_rng(seed("rows")))
    factors = loss_factors(values.value[fit], values.classes[fit])[np.searchsorted(fit, rows)]
    features = market.features.at(rows, columns).T
    return train_quick(features, values.classes[rows], factors * importance, budget.epochs, seed("network"))


def _figures(
    values: LabelValues,
    market: SpaceMarket,
    fit: NDArray[np.int64],
    later: NDArray[np.int64],
    predict: Callable[[NDArray[np.int64]], list[NDArray[np.float32]]],
    reach: float,
    budget: Budget,
    seed: Callable[..., int],
) -> tuple[Figure, float, float, Figure, Figure, Figure]:
    """Skill of both classifiers and AUC of their mean, rows weighing as all later rows do."""
    a = balance(values.value[fit], values.classes[fit])
    factors = loss_factors(values.value[later], values.classes[later], a)
    rows, importance = stratified_rows(values.classes, later, N_JUDGED_ACTIONS, np.random.default_rng(seed("judged")))
    weights, classes = factors[np.searchsorted(later, rows)] * importance, values.classes[rows]
    known = loss_factors(values.value[fit], values.classes[fit], a)
    constant = np.bincount(values.classes[fit], known, 3) / known.sum()
    each = predict(rows)
    mean = np.mean(each, axis=0)
    base = -np.log(constant)[classes]
    losses = [row_losses(its, classes) for its in (mean, *each)]
    skills = [1.0 - float(weights @ its) / float(weights @ base) for its in losses]
    sides = classes != NEUTRAL
    share = mean[:, BUY] / np.maximum(mean[:, BUY] + mean[:, SELL], 1e-30)
    rankings = [
        (Ranking(mean[:, BUY], classes == BUY), np.ones(len(rows))),
        (Ranking(mean[:, SELL], classes == SELL), np.ones(len(rows))),
        (Ranking(share, classes == BUY), sides.astype(np.float64)),
    ]
    aucs = [ranking.auc(importance * own) for ranking, own in rankings]
    values_of = [skills[0], *aucs]
    if not budget.intervals:
        found = [Figure(value) for value in values_of]
        return found[0], skills[1], skills[2], found[1], found[2], found[3]
    length = block_length(reach, market.bars_a_day, int(rows[-1] - rows[0]) + 1)
    drawn = [
        [1.0 - float((w * weights) @ losses[0]) / float((w * weights) @ base)]
        + [ranking.auc(w * importance * own) for ranking, own in rankings]
        for w in resamples(rows, length, N_RESAMPLES, seed("blocks"))
    ]
    ends = [interval(list(column)) or (None, None) for column in zip(*drawn, strict=True)]
    found = [Figure(value, *end) for value, end in zip(values_of, ends, strict=True)]
    return found[0], skills[1], skills[2], found[1], found[2], found[3]


def _worth(
    market: SpaceMarket,
    grid: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    before: NDArray[np.float32],
    reach: float,
    stop: int,
    top: float,
    budget: Budget,
    seed: Callable[..., int],
) -> Worth:
    horizon = max(1, round(reach))
    returns = later_returns(market.open, grid, horizon, stop)
    known = np.isfinite(returns) & market.usable[np.minimum(grid + 1, market.usable.size - 1)]
    sides = []
    for column, sign in ((BUY, 1.0), (SELL, -1.0)):
        edge = np.quantile(before[:, column], 1.0 - top) if len(before) else np.inf
        events = take_events_nb((probabilities[:, column] > edge) & known, grid, horizon)
        sides.append((sign * returns[events], market.day[grid[events]]))
    return worth_of(sides, 2.0 * market.fill_costs, seed("worth"), interval=budget.intervals)
