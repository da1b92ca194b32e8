"""Study: what the classifier of one label learned: Shapley values and ablation of its features, on train alone.

The background comes from the fitted rows, the explained and the judged rows from validation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_space.feature_set import Feature, titles
from feature_space.indicators import BY_NAME, Indicator
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import CLASS_NAMES
from labelsearch.market.bars import Bars
from labelsearch.results.classifiers import Classifiers
from labelsearch.results.explanation import (
    Ablation,
    AblationSetup,
    ByClass,
    Explanation,
    ExplanationFigures,
    FamilyEffect,
    FeatureEffect,
)
from labelsearch.stages.classifiers import MarketInputs
from labelsearch.stages.seeds import Seeds
from labelsearch.stages.training import TrainingProblem
from labelsearch.studies.comparison import check_label

N_ROWS = 300  # explained rows by default
N_JUDGED, N_JUDGED_WINDOWS = 15_000, 5_000  # rows or windows behind the ablation
N_SHIFTS = 5
N_RETRAINED, RETRAINING_EPOCHS, N_RETRAININGS = 3000, 5, 2  # bars, epochs, seeds


@dataclass(frozen=True)
class ExplanationInputs(MarketInputs):
    """All that the study may know; ``n_rows`` rows of validation are explained, if possible as many of each class."""

    label: str
    n_rows: int
    candidates: tuple[Indicator, ...]
    train_bars: Bars
    classifiers: Stored[Classifiers]
    seeds: Seeds


def _counts(problem: TrainingProblem, rows: NDArray[np.int64]) -> dict[str, int]:
    counts = np.bincount(problem.values.classes[rows], minlength=3)
    return dict(zip(CLASS_NAMES, map(int, counts), strict=True))


def _correlation(x: NDArray[Any], y: NDArray[Any]) -> float | None:
    """Spearman's rank correlation; None where one side is constant."""
    from scipy.stats import spearmanr

    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(spearmanr(x, y).statistic)


def _ablation(increase: NDArray[np.float64]) -> Ablation:
    """Mean over the repetitions (R,) and its standard error."""
    return Ablation(float(increase.mean()), float(increase.std(ddof=1) / np.sqrt(increase.size)))


def _ablate(
    problem: TrainingProblem, day: int, network: Any, groups: Sequence[Sequence[int]], rng: np.random.Generator
) -> tuple[AblationSetup, NDArray[np.float64]]:
    """How the ablation was done, and the increase of the loss, (G, R) array."""
    from labelsearch.classifiers.ablation import draw_shifts, shift_ablation, stratified_rows
    from labelsearch.classifiers.loss_scaling import loss_factors

    validation, classes = problem.validation, problem.values.classes
    span = slice(int(validation[0]), int(validation[-1]) + 1)
    factors = loss_factors(problem.values.value[validation], classes[validation], problem.balance)
    n_judged = N_JUDGED if getattr(network, "window", 1) == 1 else N_JUDGED_WINDOWS
    judged, importance = stratified_rows(classes, validation, n_judged, rng)
    weights = factors[np.searchsorted(validation, judged)] * importance
    shifts = draw_shifts(span.stop - span.start, max(day, problem.block(day)), N_SHIFTS, rng)
    loss, increase = shift_ablation(network, problem.matrix, span, judged, classes[judged], weights, groups, shifts)
    return AblationSetup(loss, _counts(problem, judged), tuple(shifts.tolist())), increase


def _retrained(problem: TrainingProblem, seed: Callable[[int], int]) -> NDArray[np.float64]:
    """Increase of the validation loss of a small perceptron that is trained without each feature, (F, seeds)."""
    from labelsearch.classifiers.ablation import stratified_rows
    from labelsearch.classifiers.loss_scaling import loss_factors
    from labelsearch.classifiers.quick import perceptron_probabilities
    from labelsearch.classifiers.scores import row_losses

    values, parts = problem.values, []
    for rows in (problem.fit, problem.validation):
        own, importance = stratified_rows(values.classes, rows, N_RETRAINED, np.random.default_rng(seed(0)))
        factors = loss_factors(values.value[rows], values.classes[rows], problem.balance)
        parts.append((own, factors[np.searchsorted(rows, own)] * importance))
    (fit, fit_weights), (later, weights) = parts
    n_features = problem.matrix.shape[1]

    def loss(columns: list[int], n: int) -> float:
        train = (problem.matrix[fit][:, columns], values.classes[fit], fit_weights)
        found = perceptron_probabilities(train, problem.matrix[later][:, columns], RETRAINING_EPOCHS, seed(n))
        return float(weights @ row_losses(found, values.classes[later]) / weights.sum())

    increase = np.zeros((n_features, N_RETRAININGS))
    for n in range(N_RETRAININGS):
        whole = loss(list(range(n_features)), n + 1)
        for k in range(n_features):
            rest = [column for column in range(n_features) if column != k]
            increase[k, n] = (loss(rest, n + 1) - whole) if rest else 0.0
    return increase


