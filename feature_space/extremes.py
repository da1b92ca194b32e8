"""Extremes of the last k elements, and their age, assembled from shorter windows that may overlap.

log4(k) or, with the age, log2(k) passes over a part of the series that fits the cache, each the same choice for every
element, so that the compiler vectorises it. A NaN is never chosen. The smallest is the largest of what has the other
sign, by a ``sign`` of -1.
"""

import numpy as np
from numba import njit

from feature_space.windows import TILE, scale_nb, tile_size_nb


@njit(cache=True, nogil=True, error_model="numpy")
def extreme_part_size_nb(k):
    """Elements of a part: a part also reads the ``k - 1`` elements before it, so it is made longer."""
    return max(TILE, 4 * k)


@njit(cache=True, nogil=True, error_model="numpy")
def extreme_state_nb(k):
    """State before the first element: nothing to choose. Rows begin at multiples of 64 bytes."""
    return np.full((3, (extreme_part_size_nb(k) + k + 6) // 8 * 8), -np.inf)


@njit(cache=True, nogil=True, error_model="numpy")
def larger_nb(older, newer, out):
    """The larger of two, elementwise; the newer where neither is larger."""
    for i in range(out.size):
        out[i] = older[i] if older[i] > newer[i] else newer[i]


@njit(cache=True, nogil=True, error_model="numpy")
def largest_of_four_nb(x1, x2, x3, x4, out):
    """The largest of four, from the oldest to the newest, elementwise; the newest of those that are equal."""
    for i in range(out.size):
        older = x1[i] if x1[i] > x2[i] else x2[i]
        newer = x3[i] if x3[i] > x4[i] else x4[i]
        out[i] = older if older > newer else newer


@njit(cache=True, nogil=True, error_model="numpy")
def widen_nb(part, width, reach, end, out):
    """Largest of ``reach`` elements, the first up to ``part[end]``, from those of ``width``: at most four of them."""
    back = reach - width
    if back > width:
        middle = part[end - min(2 * width, back) :]
        largest_of_four_nb(part[end - back :], middle, part[end - width :], part[end:], out)
    else:
        larger_nb(part[end - back :], part[end:], out)


@njit(cache=True, nogil=True, error_model="numpy")
def extreme_part_nb(x, k, sign, state, out):
    """Largest of the last ``k`` elements of the next part of a series, as long as ``out``; -inf where there is none.

    All parts but the last have `extreme_part_size_nb` elements.
    """
    size = extreme_part_size_nb(k)
    lead, n = state.shape[1] - size, out.size
    row = state[0]
    here = row[lead : lead + n]
    for i in range(n):
        here[i] = sign * x[i] if sign * x[i] > -np.inf else -np.inf
    part, width = row, 1
    target, other = state[1], state[2]
    while 4 * width < k:
        end = 3 * width
        widen_nb(part, width, 4 * width, end, target[end : lead + n])
        part, target, other = target, other, target
        width *= 4
    widen_nb(part, width, k, lead, out)
    scale_nb(row[size:], 1.0, row[:lead])
    if sign != 1.0:
        for i in range(n):
            out[i] *= sign


@njit(cache=True, nogil=True, error_model="numpy")
def age_of_larger_nb(older, newer, older_age, newer_age, shift, out):
    """Age of the larger of two, elementwise, where all older ages are short by ``shift``."""
    for i in range(out.size):
        out[i] = older_age[i] + shift if older[i] > newer[i] else newer_age[i]


@njit(cache=True, nogil=True, error_model="numpy")
def first_age_nb(x, sign, age):
    """Steps back to the latest of the largest of all elements of ``sign x`` so far."""
    top, steps = -np.inf, 0.0
    for i in range(age.size):
        steps += 1.0
        value = sign * x[i]
        if value >= top or top == -np.inf:
            steps = 0.0
            top = value if value > top else top
        age[i] = steps


@njit(cache=True, nogil=True, error_model="numpy")
def window_age_nb(x, k, sign):
    """Steps back to the latest of the largest of the last ``k`` elements."""
    n = x.size
    age = np.empty(n)
    first_age_nb(x, sign, age[: k - 1])
    tile = tile_size_nb(n, k)
    part = np.empty(tile + k - 1)
    nothing, spare = np.full(part.size, -np.inf), np.full(part.size, -np.inf)
    ages, spare_ages = np.zeros(part.size), np.zeros(part.size)
    for planned in range(k - 1, n, tile):
        start = min(planned, n - tile)
        scale_nb(x[start - k + 1 : start + tile], sign, spare)
        larger_nb(spare, nothing, part)
        ages[:] = 0.0
        width = 1
        while width < k:
            step = min(width, k - width)  # the last two windows overlap
            older, newer, size = part[:-step], part[step:], part.size - step
            age_of_larger_nb(older, newer, ages[:size], ages[step:], float(step), spare_ages[step:])
            ages, spare_ages = spare_ages, ages
            larger_nb(older, newer, spare[step:])
            part, spare = spare, part
            width += step
        scale_nb(ages[k - 1 :], 1.0, age[start : start + tile])
    return age
