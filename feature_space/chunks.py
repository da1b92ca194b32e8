"""Long series in parts that fit the cache, for functions whose values need only a trailing window.

Temporary arrays as long as a market cost more than the arithmetic: the system clears their memory on every call.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 32_768

Array = NDArray[np.float64]


def in_chunks(work: Callable[..., Array], columns: Sequence[Array], reach: int) -> Array:
    """Run ``work(*columns)`` part by part.

    Parameters
    ----------
    work : callable
        Columns of float64 (T,) to values of float64 (T,).
    columns : sequence of float64 (T,)
    reach : int
        Elements before the first of a part that its values need at most. Parts begin at fixed places, so a
        prefix still gives the same bits as cutting.
    """
    n = columns[0].size
    if n <= CHUNK:
        return work(*columns)
    out = np.empty(n)
    for start in range(0, n, CHUNK):
        first, stop = max(start - reach, 0), min(start + CHUNK, n)
        out[start:stop] = work(*(column[first:stop] for column in columns))[start - first :]
    return out


def makes_output(kernel: Callable[..., None]) -> Callable[..., Array]:
    """Turn a kernel that fills its last argument into a function that makes that array and returns it.

    The system gives numpy's large arrays in large pages, those made inside a compiled function in small ones.
    """

    @functools.wraps(kernel)
    def filled(*arguments: Any) -> Array:
        out = np.empty(arguments[0].size)
        kernel(*arguments, out)
        return out

    return filled
