"""Stage: choose the feature set of each label by separation power on the fitted part of train."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from feature_space.feature_set import FeatureSet
from feature_space.selection import Selection, compute_candidates, select
from feature_space.separation import Pairs, histogram_nb, sample_pairs
from labelsearch.labels.windows import purged_split
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages import labels as label_stage

PICTURE_BINS = 36
NEAR_QUANTILE = 0.2


def _pairs(context: Context, name: str) -> tuple[Pairs, Pairs]:
    """Cross-class and same-class pairs of one label, among rows that were purged for validation."""
    values = label_stage.load(context, name)
    fit, _ = purged_split(
        values.last_used, context.usable[: values.value.size], context.boundary, context.rows("train").stop
    )
    present = np.bincount(values.classes[fit], minlength=3)
    if (present < 2).any():
        raise ExperimentError(
            f"label {name} marks {present[0]} buy, {present[1]} neutral and {present[2]} sell bars in the fitted "
            "part of train: too few; leave it out or lengthen the window"
        )
    rng = np.random.default_rng(context.seed("pairs", name))
    n_pairs = context.experiment.separation.n_pairs
    cross = sample_pairs(values.classes, fit, n_pairs, rng, cross=True)
    return cross, sample_pairs(values.classes, fit, n_pairs, rng, cross=False)


def run(context: Context, folder: Path) -> dict[str, Any]:
    """Write ``<label>.json``: the feature set, its separation power and the picture histograms."""
    settings, space = context.experiment.separation, context.experiment.feature_space
    names = [label.name for label in context.experiment.label_kinds()]
    pairs = {name: _pairs(context, name) for name in names}
    rows = np.unique(np.concatenate([side for two in pairs.values() for p in two for side in (p.left, p.right)]))
    candidates = compute_candidates(
        space.chosen(),
        context.inputs,
        rows,
        space.normaliser(),
        n_values=settings.n_values,
        fit_stop=context.boundary,
    )
    done = itertools.count(1)

    def choose(name: str) -> int:
        found = select(
            candidates,
            *pairs[name],
            n_restarts=settings.n_restarts,
            seed=context.seed("selection", name),
            quantile=NEAR_QUANTILE if settings.weight == "quantile" else None,
        )
        result = _describe(name, found, FeatureSet(found.features, space.normaliser()))
        (folder / f"{name}.json").write_text(json.dumps(result, indent=1))
        context.progress("features", next(done), len(names))
        return found.n_evaluations

    # the kernels release the lock; each label is searched by one thread
    with ThreadPoolExecutor(min(context.workers, len(names))) as pool:
        return {"feature_sets_scored": sum(pool.map(choose, names))}


def _describe(name: str, found: Selection, feature_set: FeatureSet) -> dict[str, Any]:
    top = 2.0 * len(found.features)
    return {
        "label": name,
        "power": found.power,
        "power_random": found.power_random,
        "cross_class_mass": found.cross_class_mass,
        "same_class_mass": found.same_class_mass,
        "n_evaluations": found.n_evaluations,
        "histogram": {
            "top": top,
            "cross": histogram_nb(found.distances, PICTURE_BINS, top).tolist(),
            "same": histogram_nb(found.same_distances, PICTURE_BINS, top).tolist(),
        },
        "feature_set": feature_set.to_dict(),
    }


def load(context: Context, name: str) -> dict[str, Any]:
    """What this stage wrote about a label."""
    return json.loads((context.stage("features") / f"{name}.json").read_text())
