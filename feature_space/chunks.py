"""Long series in parts that fit the cache, for functions whose values need only a trailing window.

Temporary arrays as long as a market cost more than the arithmetic: the system clears their memory on every call.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

CHUNK = 32_768

Array = NDArray[np.float64]


def first_needed(index: int, reach: int) -> int:
    """Where a part must begin so that its values from ``index`` on have the bits of the whole series.

    The ``reach`` elements before are needed; sums over long windows go block by block (`rolling_sum_nb`), so that a
    part also begins at a multiple of the largest power of two in ``reach``.
    """
    step = 1 << max(reach.bit_length() - 1, 0)
    return max((index - reach) // step * step, 0)


def in_chunks(work: Callable[..., Array], columns: Sequence[Array], reach: int) -> Array:
    """Run ``work(*columns)`` part by part: the same bits as all at once.

    Parameters
    ----------
    work : callable
        Columns of float64 (T,) to values of float64 (T,).
    columns : sequence of float64 (T,)
    reach : int
        Elements before the first of a part that its values need at most.
    """
    n = columns[0].size
    if n <= CHUNK:
        return work(*columns)
    out = np.empty(n)
    for start in range(0, n, CHUNK):
        first, stop = first_needed(start, reach), min(start + CHUNK, n)
        out[start:stop] = work(*(column[first:stop] for column in columns))[start - first :]
    return out
