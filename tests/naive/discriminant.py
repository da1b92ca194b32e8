"""Slow plain twin of the discriminant: regressions on rows instead of sums of products."""

import numpy as np

KINDS = ((0, 2), (0, 1), (1, 2))


def errors(features, classes, folds, n_folds: int, ridge: float) -> np.ndarray:
    """Share of the variance of the class left on each fold, (K, n_folds), of features (F, N) in whole steps."""
    columns = np.concatenate([features, features**2]).T.astype(float)
    out = []
    for a, b in KINDS:
        target = np.where(classes == a, 1.0, -1.0)
        of_kind = []
        for fold in range(n_folds):
            train = np.isin(classes, (a, b)) & (folds != fold)
            test = np.isin(classes, (a, b)) & (folds == fold)
            weight = _balanced(classes[train], a, b)
            mean = weight @ columns[train]
            scale = np.sqrt(weight @ (columns[train] - mean) ** 2)
            z, later = (columns[train] - mean) / scale, (columns[test] - mean) / scale
            gram = z.T @ (weight[:, None] * z) + ridge * np.eye(z.shape[1])
            weights = np.linalg.solve(gram, z.T @ (weight * target[train]))
            of_kind.append(_balanced(classes[test], a, b) @ (target[test] - later @ weights) ** 2)
        out.append(of_kind)
    return np.array(out)


def _balanced(classes, a: int, b: int) -> np.ndarray:
    """Weights of rows by which both classes weigh the same, of those that are there, and all together 1."""
    weights = np.zeros(len(classes))
    there = [k for k in (a, b) if (classes == k).any()]
    for k in there:
        weights[classes == k] = 1.0 / len(there) / (classes == k).sum()
    return weights
