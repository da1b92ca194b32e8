"""What the classifier of one label learned: Shapley values and ablation of its features, on train alone.

The background comes from the fitted rows, the explained and the judged rows from validation.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_space.feature_set import titles
from feature_space.indicators import BY_NAME
from labelsearch.labels.kinds import CLASS_NAMES
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import RunError, done_events
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages.classifiers import Problem, load_problem
from labelsearch.pipeline.units import run_units

VERSION = 1  # raised when the code gives other results for the same inputs
N_ROWS = 300  # explained rows by default
N_JUDGED, N_JUDGED_WINDOWS = 15_000, 5_000  # rows or windows behind the ablation
N_SHIFTS = 5


def _counts(problem: Problem, rows: NDArray[np.int64]) -> dict[str, int]:
    counts = np.bincount(problem.values.classes[rows], minlength=3)
    return dict(zip(CLASS_NAMES, map(int, counts), strict=True))


def _correlation(x: NDArray[Any], y: NDArray[Any]) -> float | None:
    """Spearman's rank correlation; None where one side is constant."""
    from scipy.stats import spearmanr

    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(spearmanr(x, y).statistic)


def _ablation(increase: NDArray[np.float64]) -> dict[str, float]:
    """Mean over the shifts (R,) and its standard error."""
    return {"value": float(increase.mean()), "standard_error": float(increase.std(ddof=1) / np.sqrt(increase.size))}


def _by_class(values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(CLASS_NAMES, map(float, values), strict=True))


def _ablate(
    context: Context, problem: Problem, network: Any, groups: Sequence[Sequence[int]], rng: np.random.Generator
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """How the ablation was done, and the increase of the loss, float64 (G, R)."""
    from labelsearch.classifiers.ablation import draw_shifts, shift_ablation, stratified_rows
    from labelsearch.classifiers.loss_scaling import loss_factors

    validation, classes = problem.validation, problem.values.classes
    span = slice(int(validation[0]), int(validation[-1]) + 1)
    factors = loss_factors(problem.values.value[validation], classes[validation], problem.balance)
    n_judged = N_JUDGED if getattr(network, "window", 1) == 1 else N_JUDGED_WINDOWS
    judged, importance = stratified_rows(classes, validation, n_judged, rng)
    weights = factors[np.searchsorted(validation, judged)] * importance
    day = context.bars_per_day
    shifts = draw_shifts(span.stop - span.start, max(day, problem.block(day)), N_SHIFTS, rng)
    loss, increase = shift_ablation(network, problem.matrix, span, judged, classes[judged], weights, groups, shifts)
    return {"loss": loss, "rows": _counts(problem, judged), "shifts": shifts.tolist()}, increase


def explain_unit(task: tuple[Context, int, int], folder: Path) -> None:
    """Explain the classifier of one label; writes ``explanation.json`` and, for pictures, ``values.npz``."""
    from labelsearch.classifiers.ablation import stratified_rows
    from labelsearch.classifiers.explain import background_size, explain_rows
    from labelsearch.classifiers.files import load_network

    context, index, n_rows = task
    problem = load_problem(context, index)
    network = load_network(context.stage("classifiers") / problem.label.name)
    rng = np.random.default_rng(context.seed("explanation", problem.label.name))
    classes = problem.values.classes
    background, _ = stratified_rows(classes, problem.fit, background_size(network), rng)
    rows, _ = stratified_rows(classes, problem.validation, n_rows, rng)
    explained = explain_rows(network, problem.matrix, background, rows)
    mean_abs = np.abs(explained.values).mean(axis=0)
    features = problem.features
    family_of = [BY_NAME[feature.name].family for feature in features]
    families = {name: [k for k, own in enumerate(family_of) if own == name] for name in dict.fromkeys(family_of)}
    groups = [[k] for k in range(len(features))] + list(families.values())
    ablation, increase = _ablate(context, problem, network, groups, rng)
    total = mean_abs.mean(axis=1)
    rank = np.argsort(np.argsort(-total, kind="stable")) + 1
    seen = problem.matrix[rows]
    entries: list[dict[str, Any]] = [
        {
            "feature": title,
            "indicator": features[k].name,
            "family": family_of[k],
            "column": k,
            "rank": int(rank[k]),
            "mean_abs_shap": _by_class(mean_abs[k]),
            "direction": {
                side: _correlation(seen[:, k], explained.values[:, k, CLASS_NAMES.index(side)])
                for side in ("buy", "sell")
            },
            "ablation": _ablation(increase[k]),
        }
        for k, title in enumerate(titles(features))
    ]
    figures = {
        "label": problem.label.name,
        "n_networks": len(getattr(network, "members", [network])),
        "temperature": getattr(network, "temperature", 1.0),
        "explainer": explained.explainer,
        "additivity_error": explained.error,
        "base": _by_class(explained.base),
        "background": _counts(problem, background),
        "rows": _counts(problem, rows),
        "ablation": ablation,
        "rank_correlation": _correlation(total, increase[: len(features)].mean(axis=1)),
        "features": sorted(entries, key=lambda entry: entry["rank"]),
        "families": [
            {
                "family": name,
                "n_features": len(columns),
                "mean_abs_shap": _by_class(mean_abs[columns].sum(axis=0)),
                "ablation": _ablation(increase[len(features) + g]),
            }
            for g, (name, columns) in enumerate(families.items())
        ],
    }
    (folder / "explanation.json").write_text(json.dumps(figures, indent=1))
    np.savez(folder / "values.npz", rows=rows, shap=explained.values, features=seen)


def explain_label(context: Context, label: str, n_rows: int = N_ROWS) -> tuple[dict[str, Any], Path]:
    """Explain the classifier that a run trained for a label; a second call reads what the first one wrote.

    Parameters
    ----------
    context : Context
        A run whose classifiers are done.
    label : str
        Name of the label.
    n_rows : int
        Validation rows to explain, an equal part of each class as far as it goes.

    Returns
    -------
    figures : dict
        ``features`` by rank: mean absolute Shapley value by class, rank correlation of feature and Shapley value
        (``direction``), and the increase of the weighted validation loss without the feature (``ablation``); the same
        for ``families`` of indicators; and how all this was computed.
    folder : Path
        Where it lies, within the run.

    Raises
    ------
    ExperimentError
        If the label is unknown.
    RunError
        If the run has no classifiers yet.
    """
    names = [kind.name for kind in context.experiment.label_kinds()]
    if label not in names:
        raise ExperimentError(f"no label {label!r} in the run; it has {', '.join(names)}")
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    if "classifiers" not in done or not (context.stage("classifiers") / label).is_dir():
        again = f"labelsearch classifiers {context.folder}/experiment.toml"
        raise RunError(f"{context.folder} has no classifiers yet; train them with: {again}")
    needs = [done[name]["content"] for name in ("labels", "features", "classifiers")]
    text = json.dumps([VERSION, label, n_rows, context.experiment.seed, needs])
    name = hashlib.sha256(text.encode()).hexdigest()[:8]
    root = context.folder / "explanations" / label
    run_units(
        explain_unit, {name: (context.bare(), names.index(label), n_rows)}, root,
        progress=context.stage_progress("explanation"),
    )  # fmt: skip
    return json.loads((root / name / "explanation.json").read_text()), root / name


def explained_values(folder: Path) -> dict[str, NDArray[Any]]:
    """What pictures need: ``rows`` (N,), ``shap`` (N, F, 3) and ``features`` (N, F), columns in matrix order."""
    with np.load(folder / "values.npz", allow_pickle=False) as found:
        return dict(found)
