"""The spread estimated from prices: the formula, simulated trades, and real quotes."""

from dataclasses import replace

import numpy as np
import pytest

from labelsearch.market.archive import read_raw
from labelsearch.market.bars import Bars
from labelsearch.market.formats import ReadOptions
from labelsearch.market.rules import PRICES, BarError
from labelsearch.market.spreads import LEAST_PAIRS, half_spread, squared_spread
from tests.naive.spreads import squared_spread as naive_squared_spread
from tests.naive.spreads import traded_bars

HOUR = 3_600_000


def bars_of(prices, present=None) -> Bars:
    """Hours with these prices (n, 4), without those that are not present."""
    present = np.ones(len(prices), bool) if present is None else present
    times = np.arange(len(prices))[present] * HOUR
    return Bars("X", HOUR, times, *prices[present].T, np.ones(int(present.sum())))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, {"observed": 0.1}, {"observed": 0.1, "missing": True}, {"trades": 2}])
def test_as_its_twin_does_it(seed, options):
    prices, traded = traded_bars(120, 0.01, seed, **options)
    bars = bars_of(prices, traded if options.get("missing") else None)
    wanted = naive_squared_spread(bars.open_time, bars.open, bars.high, bars.low, bars.close, HOUR)
    square, error = squared_spread(bars)
    assert square == pytest.approx(wanted, rel=1e-9)
    assert error > 0
    assert half_spread(bars) == pytest.approx(np.sqrt(abs(wanted)) / 2, rel=1e-9)


@pytest.mark.parametrize("spread", [0.003, 0.01])
@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"trades": 20}, 0.05),
        ({"trades": 100}, 0.05),
        ({"trades": 20, "observed": 0.1}, 0.12),
        ({"trades": 20, "observed": 0.1, "missing": True}, 0.12),
        ({"trades": 20, "observed": 0.05}, 0.25),
    ],
)
def test_simulated_spreads_are_found(spread, options, tolerance):
    """Volatility of 1 % a bar, 10,000 bars; with few trades, one bar in eight or one in three has none."""
    prices, traded = traded_bars(10_000, spread, 1, **options)
    bars = bars_of(prices, traded if options.get("missing") else None)
    assert 2 * half_spread(bars) == pytest.approx(spread, rel=tolerance)
    square, error = squared_spread(bars)
    assert abs(square - spread**2) < 4 * error


def test_the_bias_falls_with_more_bars():
    """With few trades and a spread below a third of the volatility, the root of a noisy square is too large."""

    def bias(n_bars: int, repeats: int) -> float:
        found = [2 * half_spread(bars_of(traded_bars(n_bars, 0.003, s, observed=0.05)[0])) for s in range(repeats)]
        return abs(np.mean(found) / 0.003 - 1)

    biases = bias(100, 200), bias(1000, 60), bias(10_000, 20)
    assert biases[0] > 0.3
    assert biases[0] > 2 * biases[1]
    assert biases[2] < 0.1


def test_no_spread_is_seen_where_there_is_none():
    square, error = squared_spread(bars_of(traded_bars(5000, 0.0, 2)[0]))
    assert abs(square) < 4 * error


def test_a_negative_square_gives_the_root_of_its_size():
    found = [(bars_of(traded_bars(50, 0.0, seed)[0])) for seed in range(20)]
    negative = [bars for bars in found if squared_spread(bars)[0] < 0]
    assert negative
    for bars in negative:
        assert half_spread(bars) == pytest.approx(np.sqrt(-squared_spread(bars)[0]) / 2)


def test_the_unit_is_a_share_of_the_price():
    bars = bars_of(traded_bars(500, 0.01, 0)[0])
    dearer = replace(bars, **{name: 1e4 * getattr(bars, name) for name in PRICES})
    assert half_spread(dearer) == pytest.approx(half_spread(bars), rel=1e-9)


def test_nothing_is_taken_across_a_gap():
    prices, _ = traded_bars(400, 0.01, 0)
    present = np.ones(400, bool)
    present[200] = False
    jump = prices.copy()
    jump[201:] *= 3.0
    with_gap, with_jump = bars_of(prices, present), bars_of(jump, present)
    assert half_spread(with_jump) == pytest.approx(half_spread(with_gap), rel=1e-9)
    assert half_spread(with_gap.on_grid()) == half_spread(with_gap)


def test_neighbours_are_those_of_the_calendar():
    """Hours of currencies: Friday's last and Sunday's first are neighbours on the grid of their calendar only."""
    week = np.arange(7 * 24)
    opened = (week < 5 * 24 - 2) | (week >= 6 * 24 + 22)
    times = 1_577_664_000_000 + np.flatnonzero(opened) * HOUR  # from Monday, 2019-12-30
    prices = traded_bars(len(times), 0.01, 0)[0]
    bars = Bars("X", HOUR, times, *prices.T, np.ones(len(times)))
    laid_out = bars.on_grid("FX")
    assert not laid_out.filled.any()
    assert squared_spread(laid_out)[0] != squared_spread(bars)[0]


@pytest.mark.parametrize("n", [1, 2, LEAST_PAIRS])
def test_too_few_bars(n):
    with pytest.raises(BarError, match=f"^X: the spread needs 20 bars that follow another one, not {n - 1}$"):
        half_spread(bars_of(traded_bars(n, 0.01, 0)[0]))


def test_bars_that_say_nothing():
    with pytest.raises(BarError, match=r"^X: the spread cannot be estimated"):
        half_spread(bars_of(np.full((50, 4), 100.0)))


@pytest.mark.real_data
def test_the_real_spread_of_the_euro(market_data):
    """Four simulated trades a bar, at random at bid or ask of its open, high, low and close, by year."""
    frame = read_raw(market_data / "fx_oanda_1h_eurusd_nzdusd_xauusd_2006_2019.parquet", ReadOptions("EURUSD")).frame
    bid, ask = (frame[[f"{side}_{price}" for price in PRICES]].to_numpy() for side in ("bid", "ask"))
    middle = (bid + ask) / 2
    trades = middle + np.random.default_rng(0).choice((-1.0, 1.0), middle.shape) * (ask - bid) / 2
    prices = np.stack([trades[:, 0], trades.max(axis=1), trades.min(axis=1), trades[:, 3]], axis=1)
    times = frame["open_time"].to_numpy()
    bars = Bars("EURUSD", HOUR, times, *prices.T, np.ones(len(times)))
    spreads = ((ask - bid) / middle)[:, 0]
    pairs = np.r_[False, np.diff(times) == HOUR]
    for year in range(2007, 2019):
        rows = bars.index.year == year
        real = spreads[rows & pairs]
        square, error = squared_spread(bars.rows(*(np.flatnonzero(rows)[[0, -1]] + (0, 1))))
        assert square > 4 * error  # it is seen
        assert np.sqrt(square) == pytest.approx(np.sqrt((real**2).mean()), rel=0.2)
        assert 1 < np.sqrt(square) / np.median(real) < 3.5  # a mean of squares is above the median
    assert np.sqrt(squared_spread(bars)[0]) == pytest.approx(np.sqrt((spreads[pairs] ** 2).mean()), rel=0.1)
