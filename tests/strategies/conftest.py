"""A small market for the tests of strategies: rough prices, wandering outputs, varied strategies."""

from typing import NamedTuple

import numpy as np
import pytest

from strategies.search.linear import StrategySpace


class Market(NamedTuple):
    """Outputs (T, K), open and close (T,)."""

    outputs: np.ndarray
    open: np.ndarray
    close: np.ndarray


def make_market(seed: int, n_bars: int, n_outputs: int = 16) -> Market:
    """Random walk with gaps at the open and rare jumps; outputs in [0, 1] that wander."""
    rng = np.random.default_rng(seed)
    move = rng.normal(0, 2e-3, n_bars) + (rng.random(n_bars) < 0.01) * rng.normal(0, 0.1, n_bars)
    gap = rng.normal(0, 1e-3, n_bars) + (rng.random(n_bars) < 0.01) * rng.normal(0, 0.05, n_bars)
    close = 9000.0 * np.exp(np.cumsum(move + gap))
    open_ = np.r_[9000.0, close[:-1]] * np.exp(gap)
    walk = np.cumsum(rng.normal(0, 0.15, (n_bars, n_outputs)), axis=0)
    return Market(1 / (1 + np.exp(-2 * np.sin(walk) - rng.normal(0, 0.3, walk.shape))), open_, close)


def make_params(seed: int, n_strategies: int, n_outputs: int = 16) -> np.ndarray:
    """Strategies from the default space."""
    return StrategySpace(n_outputs).sample(np.random.default_rng(seed), n_strategies)


@pytest.fixture
def market() -> Market:
    """2,000 bars of 16 outputs."""
    return make_market(1, 2000)


@pytest.fixture
def make():
    """The two makers, for tests that need other sizes or seeds."""
    return make_market, make_params
