"""A small market for the tests of strategies: rough prices, wandering outputs, varied strategies."""

import numpy as np
import pytest

from strategies.search.linear import StrategySpace
from strategies.trade.window import TradingWindow

MINUTE_MS = 60_000


def make_market(seed: int, n_bars: int, n_outputs: int = 16, interval_ms: int = MINUTE_MS) -> TradingWindow:
    """A month: random walk with gaps at the open and rare jumps; outputs in [0, 1] that wander."""
    rng = np.random.default_rng(seed)
    move = rng.normal(0, 2e-3, n_bars) + (rng.random(n_bars) < 0.01) * rng.normal(0, 0.1, n_bars)
    gap = rng.normal(0, 1e-3, n_bars) + (rng.random(n_bars) < 0.01) * rng.normal(0, 0.05, n_bars)
    close = 9000.0 * np.exp(np.cumsum(move + gap))
    open_ = np.r_[9000.0, close[:-1]] * np.exp(gap)
    walk = np.cumsum(rng.normal(0, 0.15, (n_bars, n_outputs)), axis=0)
    outputs = 1 / (1 + np.exp(-2 * np.sin(walk) - rng.normal(0, 0.3, walk.shape)))
    return TradingWindow.of(outputs, open_, close, interval_ms * np.arange(n_bars), 1.0)


def make_params(seed: int, n_strategies: int, n_outputs: int = 16) -> np.ndarray:
    """Strategies from the default space."""
    return StrategySpace(n_outputs).sample(np.random.default_rng(seed), n_strategies)


@pytest.fixture
def market() -> TradingWindow:
    """2,000 bars of 16 outputs."""
    return make_market(1, 2000)


@pytest.fixture
def make():
    """The two makers, for tests that need other sizes or seeds."""
    return make_market, make_params
