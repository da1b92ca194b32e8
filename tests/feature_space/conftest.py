"""Small markets for the feature tests, made once."""

from collections.abc import Callable

import numpy as np
import pytest

from feature_space.indicators import Inputs, make_inputs
from labelsearch.market.synthetic import synthetic_bars


def bars_inputs(n: int, seed: int = 5) -> Inputs:
    """Input columns of a synthetic market."""
    b = synthetic_bars(n, seed)
    return make_inputs(b.vwap, b.high, b.low, b.close, b.volume, b.trades)


def odd_inputs(name: str, n: int) -> Inputs:
    """Input columns of a market of one odd shape."""
    rng = np.random.default_rng(11)
    close = 9000.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    noise = rng.uniform(0, 2e-4, (2, n))
    volume, trades = rng.lognormal(0, 1, n), rng.integers(1, 50, n).astype(float)
    if name == "constant":
        close, noise = np.full(n, 0.1), np.zeros((2, n))  # 0.1: its sums round
    elif name == "no volume":
        volume[n // 3 : 2 * n // 3] = trades[n // 3 : 2 * n // 3] = 0.0
    elif name == "jump":
        close, noise = np.where(np.arange(n) < n // 2, 7000.1, 7003.3), np.zeros((2, n))
    elif name == "halt":
        part = slice(n // 3, 2 * n // 3)
        close[part], noise[:, part], volume[part], trades[part] = close[n // 3 - 1], 0.0, 0.0, 0.0
    elif name != "walk":
        raise ValueError(name)
    high, low = close * (1 + noise[0]), close * (1 - noise[1])
    price = low + (high - low) * rng.random(n)
    return make_inputs(np.where(volume > 0, price, close), high, low, close, volume, trades)


def cut(inputs: Inputs, start: int, stop: int | None = None) -> Inputs:
    """Columns of bars start..stop as a market of their own: the first return is 0 there."""
    columns = [column[start:stop].copy() for column in inputs]
    part = Inputs(*columns)
    part.log_return[:1] = 0.0
    return part


@pytest.fixture(scope="session")
def market() -> Inputs:
    """6,000 synthetic minutes."""
    return bars_inputs(6000)


@pytest.fixture(scope="session")
def odd() -> Callable[[str, int], Inputs]:
    return odd_inputs


@pytest.fixture(scope="session")
def cutter() -> Callable[..., Inputs]:
    return cut
