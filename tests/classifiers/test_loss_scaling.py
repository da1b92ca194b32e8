"""Loss factors: identities and hand-worked values."""

import numpy as np
import pytest

from labelsearch.classifiers.loss_scaling import B, balance, loss_factors, neutral_shape
from labelsearch.labels.kinds import Threshold


@pytest.fixture(scope="module")
def by_value():
    """Values with their class edge at one half, mostly neutral."""
    value = np.clip(np.random.default_rng(0).normal(0, 0.3, 5000), -1, 1)
    return value, np.where(value > 0.5, 2, np.where(value < -0.5, 0, 1)).astype(np.int8)


@pytest.fixture(scope="module")
def by_threshold():
    """Values of a threshold label: its edge is 1, so neutral bars go up to |c| = 1."""
    price = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 1e-3, 5000)))
    got = Threshold(0.004, 5).values(price, 1.0)
    assert ((np.abs(got.value) > 0.5) & (got.classes == 1)).sum() > 50
    return got.value, got.classes


@pytest.mark.parametrize("case", ["by_value", "by_threshold"])
def test_action_and_neutral_weigh_the_same(case, request):
    value, classes = request.getfixturevalue(case)
    weights = loss_factors(value, classes)
    assert weights.mean() == pytest.approx(1.0, rel=1e-12)
    assert weights[classes == 1].sum() == pytest.approx(weights[classes != 1].sum(), rel=1e-12)
    assert (weights > 0).all()


def test_by_hand():
    value = np.array([-1.0, 0.8, 0.0, 0.25, -0.5, 0.0])
    classes = np.array([0, 2, 1, 1, 1, 1], dtype=np.int8)
    # cosines: 1, cos(arccos(1/2)/2) = cos(30 degrees), 1/2, 1
    shape = np.array([1, np.sqrt(3) / 2, 0.5, 1])
    a = 1.8 / shape.sum()
    assert balance(value, classes) == pytest.approx(a, rel=1e-12)
    wanted = np.r_[1.0, 0.8, a * shape]
    np.testing.assert_allclose(loss_factors(value, classes), wanted / wanted.mean(), rtol=1e-12)
    other = np.r_[1.0, 0.8, 7 * shape]
    np.testing.assert_allclose(loss_factors(value, classes, 7.0), other / other.mean(), rtol=1e-12)


def test_shape():
    c = np.linspace(-1, 1, 2001)
    shape = neutral_shape(c)
    assert shape[1000] == 1.0
    np.testing.assert_allclose(shape, shape[::-1], rtol=1e-12)
    assert np.abs(np.diff(shape)).max() < 0.003  # no jump, at the edge b least of all
    assert (np.diff(shape[1000:1501]) < 0).all()
    np.testing.assert_allclose(shape[np.abs(c) >= B], B, rtol=1e-12)  # held: it would turn negative beyond
    assert neutral_shape(np.array([B]))[0] == pytest.approx(B)


@pytest.mark.parametrize("classes", [np.ones(9, np.int8), np.zeros(9, np.int8), np.full(9, 2, np.int8)])
def test_one_sided_labels_are_refused(classes):
    with pytest.raises(ValueError, match="both action and neutral"):
        loss_factors(np.full(9, 0.1), classes)
