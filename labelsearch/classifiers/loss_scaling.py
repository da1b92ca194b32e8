"""Loss factors from the continuous label.

Buy and sell bars weigh |c|; neutral bars weigh a cosine of c that is largest at c = 0 and smallest near an action,
scaled so that neutral and action factors have the same sum. From the authors' published code (b = 0.5); limiting |c| to
b inside the cosine, for threshold classes whose edge is 1, is our reconstruction.
"""

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.kinds import NetworkError
from labelsearch.labels.kinds import NEUTRAL

B = 0.5


def neutral_shape(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unscaled factor of neutral bars: cos(arccos(b)/b min(|c|, b)); 1 at c = 0, b at |c| >= b."""
    return np.cos(np.arccos(B) / B * np.minimum(np.abs(value), B))


def balance(value: NDArray[np.float64], classes: NDArray[np.int8]) -> float:
    """Factor ``a``: sum of |c| over action bars / sum of the cosine over neutral bars.

    Raises
    ------
    NetworkError
        If there are no action or no neutral bars.
    """
    neutral = classes == NEUTRAL
    if neutral.all() or not neutral.any():
        raise NetworkError("loss scaling needs both action and neutral bars")
    return float(np.abs(value[~neutral]).sum() / neutral_shape(value[neutral]).sum())


def loss_factors(value: NDArray[np.float64], classes: NDArray[np.int8], a: float | None = None) -> NDArray[np.float64]:
    """Factor w of every bar, mean 1; (T,) array of float64.

    ``a`` is by default the `balance` of these bars; pass that of the fitted bars to weigh later bars on the same scale.
    """
    if a is None:
        a = balance(value, classes)
    weights = np.where(classes == NEUTRAL, a * neutral_shape(value), np.abs(value))
    return weights / weights.mean()
