"""What candidate labels are judged on: bars of train, features of all candidates once, and the parts of time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.candidates import all_settings
from feature_space.discriminant import STEPS
from feature_space.feature_set import Feature
from feature_space.indicators import Indicator, Inputs
from feature_space.normalise import Normalisation

N_GRID = 12_000  # bars at which a part is judged, evenly spread, besides its action bars


class Parts(NamedTuple):
    """Stretches of time, one after the other: rows [start, calibrate), [calibrate, judge) and [judge, stop).

    Labels are fitted on the first, the quantile of the events comes from the second, and the third judges.
    """

    start: int
    calibrate: int
    judge: int
    stop: int


class SharedFeatures(NamedTuple):
    """Every setting of every indicator, computed once for all labels.

    ``steps``: (C, T) array of int16, features in steps of 1/512; settings of indicator f are the rows from
    ``offsets[f]`` to before ``offsets[f + 1]``. ``shift``: bars by which features are moved against the market, in a
    circle over the rows from ``first`` on; 0 but under the null.
    """

    steps: NDArray[np.int16]
    offsets: NDArray[np.int64]
    features: tuple[Feature, ...]
    first: int
    shift: int = 0

    def at(self, rows: NDArray[np.int64], columns: Sequence[int] | slice = slice(None)) -> NDArray[np.float32]:
        """Features (C, N) at some rows."""
        if self.shift:
            rows = self.first + (rows - self.first + self.shift) % (self.steps.shape[1] - self.first)
        part = (
            self.steps[columns][:, rows]
            if isinstance(columns, slice)
            else self.steps[np.asarray(columns)[:, None], rows]
        )
        return part.astype(np.float32) / np.float32(STEPS)


def shared_features(
    indicators: Sequence[Indicator],
    inputs: Inputs,
    normalisation: Normalisation,
    *,
    n_values: int,
    fit_stop: int,
    first: int,
    threads: int,
) -> SharedFeatures:
    """Compute all candidates; scales are fitted on the first ``fit_stop`` bars."""
    flat, offsets = all_settings(indicators, n_values)
    steps = np.empty((len(flat), inputs.close.size), dtype=np.int16)

    def fill(item: tuple[int, tuple[Indicator, tuple[int, ...]]]) -> Feature:
        row, (indicator, parameters) = item
        raw = indicator.finite(inputs, parameters)
        scale = normalisation.fit(raw[:fit_stop])
        steps[row] = np.rint(normalisation.apply(raw, scale) * STEPS)
        return Feature(indicator.name, parameters, scale)

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        features = tuple(pool.map(fill, enumerate(flat)))
    return SharedFeatures(steps, offsets, features, first)


class SpaceMarket(NamedTuple):
    """One market on train, T grid rows."""

    features: SharedFeatures
    price: NDArray[np.float64]  # (T,) that labels read
    open: NDArray[np.float64]  # (T,)
    day: NDArray[np.int64]  # (T,) of each bar
    usable: NDArray[np.bool_]  # (T,) traded, and past the warm-up of all features
    bars_a_day: int
    fill_costs: float  # share of what is traded that one fill costs

    def grid(self, start: int, stop: int, n: int = N_GRID) -> NDArray[np.int64]:
        """Usable rows of a part, evenly spread over time, about ``n``."""
        step = max(1, (stop - start) // n)
        rows = np.arange(start, stop, step)
        return rows[self.usable[rows]]

    def shifted(self, shift: int) -> "SpaceMarket":
        """The same with features moved against the market."""
        return self._replace(features=self.features._replace(shift=shift))


def cut(first: int, stop: int, judged: float) -> Parts:
    """Parts of some rows: the last ``judged`` of them judges, a tenth of the others before it calibrates."""
    judge = stop - int((stop - first) * judged)
    return Parts(first, judge - (judge - first) // 10, judge, stop)
