"""Prices to label, and how labels are held against their twins."""

import numpy as np


def walk(n, seed, *, coarse=False):
    """Random walk around 100; coarse: steps of one tick and many equal prices."""
    rng = np.random.default_rng(seed)
    if coarse:
        return 100.0 + 0.25 * np.cumsum(rng.integers(-1, 2, n))
    return 100.0 * np.exp(np.cumsum(rng.standard_t(4, n) * 3e-3))


def assert_equals(got, wanted):
    """Values to 1e-9, classes, and the last bars used where the twin tells them."""
    values, classes, *last_used = wanted
    np.testing.assert_allclose(got.value, values, rtol=1e-9, atol=1e-9)
    edge = np.abs(np.abs(got.value) - 0.5) < 1e-9  # a value on the edge may fall to either side
    np.testing.assert_array_equal(got.classes[~edge], np.array(classes)[~edge])
    assert got.value.shape == got.classes.shape == got.last_used.shape == (len(values),)
    for bars in last_used:
        np.testing.assert_array_equal(got.last_used, bars)
