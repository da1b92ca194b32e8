"""Rows scaled so that their products are correlations."""

import numpy as np


def unit_rows(rows: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Each of the rows (S, D) less its mean and divided by its length; all 0 for a row that does not vary.

    A row varies if its length without the mean is above ``least`` times its length with it.
    """
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    floor = least * np.linalg.norm(rows, axis=1, keepdims=True) if least else 0.0
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > floor)
