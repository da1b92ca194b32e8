import itertools
import multiprocessing
import os

import numba
import numpy as np
import pytest

from strategies.trade.fills import fill_nb
from strategies.trade.rules import SIGNAL_MAPS, TradingRules
from strategies.trade.simulate import (
    State,
    final_value,
    flatten,
    held_share,
    initial_state,
    mean_position,
    simulate,
    simulate_paths,
)
from strategies.trade.window import TradingWindow
from tests.naive import strategies as naive

RULES = TradingRules()


def window(outputs, open_, close):
    """A window of bars a minute apart."""
    return TradingWindow.of(outputs, open_, close, 60_000 * np.arange(len(close)), 1.0)


def same_bits(a: State, b: State) -> bool:
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("signal_map", SIGNAL_MAPS)
@pytest.mark.parametrize(
    ("fee", "slippage", "short"),
    [(0.0, 0.0, False), (0.0005, 0.0, False), (0.0005, 0.001, False), (0.02, 0.0, False), (0.0005, 0.001, True)],
)
def test_equals_the_naive_twin(make, signal_map, fee, slippage, short):
    make_market, make_params = make
    m, params = make_market(3, 700), make_params(4, 21)
    rules = TradingRules.of(fee_share=fee, half_spread=slippage, short=short, signal_map=signal_map)
    got, paths = simulate(params, m, rules), simulate_paths(params, m, rules)
    assert got.fills.sum() > 20
    for s, row in enumerate(params):
        want = naive.simulate(row, m, rules)
        assert got.equity[s] == pytest.approx(want["equity"], rel=1e-12)
        assert got.cash[s] == pytest.approx(want["cash"], abs=1e-12)
        assert got.fees[s] == pytest.approx(want["fees"], rel=1e-11)
        assert got.traded[s] == pytest.approx(sum(value for _, value in want["fills"]), rel=1e-11)
        assert got.position_sum[s] == pytest.approx(want["position_sum"], rel=1e-11)
        assert got.drawdown[s] == pytest.approx(want["drawdown"], rel=1e-10)
        assert got.fills[s] == len(want["fills"])
        assert np.isnan(got.pending[s]) == (want["pending"] is None)
        ordered = np.flatnonzero(~np.isnan(paths.orders[:, s]))
        assert {t for t, _ in want["fills"]} <= set(ordered)


@pytest.mark.parametrize("n_outputs", [1, 2, 8, 11, 16])
def test_any_number_of_outputs(make, n_outputs):
    make_market, make_params = make
    m, params = make_market(5, 300, n_outputs), make_params(6, 3, n_outputs)
    params[:, :n_outputs] *= 3
    got = simulate(params, m, RULES)
    want = [naive.simulate(row, m, RULES)["equity"] for row in params]
    assert got.fills.sum() > 0
    np.testing.assert_allclose(got.equity, want, rtol=1e-12)


def test_a_cut_series_gives_the_same_bits(make, market):
    params = make[1](7, 37)
    whole = simulate(params, market, RULES)
    rng = np.random.default_rng(8)
    for _ in range(10):
        cuts = [0, *sorted(rng.integers(0, 2001, 3)), 2000]
        state = initial_state(37)
        for a, b in itertools.pairwise(cuts):
            state = simulate(params, market.rows(slice(a, b)), RULES, state)
        assert same_bits(state, whole)


def test_company_and_order_do_not_change_bits(make, market):
    params = make[1](9, 50)
    whole = simulate(params, market, RULES)
    for index in (np.array([49]), np.arange(50)[::-1], np.arange(5, 22)):
        alone = simulate(params[index], market, RULES)
        assert same_bits(alone, State(*(field[index] for field in whole)))


def test_threads_do_not_change_bits(make, market):
    params = make[1](10, 96)  # three groups of lanes
    before = numba.get_num_threads()
    try:
        results = []
        for n in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(n)
            results.append(simulate(params, market, RULES))
    finally:
        numba.set_num_threads(before)
    assert same_bits(*results)


def test_paths_are_the_same_walk(make, market):
    params = make[1](11, 19)
    state, paths = simulate(params, market, RULES), simulate_paths(params, market, RULES)
    assert same_bits(state, paths.state)
    np.testing.assert_array_equal(paths.equity[-1], state.equity)
    np.testing.assert_array_equal(np.add.accumulate(paths.position, axis=0)[-1], state.position_sum)
    assert np.isnan(paths.orders[0]).all()
    assert (np.sum(~np.isnan(paths.orders), axis=0) >= state.fills).all()


