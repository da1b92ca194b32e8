import numpy as np
import pytest

from strategies.luck.superior_ability import long_run_deviation, superior_ability


@pytest.mark.slow
def test_size_and_power():
    """No better strategy is found in noise more often than the level says, and a better one is found."""
    rng = np.random.default_rng(1)
    found, better = [], []
    for seed in range(150):
        market = rng.normal(0, 0.03, 60)
        returns = market + rng.normal(0, 0.01, (12, 60))
        found.append(superior_ability(returns, market, block=2, n_reps=199, seed=seed).consistent)
        returns[3] += 0.006
        better.append(superior_ability(returns, market, block=2, n_reps=199, seed=seed).consistent)
    found, better = np.array(found), np.array(better)
    assert (found <= 0.1).mean() < 0.2
    assert (found <= 0.5).mean() > 0.3
    assert (better <= 0.05).mean() > 0.9


def test_p_values_are_in_order_and_repeat():
    rng = np.random.default_rng(2)
    market = rng.normal(0, 0.03, 90)
    returns = market + rng.normal(-0.002, 0.01, (30, 90)) * rng.uniform(0.1, 3, (30, 1))
    a = superior_ability(returns, market, seed=4)
    assert a == superior_ability(returns, market, seed=4)
    assert 0 < a.lower <= a.consistent <= a.upper <= 1
    assert a.block == 4


def test_scale_of_a_strategy_does_not_matter():
    """Studentised: a wild strategy without edge does not drown a calm one with it."""
    rng = np.random.default_rng(3)
    differences = rng.normal(0, 0.01, (2, 100))
    differences[0] += 0.004
    differences[1] = 100 * (differences[1] - differences[1].mean())
    got = superior_ability(differences, np.zeros(100), block=2, seed=1)
    assert got.upper < 0.05


def test_deviation_is_that_of_bootstrapped_means():
    from arch.bootstrap import StationaryBootstrap

    x = np.convolve(np.random.default_rng(5).normal(size=203), np.ones(4), "valid")[:, None]
    means = StationaryBootstrap(8, x, seed=1).apply(lambda y: y.mean(axis=0), reps=4000)
    assert long_run_deviation(x, 8)[0] == pytest.approx(np.sqrt(200) * means.std(), rel=0.05)


def test_too_little_to_test():
    assert superior_ability(np.zeros((3, 9)), np.zeros(9)) is None
    market = np.random.default_rng(0).normal(size=30)
    assert superior_ability(np.tile(market, (3, 1)), market) is None
