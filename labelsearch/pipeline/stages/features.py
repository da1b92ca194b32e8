"""Stage: choose the feature set of each label by separation power, and confirm it on a later part of train.

Chosen on the fitted part of train, confirmed on the validation part, which is purged of what fitted labels have seen.
"""

import itertools
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.confirmation import Confirmation, confirm
from feature_space.feature_set import Feature, FeatureSet
from feature_space.histograms import cross_class
from feature_space.indicators import Inputs
from feature_space.selection import Candidates, Selection, compute_candidates, select
from feature_space.separation import Pairs, histogram_nb, sample_pairs, separation_power
from labelsearch.labels.kinds import LabelValues
from labelsearch.labels.windows import purged_split
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.sections import FeatureSpace, Separation
from labelsearch.pipeline.stages import labels as label_stage

PICTURE_BINS = 36
NEAR_QUANTILE = 0.2
N_RANDOM_SETS = 5  # sets that a confirmed power is compared with
CONFIRM_SHARE = 4  # confirmation draws a quarter of the pairs of the choice, for each shift


class TrainPart(NamedTuple):
    """What feature sets are chosen on: the T grid rows of train."""

    inputs: Inputs  # (T,) each
    usable: NDArray[np.bool_]  # (T,)
    boundary: int  # first validation row
    space: FeatureSpace
    settings: Separation
    seed: Callable[..., int]  # of a unit, by its names

    @classmethod
    def of(cls, context: Context) -> "TrainPart":
        """The train part of a run."""
        stop = context.rows("train").stop
        inputs = Inputs(*(column[:stop] for column in context.inputs))
        settings = context.experiment.separation
        space = context.experiment.feature_space
        return cls(inputs, context.usable[:stop], context.boundary, space, settings, context.seed)


class _Labelled(NamedTuple):
    """Rows and classes of one label in train, and the pairs that its choice is made on."""

    classes: NDArray[np.int8]  # (T,)
    fit: NDArray[np.int64]
    validation: NDArray[np.int64]
    cross: Pairs
    same: Pairs
    contrast: tuple[Pairs, Pairs] | None  # class-balanced cross and same pairs, where the criterion needs them

    def bars(self) -> list[NDArray[np.int64]]:
        """Bars of all pairs."""
        return [side for pairs in (self.cross, self.same, *(self.contrast or ())) for side in (pairs.left, pairs.right)]


def _labelled(train: TrainPart, name: str, values: LabelValues) -> _Labelled:
    fit, validation = purged_split(values.last_used, train.usable, train.boundary, train.usable.size)
    for part, rows in (("fitted", fit), ("validation", validation)):
        present = np.bincount(values.classes[rows], minlength=3)
        if (present < 2).any():
            raise ExperimentError(
                f"label {name} marks {present[0]} buy, {present[1]} neutral and {present[2]} sell bars in the {part} "
                "part of train: too few; leave it out or lengthen the window"
            )
    rng = np.random.default_rng(train.seed("pairs", name))
    settings = train.settings

    def draw(*, cross: bool, balanced: bool) -> Pairs:
        return sample_pairs(values.classes, fit, settings.n_pairs, rng, cross=cross, balanced=balanced)

    uniform = (draw(cross=True, balanced=False), draw(cross=False, balanced=False))
    contrast = None
    if settings.criterion == "contrast":
        contrast = (draw(cross=True, balanced=True), draw(cross=False, balanced=True))
    return _Labelled(values.classes, fit, validation, *uniform, contrast)


def _random_sets(train: TrainPart, candidates: Candidates) -> list[FeatureSet]:
    """Feature sets drawn from the candidates, the same for all labels."""
    rng = np.random.default_rng(train.seed("random sets"))
    sets: list[tuple[Feature, ...]] = [
        tuple(group[rng.integers(len(group))] for group in candidates.features) for _ in range(N_RANDOM_SETS)
    ]
    return [FeatureSet(features, train.space.normaliser()) for features in sets]


