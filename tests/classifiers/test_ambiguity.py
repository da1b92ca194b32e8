"""Losses of ensembles by hand, and Jensen's inequality."""

import numpy as np
import pytest

from labelsearch.classifiers.ambiguity import class_losses, move_losses


def test_cross_entropies_by_hand():
    """Two networks, three bars: buy, neutral, sell."""
    outputs = np.array(
        [[[0.5, 0.25], [0.25, 0.25], [0.1, 0.8]], [[0.25, 0.5], [0.25, 0.25], [0.3, 0.2]]], dtype=np.float32
    )
    found = class_losses(outputs, np.array([0, 1, 2], dtype=np.int8))
    single = -np.mean([np.log([0.5, 0.25]), np.log([0.5, 0.5]), np.log([0.8, 0.2])])
    of_mean = -np.mean(np.log([0.375, 0.5, 0.5]))
    assert found.single_loss == pytest.approx(single, rel=1e-6)
    assert found.ensemble_loss == pytest.approx(of_mean, rel=1e-6)
    assert found.naive_loss == pytest.approx(np.log(3))
    odds = np.log(outputs / (1 - outputs.sum(axis=2, keepdims=True)))
    assert found.correlation == pytest.approx(
        np.mean([np.corrcoef(odds[:, :, side])[0, 1] for side in (0, 1)]), rel=1e-5
    )


def test_the_mean_is_never_worse_than_single_networks_are_on_average():
    rng = np.random.default_rng(0)
    for _ in range(50):
        probabilities = rng.dirichlet((0.3, 0.3, 0.3), (3, 40)).astype(np.float32)
        classes = rng.integers(0, 3, 40).astype(np.int8)
        found = class_losses(probabilities[:, :, (0, 2)], classes)
        assert found.single_loss > found.ensemble_loss
    equal = class_losses(np.repeat(probabilities[:1, :, (0, 2)], 3, axis=0), classes)
    assert equal.single_loss == pytest.approx(equal.ensemble_loss, rel=1e-12)
    assert equal.correlation == 1.0


def test_squared_errors_fall_by_the_variance_over_networks():
    rng = np.random.default_rng(1)
    outputs, truth = rng.uniform(-1, 1, (4, 200)).astype(np.float32), rng.uniform(-1, 1, 200)
    found = move_losses(outputs, truth)
    variance = outputs.astype(np.float64).var(axis=0).mean()
    assert found.single_loss - found.ensemble_loss == pytest.approx(variance)
    assert found.naive_loss == pytest.approx(truth.var())


def test_networks_that_say_one_thing_have_no_correlation():
    outputs = np.full((2, 5, 2), 0.25, dtype=np.float32)
    found = class_losses(outputs, np.ones(5, dtype=np.int8))
    assert found.correlation is None
    assert found.naive_loss == 0.0
