"""Every indicator against its slow twin, on ordinary and on odd markets."""

import itertools

import numpy as np
import pytest

from feature_space.indicators import BY_NAME, INDICATORS, make_inputs
from tests.naive import features as naive

SHAPES = ["walk", "constant", "no volume", "jump", "halt"]


def settings(indicator, rng, n_random=2):
    """Both ends of every interval, and some settings between."""
    ends = list(itertools.product(*indicator.parameters.values()))
    between = [tuple(int(rng.integers(a, b + 1)) for a, b in indicator.parameters.values()) for _ in range(n_random)]
    return [*ends, *between]


def test_every_indicator_has_a_twin():
    assert set(naive.TWINS) == {i.name for i in INDICATORS}
    assert set(naive.TWINS) | set(naive.RELATIVE_TWINS) == set(BY_NAME)
    assert len(INDICATORS) == 28


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", naive.TWINS)
def test_equals_its_twin(name, shape, odd):
    indicator = BY_NAME[name]
    inputs = odd(shape, 260)
    for values in settings(indicator, np.random.default_rng(1), 1):
        got, wanted = indicator.compute(inputs, values), naive.TWINS[name](inputs, *values)
        assert np.isfinite(got).all()
        # 1e-9 absolute too: these are ratios near 1, and differences of prices near 1e4 lose 4 digits
        # and Keltner divides such a difference by a range that fades while the market rests
        atol = 1e-5 if name == "keltner" and shape in ("jump", "halt") else 1e-9
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=atol, err_msg=f"{name}{values}")


@pytest.mark.parametrize("n", [1, 2, 9])
@pytest.mark.parametrize("name", naive.TWINS)
def test_fewer_bars_than_the_window(name, n, odd):
    inputs = odd("walk", n)
    for values in settings(BY_NAME[name], np.random.default_rng(1), 0):
        got = BY_NAME[name].compute(inputs, values)
        np.testing.assert_allclose(got, naive.TWINS[name](inputs, *values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("name", [i.name for i in INDICATORS if len(i.parameters) == 1])
def test_windows_of_one_and_two(name, k, odd):
    inputs = odd("walk", 80)
    got = BY_NAME[name].compute(inputs, (k,))  # which does not check the interval
    wanted = naive.TWINS[name](inputs, k)
    if k == 1 and name in ("cci", "bollinger", "time_correlation"):
        assert not got.any()  # 0/0
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", naive.TWINS)
def test_a_market_at_rest_says_nothing(name, odd):
    """Constant prices: 0/0 is 0, not rounding divided by rounding."""
    if "volume" in BY_NAME[name].columns or "trades" in BY_NAME[name].columns:
        return
    inputs = odd("constant", 300)
    for values in settings(BY_NAME[name], np.random.default_rng(1), 0):
        assert np.abs(BY_NAME[name].compute(inputs, values)).max() < 1e-13


@pytest.mark.parametrize("name", naive.TWINS)
def test_a_long_halt_stays_small(name):
    """2,000 minutes without trade, as real markets have had: no quotient of two vanishing numbers blows up."""
    rng = np.random.default_rng(0)
    close = 9000.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, 3000)))
    volume = rng.lognormal(0, 1, 3000)
    close[500:2500], volume[500:2500] = close[500], 0.0
    up, down = close * (1 + 1e-4 * rng.random(3000)), close * (1 - 1e-4 * rng.random(3000))
    up[500:2500] = down[500:2500] = close[500]
    inputs = make_inputs(close, up, down, close, volume, np.ceil(volume))
    for values in settings(BY_NAME[name], np.random.default_rng(1), 0):
        got = BY_NAME[name].compute(inputs, values)
        assert np.isfinite(got).all()
        # CCI of one jump in k bars at rest is k/2/0.015: 2,000 at most
        assert np.abs(got).max() < (2001 if name == "cci" else 150)


def test_by_hand():
    close = np.array([100.0, 110.0, 99.0, 99.0])
    volume = np.array([1.0, 2.0, 3.0, 0.0])
    inputs = make_inputs(close, close + 1, close - 1, close, volume)
    values = {
        ("momentum_short", 1): [0, 0.1, -0.1, 0],
        ("momentum_short", 2): [0, 0.1, -0.01, -0.1],
        ("price_to_sma_short", 2): [0, 110 / 105 - 1, 99 / 104.5 - 1, 0],
        ("efficiency", 2): [0, 1, -1 / 21, -1],
        ("signed_volume", 3): [0, 2 / 3, -1 / 6, -1 / 5],
        ("stochastic_short", 2): [0, 10 / 12, -11 / 13, 0],
        # up 10, down 11; Wilder means from 0: U = 0 5 2.5 1.25, D = 0 0 5.5 2.75
        ("rsi_short", 2): [0, 1, -3 / 8, -3 / 8],
        ("directional_movement", 2): [0, 1, -3 / 8, -3 / 8],
        ("aroon", 2): [0, 0.5, (0 - 1) / 2, (0 - 2) / 2],
        ("money_flow", 3): [0, 1, (220 - 297) / 517, (220 - 297) / 517],
        ("chaikin", 2): [0, 0, 0, 0],
        # EMA_3 of dC V = 0 20 -33 0: 0 10 -11.5 -5.75; of V: 1 1.5 2.25 1.125
        ("force", 3): [0, 10 / 165, -11.5 / 222.75, -5.75 / 111.375],
        ("bollinger", 2): [0, 1, -1, 0],
        ("time_correlation", 2): [0, 1, -1, 0],
        ("cci", 2): [0, 1 / 0.015, -1 / 0.015, 0],
    }
    for (name, k), wanted in values.items():
        i = BY_NAME[name]
        got = i.compute(inputs, (k,))
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12, err_msg=name)
    got = BY_NAME["volume_activity"].kernel(volume, 1, 2)
    np.testing.assert_allclose(got, [0, np.log(2 / 1.5), np.log(3 / 2.5), 0], rtol=1e-12)
    assert not BY_NAME["trade_activity"].kernel(inputs.trades, 1, 2).any()  # unknown trades


def test_equal_sums_are_no_move():
    """The same high, low and close in another order may round to another typical price."""
    high, low, close = np.array([0.3, 0.3]), np.array([0.1, 0.1]), np.array([0.2, 0.2])
    typical = make_inputs(close, high, low, close, np.ones(2)).typical
    assert not BY_NAME["money_flow"].kernel(typical * np.array([1.0, 1.0 + 3e-16]), np.ones(2), 10).any()
    assert BY_NAME["money_flow"].kernel(typical * np.array([1.0, 1.0 + 1e-9]), np.ones(2), 10)[1] == 1.0


def test_inputs_by_hand():
    c = np.array([100.0, 110.0])
    got = make_inputs(c + 0.5, c + 3, c - 1, c, np.array([2.0, 4.0]))
    assert got.typical.tolist() == [(103 + 99 + 100) / 3, (113 + 109 + 110) / 3]
    np.testing.assert_allclose(got.log_return, [0.0, np.log(1.1)], rtol=1e-15)
    assert got.value.tolist() == [201.0, 442.0]
    assert got.trades.tolist() == [0.0, 0.0]
