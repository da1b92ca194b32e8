"""Separation by discriminant: how well features and their squares foretell the classes of bars on time left out.

Each kind of pair, buy-sell, buy-neutral and neutral-sell, is a regression of the class (1 or -1) on features and their
squares, both classes weighing the same: a quadratic discriminant by optimal scoring (Hastie, Tibshirani & Buja 1994).
Its error is the share of the variance of the class that is left on stretches of time which the regression has not seen;
chance leaves 1. The criterion is the weighted mean over kinds. Mere spread gains nothing, since regression has no
scale; squares tell volatility from direction; and bars near in time, whose labels and features overlap, are never on
both sides of a test.

Sums of products are taken once for all candidates, by class and fold, so that any set costs what its columns do,
whatever the number of bars. Features are rounded to steps of 1/512: products of four of them are whole numbers whose
sums are exact in double precision, with the same bits on every machine.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from feature_space import FeatureError

KINDS = ((0, 2), (0, 1), (1, 2))  # buy-sell, buy-neutral, neutral-sell: classes 0, 1 and 2
KIND_NAMES = ("buy-sell", "buy-neutral", "sell-neutral")
N_FOLDS = 8
STRETCHES = (3, 2, 1)  # of each fold: several, so that it holds early and late bars, unless labels are as long
KEPT = 0.7  # of the action bars, whose labels must end within their stretch
STEPS = 512.0  # of a feature, in each half of [-1, 1]
MOST_ROWS = 40_000  # of a class: 2^9 steps to the fourth times as many rows stay below 2^53
RIDGE = 0.03  # times the variance of a column


class DrawnRows(NamedTuple):
    """Bars of a label that the discriminant is made of, sorted, with their class and the fold that tests them."""

    rows: NDArray[np.int64]  # (N,)
    classes: NDArray[np.int8]  # (N,)
    folds: NDArray[np.int64]  # (N,)


def draw_rows(
    classes: NDArray[np.int8],
    rows: NDArray[np.int64],
    last_used: NDArray[np.int64],
    n_each: int,
    rng: np.random.Generator,
) -> DrawnRows:
    """Draw bars of each class, without those whose label reaches into a stretch of another fold.

    Parameters
    ----------
    classes : (T,) array of int8
        Label class of every bar: 0 buy, 1 neutral, 2 sell.
    rows : (N,) array of int64
        Sorted bars that may be drawn.
    last_used : (T,) array of int64
        Last bar that the label of each bar depends on.
    n_each : int
        Bars of each class, without replacement; all where there are fewer, and at most `MOST_ROWS`.

    Raises
    ------
    FeatureError
        If fewer than two classes occur in more than one fold, as where labels look ahead as far as a stretch is long.
    """
    action = classes[rows] != 1
    for each in STRETCHES:
        edges = np.linspace(rows[0], rows[-1] + 1, N_FOLDS * each + 1).astype(np.int64)
        stretch = np.searchsorted(edges, rows, side="right") - 1
        ends = last_used[rows] < edges[stretch + 1]
        if ends[action].sum() >= KEPT * action.sum():
            break
    inside = rows[ends]
    drawn = []
    for k in range(3):
        own = inside[classes[inside] == k]
        drawn.append(rng.choice(own, min(len(own), n_each, MOST_ROWS), replace=False))
    kept = np.sort(np.concatenate(drawn))
    folds = (np.searchsorted(edges, kept, side="right") - 1) % N_FOLDS
    counts = [len(np.unique(folds[classes[kept] == k])) for k in range(3)]
    if sum(n > 1 for n in counts) < 2:
        raise FeatureError(
            "the label looks too far ahead, or has fewer than two classes in different stretches of time"
        )
    return DrawnRows(kept, classes[kept], folds)


def class_products(values: NDArray[np.float32], drawn: Sequence[DrawnRows]) -> NDArray[np.float64]:
    """Sums of products of any two columns by class and fold, (3, `N_FOLDS`, 2C + 1, 2C + 1) array of float64.

    Columns are 1, the C candidates in whole steps, and their squares.

    Parameters
    ----------
    values : (C, N) array of float32
        Candidates in [-1, 1], at the bars of ``drawn``, one market after the other.
    drawn : sequence of DrawnRows
        Of one market or several.
    """
    classes = np.concatenate([its.classes for its in drawn])
    folds = np.concatenate([its.folds for its in drawn])
    steps = np.rint(values.astype(np.float64) * STEPS)
    n = 2 * len(values) + 1
    out = np.zeros((3, N_FOLDS, n, n))
    for k in range(3):
        for fold in range(N_FOLDS):
            part = steps[:, (classes == k) & (folds == fold)]
            columns = np.concatenate([np.ones((1, part.shape[1])), part, part * part])
            out[k, fold] = columns @ columns.T  # exact, so that the order of sums does not matter
    return out


class Problems(NamedTuple):
    """One regression for each kind of pair and fold: moments of all columns on training bars, and on test bars.

    Columns are C features, their C squares and the target, all of mean 0 and variance 1 on the training bars, where
    features and squares have `RIDGE` added to it.
    """

    train: NDArray[np.float64]  # (K, N_FOLDS, 2C + 1, 2C + 1)
    test: NDArray[np.float64]  # (K, N_FOLDS, 2C + 1, 2C + 1) about the means of training
    kinds: tuple[int, ...]  # those of the K kinds that occur


def make_problems(products: NDArray[np.float64]) -> Problems:
    """Regressions of `class_products`; both classes of a kind weigh the same on training bars and on test bars.

    A class that a fold lacks has no weight in its test.
    """
    total = products.sum(axis=1)
    train, test, kinds = [], [], []
    n = products.shape[-1]
    ridge = np.diag(np.r_[np.full(n - 1, RIDGE), 0.0])  # as if there were further bars, which foretell nothing
    for kind, (a, b) in enumerate(KINDS):
        left = [total[k] - products[k] for k in (a, b)]  # (N_FOLDS, ..)
        if min(its[:, 0, 0].min() for its in left) <= 0:
            continue
        means = 0.5 * (_signed(left[0] / left[0][:, :1, :1], 1.0) + _signed(left[1] / left[1][:, :1, :1], -1.0))
        first, second = (
            _signed(products[k], sign) / np.maximum(products[k][:, :1, :1], 1.0) for k, sign in ((a, 1.0), (b, -1.0))
        )
        there = first[:, :1, :1] + second[:, :1, :1]  # 1 for each class that is there
        own = (first + second) / np.maximum(there, 1.0)
        train.append(np.stack([_central(m, m) for m in means]) + ridge)
        test.append(np.stack([_central(m, t) for m, t in zip(means, own, strict=True)]))
        kinds.append(kind)
    return Problems(np.stack(train), np.stack(test), tuple(kinds))


def _signed(products: NDArray[np.float64], sign: float) -> NDArray[np.float64]:
    """Products (.., P, P) with the target of a class as a further column: ``sign`` times the column of ones."""
    n = products.shape[-1]
    out = np.empty((*products.shape[:-2], n + 1, n + 1))
    out[..., :n, :n] = products
    out[..., :n, n] = out[..., n, :n] = sign * products[..., 0]
    out[..., n, n] = products[..., 0, 0]
    return out


def _central(train: NDArray[np.float64], part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean products of ``part`` about the means of ``train``, in standard deviations of train; without the ones."""
    means = train[0, 1:]
    scale = np.sqrt(np.maximum(np.diag(train)[1:] - means * means, 0.0))
    scale = np.where(scale > 0.0, scale, np.inf)  # a constant column takes no part
    own = part[:1, 1:]
    central = part[1:, 1:] - own.T * means - means[:, None] * own + part[0, 0] * np.outer(means, means)
    return central / scale / scale[:, None]


