"""The choice of feature sets by separation power, in one market or in several together, and its confirmation.

Chosen on the fitted part of train, confirmed on the validation part, which is purged of the bars that fitted labels
depend on.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.across import SideBySide, arranged, matrices, ranked_candidates
from feature_space.confirmation import Confirmation, LaterBars, confirm
from feature_space.feature_set import Feature, FeatureSet
from feature_space.histograms import cross_class
from feature_space.indicators import Indicator, Inputs
from feature_space.normalise import Normalisation
from feature_space.proof import prove_feature
from feature_space.selection import Candidates, Selection, compute_candidates, joined, select
from feature_space.separation import Pairs, histogram_nb, sample_pairs, separation_power
from labelsearch.labels.base import LabelValues
from labelsearch.labels.spans import purged_split
from labelsearch.results.features import ChosenFeatures, DistanceHistograms, FeatureSets, LaterPower
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Separation
from labelsearch.stages.seeds import Seeds

PICTURE_BINS = 36
NEAR_QUANTILE = 0.2
N_RANDOM_SETS = 5  # sets that a confirmed power is compared with
CONFIRM_SHARE = 4  # confirmation draws a quarter of the pairs of the choice, for each shift


class TrainPart(NamedTuple):
    """What feature sets are chosen on: the T grid rows of train."""

    inputs: Inputs  # (T,) each
    usable: NDArray[np.bool_]  # (T,)
    boundary: int  # first validation row
    candidates: tuple[Indicator, ...]
    normalisation: Normalisation
    settings: Separation
    seeds: Seeds
    ranked: NDArray[np.bool_] | None = None  # (T,) whether the market is ranked among others, where they are
    first_bar: int = 0  # number of the first row, by which rows of several markets are of the same time


class _Labelled(NamedTuple):
    """Rows and classes of one label in train, and the pairs that its choice is made on."""

    classes: NDArray[np.int8]  # (T,)
    fit: NDArray[np.int64]
    validation: NDArray[np.int64]
    cross: Pairs
    same: Pairs
    contrast: tuple[Pairs, Pairs] | None  # class-balanced cross and same pairs, where the criterion needs them

    def pairs(self) -> list[Pairs]:
        """All kinds of pairs."""
        return [self.cross, self.same, *(self.contrast or ())]


def _starved(train: TrainPart, name: str, values: LabelValues) -> str:
    """Why a market cannot serve the choice for a label; empty if it can."""
    if not train.usable[: train.boundary].any():
        return (
            f"the fitted part of train has {train.boundary:,} bars, and the indicators need more before their first "
            "value: lengthen train, or name indicators with shorter intervals"
        )
    split = purged_split(values.last_used, train.usable, train.boundary, train.usable.size)
    for part, rows in zip(("fitted", "validation"), split, strict=True):
        present = np.bincount(values.classes[rows], minlength=3)
        if (present < 2).any():
            return (
                f"label {name} marks {present[0]} buy, {present[1]} neutral and {present[2]} sell bars in the {part} "
                "part of train, which is too few: remove the label or lengthen the window"
            )
    return ""


def _labelled(train: TrainPart, values: LabelValues, n_pairs: int, rng: np.random.Generator) -> _Labelled:
    fit, validation = purged_split(values.last_used, train.usable, train.boundary, train.usable.size)

    def draw(*, cross: bool, balanced: bool) -> Pairs:
        return sample_pairs(values.classes, fit, n_pairs, rng, cross=cross, balanced=balanced)

    uniform = (draw(cross=True, balanced=False), draw(cross=False, balanced=False))
    contrast = None
    if train.settings.criterion == "contrast":
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
    markets: Sequence[TrainPart],
    labels: Sequence[Mapping[str, LabelValues]],
    *,
    threads: int = 1,
    done: Callable[[], None] = lambda: None,
) -> list[FeatureSets]:
    """Choose and confirm the feature set of each label; the result for a label does not depend on the others.

    With several markets one set is chosen for all, on pairs of bars within each, as many in each. A market that has too
    few bars of a class for a label does not take part in its choice.

    Parameters
    ----------
    markets : sequence of TrainPart
        With the same candidates, normalisation, settings and seeds.
    labels : sequence of mapping of str to LabelValues
        Labels by name of each market, of the rows of train or more.
    threads : int
        The result does not depend on it.
    done : callable
        Called after each label.

    Returns
    -------
    list of FeatureSets
        For each market: the same sets and figures, with the market's own scales.

    Raises
    ------
    ExperimentError
        If no market has enough bars of each class for a label.
    """
    names, settings = list(labels[0]), markets[0].settings
    entries = {name: _entries(markets, [its[name] for its in labels], name) for name in names}
    parts = _parts(markets, entries)
    pooled = joined([part.candidates for part in parts])

    def choose(name: str) -> list[ChosenFeatures]:
        chosen = _choose(parts, name, entries[name], pooled)
        done()
        return chosen

    if settings.exact:  # uses all threads itself
        found = [choose(name) for name in names]
    else:
        # the kernels release the lock; each label is searched by one thread
        with ThreadPoolExecutor(min(threads, len(names))) as pool:
            found = list(pool.map(choose, names))
    return [FeatureSets(tuple(of_market)) for of_market in zip(*found, strict=True)]


def _parts(markets: Sequence[TrainPart], entries: Mapping[str, Mapping[int, _Labelled]]) -> "list[_Part]":
    """Candidates of every market, at the bars of its pairs for all labels."""
    rows = []
    for i, market in enumerate(markets):
        sides = [
            s for its in entries.values() if i in its for pairs in its[i].pairs() for s in (pairs.left, pairs.right)
        ]
        rows.append(np.unique(np.concatenate(sides)) if sides else np.array([market.boundary - 1]))  # for the scales
    candidates = _candidates(markets, rows)
    offsets = np.cumsum([0] + [its.position.size for its in candidates])
    boundaries = [market.boundary for market in markets]
    # the n-th random set of each market
    sets = zip(*map(_random_sets, markets, candidates), strict=True)
    later = zip(*(matrices(its, _columns(markets), starts=boundaries) for its in sets), strict=True)
    return [
        _Part(market, int(offset), its, list(its_later))
        for market, offset, its, its_later in zip(markets, offsets[:-1], candidates, later, strict=True)
    ]


def _columns(markets: Sequence[TrainPart]) -> SideBySide | list[Inputs]:
    """What the matrices of all markets are made of."""
    return arranged(*zip(*((its.inputs, its.ranked, its.first_bar) for its in markets), strict=True))


def _candidates(markets: Sequence[TrainPart], rows: Sequence[NDArray[np.int64]]) -> list[Candidates]:
    """Candidates of every market at some rows of it."""
    columns, first = _columns(markets), markets[0]
    if isinstance(columns, SideBySide):
        return ranked_candidates(first.candidates, columns, rows, n_values=first.settings.n_values)
    return [
        compute_candidates(
            market.candidates,
            market.inputs,
            its,
            market.normalisation,
            n_values=market.settings.n_values,
            fit_stop=market.boundary,
        )
        for market, its in zip(markets, rows, strict=True)
    ]


def _entries(markets: Sequence[TrainPart], values: Sequence[LabelValues], name: str) -> dict[int, _Labelled]:
    """A label in the markets that can serve its choice, by their number."""
    reasons = [_starved(market, name, its) for market, its in zip(markets, values, strict=True)]
    serving = [i for i, reason in enumerate(reasons) if not reason]
    if not serving:
        raise ExperimentError(reasons[0])
    rng = np.random.default_rng(markets[0].seeds("pairs", name))
    n_pairs = max(markets[0].settings.n_pairs // len(serving), 1)
    return {i: _labelled(markets[i], values[i], n_pairs, rng) for i in serving}


class _Part(NamedTuple):
    """A market, its place among the joined candidates, its own candidates, and random sets on its validation rows."""

    market: TrainPart
    offset: int
    candidates: Candidates
    later: list[NDArray[np.float32]]


def _choose(
    parts: Sequence[_Part], name: str, entries: Mapping[int, _Labelled], pooled: Candidates
) -> list[ChosenFeatures]:
    """The set of one label, with the scales of each market."""
    first = parts[0].market
    settings = first.settings

    def together(pairs: Callable[[_Labelled], Pairs]) -> Pairs:
        moved = [(pairs(entry), parts[i].offset) for i, entry in entries.items()]
        return Pairs(*(np.concatenate([getattr(p, side) + n for p, n in moved]) for side in ("left", "right")))

    contrast = None
    if settings.criterion == "contrast":
        contrast = (together(lambda entry: entry.pairs()[2]), together(lambda entry: entry.pairs()[3]))
    selection = select(
        pooled,
        together(lambda entry: entry.cross),
        together(lambda entry: entry.same),
        n_restarts=settings.n_restarts,
        seed=first.seeds("selection", name),
        quantile=NEAR_QUANTILE if settings.criterion == "quantile" else None,
        contrast=contrast,
    )
    own_sets, later, fitted = [], [], []
    for part in parts:
        for feature in selection.features:
            prove_feature(feature, part.market.inputs)
        own_sets.append(FeatureSet(_with_scales_of(part.candidates, selection.features), first.normalisation))
    made = matrices(own_sets, _columns([part.market for part in parts]), list(entries))
    for (i, entry), matrix in zip(entries.items(), made, strict=True):
        rows = entry.validation - parts[i].market.boundary
        others = [other[rows] for other in parts[i].later]
        later.append(LaterBars(matrix[entry.validation], others, entry.classes[entry.validation]))
        if settings.exact:
            fitted.append((matrix[entry.fit], entry.classes[entry.fit]))
    confirmed = confirm(
        later,
        n_pairs=max(settings.n_pairs // CONFIRM_SHARE, 1),
        n_shifts=settings.n_shifts,
        seed=first.seeds("confirmation", name),
        weights=selection.weights,
    )
    exact = _exact_power(fitted, selection) if settings.exact else None
    return [_chosen(name, selection, feature_set, confirmed, exact) for feature_set in own_sets]


def _with_scales_of(candidates: Candidates, features: Sequence[Feature]) -> tuple[Feature, ...]:
    """The same features, as fitted on a market."""
    fitted = {(f.name, f.parameters): f for group in candidates.features for f in group}
    return tuple(fitted[f.name, f.parameters] for f in features)


def _exact_power(fitted: Sequence[tuple[NDArray[np.float32], NDArray[np.int8]]], selection: Selection) -> float:
    """Separation power over all cross-class pairs of the fitted rows (N, F) and classes (N,) of each market."""
    total, n_pairs = 0.0, 0
    for matrix, classes in fitted:
        histogram = cross_class(matrix, classes)
        bins = (histogram.centres * (selection.weights.size / (2.0 * matrix.shape[1]))).astype(int)
        weights = selection.weights[np.minimum(bins, selection.weights.size - 1)]
        total += float(histogram.counts @ weights)
        n_pairs += histogram.n_pairs
    return separation_power(total / n_pairs)


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
