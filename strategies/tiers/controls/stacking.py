"""Linear stackings of outputs: ridge, lasso, elastic net, backward elimination and logistic regression.

Stacking by regularised regression is Breiman 1996 (ridge), Tibshirani 1996 (lasso) and Zou & Hastie 2005 (elastic net).
What a fit leaves open, its penalty or the number of inputs, is chosen by the mean error on folds of past. Inputs and
target are in standard deviations, so that weights can be compared and a penalty means the same for each.

Sums depend on the number of threads of matrix libraries, so each fit is made with one.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from strategies.tiers.controls.folds import Fold, FoldSums, NotFitted, Sums
from strategies.tiers.controls.inputs import Stacked

RIDGE_PENALTIES = tuple(np.logspace(2, -4, 19).tolist())  # times the variance of an input
N_PENALTIES = 25  # of the lasso, from the one that leaves nothing down to a thousandth of it
L1_RATIOS = (0.2, 0.5, 0.8)
ELIMINATION_PENALTY = 1e-3  # a ridge that lets a mean stand beside what it is the mean of
LOGISTIC_PENALTIES = (1.0, 0.1, 0.01, 0.001, 0.0001)
LEAST_EACH = 10  # later returns on either side of the costs, to train on
LOGISTIC_ROWS = 20_000  # of past on which a penalty is chosen, evenly spread

Path = Callable[[Sums], np.ndarray]  # weights (p, m) of m fits, the simplest first


class LinearFit(NamedTuple):
    """A linear function of p inputs."""

    weights: np.ndarray  # (p,) for a standard deviation of each input
    choice: dict[str, float]  # what the folds chose
    held_out: float  # share of the squared error, or of the loss, on held-out rows that it explains; below 0 if worse


def choose(path: Path, sums: FoldSums, allowed: np.ndarray | None = None) -> tuple[int, np.ndarray, float]:
    """The fit of a path that has the least error on held-out rows; of equals the simplest.

    Parameters
    ----------
    path : callable
    sums : FoldSums
    allowed : (m,) array of bool, optional
        Fits to choose among.

    Returns
    -------
    (int, (m,) array, float)
        Its number, errors of all, and the share of the squared error that it explains.
    """
    error, plain = np.zeros(0), 0.0
    for train, test in zip(sums.train, sums.test, strict=True):
        own = test.squared_error(path(train), train.means)
        error = own if not len(error) else error + own
        plain += float(test.squared_error(np.zeros((len(train.means) - 1, 1)), train.means)[0])
    best = int(np.argmin(error if allowed is None else np.where(allowed, error, np.inf)))
    return best, error, 1.0 - float(error[best]) / plain


def ridge_path(sums: Sums, penalties: Sequence[float] = RIDGE_PENALTIES) -> np.ndarray:
    """Weights (p, m) that minimise mean squared error + penalty |weights|^2, for each penalty."""
    values, vectors = np.linalg.eigh(sums.covariance)
    along = vectors.T @ sums.with_target
    shrunk = along[:, None] / (np.maximum(values, 0.0)[:, None] + np.asarray(penalties))
    return np.asarray(vectors @ shrunk)


def net_path(sums: Sums, l1_ratio: float, penalties: Sequence[float]) -> np.ndarray:
    """Weights (p, m) of the elastic net, the lasso with a ratio of 1; penalties fall.

    A root of the sums of products stands for all rows: the objective is the same up to a constant.
    """
    from sklearn.linear_model import enet_path

    values, vectors = np.linalg.eigh(sums.covariance)
    there = values > 1e-12 * values.max()
    root = np.sqrt(values[there])[:, None] * vectors[:, there].T
    target = (vectors[:, there].T @ sums.with_target) / np.sqrt(values[there])
    scale = np.sqrt(len(target))  # the objective divides by the number of rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of slow convergence among inputs that add up to each other
        _, weights, _ = enet_path(
            np.asfortranarray(scale * root), scale * target, l1_ratio=l1_ratio, alphas=np.array(penalties),
            tol=1e-6, max_iter=2000,
        )  # fmt: skip
    return np.asarray(weights)


def elimination_path(sums: Sums) -> np.ndarray:
    """Weights (p, p) of backward elimination: column m has m + 1 inputs, whose smallest weight was dropped in turn."""
    covariance, with_target = sums.covariance, sums.with_target
    p = len(with_target)
    weights, kept = np.zeros((p, p)), np.arange(p)
    for m in range(p - 1, -1, -1):
        own = covariance[np.ix_(kept, kept)] + ELIMINATION_PENALTY * np.eye(len(kept))
        found = np.linalg.solve(own, with_target[kept])
        weights[kept, m] = found
        kept = np.delete(kept, np.argmin(np.abs(found)))
    return weights


def ridge(stacked: Stacked, sums: FoldSums, folds: tuple[Fold, ...], costs: float) -> LinearFit:
    """Ridge regression of the later return."""
    best, _, held_out = choose(ridge_path, sums)
    return LinearFit(ridge_path(sums.whole)[:, best], {"penalty": RIDGE_PENALTIES[best]}, held_out)


def _net(sums: FoldSums, ratios: Sequence[float]) -> LinearFit:
    found: list[tuple[float, LinearFit]] = []
    for ratio in ratios:
        largest = float(np.abs(sums.whole.with_target).max()) / ratio
        penalties = (largest * np.logspace(0, -3, N_PENALTIES)).tolist()

        def path(part: Sums, ratio: float = ratio, penalties: list[float] = penalties) -> np.ndarray:
            return net_path(part, ratio, penalties)

        weights = path(sums.whole)
        some = (weights != 0).any(axis=0)
        if not some.any():
            continue
        # a fit without any input predicts nothing that could be traded
        best, error, held_out = choose(path, sums, some)
        choice = {"penalty": penalties[best], **({"l1_ratio": ratio} if len(ratios) > 1 else {})}
        found.append((float(error[best]), LinearFit(weights[:, best], choice, held_out)))
    if not found:
        raise NotFitted("no output goes with later returns")
    return min(found, key=lambda pair: pair[0])[1]


def lasso(stacked: Stacked, sums: FoldSums, folds: tuple[Fold, ...], costs: float) -> LinearFit:
    """Lasso of the later return, with one input or more."""
    return _net(sums, (1.0,))


def elastic_net(stacked: Stacked, sums: FoldSums, folds: tuple[Fold, ...], costs: float) -> LinearFit:
    """Elastic net of the later return, with one input or more; folds choose the ratio of both penalties too."""
    return _net(sums, L1_RATIOS)


def elimination(stacked: Stacked, sums: FoldSums, folds: tuple[Fold, ...], costs: float) -> LinearFit:
    """Least squares of the later return on as many inputs as the folds choose, the smallest weight dropped in turn."""
    best, _, held_out = choose(elimination_path, sums)
    return LinearFit(elimination_path(sums.whole)[:, best], {"inputs": float(best + 1)}, held_out)


def logistic(stacked: Stacked, sums: FoldSums, folds: tuple[Fold, ...], costs: float) -> LinearFit:
    """Log odds that the later return is above 0."""
    return _logistic(stacked, folds, 0.0)


def logistic_beyond_costs(stacked: Stacked, sums: FoldSums, folds: tuple[Fold, ...], costs: float) -> LinearFit:
    """Log odds that the later return is above the costs of buying and selling again."""
    return _logistic(stacked, folds, costs)


def _logistic(stacked: Stacked, folds: tuple[Fold, ...], least: float) -> LinearFit:
    rises = stacked.later > least
    thin = np.zeros(len(rises), dtype=bool)
    thin[:: max(1, -(-len(rises) // LOGISTIC_ROWS))] = True
    thin &= stacked.known
    loss, plain = np.zeros(len(LOGISTIC_PENALTIES)), 0.0
    for fold in folds:
        train = np.flatnonzero(thin & fold.train(len(rises)))
        test = fold.test.start + np.flatnonzero(thin[fold.test])
        fewer = min(int(rises[train].sum()), int((~rises[train]).sum()))
        if fewer < LEAST_EACH:
            raise NotFitted(f"of {len(train)} later returns of a fold only {fewer} are on one side of the costs")
        share = float(rises[train].mean())
        plain += _log_loss(np.full(len(test), np.log(share / (1.0 - share))), rises[test])
        for i, penalty in enumerate(LOGISTIC_PENALTIES):
            weights, intercept = _logistic_fit(stacked.z[train], rises[train], penalty)
            loss[i] += _log_loss(stacked.z[test] @ weights + intercept, rises[test])
    best = int(np.argmin(loss))
    weights, _ = _logistic_fit(stacked.z[stacked.known], rises[stacked.known], LOGISTIC_PENALTIES[best])
    return LinearFit(weights, {"penalty": LOGISTIC_PENALTIES[best]}, 1.0 - float(loss[best]) / plain)


def _logistic_fit(z: np.ndarray, rises: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Weights (p,) and intercept that minimise mean log loss + penalty |weights|^2 / 2."""
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=1.0 / (penalty * len(z)), solver="newton-cholesky", tol=1e-6).fit(z, rises)
    return model.coef_[0], float(model.intercept_[0])


def _log_loss(odds: np.ndarray, rises: np.ndarray) -> float:
    return float(np.logaddexp(0.0, np.where(rises, -odds, odds)).sum())
