"""Purged folds, and sums that stand for rows."""

import numpy as np
import pytest

from strategies.tiers.controls.folds import NotFitted, Sums, fold_sums, purged_folds


def shared_returns(folds, n: int, horizon: int) -> int:
    """Pairs of rows trained on and tested whose targets have a bar in common, over all folds."""
    pairs = 0
    for fold in folds:
        trained = np.flatnonzero(fold.train(n))
        tested = np.arange(n)[fold.test]
        pairs += int((np.abs(trained[:, None] - tested) < horizon).sum())
    return pairs


@pytest.mark.parametrize("horizon", [1, 7, 30])
def test_no_target_of_training_shares_a_return_with_one_of_the_test(horizon):
    n = 403
    folds = purged_folds(n, horizon + 1)
    assert shared_returns(folds, n, horizon) == 0
    if horizon > 1:
        assert shared_returns(purged_folds(n, 0), n, horizon) > 0
    tested = np.concatenate([np.arange(n)[fold.test] for fold in folds])
    np.testing.assert_array_equal(tested, np.arange(n))
    for fold in folds:  # nothing else is lost
        assert fold.train(n).sum() >= n - (fold.test.stop - fold.test.start) - 2 * (horizon + 1)


def test_unpurged_folds_find_what_is_not_there():
    """Inputs that only tell times apart explain targets that overlap, unless what is near is left out."""
    rng = np.random.default_rng(3)
    n, horizon = 10_000, 400
    returns = rng.normal(size=n + horizon)
    target = np.convolve(returns, np.ones(horizon), "valid")[:n]
    target = (target - target.mean()) / target.std()
    inputs = np.exp(-(((np.arange(n)[:, None] - np.linspace(0, 1600, 8)) / 200.0) ** 2))
    explained = {}
    for gap in (0, horizon + 1):
        sums = fold_sums(inputs, target, np.ones(n, dtype=bool), purged_folds(n, gap, 25)[:4])
        error = plain = 0.0
        for train, test in zip(sums.train, sums.test, strict=True):
            covariance = train.covariance + 1e-6 * np.eye(8)
            weights = np.linalg.solve(covariance, train.with_target)[:, None]
            error += test.squared_error(weights, train.means)[0]
            plain += test.squared_error(0 * weights, train.means)[0]
        explained[gap] = 1 - error / plain
    assert explained[0] > 0.1
    assert explained[horizon + 1] < explained[0] - 0.2


def test_sums_stand_for_rows():
    rng = np.random.default_rng(1)
    inputs, target = rng.normal(size=(900, 3)), rng.normal(size=900)
    known = rng.random(900) < 0.9
    folds = purged_folds(900, 5)
    sums = fold_sums(inputs, target, known, folds)
    weights = rng.normal(size=(3, 2))
    for fold, train, test in zip(folds, sums.train, sums.test, strict=True):
        rows = fold.train(900) & known
        assert train.n == pytest.approx(rows.sum())
        np.testing.assert_allclose(train.covariance, np.cov(inputs[rows].T, bias=True), atol=1e-12)
        wanted = (inputs[rows] * target[rows, None]).mean(0) - inputs[rows].mean(0) * target[rows].mean()
        np.testing.assert_allclose(train.with_target, wanted, atol=1e-12)
        there = np.arange(900)[fold.test][known[fold.test]]
        fitted = target[rows].mean() + (inputs[there] - inputs[rows].mean(0)) @ weights
        np.testing.assert_allclose(
            test.squared_error(weights, train.means), ((target[there, None] - fitted) ** 2).sum(0), rtol=1e-9
        )
    assert Sums.of(inputs, target).less(Sums.of(inputs[:100], target[:100])).n == 800


def test_what_is_too_short_says_so():
    with pytest.raises(NotFitted, match="20 bars are too few for 5 folds with 30 bars between them"):
        purged_folds(20, 30)
    inputs = np.random.default_rng(0).normal(size=(100, 9))
    with pytest.raises(NotFitted, match="a fold of past has 20 bars, 45 are needed for 9 inputs"):
        fold_sums(inputs, inputs[:, 0], np.ones(100, dtype=bool), purged_folds(100, 3))
