"""The choice of a feature set by discriminant, and how it does on later bars against random sets and shifted labels."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.candidates import Candidates
from feature_space.confirmation import LaterBars
from feature_space.discriminant import KIND_NAMES, DrawnRows, class_products, make_problems
from feature_space.discriminant_search import DiscriminantSearch, FoundSet
from feature_space.held_out import LaterValues, fit_discriminant, later_errors
from labelsearch.results.features import HeldOut
from labelsearch.settings.sections import Separation


class DiscriminantChoice(NamedTuple):
    """What was found for one label."""

    found: FoundSet
    products: NDArray[np.float64]  # see `feature_space.discriminant.class_products`
    search: DiscriminantSearch

    @property
    def rows(self) -> tuple[int, ...]:
        """Candidates of the set, in the order of the indicators."""
        return self.found.rows


def choose_by_discriminant(
    pooled: Candidates, drawn: Mapping[int, DrawnRows], offsets: Sequence[int], settings: Separation
) -> DiscriminantChoice:
    """The set of a label.

    Parameters
    ----------
    pooled : Candidates
        Of all markets as of one.
    drawn : mapping of int to DrawnRows
        Bars of each market that serves the choice, by its number.
    offsets : sequence of int
        Of every market: what its bars are moved by among the joined ones.
    settings : Separation
    """
    values = np.concatenate([pooled.at(its.rows + offsets[i]) for i, its in drawn.items()], axis=1)
    products = class_products(values, list(drawn.values()))
    search = DiscriminantSearch(make_problems(products), pooled.offsets, np.array(settings.kind_weights))
    n = len(pooled.features)
    exactly = min(settings.n_features or (0 if settings.subset else n), n)
    found = search.search(n, exactly)
    if not found.rows:  # nothing is better than nothing: the best single feature, so that there is a set
        found = search.search(n, 1)
    return DiscriminantChoice(found, products, search)


def random_rows(pooled: Candidates, size: int, rng: np.random.Generator) -> tuple[int, ...]:
    """A random setting of each of some random indicators."""
    which = np.sort(rng.permutation(len(pooled.features))[:size])
    settings = rng.integers(np.diff(pooled.offsets)[which])
    return tuple((pooled.offsets[which] + settings).tolist())


def held_out(
    choice: DiscriminantChoice,
    others: Sequence[tuple[int, ...]],
    later: Sequence[LaterBars],
    n_shifts: int,
    rng: np.random.Generator,
) -> HeldOut:
    """Errors of a set on bars that it was not chosen on; one that lacks a kind of pairs there does without it."""

    def errors(
        rows: tuple[int, ...], matrices: Sequence[NDArray[np.float32]], shifts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        fitted = fit_discriminant(choice.products, rows)
        parts = [LaterValues(fitted.values(matrix), part.classes) for matrix, part in zip(matrices, later, strict=True)]
        return later_errors(parts, fitted.kinds, shifts)

    def total(of_kinds: NDArray[np.float64]) -> NDArray[np.float64]:
        there = np.isfinite(of_kinds[0])
        weights = choice.search.weights * there
        return np.nan_to_num(of_kinds) @ weights / weights.sum()

    shifts = rng.integers(1, min(len(part.classes) for part in later), n_shifts)
    of_kinds = errors(choice.rows, [part.matrix for part in later], np.r_[0, shifts])
    totals = total(of_kinds)
    random = [
        float(total(errors(rows, [part.random_matrices[i] for part in later], np.zeros(1, dtype=np.int64)))[0])
        for i, rows in enumerate(others)
    ]
    found = choice.found
    kinds = choice.search.problems.kinds
    fitted = found.errors.mean(axis=1)
    return HeldOut(
        error=found.error,
        by_kind={KIND_NAMES[kind]: float(fitted[k]) for k, kind in enumerate(kinds)},
        path=found.path,
        later=float(totals[0]),
        later_by_kind={KIND_NAMES[kind]: float(of_kinds[0, k]) for k, kind in enumerate(kinds)},
        later_random=float(np.median(random)),
        p_value=(1 + int((totals[1:] <= totals[0]).sum())) / (1 + n_shifts),
    )
