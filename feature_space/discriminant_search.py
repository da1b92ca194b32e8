"""Search for the feature set of a label by discriminant: which indicators, and which settings of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.discriminant import Problems, errors_with_nb, take_out_nb

LEAST_GAIN = 1e-6  # of the error: less is rounding
MOST_SWEEPS = 10


class FoundSet(NamedTuple):
    """Result of a search.

    ``rows``: candidates in the set, by their row. ``error``: weighted mean over kinds of the share of the variance of
    the class that is left; ``errors``: (K, N_FOLDS) by kind and fold. ``path``: error of the best set of 0, 1, .. n
    features as they were added, of which the size was chosen. ``n_evaluations``: sets that were scored.
    """

    rows: tuple[int, ...]
    error: float
    errors: NDArray[np.float64]
    path: tuple[float, ...]
    n_evaluations: int


class DiscriminantSearch:
    """Sets of candidates, and their errors on bars left out; one thread, no shared state.

    Parameters
    ----------
    problems : Problems
        Of C candidates.
    offsets : (F + 1,) array of int64
        Settings of indicator f are the candidates from ``offsets[f]`` to before ``offsets[f + 1]``. A set holds one
        setting of an indicator at most.
    weights : (3,) array of float64
        Of the kinds of pairs; those that do not occur do not count.
    """

    def __init__(self, problems: Problems, offsets: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
        self.problems, self.offsets = problems, offsets
        self.n_candidates = int(offsets[-1])
        own = np.asarray(weights, dtype=np.float64)[list(problems.kinds)]
        self.weights = own / own.sum()
        self.n_evaluations = 0

    def indicator_of(self, row: int) -> int:
        """Number of the indicator of a candidate."""
        return int(np.searchsorted(self.offsets, row, side="right")) - 1

    def total(self, errors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted mean over kinds, and mean over folds, of errors (K, N_FOLDS, ..)."""
        return np.tensordot(self.weights, errors.mean(axis=1), 1)

    def _left(self, columns: NDArray[np.int64], taken: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Moments of some candidates, after the last ``taken`` of them have been taken in."""
        n = self.n_candidates
        wanted = np.r_[columns, columns + n, 2 * n]
        train, test = (
            np.ascontiguousarray(part[..., wanted[:, None], wanted])
            for part in (self.problems.train, self.problems.test)
        )
        for c in range(len(columns) - taken, len(columns)):
            take_out_nb(train, test, c)
            take_out_nb(train, test, c + len(columns))
        return train, test

    def errors(self, rows: tuple[int, ...]) -> NDArray[np.float64]:
        """Errors of a set by kind and fold, (K, N_FOLDS)."""
        self.n_evaluations += 1
        return self._left(np.array(rows, dtype=np.int64), len(rows))[1][..., -1, -1]

    def with_each(self, rows: tuple[int, ...], others: NDArray[np.int64]) -> NDArray[np.float64]:
        """Errors (K, N_FOLDS, n) of a set with each of n other candidates."""
        train, test = self._left(np.r_[others, np.array(rows, dtype=np.int64)], len(rows))
        out = np.empty((*train.shape[:2], len(others) + len(rows)))
        errors_with_nb(train, test, out)
        self.n_evaluations += len(others)
        return out[..., : len(others)]

    def grow(self, most: int) -> tuple[list[int], list[NDArray[np.float64]]]:
        """Add the candidate that leaves the least error, ``most`` times: rows in order, and errors of every size."""
        n = self.n_candidates
        train, test = self.problems.train.copy(), self.problems.test.copy()
        out = np.empty((*train.shape[:2], n))
        rows: list[int] = []
        errors = [test[..., -1, -1].copy()]
        free = np.ones(n, dtype=np.bool_)
        while len(rows) < most and free.any():
            errors_with_nb(train, test, out)
            self.n_evaluations += int(free.sum())
            best = int(np.argmin(np.where(free, self.total(out), np.inf)))
            rows.append(best)
            errors.append(out[..., best].copy())
            f = self.indicator_of(best)
            free[self.offsets[f] : self.offsets[f + 1]] = False
            take_out_nb(train, test, best)
            take_out_nb(train, test, best + n)
        return rows, errors

    def climb(self, rows: tuple[int, ...], *, may_drop: bool) -> tuple[int, ...]:
        """Change the settings of one feature at a time, or drop it, while that lowers the error."""
        best = float(self.total(self.errors(rows)))
        for _ in range(MOST_SWEEPS):
            improved = False
            for row in rows:
                f = self.indicator_of(row)
                rest = tuple(its for its in rows if its != row)
                settings = np.arange(self.offsets[f], self.offsets[f + 1])
                scores = self.total(self.with_each(rest, settings))
                new = int(np.argmin(scores))
                if may_drop and rest and (without := float(self.total(self.errors(rest)))) < min(best, scores[new]):
                    rows, best, improved = rest, without, True
                elif scores[new] < best - LEAST_GAIN:
                    rows = tuple(int(settings[new]) if its == row else its for its in rows)
                    best, improved = float(scores[new]), True
            if not improved:
                break
        return rows

    def search(self, most: int, exactly: int = 0) -> FoundSet:
        """Grow a set, choose its size, and change or drop its features while that helps.

        Parameters
        ----------
        most : int
            Features at most.
        exactly : int
            Features wanted; 0: the smallest set that is within a standard error, over folds, of the best one.
        """
        grown, errors = self.grow(exactly or most)
        by_fold = np.array([np.tensordot(self.weights, its, 1) for its in errors])
        size = exactly or size_by_folds(by_fold)
        rows = self.climb(tuple(grown[:size]), may_drop=not exactly) if size else ()
        found = self.errors(rows)
        path = tuple(by_fold.mean(axis=1).tolist())
        return FoundSet(tuple(sorted(rows)), float(self.total(found)), found, path, self.n_evaluations)


def size_by_folds(errors: NDArray[np.float64]) -> int:
    """Smallest number of features whose error is not shown to be above that of the best number.

    Parameters
    ----------
    errors : (n + 1, N_FOLDS) array of float64
        Of 0, 1, .. n features. Differences are paired by fold: a smaller set may be worse by one standard error
        (Breiman et al. 1984).
    """
    best = int(np.argmin(errors.mean(axis=1)))
    excess = errors - errors[best]
    allowed = excess.std(axis=1, ddof=1) / np.sqrt(excess.shape[1])
    return int(np.flatnonzero(excess.mean(axis=1) <= allowed)[0])
