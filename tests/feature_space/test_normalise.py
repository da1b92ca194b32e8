"""Normalisation worked out by hand."""

import numpy as np
import pytest

from feature_space.normalise import Normalisation
from tests.naive import features as naive


def test_local_by_hand():
    x = np.array([1.0, 3.0, 3.0, 1.0])
    # sd of the last two: 0, 1, 0, 1
    got = Normalisation("local", 2, 1.0).apply(x)
    np.testing.assert_allclose(got, [0, 2 / np.pi * np.arctan(3), 0, 0.5], rtol=1e-15)
    got = Normalisation("local", 2, 3.0).apply(x)
    np.testing.assert_allclose(got[1], 0.5, rtol=1e-15)


def test_train_by_hand():
    scale = Normalisation("train", 240, 1.0).fit(np.array([1.0, 5.0]))
    assert scale == 2.0
    got = Normalisation("train", 240, 2.0).apply(np.array([4.0, -4.0, 0.0, 1e300]), scale)
    np.testing.assert_allclose(got, [0.5, -0.5, 0, 1], rtol=1e-15)
    assert Normalisation("local", 240, 1.0).fit(np.array([1.0, 5.0])) == 1.0
    assert not Normalisation("train", 240, 1.0).apply(np.ones(5), 0.0).any()


def test_equals_its_twin():
    x = np.random.default_rng(0).standard_t(3, 400)
    x[100:200] = x[100]
    for window, gain in ((2, 1.0), (30, 0.5), (1000, 2.0)):
        got = Normalisation("local", window, gain).apply(x)
        np.testing.assert_allclose(got, naive.normalise_local(x, window, gain), rtol=1e-9, atol=1e-12)


def test_rounding_is_not_blown_up():
    noise = 1e-16 * np.random.default_rng(0).normal(size=300)
    assert not Normalisation("local", 50, 1.0).apply(noise).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "global"}, "unknown normalisation 'global'"),
        ({"window": 1}, "window >= 2"),
        ({"gain": 0.0}, "gain > 0"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Normalisation(**{"kind": "local", "window": 240, "gain": 1.0, **options})
