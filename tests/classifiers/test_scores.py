"""Figures of a comparison, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from labelsearch.classifiers.figures import Estimate
from labelsearch.classifiers.scores import expected_calibration_error, row_brier, row_losses, score

KEYS = ("loss", "brier", "balanced_accuracy", "auc_buy", "auc_neutral", "auc_sell")


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 2, 1], 2000).astype(np.float32)
    classes = (p.cumsum(axis=1) < rng.random((2000, 1))).sum(axis=1).clip(max=2).astype(np.int8)
    return p, classes, rng.random(2000) + 0.5, np.arange(2000)


def test_values(case):
    p, classes, weights, rows = case
    got = score(p, classes, weights, rows, 50)
    assert got.loss.value == pytest.approx(log_loss(classes, p, sample_weight=weights), rel=1e-5)
    assert got.balanced_accuracy.value == pytest.approx(balanced_accuracy_score(classes, p.argmax(1)))
    assert got.auc_sell.value == pytest.approx(roc_auc_score(classes == 2, p[:, 2]))
    assert got.brier.value == pytest.approx(np.average(row_brier(p, classes), weights=weights))
    for key in KEYS:
        low, high = getattr(got, key).interval
        assert low < getattr(got, key).value < high
        assert high - low < 0.2
    assert got.calibration_error.interval is None


def test_an_absent_class(case):
    p, classes, weights, rows = case
    got = score(p, np.minimum(classes, 1), weights, rows, 50)
    assert got.auc_sell == Estimate(None, None)
    assert got.balanced_accuracy.value > 0.3  # over the classes there are


def test_rows_by_hand():
    p = np.array([[0.5, 0.25, 0.25], [0.0, 0.2, 0.8]], dtype=np.float32)
    classes = np.array([0, 2], dtype=np.int8)
    np.testing.assert_allclose(row_losses(p, classes), [np.log(2), -np.log(0.8)], rtol=1e-6)
    np.testing.assert_allclose(row_brier(p, classes), [0.25 + 2 / 16, 0.08], rtol=1e-6)
    assert np.isfinite(row_losses(p, np.array([0, 0], dtype=np.int8))).all()


def test_calibration_error(case):
    p, classes, weights, _ = case
    assert expected_calibration_error(p, classes, weights) < 0.05  # classes were drawn from p
    sharp = p**4 / (p**4).sum(axis=1, keepdims=True)
    assert expected_calibration_error(sharp, classes, weights) > 0.2
    two = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.1, 0.6, 0.3]], dtype=np.float32)
    got = expected_calibration_error(two, np.array([0, 1, 1], dtype=np.int8), np.array([1.0, 1.0, 2.0]))
    assert got == pytest.approx((2 * (0.9 - 0.5) + 2 * (1 - 0.6)) / 4, rel=1e-6)
