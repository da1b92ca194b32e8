"""Folds of a window that do not leak, and the sums over them that linear fits need.

Folds are stretches of time, and rows near a test stretch are left out of its training: their targets share returns
with those of the test (purging and embargo: Lopez de Prado 2018, chapter 7). Sums of products are taken once, so that
a fit of any penalty in any fold costs what its number of inputs does, whatever the number of bars.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from strategies import StrategyError

N_FOLDS = 5
LEAST_ROWS = 5  # to train on, or to test on, for each input


class NotFitted(StrategyError):
    """A control that cannot be fitted on this past, with the reason as one line."""


class Fold(NamedTuple):
    """Rows that are tested, and those that are not trained on: the tested ones and what is near them."""

    test: slice
    left_out: slice

    def train(self, n: int) -> np.ndarray:
        """Whether each of n rows is trained on, (n,)."""
        rows = np.ones(n, dtype=bool)
        rows[self.left_out] = False
        return rows


def purged_folds(n: int, gap: int, n_folds: int = N_FOLDS) -> tuple[Fold, ...]:
    """Cut n rows into test stretches of equal length.

    Parameters
    ----------
    n : int
    gap : int
        Rows before and after a test stretch that are not trained on: as many as a target looks ahead, or more.
    n_folds : int

    Raises
    ------
    NotFitted
        If a fold would have nothing to train on.

    Examples
    --------
    >>> [(f.test.start, f.test.stop, f.left_out.start, f.left_out.stop) for f in purged_folds(20, 2, 2)]
    [(0, 10, 0, 12), (10, 20, 8, 20)]
    """
    edges = np.linspace(0, n, n_folds + 1).astype(np.int64).tolist()
    folds = tuple(
        Fold(slice(start, stop), slice(max(start - gap, 0), min(stop + gap, n))) for start, stop in pairwise(edges)
    )
    if any(fold.left_out.stop - fold.left_out.start >= n for fold in folds):
        raise NotFitted(f"{n} bars are too few for {n_folds} folds with {gap} bars between them")
    return folds


class Sums(NamedTuple):
    """Sums over n rows of the products of any two of: 1, the p inputs and the target."""

    products: np.ndarray  # (p + 2, p + 2)

    @classmethod
    def of(cls, inputs: np.ndarray, target: np.ndarray) -> "Sums":
        """Of inputs (n, p) and target (n,)."""
        columns = np.column_stack([np.ones(len(target)), inputs, target])
        return cls(columns.T @ columns)

    def less(self, other: "Sums") -> "Sums":
        """Without some of the rows."""
        return Sums(self.products - other.products)

    @property
    def n(self) -> float:
        """Number of rows."""
        return float(self.products[0, 0])

    @property
    def means(self) -> np.ndarray:
        """Of the inputs and the target (p + 1,)."""
        return self.products[0, 1:] / self.n

    @property
    def covariance(self) -> np.ndarray:
        """Of the inputs (p, p)."""
        return self._central[:-1, :-1]

    @property
    def with_target(self) -> np.ndarray:
        """Covariance of each input with the target (p,)."""
        return self._central[:-1, -1]

    @property
    def _central(self) -> np.ndarray:
        return self.products[1:, 1:] / self.n - np.outer(self.means, self.means)

    def squared_error(self, weights: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Sum of squared errors (m,) on these rows of m fits.

        Parameters
        ----------
        weights : (p, m) array
        means : (p + 1,) array
            Of the rows that were trained on; each fit passes through them.
        """
        intercept = means[-1] - means[:-1] @ weights
        errors = np.vstack([-intercept, -weights, np.ones(weights.shape[1])])
        return np.asarray((errors * (self.products @ errors)).sum(axis=0))


class FoldSums(NamedTuple):
    """Sums over all rows of a window, and over the rows of each fold."""

    whole: Sums
    train: tuple[Sums, ...]
    test: tuple[Sums, ...]


def fold_sums(inputs: np.ndarray, target: np.ndarray, known: np.ndarray, folds: tuple[Fold, ...]) -> FoldSums:
    """Sums of a window's rows.

    Parameters
    ----------
    inputs, target : (T, p), (T,) array
    known : (T,) array of bool
        Rows with inputs and a target; the others are in no sum.
    folds : tuple of Fold

    Raises
    ------
    NotFitted
        If a fold has fewer than `LEAST_ROWS` rows for each input.
    """

    def over(rows: slice) -> Sums:
        there = known[rows]
        return Sums.of(inputs[rows][there], target[rows][there])

    whole = over(slice(None))
    train = tuple(whole.less(over(fold.left_out)) for fold in folds)
    test = tuple(over(fold.test) for fold in folds)
    least, needed = min(part.n for part in (*train, *test)), LEAST_ROWS * inputs.shape[1]
    if least < needed:
        raise NotFitted(f"a fold of past has {least:.0f} bars, {needed} are needed for {inputs.shape[1]} inputs")
    return FoldSums(whole, train, test)
