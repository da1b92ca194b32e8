"""The choice of labels that add to each other."""

import numpy as np
import pytest

from labelsearch.label_space.choice import (
    RIDGE,
    choose_labels,
    effective_dimension,
    fit_multinomial,
    held_out_losses,
    logits,
    return_classes,
    softmax,
)


def test_effective_dimension_counts_what_is_different():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (5000, 4))
    assert effective_dimension(x) == pytest.approx(4.0, abs=0.02)
    assert effective_dimension(np.column_stack([x[:, :1], x[:, :1], -x[:, :1]])) == pytest.approx(1.0)
    assert effective_dimension(np.column_stack([x[:, 0], np.ones(5000)])) == 1.0
    pair = np.column_stack([x[:, 0], 0.5 * x[:, 0] + np.sqrt(0.75) * x[:, 1]])
    share = np.array([0.75, 0.25])
    assert effective_dimension(pair) == pytest.approx(float(np.exp(-(share * np.log(share)).sum())), abs=0.03)


def test_the_regression_is_that_of_a_library():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    x = rng.normal(0, 1, (3000, 3))
    classes = (x @ [1.0, -0.5, 0.0] + rng.logistic(0, 1, 3000) > 0).astype(int) + (x[:, 2] > 1)
    weights = fit_multinomial(x, classes)
    peer = LogisticRegression(C=1.0 / (RIDGE * 3000), tol=1e-8, max_iter=500).fit(x, classes)
    own = softmax(np.column_stack([np.ones(3000), x]) @ weights)
    assert np.abs(own - peer.predict_proba(x)).max() < 1e-4


def test_classes_of_returns_and_limits_of_odds():
    returns = np.array([-2.0, -0.1, 0.1, 2.0, np.nan])
    assert return_classes(returns).tolist() == [0, 1, 1, 2, -1]
    found = logits(np.array([[0.0, 0.5], [1.0, 0.9]], dtype=np.float32))
    assert np.isfinite(found).all()
    assert found[0, 1] == 0.0


@pytest.fixture(scope="module")
def outputs():
    """Two things that foretell the return, a copy of the first, and noise."""
    rng = np.random.default_rng(3)
    n = 6000
    first, second = rng.normal(0, 1, (2, n, 2))
    returns = first[:, 0] - first[:, 1] + 0.7 * (second[:, 0] - second[:, 1]) + rng.normal(0, 2, n)
    copy = first + rng.normal(0, 0.05, (n, 2))
    return [rng.normal(0, 1, (n, 2)), copy, second, first], return_classes(returns), np.repeat(np.arange(3), n // 3)


def test_what_is_known_already_is_not_chosen(outputs):
    finalists, target, folds = outputs
    chosen = choose_labels(finalists, [target], folds, 2)
    assert {its.number for its in chosen[:1]} <= {1, 3}
    assert chosen[1].number == 2
    assert all((its.gains > 0).all() for its in chosen)
    assert len(chosen[0].gains) == 2  # folds that are foretold


def test_gains_are_falls_of_the_loss(outputs):
    finalists, target, folds = outputs
    chosen = choose_labels(finalists, [target, target], folds, 3)
    taken = np.column_stack([finalists[its.number] for its in chosen])
    before, after = (held_out_losses(x, target, folds) for x in (np.empty((len(folds), 0)), taken))
    assert sum(its.gains for its in chosen) == pytest.approx(before - after, abs=1e-9)


def test_where_none_adds_the_most_different_comes_next(outputs):
    finalists, target, folds = outputs
    chosen = choose_labels(finalists, [target], folds, 4)
    assert [its.number for its in chosen[2:]] in ([0, 1], [0, 3])


def test_losses_are_held_out():
    rng = np.random.default_rng(4)
    noise, classes, folds = rng.normal(0, 1, (1500, 8)), rng.integers(0, 3, 1500), np.repeat([0, 1, 2], 500)
    plain = held_out_losses(np.empty((1500, 0)), classes, folds)
    assert (held_out_losses(noise, classes, folds) > plain - 1e-3).all()
