"""The test of timing: its statistic and adjustment by hand, level without an edge, and powerful with one."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from strategies import StrategyError
from strategies.luck.timing import (
    correlation_of,
    judge_timing,
    p_of,
    positions_held,
    step_down,
    timing_products,
    timing_statistic,
)
from strategies.search.linear import StrategySpace
from strategies.tiers.null import draw_shifts, p_value
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import simulate_paths
from strategies.trade.window import TradingWindow

FREE = TradingRules(0.0)
STUDY = Path(__file__).parents[3] / "benchmarks" / "studies" / "timing.py"


def window(rng, n_bars=400, n_outputs=4, knows=0.0):
    """Prices at random and outputs that wander; with ``knows`` the first output sees the next two returns."""
    returns = rng.normal(0, 0.01, n_bars + 3)
    close = 100 * np.exp(np.cumsum(returns[:n_bars]))
    outputs = rng.random((n_bars, n_outputs))
    outputs = (outputs + np.roll(outputs, 1, axis=0)) / 2
    if knows:
        outputs[:, 0] = knows * ((returns[2 : n_bars + 2] > 0) - 0.5)
    return TradingWindow.of(outputs, np.r_[100.0, close[:-1]], close, 60_000 * np.arange(n_bars), 1.0)


def strategies(rng, n=8, knows=False):
    space = StrategySpace(4, theta_buy=(0.5, 0.6), theta_sell=(0.4, 0.5), delta=(0.0, 0.05))
    params = space.sample(rng, n)
    if knows:
        params[:, :4] = [1.0, 0.0, 0.0, 0.0]
        params[:, 0] -= 0.01 * np.arange(n)
    return params


def volatile(rng, n_bars, *, known):
    """Returns whose volatility changes slowly, and a position that remembers 20 bars and may know it."""
    log_level = np.zeros(n_bars)
    state = np.zeros(n_bars)
    shocks = rng.standard_normal((2, n_bars))
    for t in range(1, n_bars):
        log_level[t] = 0.98 * log_level[t - 1] + 0.2 * 0.7 * shocks[0, t]
        state[t] = 0.95 * state[t - 1] + 0.31 * shocks[1, t]
    level = np.exp(log_level)
    return (state * level if known else state), level * rng.standard_normal(n_bars)


def test_the_statistic_by_hand():
    rng = np.random.default_rng(1)
    for n in (3, 7, 64, 101):
        position, returns = rng.random(n), rng.normal(0, 0.01, n)
        # each return meets the position less the mean of those that are not among the next quarter of the window
        apart = [np.r_[position[: s + 1], position[s + 1 + n // 4 :]].mean() for s in range(n)]
        products = (position - apart) * (returns - returns.mean())
        np.testing.assert_allclose(timing_products(position, returns), products, rtol=1e-9, atol=1e-15)
        expected = sum(products) / np.sqrt(sum(products**2))
        assert timing_statistic(position, returns) == pytest.approx(expected, rel=1e-9)
    assert timing_statistic(np.full(9, 0.3), rng.random(9)) == 0.0
    assert timing_statistic(rng.random(9), np.zeros(9)) == 0.0
    assert p_of(0.0) == 0.5
    assert p_of(1.6448536269514722) == pytest.approx(0.05)


def test_the_drift_of_prices_does_not_enter():
    rng = np.random.default_rng(2)
    position, returns = rng.random(500), rng.normal(0, 0.01, 500)
    one, two = (timing_statistic(position, returns + drift) for drift in (0.0, 0.02))
    assert one == pytest.approx(two, rel=1e-9)


def share_below(n_markets, make, level=0.05):
    """How often the p-value of a position is at or below a level."""
    return np.mean([p_of(timing_statistic(*make(np.random.default_rng(seed)))) <= level for seed in range(n_markets)])


def random_walk(rng, memory, sign, n_bars=1500, drift=0.0):
    """Returns without memory, and a position with or against the return over the last bars."""
    returns = rng.standard_normal(n_bars) + drift
    level = np.r_[0.0, np.cumsum(returns)]
    bar = np.arange(n_bars)
    return sign * np.sign(level[bar] - level[np.maximum(bar - memory, 0)]), returns


def test_knowledge_of_volatility_is_no_edge():
    """Without division by the standard error, a share of 0.15 is at or below 0.05 here."""
    # four standard deviations of a share of 0.05 of 400
    assert share_below(400, lambda rng: volatile(rng, 1000, known=True)) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("memory", [15, 75, 150])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("drift", [0.0, 0.03])
def test_a_position_made_of_past_returns_is_no_edge(memory, sign, drift):
    """Against the trend, all shifts in a circle gave 0.08 to 0.12 here, and with it nothing could be shown."""
    share = share_below(600, lambda rng: random_walk(rng, memory, sign, drift=drift))
    assert 0.01 < share < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 600)


@pytest.mark.parametrize("lag", [1, 7, 20, 30])
def test_a_position_made_of_one_earlier_return_has_no_bias(lag):
    """Exact: if x_t moves by 1 for each unit of the return ``lag`` bars before, the sum of products is 0 on average.

    The plain mean takes 1 - lag / T; a correction that is itself less its mean left 0.22 of it.
    """
    n = 120
    bars = np.eye(n)
    bias = sum(timing_products(bars[s + lag], bars[s]).sum() for s in range(n - lag))
    plain = sum(((bars[s + lag] - 1 / n) @ bars[s]) for s in range(n - lag))
    assert plain == pytest.approx(-(1 - lag / n))
    assert abs(bias) < 0.045 * abs(plain)


def test_later_positions_are_left_out_of_the_mean():
    """The statistic of positions made of past returns is 0 on average; with the mean of all it is 0.2 to 0.4."""
    for sign in (-1.0, 1.0):
        found = [timing_statistic(*random_walk(np.random.default_rng(seed), 150, sign)) for seed in range(800)]
        assert abs(np.mean(found)) < 0.11
        plain = []
        for seed in range(800):
            position, returns = random_walk(np.random.default_rng(seed), 150, sign)
            away = position - position.mean()
            plain.append((away @ returns) / np.sqrt((away**2) @ (returns**2)))
        assert -sign * np.mean(plain) > 0.2


def test_p_is_uniform_where_outputs_know_nothing():
    values = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values.append(list(judge_timing(strategies(rng), window(rng), FREE, (8, 2)).p_value.values()))
    for column in np.array(values).T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
        assert (column <= 0.05).mean() < 0.11


def test_p_is_tiny_where_an_output_knows_what_comes_after_the_next_return():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found = judge_timing(strategies(rng, knows=True), window(rng, knows=1.0), FREE, (8, 2))
        assert max(found.p_value.values()) < 1e-4
        assert max(found.adjusted.values()) < 2e-4
        assert min(found.adjusted.values()) <= 0.05


def test_a_bounce_between_bid_and_ask_is_no_edge():
    """A strategy that buys at the bid and sells at the ask, where the next bar opens at the last price."""
    rng = np.random.default_rng(3)
    n = 4000
    side = rng.choice([-1.0, 1.0], n)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, n))) * (1 + 0.0005 * side)
    outputs = np.column_stack([-side / 2, np.zeros(n)])
    traded = TradingWindow.of(outputs, np.r_[100.0, close[:-1]], close, 60_000 * np.arange(n), 1.0)
    params = np.array([[1.0, 0.0, 0.5, 0.5, 0.01]])
    assert simulate_paths(params, traded, FREE).equity[-1, 0] > 1.5
    assert judge_timing(params, traded, FREE, (1,)).p_value[1] > 0.05


def test_positions_are_those_between_the_open_and_the_next():
    rng = np.random.default_rng(4)
    traded, params = window(rng, n_bars=60), strategies(rng, 40)
    held = positions_held(params, traded, TradingRules(), (40, 3, 33))
    paths = simulate_paths(params, traded, TradingRules())
    quantity = paths.position * paths.equity / traded.close[:, None]
    cash = paths.equity * (1 - paths.position)
    for column, n in zip(held.T, (40, 3, 33), strict=True):
        value = quantity[:, :n].sum(axis=1) * traded.open
        np.testing.assert_allclose(column, value / (value + cash[:, :n].sum(axis=1)), rtol=1e-12)
    # what is held into a bar does not depend on how it closes
    later = traded._replace(close=np.r_[traded.close[:-1], 2 * traded.close[-1]])
    np.testing.assert_allclose(positions_held(params, later, TradingRules(), (3,))[-1], held[-1, 1], rtol=1e-12)


def test_step_down_by_hand():
    apart, alike = np.eye(2), np.ones((2, 2))
    two = np.array([2.0, 1.0])
    # the larger against the maximum of both, the smaller against its own alone
    wanted = [1.0 - (1.0 - p_of(2.0)) ** 2, p_of(1.0)]
    np.testing.assert_allclose(step_down(two, apart), wanted, atol=0.002)
    # tests that are one: no correction
    np.testing.assert_allclose(step_down(two, alike), [p_of(2.0), p_of(1.0)], atol=0.002)
    np.testing.assert_allclose(step_down(np.array([2.0, 2.0]), alike), [p_of(2.0)] * 2, atol=0.002)
    # never below that of a larger one, and never below its own
    assert step_down(np.array([1.0, 1.001]), apart)[0] >= step_down(np.array([1.0, 1.001]), apart)[1]
    assert step_down(np.array([9.0]), np.eye(1))[0] == pytest.approx(1e-5, rel=0.01)


def test_step_down_holds_its_level_over_tests_that_correlate():
    rng = np.random.default_rng(5)
    correlation = np.full((4, 4), 0.9) + 0.1 * np.eye(4)
    first = alone = 0
    for _ in range(400):
        statistic = 0.9**0.5 * rng.standard_normal() + 0.1**0.5 * rng.standard_normal(4)
        first += step_down(statistic, correlation).min() <= 0.05
        alone += min(p_of(x) for x in statistic) * 4 <= 0.05
    assert 0.05 - 0.044 < first / 400 < 0.05 + 0.044
    assert alone < first


def test_the_correlation_of_statistics():
    rng = np.random.default_rng(6)
    one = rng.standard_normal(5000)
    other = 0.6 * one + 0.8 * rng.standard_normal(5000)
    found = correlation_of(np.column_stack([one, other, 3.0 * one, np.full(5000, 0.2)]), rng.standard_normal(5000))
    np.testing.assert_allclose(found[0], [1.0, 0.6, 1.0, 0.0], atol=0.06)
    np.testing.assert_array_equal(np.diag(found), 1.0)


def test_bad_requests_are_refused():
    rng = np.random.default_rng(3)
    traded, params = window(rng), strategies(rng, 3)
    for sizes in ((4,), (), (0,)):
        with pytest.raises(ValueError, match="tiers"):
            judge_timing(params, traded, FREE, sizes)
    with pytest.raises(StrategyError, match="3 bars is too short"):
        judge_timing(params, traded.rows(slice(0, 3)), FREE, (3,))


def test_shifts_are_of_any_length_and_a_longer_list_begins_with_a_shorter():
    shifts = draw_shifts(1000, 20_000, 3)
    assert (shifts.min(), shifts.max()) == (1, 999)
    np.testing.assert_array_equal(draw_shifts(1000, 20, 3), shifts[:20])


def test_p_value_by_hand():
    assert p_value(2.0, np.array([1.0, 2.0, 3.0])) == 0.75
    assert p_value(4.0, np.array([1.0, 2.0, 3.0])) == 0.25


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["25 days, memory 4 days, volatility known", "25 days, volatility known, bounce of 10 bp"]
)
def test_p_values_hold_their_level_on_markets_of_minutes(name):
    """The study with 150 markets; `plain` fails here."""
    spec = importlib.util.spec_from_file_location("timing_study", STUDY)
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    found = study.shares([study.judge(study.MARKETS[name], seed) for seed in range(150)])
    # three standard deviations of a share of 0.05 of 150; tiers correlate
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert max(found["timing 0.05"], found["timing any 0.05"]) < most
    assert found["plain 0.05"] > found["timing 0.05"]
