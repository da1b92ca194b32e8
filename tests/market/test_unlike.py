"""Markets unlike each other: against the naive twin, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelsearch.market.rules import BarError
from labelsearch.market.unlike import correlations, shared_return, unlike, without_beta
from tests.naive import unlike as naive


def drawn(seed: int, n: int = 60, m: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Returns with something in common, and which of them are there."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.03, (n, m)) + rng.normal(0, 0.03, (n, 1)) * rng.uniform(-1, 2, m)
    has = rng.random((n, m)) > rng.uniform(0, 0.7, m)
    return np.where(has, returns, 0.0), has


@given(st.integers(0, 100_000))
@settings(max_examples=40, deadline=None)
def test_correlations_and_choice_as_the_naive_twin(seed):
    returns, has = drawn(seed)
    returns[:, 0] = 0.01 * has[:, 0]  # one that does not move
    found = correlations(returns, has)
    m = returns.shape[1]
    twin = [[naive.correlation(returns[:, i], has[:, i], returns[:, k], has[:, k]) for k in range(m)] for i in range(m)]
    np.testing.assert_allclose(found, np.array(twin, dtype=float), rtol=1e-9, atol=1e-12)
    assert np.isnan(found[0]).all()
    for start in range(m):
        assert unlike(found, start, 4) == naive.unlike(twin, start, 4)


def test_a_market_that_mirrors_another_is_no_other():
    rng = np.random.default_rng(1)
    first, other = rng.normal(size=(2, 300))
    mixed = 0.6 * first + 0.8 * other
    returns = np.column_stack([first, -first, mixed, rng.normal(size=300)])
    assert unlike(correlations(returns, np.ones((300, 4), dtype=bool)), 0, 3) == [0, 3, 2]


def test_nothing_of_the_basket_is_left():
    returns, has = drawn(7, n=400)
    basket = shared_return(returns, has)
    np.testing.assert_allclose(basket[5], returns[5][has[5]].mean(), rtol=1e-12)
    rest = without_beta(returns, has, basket)
    for m in range(6):
        rows = has[:, m]
        slope, constant = np.polyfit(basket[rows], returns[rows, m], 1)
        np.testing.assert_allclose(rest[rows, m], returns[rows, m] - slope * basket[rows] - constant, atol=1e-12)
        assert (rest[~rows, m] == 0.0).all()
    assert (without_beta(returns, has, np.zeros(400))[has[:, 0], 0] != 0.0).all()
    assert (shared_return(returns, np.zeros_like(has)) == 0.0).all()


def test_a_start_that_is_not_there_is_refused():
    with pytest.raises(BarError, match="no market 3 to start from among 3"):
        unlike(np.eye(3), 3, 2)
    with pytest.raises(BarError, match="0 to choose"):
        unlike(np.eye(3), 0, 0)
