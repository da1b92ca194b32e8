"""Unlike strategies and effective bets, against values by hand and obvious loops."""

import numpy as np
import pytest

from strategies.tiers.unlike import effective_bets, pick_unlike
from strategies.trade.correlation import residual_returns


def returns(seed: int = 0, n: int = 40, days: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Strategies of five kinds beside a market that all hold more or less, and the market."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0.001, 0.03, days)
    kinds = rng.normal(0.0, 0.01, (5, days))
    own = kinds[rng.integers(0, 5, n)] + rng.normal(0.0, 0.004, (n, days))
    return rng.uniform(0.2, 1.0, (n, 1)) * market + own, market


def test_residual_returns_have_no_beta():
    found, market = returns()
    rest = residual_returns(found, market)
    np.testing.assert_allclose(np.cov(np.vstack([rest, market]))[-1, :-1], 0.0, atol=1e-18)
    slope = np.polyfit(market, found[0], 1)[0]
    np.testing.assert_allclose(rest[0], found[0] - slope * market)
    assert residual_returns(found, np.zeros_like(market)) is found
    np.testing.assert_array_equal(residual_returns(found, market)[3], residual_returns(found[3:4], market)[0])


def test_effective_bets_by_hand():
    rng = np.random.default_rng(1)
    one = rng.normal(size=60)
    assert effective_bets(np.tile(one, (100, 1))) == pytest.approx(1.0)
    assert effective_bets(np.vstack([one, -2.0 * one])) == pytest.approx(1.0)  # the opposite bet is the same bet
    orthogonal = np.linalg.qr(rng.normal(size=(60, 9)) - 0)[0].T
    orthogonal -= orthogonal.mean(axis=1, keepdims=True)
    assert effective_bets(np.linalg.qr(orthogonal.T)[0].T @ (np.eye(60) - 1 / 60)) == pytest.approx(9.0, rel=0.05)
    rho = 0.6  # eigenvalues 1 + rho and 1 - rho
    p = np.array([1 + rho, 1 - rho]) / 2
    pair = np.linalg.cholesky([[1, rho], [rho, 1]]) @ _white(2, 60)
    assert effective_bets(pair) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert effective_bets(np.zeros((4, 60))) == 0.0
    assert effective_bets(np.vstack([one, np.zeros(60)])) == pytest.approx(1.0)  # what never moved is no bet


def _white(n: int, days: int) -> np.ndarray:
    """Rows without a mean, at right angles and of length 1."""
    raw = np.random.default_rng(2).normal(size=(days, n))
    return np.linalg.qr(raw - raw.mean(axis=0))[0].T


@pytest.mark.parametrize("most_alike", [0.3, 0.7, 0.9])
@pytest.mark.parametrize("at_once", [3, 512])
def test_unlike_as_an_obvious_loop(most_alike, at_once, monkeypatch):
    monkeypatch.setattr("strategies.tiers.unlike.AT_ONCE", at_once)
    found, market = returns()
    order = np.random.default_rng(5).permutation(len(found))
    rest = residual_returns(found, market)
    taken: list[int] = []
    for row in order:
        if all(np.corrcoef(rest[row], rest[other])[0, 1] <= most_alike for other in taken):
            taken.append(int(row))
    got = pick_unlike(order, lambda rows: found[rows], market, most=40, most_alike=most_alike)
    assert got.rows.tolist() == taken
    np.testing.assert_array_equal(got.returns, found[taken])
    assert got.looked_at == len(order)
    assert 3 < len(taken) < 40
    few = pick_unlike(order, lambda rows: found[rows], market, most=3, most_alike=most_alike)
    assert few.rows.tolist() == taken[:3]
    assert few.looked_at < len(order)


def test_of_strategies_that_never_moved_one_is_taken():
    found, market = returns(n=6)
    found[[1, 3]] = 0.0
    got = pick_unlike(range(6), lambda rows: found[rows], market, most=6, most_alike=0.999)
    assert got.rows.tolist() == [0, 1, 2, 4, 5]


def test_all_may_be_alike():
    found, market = returns(n=6)
    got = pick_unlike([5, 1, 2], lambda rows: found[rows], market, most=2, most_alike=1.0)
    assert got.rows.tolist() == [5, 1]
    assert pick_unlike([], lambda rows: found[rows], market, most=2, most_alike=0.5).returns.shape == (0, 90)
