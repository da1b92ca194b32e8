"""The choice of feature sets by separation power, in one market or in several together, and its confirmation.

Chosen on the fitted part of train, confirmed on the validation part, which is purged of the bars that fitted labels
depend on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.across import SideBySide, arranged, matrices, ranked_candidates
from feature_space.candidates import Candidates, compute_candidates, joined
from feature_space.confirmation import Confirmation, LaterBars, confirm
from feature_space.feature_set import Feature, FeatureSet
from feature_space.histograms import cross_class
from feature_space.indicators import Inputs
from feature_space.proof import prove_feature
from feature_space.selection import Selection, measure, select
from feature_space.separation import Pairs, histogram_nb, separation_power
from labelsearch.labels.base import LabelValues
from labelsearch.results.features import ChosenFeatures, DistanceHistograms, FeatureSets, HeldOut, LaterPower
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.discriminant_choice import DiscriminantChoice, choose_by_discriminant, held_out, random_rows
from labelsearch.stages.feature_rows import LabelledRows, TrainPart, labelled_rows, starved

PICTURE_BINS = 36
NEAR_QUANTILE = 0.2
N_RANDOM_SETS = 5  # sets that a confirmed power is compared with
CONFIRM_SHARE = 4  # confirmation draws a quarter of the pairs of the choice, for each shift


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


def _parts(markets: Sequence[TrainPart], entries: Mapping[str, Mapping[int, LabelledRows]]) -> "list[_Part]":
    """Candidates of every market, at the bars of its pairs for all labels."""
    rows = []
    for i, market in enumerate(markets):
        used = [bars for its in entries.values() if i in its for bars in its[i].bars()]
        rows.append(np.unique(np.concatenate(used)) if used else np.array([market.boundary - 1]))  # for the scales
    candidates = _candidates(markets, rows)
    offsets = np.cumsum([0] + [its.position.size for its in candidates])
    shared = markets[0].settings.criterion != "discriminant"  # random sets are as large as that of the label there
    later = _later(markets, map(_random_sets, markets, candidates)) if shared else [[] for _ in markets]
    return [
        _Part(market, int(offset), its, its_later)
        for market, offset, its, its_later in zip(markets, offsets[:-1], candidates, later, strict=True)
    ]


def _later(markets: Sequence[TrainPart], sets: Iterable[Sequence[FeatureSet]]) -> list[list[NDArray[np.float32]]]:
    """Features of the sets of each market, as many of each, on its rows from validation on."""
    boundaries, columns = [market.boundary for market in markets], _columns(markets)
    by_set = [matrices(its, columns, starts=boundaries) for its in zip(*sets, strict=True)]
    return [list(its) for its in zip(*by_set, strict=True)]


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


def _entries(markets: Sequence[TrainPart], values: Sequence[LabelValues], name: str) -> dict[int, LabelledRows]:
    """A label in the markets that can serve its choice, by their number."""
    reasons = [starved(market, name, its) for market, its in zip(markets, values, strict=True)]
    serving = [i for i, reason in enumerate(reasons) if not reason]
    if not serving:
        raise ExperimentError(reasons[0])
    rng = np.random.default_rng(markets[0].seeds("pairs", name))
    n_pairs, n_bars = (max(n // len(serving), 1) for n in (markets[0].settings.n_pairs, markets[0].settings.n_bars))
    return {i: labelled_rows(markets[i], values[i], n_pairs, n_bars, rng) for i in serving}


class _Part(NamedTuple):
    """A market, its place among the joined candidates, its own candidates, and random sets on its validation rows."""

    market: TrainPart
    offset: int
    candidates: Candidates
    later: list[NDArray[np.float32]]

    def set_of(self, features: Sequence[Feature]) -> FeatureSet:
        """The same features, as fitted on this market."""
        fitted = {(f.name, f.parameters): f for f in self.candidates.flat}
        return FeatureSet(tuple(fitted[f.name, f.parameters] for f in features), self.market.normalisation)


def _choose(
    parts: Sequence[_Part], name: str, entries: Mapping[int, LabelledRows], pooled: Candidates
) -> list[ChosenFeatures]:
    """The set of one label, with the scales of each market."""
    first = parts[0].market
    settings = first.settings

    def together(pairs: Callable[[LabelledRows], Pairs]) -> Pairs:
        moved = [(pairs(entry), parts[i].offset) for i, entry in entries.items()]
        return Pairs(*(np.concatenate([getattr(p, side) + n for p, n in moved]) for side in ("left", "right")))

    cross, same = together(lambda entry: entry.cross), together(lambda entry: entry.same)
    choice = None
    if settings.criterion == "discriminant":
        drawn = {i: entry.drawn for i, entry in entries.items() if entry.drawn}
        choice = choose_by_discriminant(pooled, drawn, [part.offset for part in parts], settings)
        selection = measure(pooled, choice.rows, cross, same, seed=first.seeds("selection", name))
        selection = replace(selection, n_evaluations=choice.found.n_evaluations)
    else:
        contrast = None
        if settings.criterion == "contrast":
            contrast = (together(lambda entry: entry.pairs()[2]), together(lambda entry: entry.pairs()[3]))
        selection = select(
            pooled,
            cross,
            same,
            n_restarts=settings.n_restarts,
            seed=first.seeds("selection", name),
            quantile=NEAR_QUANTILE if settings.criterion == "quantile" else None,
            contrast=contrast,
        )
    return _confirmed(parts, name, entries, selection, choice, _random_of(parts, name, pooled, choice))


def _random_of(
    parts: Sequence[_Part], name: str, pooled: Candidates, choice: DiscriminantChoice | None
) -> list[tuple[int, ...]]:
    """Candidates of random sets of as many indicators as that of a label has; none where all have all."""
    rng = np.random.default_rng(parts[0].market.seeds("random sets", name))
    return [random_rows(pooled, len(choice.rows), rng) for _ in range(N_RANDOM_SETS)] if choice else []


def _confirmed(
    parts: Sequence[_Part],
    name: str,
    entries: Mapping[int, LabelledRows],
    selection: Selection,
    choice: DiscriminantChoice | None,
    random: Sequence[tuple[int, ...]],
) -> list[ChosenFeatures]:
    """A chosen set with the scales of each market, and how it does on later bars."""
    markets, first = [part.market for part in parts], parts[0].market
    settings = first.settings
    for market in markets:
        for feature in selection.features:
            prove_feature(feature, market.inputs)
    own_sets = [part.set_of(selection.features) for part in parts]
    others = [part.later for part in parts]
    if choice:
        others = _later(
            markets, ([part.set_of([part.candidates.flat[r] for r in its]) for its in random] for part in parts)
        )
    made = matrices(own_sets, _columns(markets), list(entries))
    later, fitted = [], []
    for (i, entry), matrix in zip(entries.items(), made, strict=True):
        rows = entry.validation - parts[i].market.boundary
        later.append(
            LaterBars(matrix[entry.validation], [its[rows] for its in others[i]], entry.classes[entry.validation])
        )
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
    left = None
    if choice:
        left = held_out(choice, random, later, settings.n_shifts, np.random.default_rng(first.seeds("held out", name)))
    return [_chosen(name, selection, feature_set, confirmed, exact, left) for feature_set in own_sets]


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
    name: str,
    selection: Selection,
    feature_set: FeatureSet,
    confirmed: Confirmation,
    exact: float | None,
    left: HeldOut | None,
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
        held_out=left,
    )
