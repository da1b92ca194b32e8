"""Stage: choose the feature set of each label by separation power, and confirm it on a later part of train.

Chosen on the fitted part of train, confirmed on the validation part, which is purged of the bars that fitted labels
depend on.
"""

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.confirmation import Confirmation, confirm
from feature_space.feature_set import Feature, FeatureSet, warm_up_of
from feature_space.histograms import cross_class
from feature_space.indicators import Indicator, Inputs, make_inputs
from feature_space.normalise import Normalisation
from feature_space.proof import prove_feature
from feature_space.selection import Candidates, Selection, compute_candidates, select
from feature_space.separation import Pairs, histogram_nb, sample_pairs, separation_power
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import LabelValues
from labelsearch.labels.spans import purged_split
from labelsearch.market.bars import Bars
from labelsearch.results.features import ChosenFeatures, DistanceHistograms, FeatureSets, LaterPower
from labelsearch.results.labels import LabelSeries
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Separation
from labelsearch.stages.seeds import Seeds

PICTURE_BINS = 36
NEAR_QUANTILE = 0.2
N_RANDOM_SETS = 5  # sets that a confirmed power is compared with
CONFIRM_SHARE = 4  # confirmation draws a quarter of the pairs of the choice, for each shift


@dataclass(frozen=True)
class FeatureInputs:
    """All that the stage may know."""

    separation: Separation
    normalisation: Normalisation
    candidates: tuple[Indicator, ...]
    train_bars: Bars  # on the grid
    boundary: int  # first validation row
    labels: Stored[LabelSeries]
    seeds: Seeds


class TrainPart(NamedTuple):
    """What feature sets are chosen on: the T grid rows of train."""

    inputs: Inputs  # (T,) each
    usable: NDArray[np.bool_]  # (T,)
    boundary: int  # first validation row
    candidates: tuple[Indicator, ...]
    normalisation: Normalisation
    settings: Separation
    seeds: Seeds


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


def inputs_of(bars: Bars) -> Inputs:
    """Columns that indicators read."""
    return make_inputs(bars.vwap, bars.high, bars.low, bars.close, bars.volume, bars.trades)


def usable_bars(filled: NDArray[np.bool_], warm_up: int) -> NDArray[np.bool_]:
    """True for bars (T,) that were traded and lie past the warm-up of every candidate feature."""
    usable = ~filled
    usable[:warm_up] = False
    return usable


def _labelled(train: TrainPart, name: str, values: LabelValues) -> _Labelled:
    fit, validation = purged_split(values.last_used, train.usable, train.boundary, train.usable.size)
    for part, rows in (("fitted", fit), ("validation", validation)):
        present = np.bincount(values.classes[rows], minlength=3)
        if (present < 2).any():
            raise ExperimentError(
                f"label {name} marks {present[0]} buy, {present[1]} neutral and {present[2]} sell bars in the {part} "
                "part of train, which is too few: remove the label or lengthen the window"
            )
    rng = np.random.default_rng(train.seeds("pairs", name))
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
    rng = np.random.default_rng(train.seeds("random sets"))
    sets: list[tuple[Feature, ...]] = [
        tuple(group[rng.integers(len(group))] for group in candidates.features) for _ in range(N_RANDOM_SETS)
    ]
    return [FeatureSet(features, train.normalisation) for features in sets]


def choose_sets(
    train: TrainPart,
    labels: Mapping[str, LabelValues],
    *,
    threads: int = 1,
    done: Callable[[], None] = lambda: None,
) -> FeatureSets:
    """Choose and confirm the feature set of each label; the result for a label does not depend on the others.

    Parameters
    ----------
    train : TrainPart
    labels : mapping of str to LabelValues
        Labels by name, of the rows of train or more.
    threads : int
        The result does not depend on it.
    done : callable
        Called after each label.
    """
    labelled = {name: _labelled(train, name, values) for name, values in labels.items()}
    candidates = compute_candidates(
        train.candidates,
        train.inputs,
        np.unique(np.concatenate([bars for entry in labelled.values() for bars in entry.bars()])),
        train.normalisation,
        n_values=train.settings.n_values,
        fit_stop=train.boundary,
    )
    later = [feature_set.matrix(train.inputs)[train.boundary :] for feature_set in _random_sets(train, candidates)]

    def choose(name: str) -> ChosenFeatures:
        chosen = _choose(train, name, labelled[name], candidates, later)
        done()
        return chosen

    if train.settings.exact:  # uses all threads itself
        return FeatureSets(tuple(choose(name) for name in labels))
    # the kernels release the lock; each label is searched by one thread
    with ThreadPoolExecutor(min(threads, len(labels))) as pool:
        return FeatureSets(tuple(pool.map(choose, labels)))


