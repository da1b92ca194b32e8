"""Search for the feature set of a label: coordinate search over parameters on fixed pairs.

L1 distance is a sum over features, so changing the parameters of one feature replaces one term of every pair's
distance. All candidates of a feature are scored against the unchanged rest at once.
"""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from feature_space.feature_set import N_THREADS, Feature
from feature_space.indicators import Indicator, Inputs
from feature_space.normalise import Normalisation
from feature_space.separation import N_BINS, Pairs, near_zero_weights, separation_power


def parameter_grid(indicator: Indicator, n_values: int) -> list[tuple[int, ...]]:
    """At most about ``n_values`` settings of an indicator, spread geometrically over its intervals, ends included."""
    dims = len(indicator.parameters)
    each = max(2, round(n_values ** (1.0 / dims)))
    axes = [
        sorted({int(v) for v in np.rint(np.geomspace(low, high, each))})
        for low, high in indicator.parameters.values()
    ]
    return list(itertools.product(*axes))


class Candidates(NamedTuple):
    """Normalised values of every candidate at the bars in use.

    ``features[f]`` lists the settings of feature ``f``; candidate ``c`` of it is row ``offsets[f] + c`` of
    ``values``, float32 of shape (n_candidates, n_rows); ``position`` maps a bar number to its column, -1 if unused.
    """

    features: list[list[Feature]]
    offsets: NDArray[np.int64]
    values: NDArray[np.float32]
    position: NDArray[np.int64]


def compute_candidates(
    indicators: Sequence[Indicator],
    inputs: Inputs,
    rows: NDArray[np.int64],
    normalisation: Normalisation,
    *,
    n_values: int,
    fit_stop: int,
) -> Candidates:
    """Compute every candidate once, for all labels; scales are fitted on the first ``fit_stop`` bars."""
    inputs = Inputs(*(column[: int(rows[-1]) + 1] for column in inputs))
    settings = [[(i, p) for p in parameter_grid(i, n_values)] for i in indicators]
    offsets = np.cumsum([0] + [len(s) for s in settings])
    values = np.empty((offsets[-1], rows.size), dtype=np.float32)

    def fill(item: tuple[int, tuple[Indicator, tuple[int, ...]]]) -> Feature:
        row, (indicator, parameters) = item
        raw = indicator.compute(inputs, parameters)
        scale = normalisation.fit(raw[:fit_stop])
        values[row] = normalisation.apply(raw, scale)[rows]
        return Feature(indicator.name, parameters, scale)

    with ThreadPoolExecutor(N_THREADS) as pool:
        flat = list(pool.map(fill, enumerate(itertools.chain.from_iterable(settings))))
    position = np.full(inputs.close.size, -1, dtype=np.int64)
    position[rows] = np.arange(rows.size)
    grouped = [flat[a:b] for a, b in itertools.pairwise(offsets)]
    return Candidates(grouped, offsets, values, position)


@njit(cache=True, parallel=True)
def score_candidates_nb(rest, values, left, right, weights, top):
    """Near-zero mass of ``rest + |value_left - value_right|`` for each row of ``values``; parallel over rows."""
    n_candidates, n_bins = values.shape[0], weights.size
    out = np.empty(n_candidates)
    for c in prange(n_candidates):
        row = values[c]
        counts = np.zeros(n_bins, dtype=np.int64)
        for m in range(left.size):
            d = rest[m] + abs(np.float64(row[left[m]]) - np.float64(row[right[m]]))
            counts[min(int(d * (n_bins / top)), n_bins - 1)] += 1
        total = 0.0
        for b in range(n_bins):
            total += counts[b] * weights[b]
        out[c] = total / left.size
    return out


@njit(cache=True)
def term_nb(row, left, right):
    """Distance term of one feature for each pair."""
    out = np.empty(left.size)
    for m in range(left.size):
        out[m] = abs(np.float64(row[left[m]]) - np.float64(row[right[m]]))
    return out


