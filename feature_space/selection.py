"""Search for the feature set of a label: coordinate search over parameters on fixed pairs of bars.

The L1 distance is a sum over features, so changing the parameters of one feature replaces one term of every pair's
distance. The terms of all candidates are computed once; a step adds those of one feature to the unchanged rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from feature_space.candidates import Candidates, indicators_of, only
from feature_space.feature_set import Feature
from feature_space.separation import N_BINS, Pairs, near_zero_weights, separation_power

CONTRAST_WIDTH = 0.35  # Gaussian width of "near", as a share of the mean distance
CONTRAST_TOP = 3.0  # bins reach this many mean distances; the weight beyond is negligible
TINY = 1e-12


def contrast_weights() -> NDArray[np.float64]:
    """Weight of each distance bin on [0, CONTRAST_TOP mean distances]: exp(-(d/(CONTRAST_WIDTH mean))^2)."""
    centres = (np.arange(N_BINS) + 0.5) * (CONTRAST_TOP / N_BINS)
    return np.exp(-((centres / CONTRAST_WIDTH) ** 2))


@njit(cache=True, nogil=True)
def pair_terms_nb(values, left, right):
    """|value_left - value_right| of every candidate and pair, (n_candidates, M) array of float32."""
    out = np.empty((values.shape[0], left.size), dtype=np.float32)
    for c in range(values.shape[0]):
        row = values[c]
        for m in range(left.size):
            out[c, m] = abs(row[left[m]] - row[right[m]])
    return out


@njit(cache=True, nogil=True)
def near_zero_masses_nb(rest, terms, weights, tops):
    """Mean weight of the pair distances ``rest + term`` for each row of ``terms``; (n_candidates,) array of float64.

    ``weights`` are those of equal bins on [0, top], with a ``top`` for each candidate; the last holds beyond it.
    """
    out = np.empty(terms.shape[0])
    for c in range(terms.shape[0]):
        total = 0.0
        per_unit, last = weights.size / tops[c], weights.size - 1
        for m in range(rest.size):
            total += weights[min(int((rest[m] + terms[c, m]) * per_unit), last)]
        out[c] = total / rest.size
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
        Near-zero mass of same-class and of cross-class pairs in the chosen set; where the two are alike, the
        separation power comes from the spread of all features alone.
    n_evaluations : int
        Candidates scored.
    distances, same_distances : (M,) array of float64
        Distances of the cross-class and same-class pairs in the chosen set.
    weights : (n_bins,) array of float64
        Weight of each distance bin that the search used.
    """

    features: tuple[Feature, ...]
    power: float
    power_random: float
    same_class_mass: float
    cross_class_mass: float
    n_evaluations: int
    distances: NDArray[np.float64]
    same_distances: NDArray[np.float64]
    weights: NDArray[np.float64]