def choose_sets(
    train: TrainPart,
    labels: Mapping[str, LabelValues],
    *,
    workers: int = 1,
    done: Callable[[str, dict[str, Any]], None] = lambda name, found: None,
) -> dict[str, dict[str, Any]]:
    """Choose and confirm the feature set of each label; what one label gets does not depend on the others.

    Parameters
    ----------
    train : TrainPart
    labels : mapping of str to LabelValues
        Labels by name, of the rows of train or more.
    workers : int
        Threads; the result does not depend on it.
    done : callable
        Told a name and what was found, as soon as it is.

    Returns
    -------
    dict of str to dict
        By name: the feature set, its separation power, its confirmation and picture histograms.
    """
    settings, space = train.settings, train.space
    labelled = {name: _labelled(train, name, values) for name, values in labels.items()}
    candidates = compute_candidates(
        space.chosen(),
        train.inputs,
        np.unique(np.concatenate([bars for one in labelled.values() for bars in one.bars()])),
        space.normaliser(),
        n_values=settings.n_values,
        fit_stop=train.boundary,
    )
    later = [feature_set.matrix(train.inputs)[train.boundary :] for feature_set in _random_sets(train, candidates)]

    def choose(name: str) -> dict[str, Any]:
        one = labelled[name]
        found = select(
            candidates,
            one.cross,
            one.same,
            n_restarts=settings.n_restarts,
            seed=train.seed("selection", name),
            quantile=NEAR_QUANTILE if settings.criterion == "quantile" else None,
            contrast=one.contrast,
        )
        feature_set = FeatureSet(found.features, space.normaliser())
        matrix = feature_set.matrix(train.inputs)
        rows = one.validation - train.boundary
        confirmed = confirm(
            matrix[one.validation],
            [other[rows] for other in later],
            one.classes[one.validation],
            n_pairs=max(settings.n_pairs // CONFIRM_SHARE, 1),
            n_shifts=settings.n_shifts,
            seed=train.seed("confirmation", name),
            weights=found.weights,
        )
        result = _describe(name, found, feature_set) | _describe_confirmation(confirmed)
        if settings.exact:
            result["power_exact"] = _exact_power(matrix[one.fit], one.classes[one.fit], found)
        done(name, result)
        return result

    if settings.exact:  # uses all threads itself
        return {name: choose(name) for name in labels}
    # the kernels release the lock; each label is searched by one thread
    with ThreadPoolExecutor(min(workers, len(labels))) as pool:
        return dict(zip(labels, pool.map(choose, labels), strict=True))


def run(context: Context, folder: Path) -> dict[str, Any]:
    """Write ``<label>.json``: the feature set, its separation power, its confirmation and picture histograms."""
    names = [label.name for label in context.experiment.label_kinds()]
    count = itertools.count(1)
    context.progress("features", 0, len(names))

    def done(name: str, found: dict[str, Any]) -> None:
        (folder / f"{name}.json").write_text(json.dumps(found, indent=1))
        context.progress("features", next(count), len(names))

    labels = {name: label_stage.load(context, name) for name in names}
    chosen = choose_sets(TrainPart.of(context), labels, workers=context.workers, done=done)
    return {"feature_sets_scored": sum(found["n_evaluations"] for found in chosen.values())}


def _exact_power(matrix: NDArray[np.float32], classes: NDArray[np.int8], found: Selection) -> float:
    """Separation power over all cross-class pairs of the fitted rows."""
    histogram = cross_class(matrix, classes)
    bins = (histogram.centres * (found.weights.size / (2.0 * matrix.shape[1]))).astype(int)
    weights = found.weights[np.minimum(bins, found.weights.size - 1)]
    return separation_power(float(histogram.counts @ weights) / histogram.n_pairs)


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


def _describe_confirmation(confirmed: Confirmation) -> dict[str, Any]:
    return {
        "confirmation": {
            "power": confirmed.power,
            "power_interval": list(confirmed.estimate.power_interval()),
            "power_random": confirmed.power_random,
            "p_value": confirmed.p_value,
        }
    }


def load(context: Context, name: str) -> dict[str, Any]:
    """What this stage wrote about a label."""
    return json.loads((context.stage("features") / f"{name}.json").read_text())