def test_the_future_changes_nothing_before(make, market):
    params = make[1](12, 16)
    changed = [x.copy() for x in market[:3]]
    for x in changed:
        x[1200:] *= np.random.default_rng(13).uniform(0.5, 1.5, x[1200:].shape)
    a, b = simulate_paths(params, market, RULES), simulate_paths(params, window(*changed), RULES)
    for name in ("equity", "position", "orders"):
        np.testing.assert_array_equal(getattr(a, name)[:1200], getattr(b, name)[:1200])
    # the order decided at bar 1199 is the last thing the past fixes
    np.testing.assert_array_equal(a.orders[1200], b.orders[1200])
    assert (a.equity[1200:] != b.equity[1200:]).any()


def test_an_order_fills_at_the_next_open_and_nowhere_else():
    outputs = np.array([[1.0], [1.0], [-1.0], [0.0]])
    open_, close = np.array([10.0, 20.0, 30.0, 40.0]), np.array([11.0, 21.0, 31.0, 41.0])
    paths = simulate_paths(np.array([[0.5, 0.6, 0.4, 0.1]]), window(outputs, open_, close), TradingRules(0.0))
    np.testing.assert_array_equal(paths.orders[:, 0], [np.nan, 1.0, np.nan, 0.0])
    np.testing.assert_allclose(paths.equity[:, 0], [1.0, 21 / 20, 31 / 20, 2.0])
    np.testing.assert_allclose(paths.position[:, 0], [0.0, 1.0, 1.0, 0.0])


def test_an_order_of_the_last_bar_waits_in_the_state():
    row = np.array([[0.5, 0.6, 0.4, 0.1]])
    rules = TradingRules(0.0)
    state = simulate(row, window(np.array([[1.0]]), np.array([10.0]), np.array([10.0])), rules)
    assert state.pending[0] == 1.0
    assert state.fills[0] == 0
    after = simulate(row, window(np.array([[0.0]]), np.array([20.0]), np.array([40.0])), rules, state)
    assert after.equity[0] == 2.0
    assert after.fills[0] == 1


def test_fills_by_hand():
    # half of 100 at price 10, fee 1%: value 50, fee .50
    assert fill_nb(100.0, 0.0, 0.5, 10.0, 0.01, 0.0, 0.0, False)[:4] == pytest.approx((49.5, 5.0, 50.0, 0.5))
    # all of 101: the fee comes out of it, so that 100 is bought
    assert fill_nb(101.0, 0.0, 1.0, 10.0, 0.01, 0.0, 0.0, False)[:4] == pytest.approx((0.0, 10.0, 100.0, 1.0))
    # sell half of ten at price 10
    assert fill_nb(0.0, 10.0, 0.5, 10.0, 0.01, 0.0, 0.0, False)[:4] == pytest.approx((49.5, 5.0, 50.0, 0.5))
    # all in already, and at target already: no fill
    assert fill_nb(0.0, 10.0, 1.0, 10.0, 0.01, 0.0, 0.0, False)[:4] == (0.0, 10.0, 0.0, 0.0)
    assert fill_nb(50.0, 5.0, 0.5, 10.0, 0.01, 0.0, 0.0, False)[:4] == (50.0, 5.0, 0.0, 0.0)
    # half of 100 at price 10, 10% slippage: size 5 as without, paid 11 each; sold at 9 each
    assert fill_nb(100.0, 0.0, 0.5, 10.0, 0.0, 0.1, 0.0, False)[:4] == pytest.approx((45.0, 5.0, 55.0, 0.0))
    assert fill_nb(0.0, 10.0, 0.5, 10.0, 0.0, 0.1, 0.0, False)[:4] == pytest.approx((45.0, 5.0, 45.0, 0.0))
    # short: half of 100 sold at 10, and bought back at 12
    cash, quantity, value, *_ = fill_nb(100.0, 0.0, -0.5, 10.0, 0.0, 0.0, 0.0, True)
    assert (cash, quantity, value) == pytest.approx((150.0, -5.0, 50.0))
    assert fill_nb(cash, quantity, 0.0, 12.0, 0.0, 0.0, 0.0, True)[:4] == pytest.approx((90.0, 0.0, 60.0, 0.0))
    assert fill_nb(100.0, 0.0, -0.5, 10.0, 0.0, 0.0, 0.0, False) == (100.0, 0.0, 0.0, 0.0, 0.0)
    # the buy was decided at a lower price; at the fill the position is above target, so it sells
    cash, quantity, value, *_ = fill_nb(50.0, 5.0, 0.6, 20.0, 0.0, 0.0, 0.0, False)
    assert (cash, quantity, value) == pytest.approx((60.0, 4.5, 10.0))