@njit(cache=True, nogil=True, error_model="numpy")
def take_out_nb(train, test, column):
    """Replace all columns by what the regression on one of them, fitted on the training bars, leaves; in place.

    ``train``, ``test``: (K, N_FOLDS, P, P) arrays of float64.
    """
    n = train.shape[2]
    weight = np.empty(n)
    for k in range(train.shape[0]):
        for fold in range(train.shape[1]):
            fit, out = train[k, fold], test[k, fold]
            own, own_out = fit[column, column], out[column, column]
            if own <= 0.0:
                continue
            mine, seen = fit[column].copy(), out[column].copy()
            for i in range(n):
                weight[i] = mine[i] / own
            for i in range(n):
                a, b = weight[i], seen[i] - weight[i] * own_out
                for j in range(n):
                    fit[i, j] -= a * mine[j]
                    out[i, j] -= a * seen[j] + b * weight[j]
            for i in range(n):
                fit[column, i] = fit[i, column] = out[column, i] = out[i, column] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def errors_with_nb(train, test, out):
    """Test error with each candidate and its square taken in, (K, N_FOLDS, C), in place.

    ``train``, ``test``: (K, N_FOLDS, 2C + 1, 2C + 1) moments of what is left of all columns; the last is the target.
    """
    n = out.shape[2]
    y = 2 * n
    for k in range(train.shape[0]):
        for fold in range(train.shape[1]):
            fit, left = train[k, fold], test[k, fold]
            for c in range(n):
                s = c + n
                aa, bb, ab = fit[c, c], fit[s, s], fit[c, s]
                determinant = aa * bb - ab * ab
                if determinant <= 0.0:  # in the set already
                    out[k, fold, c] = left[y, y]
                    continue
                u = (bb * fit[c, y] - ab * fit[s, y]) / determinant
                v = (aa * fit[s, y] - ab * fit[c, y]) / determinant
                linear = u * left[c, y] + v * left[s, y]
                square = u * u * left[c, c] + v * v * left[s, s] + 2.0 * u * v * left[c, s]
                out[k, fold, c] = left[y, y] - 2.0 * linear + square
