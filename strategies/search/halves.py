"""Past in two halves, A and B: A searches, B selects.

What was found on A is judged on days that did not choose it. The halves are interleaved, so that both see the same
seasons; a day at each seam belongs to neither, as positions of the part before are still held in it.
"""

from typing import NamedTuple

import numpy as np

N_PARTS = 8  # in all, A first
LEAST_DAYS = 3  # of a part, that of its seam among them


class Halves(NamedTuple):
    """Days of a window by the half that they belong to; those of a seam belong to none."""

    a: np.ndarray  # (D,) bool
    b: np.ndarray  # (D,) bool

    def rows(self, half: str, day_edges: np.ndarray) -> tuple[slice, ...]:
        """Stretches of rows of one half, from the edges (D + 1,) of the days."""
        days = np.r_[False, getattr(self, half), False]
        turns = np.flatnonzero(np.diff(days)).reshape(-1, 2)  # where a stretch begins, and where it ends
        return tuple(slice(int(day_edges[first]), int(day_edges[stop])) for first, stop in turns)


def halves(n_days: int) -> Halves:
    """Cut D days into parts that belong to A and B in turn, without the first day of each but the first part.

    Eight parts, fewer if one would have less than three days.

    Raises
    ------
    ValueError
        If there are fewer than six days.

    Examples
    --------
    >>> halves(8).a.astype(int).tolist(), halves(8).b.astype(int).tolist()
    ([1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1])
    """
    if n_days < 2 * LEAST_DAYS:
        raise ValueError(f"{n_days} days cannot be cut into halves, {2 * LEAST_DAYS} can")
    n_parts = min(N_PARTS, n_days // LEAST_DAYS // 2 * 2)
    edges = np.linspace(0, n_days, n_parts + 1).astype(np.int64)
    part = np.searchsorted(edges, np.arange(n_days), side="right") - 1
    seam = np.zeros(n_days, dtype=bool)
    seam[edges[1:-1]] = True
    return Halves((part % 2 == 0) & ~seam, (part % 2 == 1) & ~seam)
