"""Rows scaled so that their products are correlations."""

import numpy as np

AT_ONCE = 4096  # rows: what lies between is as large as they are


def unit_rows(rows: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Each of the rows (S, D) less its mean and divided by its length; all 0 for a row that does not vary.

    A row varies if its length without the mean is above ``least`` times its length with it.
    """
    unit = np.empty_like(rows)
    for first in range(0, len(rows), AT_ONCE):
        some = rows[first : first + AT_ONCE]
        centred = np.subtract(some, some.mean(axis=1, keepdims=True), out=unit[first : first + AT_ONCE])
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        floor = least * np.linalg.norm(some, axis=1, keepdims=True) if least else 0.0
        varies = length > floor
        np.divide(centred, length, out=centred, where=varies)
        centred[~varies[:, 0]] = 0.0
    return unit