def test_money_is_conserved(make, market):
    """Cash plus cost is what came in: equity = 1 + gains on what was held - fees, summed bar by bar."""
    params = make[1](14, 16)
    paths = simulate_paths(params, market, TradingRules(0.001))
    quantity = paths.position * paths.equity / market.close[:, None]
    held = np.vstack([np.zeros(16), quantity[:-1]])
    previous_close = np.r_[market.close[0], market.close[:-1]]
    gains = held * (market.open - previous_close)[:, None] + quantity * (market.close - market.open)[:, None]
    assert (paths.state.fees > 0).sum() > 10
    np.testing.assert_allclose(paths.equity[-1], 1 + gains.sum(axis=0) - paths.state.fees, rtol=1e-9)
    np.testing.assert_allclose(paths.state.fees, 0.001 * paths.state.traded, rtol=1e-12)


def test_a_higher_fee_never_pays_for_the_same_targets(make, market):
    """With the orders fixed, i.e. on the same targets at the same rows, value falls as the fee rises."""
    orders = simulate_paths(make[1](15, 12), market, RULES).orders
    for s in range(12):
        values = []
        for fee in (0.0, 0.0005, 0.005, 0.05):
            cash, quantity = 1.0, 0.0
            for t in np.flatnonzero(~np.isnan(orders[:, s])):
                cash, quantity, *_ = fill_nb(cash, quantity, orders[t, s], market.open[t], fee, 0.0, 0.0, False)
            values.append(cash + quantity * market.close[-1])
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]


def test_double_capital_doubles_value(make, market):
    params = make[1](16, 30)
    one = simulate(params, market, RULES)
    two = simulate(params, market, RULES, initial_state(30, 2.0))
    np.testing.assert_allclose(two.equity, 2 * one.equity, rtol=1e-12)
    np.testing.assert_array_equal(two.fills, one.fills)


def test_ruin_is_guarded():
    """All in, all out at every bar with a fee of 60%: equity is used up, and nothing is NaN or negative."""
    outputs = np.tile([[1.0], [-1.0]], (200, 1))
    price = np.full(400, 7.0)
    with np.errstate(all="raise"):
        state = simulate(np.array([[1.0, 0.6, 0.4, 0.1]]), window(outputs, price, price), TradingRules(0.6))
    assert 0 <= state.equity[0] < 1e-10
    assert 0.999 < state.drawdown[0] <= 1
    assert np.isfinite([state.position_sum[0], state.fees[0], state.traded[0]]).all()
    assert state.fills[0] < 400


def test_a_ruined_short_stays_out():
    """All short at 100; the price rises to 350, where the account would be at -1.5, and falls to 90."""
    close = np.repeat([100.0, 350.0, 90.0], [600, 300, 300])
    m = window(np.tile([[0.0, 1.0]], (1200, 1)), close, close)
    params, rules = np.array([[1.0, -1.0, 0.9, 0.4, 0.05]]), TradingRules(0.0, 0.0, True)
    paths = simulate_paths(params, m, rules)
    np.testing.assert_array_equal(paths.equity[:, 0], np.repeat([1.0, 0.0], [600, 600]))
    np.testing.assert_array_equal(paths.position[1:, 0], np.repeat([-1.0, 0.0], [599, 600]))
    assert paths.state.drawdown[0] == 1.0
    assert (paths.state.cash[0], paths.state.quantity[0], paths.state.fills[0]) == (0.0, 0.0, 1)
    assert paths.state.equity[0] == naive.simulate(params[0], m, rules)["equity"]
    later = simulate(params, m.rows(slice(601, 1200)), rules, simulate(params, m.rows(slice(0, 601)), rules))
    assert later.equity[0] == 0.0


def test_ruin_is_seen_at_the_open_too():
    """The bar opens at 250 and closes at 90."""
    close = np.full(40, 100.0)
    open_ = close.copy()
    open_[20], close[20:] = 250.0, 90.0
    m = window(np.tile([[0.0, 1.0]], (40, 1)), open_, close)
    state = simulate(np.array([[1.0, -1.0, 0.9, 0.4, 0.05]]), m, TradingRules(0.0, 0.0, True))
    assert state.equity[0] == 0.0


