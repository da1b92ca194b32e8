"""How good predicted moves are, against predicting the mean move of train."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from labelsearch.classifiers.figures import MOVE_FIGURES, Against, Estimate, MoveEvaluation
from labelsearch.classifiers.intervals import interval, resamples

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_ranks_nb(order, last, weights):
    """Ranks (N,) of rows that count ``weights`` times, equal values at the middle of theirs.

    Parameters
    ----------
    order : (N,) array of int64
        Rows by rising value.
    last : (N,) array of bool
        In that order: whether the next row has a higher value.
    weights : (N,) array of float64
        In the order of the rows themselves. Whole numbers, as resamples have, give exact sums.
    """
    ranks = np.empty(order.size)
    below, group, first = 0.0, 0.0, 0
    for i in range(order.size):
        group += weights[order[i]]
        if last[i]:
            for k in range(first, i + 1):
                ranks[order[k]] = below + group / 2
            below += group
            group, first = 0.0, i + 1
    return ranks


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_correlation_nb(x, y, weights):
    """Correlation of two columns (N,) under weights; nan where one does not vary."""
    total = mean_x = mean_y = 0.0
    for i in range(x.size):
        total += weights[i]
        mean_x += weights[i] * x[i]
        mean_y += weights[i] * y[i]
    mean_x, mean_y = mean_x / total, mean_y / total
    xx = yy = xy = 0.0
    for i in range(x.size):
        a, b = x[i] - mean_x, y[i] - mean_y
        xx += weights[i] * a * a
        yy += weights[i] * b * b
        xy += weights[i] * a * b
    return xy / np.sqrt(xx * yy) if xx > 0 and yy > 0 else np.nan


class Ranked:
    """Values sorted once, for their ranks under many weightings of the same rows."""

    def __init__(self, values: NDArray[np.floating]) -> None:
        self.order = np.argsort(values, kind="stable")
        ordered = values[self.order]
        self.last = np.r_[ordered[1:] != ordered[:-1], True][: len(values)]

    def ranks(self, weights: Floats) -> Floats:
        """Ranks (N,); see `weighted_ranks_nb`."""
        return np.asarray(weighted_ranks_nb(self.order, self.last, weights))


def evaluate_moves(
    predicted: NDArray[np.float32],
    moves: Floats,
    mean_move: float,
    blocks: tuple[NDArray[np.int64], int] | None = None,
) -> MoveEvaluation:
    """Figures of predicted moves on bars that the network was not fitted on.

    Parameters
    ----------
    predicted : (N,) array of float32
    moves : (N,) array of float64
        True ones, in [-3, 3].
    mean_move : float
        That of train.
    blocks : ((N,) array of int64, int), optional
        Grid rows and the block length for intervals; without it there are none.
    """
    far, far_of_mean, is_moving = moves - predicted, moves - mean_move, moves != 0.0
    sums = np.column_stack(
        [
            np.abs(far),
            np.abs(far_of_mean),
            far**2,
            far_of_mean**2,
            np.ones(len(moves)),
            is_moving,
            is_moving & (np.sign(predicted) == np.sign(moves)),
            is_moving & (np.sign(mean_move) == np.sign(moves)),
        ]
    )
    by_predicted, by_moves = Ranked(predicted), Ranked(moves)

    def figures(w: Floats) -> tuple[Floats, Floats]:
        """Figures (4,) of the predictions, and of the mean."""
        error, error_of_mean, square, square_of_mean, n, n_moving, right, right_of_mean = w @ sums
        correlation = weighted_correlation_nb(by_predicted.ranks(w), by_moves.ranks(w), w)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.array([error / n, 1.0 - square / square_of_mean, correlation, right / n_moving])
            return found, np.array([error_of_mean / n, 0.0, 0.0, right_of_mean / n_moving])

    sides = np.array([-1.0, 1.0, 1.0, 1.0])  # a lower error is better
    value, of_mean = figures(np.ones(len(moves)))
    has_intervals = blocks is not None and len(moves) > 0
    drawn = [figures(w) for w in resamples(*blocks)] if blocks is not None and has_intervals else []

    def estimate(one: float, many: list[float]) -> Estimate:
        return Estimate(float(one) if np.isfinite(one) else None, interval(many) if many else None)

    found = {
        name: Against(
            estimate(value[k], [v[k] for v, _ in drawn]),
            float(of_mean[k]) if np.isfinite(of_mean[k]) else None,
            estimate(sides[k] * (value[k] - of_mean[k]), [sides[k] * (v[k] - m[k]) for v, m in drawn]),
        )
        for k, name in enumerate(MOVE_FIGURES)
    }
    return MoveEvaluation(len(moves), float(mean_move), **found, has_intervals=has_intervals)