@dataclass(frozen=True)
class Selection:
    """Result of a search.

    Attributes
    ----------
    features : tuple of Feature
        The chosen set.
    power, power_random : float
        Separation power of the chosen set, and the median over random sets.
    same_class_mass, cross_class_mass : float
        Near-zero mass of same-class and of cross-class pairs in the chosen set; where both are alike, separation
        power was gained by mere spread.
    n_evaluations : int
        Candidates scored.
    distances, same_distances : float64 (M,)
        Distances of the cross-class and same-class pairs in the chosen set.
    """

    features: tuple[Feature, ...]
    power: float
    power_random: float
    same_class_mass: float
    cross_class_mass: float
    n_evaluations: int
    distances: NDArray[np.float64]
    same_distances: NDArray[np.float64]


class _Search:
    """Distances of fixed pairs under a changing choice of candidates."""

    def __init__(self, candidates: Candidates, pairs: Pairs, quantile: float | None, rng: np.random.Generator):
        self.candidates = candidates
        self.left, self.right = candidates.position[pairs.left], candidates.position[pairs.right]
        self.n_features = len(candidates.features)
        self.rng = rng
        self.n_evaluations = 0
        cut = None
        if quantile is not None:
            cut = float(np.quantile(self.distances(self.random_choice()), quantile))
        self.weights = near_zero_weights(self.n_features, N_BINS, cut)

    def random_choice(self) -> NDArray[np.int64]:
        return np.array([self.rng.integers(len(group)) for group in self.candidates.features])

    def term(self, feature: int, choice: int) -> NDArray[np.float64]:
        row = self.candidates.values[self.candidates.offsets[feature] + choice]
        return term_nb(row, self.left, self.right)

    def distances(self, choice: NDArray[np.int64]) -> NDArray[np.float64]:
        total = np.zeros(self.left.size)
        for feature in range(self.n_features):
            total += self.term(feature, choice[feature])
        return total

    def score(self, rest: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
        self.n_evaluations += last - first
        top = 2.0 * self.n_features
        values = self.candidates.values[first:last]
        return score_candidates_nb(rest, values, self.left, self.right, self.weights, top)

    def mass(self, choice: NDArray[np.int64]) -> float:
        first = self.candidates.offsets[0] + choice[0]
        rest = self.distances(choice) - self.term(0, choice[0])
        return float(self.score(np.maximum(rest, 0.0), first, first + 1)[0])

    def climb(self, choice: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
        """Change one feature at a time until no single change lowers the near-zero mass."""
        best = self.mass(choice)
        improved = True
        while improved:
            improved = False
            for feature in self.rng.permutation(self.n_features):
                rest = self.distances(choice) - self.term(feature, choice[feature])
                first, last = self.candidates.offsets[feature], self.candidates.offsets[feature + 1]
                masses = self.score(np.maximum(rest, 0.0), first, last)
                winner = int(np.argmin(masses))
                if winner != choice[feature] and masses[winner] < best * (1.0 - 1e-9):
                    choice[feature], best, improved = winner, float(masses[winner]), True
        return choice, best


def select(
    candidates: Candidates,
    cross: Pairs,
    same: Pairs,
    *,
    n_restarts: int,
    seed: int,
    quantile: float | None = None,
    n_random: int = 15,
) -> Selection:
    """Choose the set of largest separation power on the given pairs.

    Parameters
    ----------
    candidates : Candidates
    cross, same : Pairs
        Cross-class pairs that are scored, and same-class pairs that stand beside them.
    n_restarts : int
        Coordinate searches from random starts; the best end counts.
    quantile : float, optional
        Use weight 1 below this quantile of a random set's distances instead of the Gaussian weight.
    n_random : int
        Random sets behind ``power_random``.
    """
    search = _Search(candidates, cross, quantile, np.random.default_rng(seed))
    random_mass = float(np.median([search.mass(search.random_choice()) for _ in range(n_random)]))
    choice, mass = min(
        (search.climb(search.random_choice()) for _ in range(n_restarts)), key=lambda end: end[1]
    )
    beside = _Search(candidates, same, None, np.random.default_rng(seed))
    beside.weights = search.weights
    return Selection(
        features=tuple(group[c] for group, c in zip(candidates.features, choice, strict=True)),
        power=separation_power(mass),
        power_random=separation_power(random_mass),
        same_class_mass=beside.mass(choice),
        cross_class_mass=mass,
        n_evaluations=int(search.n_evaluations),
        distances=search.distances(choice),
        same_distances=beside.distances(choice),
    )