def test_ruined_shorts_equal_the_naive_twin(make):
    """Prices that double and halve within hours: about half of the strategies are ruined, each at its own bar."""
    make_market, make_params = make
    m, params = make_market(31, 500), make_params(32, 40)
    wild = np.exp(np.cumsum(np.random.default_rng(33).normal(0.0, 0.25, 501)))
    m = m._replace(open=wild[:-1], close=wild[1:])
    rules = TradingRules(0.0005, 0.001, True)
    paths = simulate_paths(params, m, rules)
    ruined = paths.state.equity == 0.0
    assert 5 < ruined.sum() < 40
    assert (paths.equity >= 0.0).all()
    for s, row in enumerate(params):
        want = naive.simulate(row, m, rules)
        assert paths.state.equity[s] == pytest.approx(want["equity"], rel=1e-9)
        assert paths.state.fills[s] == len(want["fills"])
        if ruined[s]:
            assert not paths.equity[np.argmax(paths.equity[:, s] == 0.0) :, s].any()


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("unit", [1e-8, 1e-3, 1e3, 1.6e5, 1e8, 1e12])
def test_the_unit_of_the_price_does_not_matter(make, unit, short):
    make_market, make_params = make
    m, params = make_market(34, 1500), make_params(35, 60)
    rules = TradingRules(0.0005, 0.0002, short)
    one = simulate(params, m, rules)
    other = simulate(params, m._replace(open=m.open * unit, close=m.close * unit), rules)
    np.testing.assert_allclose(other.equity, one.equity, rtol=1e-9)
    np.testing.assert_array_equal(other.fills, one.fills)
    np.testing.assert_allclose(other.traded, one.traded, rtol=1e-9)


def test_nothing_vanishes_at_a_high_price():
    cash, quantity, *_ = fill_nb(1.0, 0.0, 1.0, 1e11, 0.0, 0.0, 0.0, False)
    cash, quantity, *_ = fill_nb(cash, quantity, 0.08, 1e11, 0.0, 0.0, 0.0, False)
    assert cash + quantity * 1e11 == pytest.approx(1.0, rel=1e-12)
    assert quantity * 1e11 == pytest.approx(0.08, rel=1e-12)


def test_nan_outputs_decide_nothing(make, market):
    params = make[1](17, 8)
    state = simulate(params, market._replace(outputs=np.full_like(market.outputs, np.nan)), RULES)
    np.testing.assert_array_equal(state.fills, 0)
    np.testing.assert_array_equal(final_value(state), 1.0)


def test_flatten_keeps_value_and_drops_the_order(make, market):
    state = flatten(simulate(make[1](18, 20), market.rows(slice(0, 501)), RULES))
    np.testing.assert_array_equal(state.cash, state.equity)
    assert not state.quantity.any()
    assert np.isnan(state.pending).all()
    assert ((mean_position(state) >= 0) & (mean_position(state) <= 1)).all()


def test_share_held_is_that_of_the_paths(make, market):
    paths = simulate_paths(make[1](18, 20), market, RULES)
    np.testing.assert_allclose(held_share(paths.state, market.close[-1]), paths.position[-1], rtol=1e-15)
    broke = paths.state._replace(equity=np.zeros(20))
    np.testing.assert_array_equal(held_share(broke, 1.0), 0.0)


def test_bad_input_is_refused(make, market):
    params = make[1](19, 2)
    with pytest.raises(ValueError, match="do not fit"):
        simulate(params[:, 1:], market, RULES)
    with pytest.raises(ValueError, match="state is of"):
        simulate(params, market, RULES, initial_state(3))
    with pytest.raises(ValueError, match="cash"):
        initial_state(2, 0.0)


def equity_in_child(window: TradingWindow, params: np.ndarray) -> bytes:
    return simulate(params, window, RULES).equity.tobytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_does_not_wait_for_threads(make):
    """After a parallel simulation here, one in a forked pool ends, with the same bits."""
    m, params = make[0](36, 900), make[1](37, 200)
    wanted = equity_in_child(m, params)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = [pool.apply_async(equity_in_child, (m, params)) for _ in range(2)]
        assert [each.get(timeout=240) for each in found] == [wanted] * 2
