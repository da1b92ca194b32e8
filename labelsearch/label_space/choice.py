"""The choice of labels that add to each other: what each output adds to those chosen, about what comes later.

Finalists are judged on folds of train one after the other, each fitted on all before it. A multinomial logistic
regression, trained on the folds before, foretells the class of the later return on each fold from the outputs chosen so
far; the label whose outputs lower its loss most is chosen next (conditional skill: forward selection by log score).
Once none lowers it by `LEAST_GAIN`, the next is that whose outputs differ most from those chosen: by effective
dimension.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from strategies.tiers.unlike import effective_bets

N_CLASSES = 3
MOST_ROWS = 6000  # of all folds together, evenly spread
RIDGE = 1e-3  # times the number of rows: of weights for standard deviations of log odds
MOST_STEPS = 12
LEAST_GAIN = 2e-4  # nats: what adds less adds nothing


class Chosen(NamedTuple):
    """A chosen finalist, by its number, and what its outputs add to those chosen before it, by fold, in nats."""

    number: int
    gains: NDArray[np.float64]  # (F - 1,) of the folds that are foretold


def logits(outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log odds of probabilities, of the same shape, limited to 12."""
    p = np.clip(outputs.astype(np.float64), 6e-6, 1.0 - 6e-6)
    return np.asarray(np.log(p / (1.0 - p)))


def effective_dimension(columns: NDArray[np.float64]) -> float:
    """Exponential of the entropy of the eigenvalue shares of the correlation matrix of columns (N, K)."""
    return effective_bets(columns.T)


def fit_multinomial(x: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights (P + 1, 3) of a multinomial logistic regression with a ridge, the intercept first; by Newton's method."""
    n, p = x.shape
    z = np.column_stack([np.ones(n), x])
    target = np.eye(N_CLASSES)[classes]
    penalty = np.r_[0.0, np.full(p, RIDGE * n)]
    share = np.maximum(target.mean(axis=0), 1e-6)
    weights = np.zeros((p + 1, N_CLASSES))
    weights[0] = np.log(share)
    size = (p + 1) * N_CLASSES
    for _ in range(MOST_STEPS):
        probability = softmax(z @ weights)
        gradient = z.T @ (probability - target) + penalty[:, None] * weights
        hessian = np.zeros((N_CLASSES, p + 1, N_CLASSES, p + 1))
        for a in range(N_CLASSES):
            for b in range(N_CLASSES):
                own = probability[:, a] * ((a == b) - probability[:, b])
                hessian[a, :, b] = z.T @ (own[:, None] * z)
            hessian[a, :, a] += np.diag(penalty)
        # adding the same to all three classes changes nothing: a little on the diagonal chooses one of these
        step = np.linalg.solve(hessian.reshape(size, size) + 1e-6 * n * np.eye(size), gradient.T.reshape(size))
        weights = weights - step.reshape(N_CLASSES, p + 1).T
        if np.abs(step).max() < 1e-6:
            break
    return weights


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of scores, by row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def return_classes(returns: NDArray[np.float64]) -> NDArray[np.int64]:
    """0 below minus half a standard deviation, 1 between, 2 above it; -1 where the return is not known."""
    half = 0.5 * np.nanstd(returns)
    found = np.where(returns > half, 2, np.where(returns < -half, 0, 1))
    return np.where(np.isfinite(returns), found, -1)


def held_out_losses(
    columns: NDArray[np.float64], classes: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean log loss on each fold but the first, fitted on those before it.

    Parameters
    ----------
    columns : (N, P) array of float64
        Log odds; none for what is known without outputs.
    classes : (N,) array of int64
        As `return_classes`.
    folds : (N,) array of int64
        From 0 on, in time order.
    """
    losses = []
    for fold in range(1, int(folds.max()) + 1):
        train, test = (folds < fold) & (classes >= 0), (folds == fold) & (classes >= 0)
        mean, scale = columns[train].mean(axis=0), np.maximum(columns[train].std(axis=0), 1e-9)
        weights = fit_multinomial((columns[train] - mean) / scale, classes[train])
        z = np.column_stack([np.ones(test.sum()), (columns[test] - mean) / scale])
        own = softmax(z @ weights)[np.arange(int(test.sum())), classes[test]]
        losses.append(-float(np.log(np.maximum(own, 1e-12)).mean()))
    return np.array(losses)


def choose_labels(
    outputs: Sequence[NDArray[np.float64]],
    targets: Sequence[NDArray[np.int64]],
    folds: NDArray[np.int64],
    n: int,
) -> list[Chosen]:
    """Choose up to ``n`` labels, the one that adds most first.

    Parameters
    ----------
    outputs : sequence of (N, 2) arrays of float64
        Log odds of buy and sell of each finalist, on the same bars.
    targets : sequence of (N,) arrays of int64
        Classes of the return over several horizons.
    folds : (N,) array of int64
    n : int
    """
    step = max(1, -(-len(folds) // MOST_ROWS))
    outputs, targets, folds = [its[::step] for its in outputs], [its[::step] for its in targets], folds[::step]

    def losses(columns: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.mean([held_out_losses(columns, its, folds) for its in targets], axis=0))

    taken = np.empty((len(folds), 0))
    before, chosen = losses(taken), list[Chosen]()
    left = list(range(len(outputs)))
    while left and len(chosen) < n:
        gains = [before - losses(np.column_stack([taken, outputs[i]])) for i in left]
        best = int(np.argmax([gain.mean() for gain in gains]))
        if not gains[best].mean() > LEAST_GAIN:
            best = int(np.argmax([effective_dimension(np.column_stack([taken, outputs[i]])) for i in left]))
        number = left.pop(best)
        chosen.append(Chosen(number, gains[best]))
        taken = np.column_stack([taken, outputs[number]])
        before = before - gains[best]
    return chosen
