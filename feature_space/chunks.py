"""Compute long series in parts that fit the cache, for functions whose values need only a trailing window.

Temporary arrays as long as the series cost more than the arithmetic: the system clears their memory on every call.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

CHUNK = 32_768

Array = NDArray[np.float64]


def first_needed(index: int, reach: int) -> int:
    """First element of a part whose values from ``index`` on have the bits of the whole series.

    Values need the ``reach`` elements before them. Sums over long windows go block by block (`rolling_sum_nb`), so a
    part must also begin at a multiple of the largest power of two up to ``reach``.
    """
    step = 1 << max(reach.bit_length() - 1, 0)
    return max((index - reach) // step * step, 0)


def in_chunks(work: Callable[..., Array], columns: Sequence[Array], reach: int) -> Array:
    """Run ``work(*columns)`` part by part: the same bits as all at once.

    Parameters
    ----------
    work : callable
        Columns to values, each a (T,) array of float64.
    columns : sequence of (T,) arrays of float64
    reach : int
        Most elements before its own that a value needs.
    """
    n = columns[0].size
    if n <= CHUNK:
        return work(*columns)
    out = np.empty(n)
    for start in range(0, n, CHUNK):
        first, stop = first_needed(start, reach), min(start + CHUNK, n)
        out[start:stop] = work(*(column[first:stop] for column in columns))[start - first :]
    return out
