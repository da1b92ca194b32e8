"""Normalisation ``y = (2/pi) arctan(x/(g s))`` with a trailing or a fitted standard deviation s, or by ranks.

Balcerak & Schmelzer (2020) scale locally by standard deviation and arctangent; the window, the gain g and the
fitted alternative are our reconstruction.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from feature_space import FeatureError
from feature_space.chunks import in_chunks
from feature_space.elementary import arctan_of_ratio_nb
from feature_space.kernels import rolling_std_nb

KINDS = ("local", "train", "rank")
ALONE = "normalisation rank compares markets: it needs a panel of several, and [pool] classifiers = true"
ROUNDING = 1e-12  # indicators are ratios near 1: a standard deviation below this is rounding, not movement


@njit(cache=True, nogil=True, error_model="numpy")
def squash_nb(x, scale):
    """(2/pi) arctan(x/scale), (T,) like ``x`` and ``scale``; 0 where the scale is only rounding error."""
    out = np.empty(x.size)
    for i in range(x.size):
        out[i] = arctan_of_ratio_nb(x[i], scale[i]) * (2.0 / np.pi) if scale[i] > ROUNDING else 0.0
    return out


@dataclass(frozen=True)
class Normalisation:
    """How a raw indicator becomes a feature in (-1, 1).

    Attributes
    ----------
    kind : {"local", "train", "rank"}
        ``local`` divides by the standard deviation of the trailing ``window`` bars; ``train`` by one constant,
        fitted on the part of the training window before validation; ``rank`` takes the place among all markets at the
        bar, see `feature_space.across`.
    window : int
        Bars of the trailing window; used by ``local`` alone.
    gain : float
        Factor g on the standard deviation; unused by ``rank``.

    Examples
    --------
    >>> local = Normalisation("local", window=1440, gain=1.0)
    >>> local.warm_up, local.fit(np.arange(9.0)), Normalisation("train", 2, 1.0).fit(np.array([1.0, 3.0]))
    (1440, 1.0, 1.0)
    """

    kind: str
    window: int
    gain: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FeatureError(f"unknown normalisation {self.kind!r}; known are {', '.join(KINDS)}")
        if self.window < 2 or not self.gain > 0.0:
            raise FeatureError("a normalisation needs window >= 2 and gain > 0")

    @property
    def warm_up(self) -> int:
        """Raw values before the first normalised one that no longer depends on where the series starts."""
        return self.window if self.kind == "local" else 0

    def fit(self, x: NDArray[np.float64]) -> float:
        """Standard deviation of the raw values ``x`` that ``train`` uses later; 1.0 for the others."""
        return float(np.std(x)) if self.kind == "train" else 1.0

    def apply(self, x: NDArray[np.float64], fitted: float = 1.0) -> NDArray[np.float64]:
        """Normalise raw values (T,) of one market; `FeatureError` for ranks, which it does not have alone."""
        if self.kind == "rank":
            raise FeatureError(ALONE)
        if self.kind == "train":
            return in_chunks(lambda part: squash_nb(part, np.full(part.size, self.gain * fitted)), [x], 0)
        return in_chunks(lambda part: squash_nb(part, self.gain * rolling_std_nb(part, self.window)), [x], self.window)