class PairSearch:
    """Separation of fixed pairs under a changing choice of candidates; one thread, no shared state.

    With ``cross`` pairs alone the objective is their near-zero mass. With ``same`` pairs too it is the contrast: the
    mass of cross-class over that of same-class pairs, with "near zero" relative to the mean distance, so that scaling
    all distances changes nothing. Lower is better for both.
    """

    def __init__(
        self, candidates: Candidates, cross: Pairs, rng: np.random.Generator, same: Pairs | None = None
    ) -> None:
        self.offsets, self.pairs = candidates.offsets, cross
        self.n_features = len(candidates.features)
        position = candidates.position
        self.terms = [
            pair_terms_nb(candidates.values, position[pairs.left], position[pairs.right])
            for pairs in ((cross,) if same is None else (cross, same))
        ]
        self.mean_terms = np.mean([terms.mean(axis=1, dtype=np.float64) for terms in self.terms], axis=0)
        self.rng = rng
        self.n_evaluations = 0
        self.weights = near_zero_weights(self.n_features) if same is None else contrast_weights()

    def random_choice(self) -> NDArray[np.int64]:
        """One candidate for each feature."""
        return self.rng.integers(np.diff(self.offsets))

    def distances(self, choice: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        """L1 distance of each pair, (M,) array of float64, for cross-class and, if given, same-class pairs."""
        rows = self.offsets[:-1] + choice
        totals = [np.zeros(terms.shape[1]) for terms in self.terms]
        for total, terms in zip(totals, self.terms, strict=True):
            for row in rows:
                total += terms[row]
        return totals

    def objective(self, rests: list[NDArray[np.float64]], first: int, last: int) -> NDArray[np.float64]:
        """Mass or contrast with each of the candidates ``first`` to ``last`` added to the rest."""
        self.n_evaluations += int(last - first)
        tops = np.full(last - first, 2.0 * self.n_features)
        if len(rests) == 2:
            tops = CONTRAST_TOP * (np.mean([rest.mean() for rest in rests]) + self.mean_terms[first:last])
        masses = [
            near_zero_masses_nb(rest, terms[first:last], self.weights, tops)
            for rest, terms in zip(rests, self.terms, strict=True)
        ]
        return masses[0] if len(masses) == 1 else masses[0] / np.maximum(masses[1], TINY)

    def mass(self, choice: NDArray[np.int64]) -> float:
        """Mass or contrast of one choice."""
        row = self.offsets[0] + choice[0]
        rests = [d - terms[row] for d, terms in zip(self.distances(choice), self.terms, strict=True)]
        return float(self.objective(rests, row, row + 1)[0])

    def climb(self, choice: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
        """Change one feature at a time until no single change lowers the mass or contrast."""
        best, totals = self.mass(choice), self.distances(choice)
        improved = True
        while improved:
            improved = False
            for feature in self.rng.permutation(self.n_features):
                first, last = self.offsets[feature], self.offsets[feature + 1]
                old = first + choice[feature]
                rests = [total - terms[old] for total, terms in zip(totals, self.terms, strict=True)]
                scores = self.objective(rests, first, last)
                winner = int(np.argmin(scores))
                if winner != choice[feature] and scores[winner] < best * (1.0 - 1e-9):
                    choice[feature], best, improved = winner, float(scores[winner]), True
                    totals = [r + terms[first + winner] for r, terms in zip(rests, self.terms, strict=True)]
        return choice, best


def select(
    candidates: Candidates,
    cross: Pairs,
    same: Pairs,
    *,
    n_restarts: int,
    seed: int,
    quantile: float | None = None,
    contrast: tuple[Pairs, Pairs] | None = None,
    n_random: int = 15,
) -> Selection:
    """Choose the set of largest separation power, or of best contrast, on the given pairs.

    Parameters
    ----------
    candidates : Candidates
    cross, same : Pairs
        Cross-class pairs that are scored, and same-class pairs for comparison.
    n_restarts : int
        Coordinate searches from random starts, of which the best result is kept.
    quantile : float, optional
        Use weight 1 below this quantile of a random set's distances instead of the Gaussian weight.
    contrast : (Pairs, Pairs), optional
        Class-balanced cross-class and same-class pairs: search for the best contrast on them. Powers and masses in the
        result are still those of ``cross`` and ``same``.
    n_random : int
        Random sets whose median is ``power_random``.
    """
    plain = PairSearch(candidates, cross, np.random.default_rng(seed))
    if quantile is not None:
        near = float(np.quantile(plain.distances(plain.random_choice())[0], quantile))
        plain.weights = near_zero_weights(plain.n_features, quantile=near)
    random_mass = float(np.median([plain.mass(plain.random_choice()) for _ in range(n_random)]))
    search = plain
    if contrast is not None:
        search = PairSearch(candidates, contrast[0], np.random.default_rng(seed), contrast[1])
    choice, _ = min((search.climb(search.random_choice()) for _ in range(n_restarts)), key=lambda end: end[1])
    found = _measured(candidates, candidates.offsets[:-1] + choice, plain, same, random_mass)
    return replace(found, n_evaluations=search.n_evaluations)


def measure(
    candidates: Candidates, rows: Sequence[int], cross: Pairs, same: Pairs, *, seed: int, n_random: int = 15
) -> Selection:
    """Separation power of a set that was chosen otherwise, and of random settings of the same indicators."""
    plain = PairSearch(indicators_of(candidates, np.array(rows)), cross, np.random.default_rng(seed))
    random_mass = float(np.median([plain.mass(plain.random_choice()) for _ in range(n_random)]))
    return _measured(candidates, np.array(rows), plain, same, random_mass)


def _measured(
    candidates: Candidates, rows: NDArray[np.int64], plain: PairSearch, same: Pairs, random_mass: float
) -> Selection:
    """Figures of a set on cross-class pairs, those of ``plain``, and on same-class pairs."""
    chosen, alone = only(candidates, rows), np.zeros(len(rows), dtype=np.int64)
    across = PairSearch(chosen, plain.pairs, plain.rng)
    beside = PairSearch(chosen, same, plain.rng)
    across.weights = beside.weights = plain.weights
    mass = across.mass(alone)
    return Selection(
        features=tuple(chosen.flat),
        power=separation_power(mass),
        power_random=separation_power(random_mass),
        same_class_mass=beside.mass(alone),
        cross_class_mass=mass,
        n_evaluations=0,
        distances=across.distances(alone)[0],
        same_distances=beside.distances(alone)[0],
        weights=plain.weights,
    )