def _families(features: Sequence[Feature]) -> dict[str, list[int]]:
    """Columns of each family of indicators."""
    family_of = [BY_NAME[feature.name].family for feature in features]
    return {name: [k for k, own in enumerate(family_of) if own == name] for name in dict.fromkeys(family_of)}


def run(inputs: ExplanationInputs, work: Work) -> Explanation:
    """Explain the classifier of the label.

    Raises
    ------
    ExperimentError
        If the label is unknown.
    """
    from labelsearch.classifiers.ablation import stratified_rows
    from labelsearch.classifiers.explain import background_size, explain_rows
    from labelsearch.classifiers.files import network_from_files

    check_label(inputs.label, inputs.label_kinds)
    work.progress(0, 1)
    market = inputs.market(inputs.train_bars)
    problem = market.problem(*inputs.tasks()[inputs.label])
    network = network_from_files(inputs.classifiers.value.networks[inputs.label])
    rng = np.random.default_rng(inputs.seeds("explanation", inputs.label))
    classes = problem.values.classes
    background, _ = stratified_rows(classes, problem.fit, background_size(network), rng)
    rows, _ = stratified_rows(classes, problem.validation, inputs.n_rows, rng)
    explained = explain_rows(network, problem.matrix, background, rows)
    features = problem.feature_set.features
    families = _families(features)
    groups = [[k] for k in range(len(features))] + list(families.values())
    setup, increase = _ablate(problem, market.day, network, groups, rng)
    seen = problem.matrix[rows]
    retrained = _retrained(problem, lambda n: inputs.seeds("retrained", inputs.label, n))
    effects = _effects(features, families, explained.values, seen, increase, retrained)
    total = np.abs(explained.values).mean(axis=0).mean(axis=1)
    figures = ExplanationFigures(
        label=inputs.label,
        n_networks=len(getattr(network, "members", [network])),
        temperature=getattr(network, "temperature", 1.0),
        explainer=explained.explainer,
        additivity_error=explained.error,
        base=ByClass(*explained.base.tolist()),
        background=_counts(problem, background),
        rows=_counts(problem, rows),
        ablation=setup,
        rank_correlation=_correlation(total, increase[: len(features)].mean(axis=1)),
        features=tuple(sorted(effects, key=lambda effect: effect.rank)),
        families=_family_effects(families, explained.values, increase[len(features) :]),
    )
    work.progress(1, 1)
    return Explanation(figures, rows, explained.values, seen)


def _effects(
    features: Sequence[Feature],
    families: dict[str, list[int]],
    shap: NDArray[np.float64],
    seen: NDArray[np.float32],
    increase: NDArray[np.float64],
    retrained: NDArray[np.float64],
) -> list[FeatureEffect]:
    """Every feature, in matrix order."""
    mean_abs = np.abs(shap).mean(axis=0)
    rank = np.argsort(np.argsort(-mean_abs.mean(axis=1), kind="stable")) + 1
    family_of = {k: name for name, columns in families.items() for k in columns}
    return [
        FeatureEffect(
            feature=title,
            indicator=features[k].name,
            family=family_of[k],
            column=k,
            rank=int(rank[k]),
            mean_abs_shap=ByClass(*mean_abs[k].tolist()),
            direction_buy=_correlation(seen[:, k], shap[:, k, CLASS_NAMES.index("buy")]),
            direction_sell=_correlation(seen[:, k], shap[:, k, CLASS_NAMES.index("sell")]),
            ablation=_ablation(increase[k]),
            retrained=_ablation(retrained[k]),
        )
        for k, title in enumerate(titles(features))
    ]


def _family_effects(
    families: dict[str, list[int]], shap: NDArray[np.float64], increase: NDArray[np.float64]
) -> tuple[FamilyEffect, ...]:
    mean_abs = np.abs(shap).mean(axis=0)
    return tuple(
        FamilyEffect(name, len(columns), ByClass(*mean_abs[columns].sum(axis=0).tolist()), _ablation(increase[g]))
        for g, (name, columns) in enumerate(families.items())
    )


STAGE = Stage("explanation", ExplanationInputs, Explanation, run, study=True)
