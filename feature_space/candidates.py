"""Candidates of a feature set: every indicator at settings spread over its intervals, computed once at some bars."""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.feature_set import N_THREADS, Feature
from feature_space.indicators import Indicator, Inputs
from feature_space.normalise import Normalisation


def parameter_grid(indicator: Indicator, n_values: int) -> list[tuple[int, ...]]:
    """At most about ``n_values`` settings of an indicator, spread geometrically over its intervals, ends included."""
    dims = len(indicator.parameters)
    each = max(2, round(n_values ** (1.0 / dims)))
    axes = [
        sorted({int(v) for v in np.rint(np.geomspace(low, high, each))}) for low, high in indicator.parameters.values()
    ]
    return list(itertools.product(*axes))


def all_settings(
    indicators: Sequence[Indicator], n_values: int
) -> tuple[list[tuple[Indicator, tuple[int, ...]]], NDArray[np.int64]]:
    """Every setting of every indicator, and the place of each indicator's first among them, (F + 1,)."""
    settings = [[(i, p) for p in parameter_grid(i, n_values)] for i in indicators]
    return list(itertools.chain.from_iterable(settings)), np.cumsum([0] + [len(its) for its in settings])


class Candidates(NamedTuple):
    """Normalised values of every candidate at the bars in use.

    ``features[f]`` lists the settings of feature ``f``; candidate ``c`` of it is row ``offsets[f] + c`` of
    ``values``, (n_candidates, n_rows) array of float32; ``position`` maps a bar number to its column, -1 if unused.
    """

    features: list[list[Feature]]
    offsets: NDArray[np.int64]
    values: NDArray[np.float32]
    position: NDArray[np.int64]

    @property
    def flat(self) -> list[Feature]:
        """The candidates in the order of their rows."""
        return list(itertools.chain.from_iterable(self.features))

    def at(self, bars: NDArray[np.int64]) -> NDArray[np.float32]:
        """Values of all candidates at some bars in use, (n_candidates, N)."""
        return self.values[:, self.position[bars]]


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
    settings, offsets = all_settings(indicators, n_values)
    values = np.empty((offsets[-1], rows.size), dtype=np.float32)

    def fill(item: tuple[int, tuple[Indicator, tuple[int, ...]]]) -> Feature:
        row, (indicator, parameters) = item
        raw = indicator.finite(inputs, parameters)
        scale = normalisation.fit(raw[:fit_stop])
        values[row] = normalisation.apply(raw, scale)[rows]
        return Feature(indicator.name, parameters, scale)

    with ThreadPoolExecutor(N_THREADS) as pool:
        flat = list(pool.map(fill, enumerate(settings)))
    position = np.full(inputs.close.size, -1, dtype=np.int64)
    position[rows] = np.arange(rows.size)
    grouped = [flat[a:b] for a, b in itertools.pairwise(offsets)]
    return Candidates(grouped, offsets, values, position)


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Candidates of several markets as of one; bar ``t`` of a later market is ``t`` plus the bars of those before it.

    The features bear the scales of the first market.
    """
    if len(parts) == 1:
        return parts[0]
    columns = np.cumsum([0] + [part.values.shape[1] for part in parts])
    moved = [np.where(part.position < 0, -1, part.position + n) for part, n in zip(parts, columns, strict=False)]
    first = parts[0]
    return Candidates(first.features, first.offsets, np.hstack([p.values for p in parts]), np.concatenate(moved))


def only(candidates: Candidates, rows: NDArray[np.int64]) -> Candidates:
    """The candidates of some rows and no other, each alone for its feature."""
    flat = candidates.flat
    return Candidates(
        [[flat[row]] for row in rows], np.arange(len(rows) + 1), candidates.values[rows], candidates.position
    )


def indicators_of(candidates: Candidates, rows: NDArray[np.int64]) -> Candidates:
    """All settings of the features that some rows belong to."""
    kept = np.unique(np.searchsorted(candidates.offsets, rows, side="right") - 1)
    parts = [np.arange(candidates.offsets[f], candidates.offsets[f + 1]) for f in kept]
    return Candidates(
        [candidates.features[f] for f in kept],
        np.cumsum([0] + [len(part) for part in parts]),
        candidates.values[np.concatenate(parts)],
        candidates.position,
    )
