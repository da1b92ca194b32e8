"""Sums over the last k elements, part by part, so that a formula finishes a part while it is in the nearest cache.

Short sums are assembled from sums over 1, 4, 16, .. elements: a pass adds four windows side by side to windows four
times as long, the same for every element, so that the compiler vectorises it, and the sum over k takes as many of each
length as k has of it in base 4. Long ones are assembled from a running sum of the current block of elements and the
tails of the blocks before it. Nothing is ever subtracted.

A state, from `sum_state_nb`, keeps what the next part needs. All parts but the last have a multiple of `part_size_nb`
elements, a power of two.
"""

import numpy as np
from numba import njit

from feature_space.windows import TILE, add_nb, scale_nb

SHORT = 128  # longer sums are faster in blocks


@njit(cache=True, nogil=True, error_model="numpy")
def block_size_nb(k):
    """Largest power of two that is less than ``k``: a window then reaches into two whole blocks at most."""
    size = 1
    while 2 * size < k:
        size *= 2
    return size


@njit(cache=True, nogil=True, error_model="numpy")
def part_size_nb(k):
    """Elements of a part: for a long sum a multiple of four blocks."""
    return TILE if k <= SHORT else max(TILE, 4 * block_size_nb(k))


@njit(cache=True, nogil=True, error_model="numpy")
def sum_state_nb(k):
    """State before the first element: all 0. Rows begin at multiples of 64 bytes, where loads are faster."""
    return np.zeros((3, TILE + (k + 6) // 8 * 8)) if k <= SHORT else np.zeros((6, block_size_nb(k)))


@njit(cache=True, nogil=True, error_model="numpy")
def add_four_nb(x1, x2, x3, x4, out):
    """Elementwise sum of the first elements, as many as ``out`` has."""
    for i in range(out.size):
        out[i] = (x1[i] + x2[i]) + (x3[i] + x4[i])


@njit(cache=True, nogil=True, error_model="numpy")
def put_windows_nb(x1, x2, x3, count, out):
    """Elementwise sum of the first ``count`` of three."""
    if count == 1:
        scale_nb(x1, 1.0, out)
    elif count == 2:
        for i in range(out.size):
            out[i] = x1[i] + x2[i]
    else:
        for i in range(out.size):
            out[i] = (x1[i] + x2[i]) + x3[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_windows_nb(x1, x2, x3, count, out):
    """Add the first ``count`` of three to ``out``, elementwise."""
    if count == 1:
        for i in range(out.size):
            out[i] += x1[i]
    elif count == 2:
        for i in range(out.size):
            out[i] += x1[i] + x2[i]
    else:
        for i in range(out.size):
            out[i] += (x1[i] + x2[i]) + x3[i]


@njit(cache=True, nogil=True, error_model="numpy")
def sum_windows_nb(x, lead, k, scratch1, scratch2, out):
    """Sums over the last ``k`` elements of ``x``, as many as ``out`` has; the first window ends at ``x[lead]``."""
    n = out.size + lead
    part, width, reach = x, 1, 0
    while True:
        count = k // width % 4
        if count:
            end = lead - reach
            x1, x2, x3 = part[end:], part[max(end - width, 0) :], part[max(end - 2 * width, 0) :]
            if reach:
                add_windows_nb(x1, x2, x3, count, out)
            else:
                put_windows_nb(x1, x2, x3, count, out)
            reach += count * width
        if 4 * width > k:
            break
        add_four_nb(part[3 * width :], part[2 * width :], part[width:], part, scratch1[3 * width : n])
        part, scratch1, scratch2 = scratch1, scratch2, scratch1
        width *= 4


@njit(cache=True, nogil=True, error_model="numpy")
def sum_both_ends_nb(block1, block2, head1, head2, tail1, tail2):
    """Sums of two blocks up to and from each element: four sums, independent so that they overlap."""
    n = block1.size
    h1 = h2 = t1 = t2 = 0.0
    for j in range(n):
        h1 += block1[j]
        h2 += block2[j]
        t1 += block1[n - 1 - j]
        t2 += block2[n - 1 - j]
        head1[j], head2[j] = h1, h2
        tail1[n - 1 - j], tail2[n - 1 - j] = t1, t2


@njit(cache=True, nogil=True, error_model="numpy")
def join_blocks_nb(older_tail, tail, head, over, out):
    """Window sums that end in the block of ``head``; the first ``over`` windows begin two blocks before it."""
    whole = tail[0]
    across, within = out[:over], out[over:]
    start = older_tail[tail.size - over :]
    for i in range(across.size):
        across[i] = start[i] + (whole + head[i])
    add_nb(tail, head[over:], within)


@njit(cache=True, nogil=True, error_model="numpy")
def sum_blocks_nb(x, k, state, out):
    """Long sums of the next part. Rows of ``state``: two heads, then the tails of the last blocks and of the next.

    The bits of a full window's sum depend on where the series starts only through blocks of a power of two below
    ``k``: a start later by a multiple of it changes nothing.
    """
    size = state.shape[1]
    over = k - 1 - size
    head1, head2, tail1, tail2, tail3, tail4 = state[0], state[1], state[2], state[3], state[4], state[5]
    for start in range(0, out.size, 2 * size):
        blocks = x[start : min(start + 2 * size, out.size)]
        if blocks.size < 2 * size:  # the padding enters no value that is kept
            padded = np.zeros(2 * size)
            scale_nb(blocks, 1.0, padded[: blocks.size])
            blocks = padded
        here = out[start : start + 2 * size]
        sum_both_ends_nb(blocks[:size], blocks[size:], head1, head2, tail3, tail4)
        join_blocks_nb(tail1, tail2, head1, over, here[:size])
        join_blocks_nb(tail2, tail3, head2, over, here[size:])
        tail1, tail2, tail3, tail4 = tail3, tail4, tail1, tail2


@njit(cache=True, nogil=True, error_model="numpy")
def sum_part_nb(x, k, state, out):
    """Sums over the last ``k`` elements, of fewer at the start, of the next part of a series, as long as ``out``."""
    if k > SHORT:
        sum_blocks_nb(x, k, state, out)
        return
    row, lead = state[0], state.shape[1] - TILE
    for start in range(0, out.size, TILE):
        here = out[start : start + TILE]
        scale_nb(x[start:], 1.0, row[lead : lead + here.size])
        sum_windows_nb(row, lead, k, state[1], state[2], here)
        if here.size == TILE:  # there may be a next part
            scale_nb(row[TILE:], 1.0, row[:lead])