def _choose(
    train: TrainPart, name: str, entry: _Labelled, candidates: Candidates, later: list[NDArray[np.float32]]
) -> ChosenFeatures:
    """The set of one label; ``later`` are the random sets on the validation rows."""
    settings = train.settings
    selection = select(
        candidates,
        entry.cross,
        entry.same,
        n_restarts=settings.n_restarts,
        seed=train.seeds("selection", name),
        quantile=NEAR_QUANTILE if settings.criterion == "quantile" else None,
        contrast=entry.contrast,
    )
    for feature in selection.features:
        prove_feature(feature, train.inputs)
    feature_set = FeatureSet(selection.features, train.normalisation)
    matrix = feature_set.matrix(train.inputs)
    rows = entry.validation - train.boundary
    confirmed = confirm(
        matrix[entry.validation],
        [other[rows] for other in later],
        entry.classes[entry.validation],
        n_pairs=max(settings.n_pairs // CONFIRM_SHARE, 1),
        n_shifts=settings.n_shifts,
        seed=train.seeds("confirmation", name),
        weights=selection.weights,
    )
    exact = _exact_power(matrix[entry.fit], entry.classes[entry.fit], selection) if settings.exact else None
    return _chosen(name, selection, feature_set, confirmed, exact)


def _exact_power(matrix: NDArray[np.float32], classes: NDArray[np.int8], selection: Selection) -> float:
    """Separation power over all cross-class pairs of the fitted rows."""
    histogram = cross_class(matrix, classes)
    bins = (histogram.centres * (selection.weights.size / (2.0 * matrix.shape[1]))).astype(int)
    weights = selection.weights[np.minimum(bins, selection.weights.size - 1)]
    return separation_power(float(histogram.counts @ weights) / histogram.n_pairs)


def _chosen(
    name: str, selection: Selection, feature_set: FeatureSet, confirmed: Confirmation, exact: float | None
) -> ChosenFeatures:
    top = 2.0 * len(selection.features)
    pictures = (histogram_nb(d, PICTURE_BINS, top) for d in (selection.distances, selection.same_distances))
    return ChosenFeatures(
        label=name,
        power=selection.power,
        power_random=selection.power_random,
        cross_class_mass=selection.cross_class_mass,
        same_class_mass=selection.same_class_mass,
        n_evaluations=selection.n_evaluations,
        histogram=DistanceHistograms(top, *(tuple(counts.tolist()) for counts in pictures)),
        feature_set=feature_set,
        confirmation=LaterPower(
            confirmed.power, *confirmed.estimate.power_interval(), confirmed.power_random, confirmed.p_value
        ),
        power_exact=exact,
    )


def run(inputs: FeatureInputs, work: Work) -> FeatureSets:
    """Choose the feature sets of all labels."""
    bars, labels = inputs.train_bars, inputs.labels.value
    count = itertools.count(1)
    work.progress(0, len(labels.names))
    train = TrainPart(
        inputs_of(bars),
        usable_bars(bars.filled, warm_up_of(inputs.candidates, inputs.normalisation)),
        inputs.boundary,
        inputs.candidates,
        inputs.normalisation,
        inputs.separation,
        inputs.seeds,
    )
    return choose_sets(
        train,
        dict(labels.values),
        threads=work.threads,
        done=lambda: work.progress(next(count), len(labels.names)),
    )


STAGE = Stage("features", FeatureInputs, FeatureSets, run)
