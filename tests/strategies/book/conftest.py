"""A few markets of a universe for the tests of books: some begin late, one ends, one leaves for a while."""

import numpy as np
import pytest

from strategies.book.rules import BookRules, BookSpace
from strategies.book.window import BookWindow, MarketWindow, Universe, book_window
from strategies.search.linear import StrategySpace
from strategies.trade.window import BarCosts

HOUR_MS = 3_600_000


def make_book(
    seed: int = 1,
    n_rows: int = 400,
    n_markets: int = 7,
    n_labels: int = 2,
    n_intervals: int = 1,
    *,
    costly: bool = True,
) -> BookWindow:
    """Markets that share a factor, rows of four hours, with probabilities that wander."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(0, 0.01, n_rows)
    loading = rng.uniform(0.5, 1.6, n_markets)
    move = factor[:, None] * loading + rng.normal(0, 0.008, (n_rows, n_markets))
    close = np.array([10.0 ** rng.uniform(-4, 4) for _ in range(n_markets)]) * np.exp(np.cumsum(move, axis=0))
    open_ = close * np.exp(-0.7 * move)
    member = np.ones((n_rows, n_markets), dtype=np.bool_)
    first = np.zeros(n_markets, dtype=int)
    first[1], stop = n_rows // 5, n_rows - n_rows // 4
    member[: first[1] + 20, 1] = member[stop - 1 :, 2] = member[n_rows // 3 : n_rows // 2, 3] = False
    markets = []
    for m in range(n_markets):
        row = np.arange(first[m], stop if m == 2 else n_rows)
        row = row[rng.random(len(row)) > 0.02] if m == 4 else row
        walk = np.cumsum(rng.normal(0, 0.2, (n_intervals, n_rows, n_labels, 3)), axis=1)
        classes = np.exp(np.sin(walk) * 2)
        classes /= classes.sum(axis=-1, keepdims=True)
        outputs = classes[..., [0, 2]].reshape(n_intervals, n_rows, -1)
        outputs[:, np.setdiff1d(np.arange(n_rows), row)] = np.nan
        costs = BarCosts()
        if costly:
            price = close[row, m]
            due = np.where((row % 2 == 0)[:, None], rng.normal(0, 2e-4, (len(row), 2)) * price[:, None], 0.0)
            costs = BarCosts(
                half_spread=np.full(len(row), 1e-4 * (1 + m)),
                impact=np.full(len(row), 5e-4),
                funding=due,
                borrow=1e-5 * price,
            )
        markets.append(
            MarketWindow(list(outputs), row, open_[row, m], close[row, m], costs, 1e-4, np.nan, goes_on=m != 2)
        )
    sigma = np.full((n_rows, n_markets), 0.01) * rng.uniform(0.7, 1.5, n_markets)
    basket = factor * loading.mean()
    universe = Universe(member, sigma, np.broadcast_to(loading / loading.mean(), member.shape).copy(), basket)
    return book_window(
        markets, universe, 4 * HOUR_MS * np.arange(n_rows), n_rows / 180.0, BookRules.of("neutral", fee_share=0.0005)
    )


@pytest.fixture
def make():
    """The maker, for tests that need other sizes or seeds."""
    return make_book


@pytest.fixture
def window() -> BookWindow:
    """400 rows of 7 markets."""
    return make_book()


@pytest.fixture
def params() -> np.ndarray:
    """Strategies of four outputs that trade."""
    space = BookSpace(StrategySpace(4, theta_buy=(0.5, 0.6), theta_sell=(0.4, 0.5)), band=(0.0, 0.3))
    return space.sample(np.random.default_rng(3), 12)
