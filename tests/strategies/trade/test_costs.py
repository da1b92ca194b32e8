"""Costs that differ from bar to bar: by hand, against the slow twin, and against vectorbt."""

import numpy as np
import pytest

from strategies import StrategyError
from strategies.tiers.baselines import market as hold_market
from strategies.tiers.metrics import break_even
from strategies.trade.payments import Payments
from strategies.trade.pool import Pool, from_start
from strategies.trade.rules import CLIP, MOST_SLIPPAGE, TradingRules
from strategies.trade.simulate import COSTS, initial_state, simulate, simulate_paths
from strategies.trade.window import BarCosts, TradingWindow
from tests.naive import strategies as naive

HOUR = 3_600_000
FREE = TradingRules(0.0)
ALWAYS = np.array([[1.0, 0.5, 0.5, 0.25]])  # all in where its output is 1, all short or out where it is 0


def flat(n: int, price: float = 100.0, outputs: float = np.nan) -> TradingWindow:
    """Hours at one price."""
    prices = np.full(n, price)
    return TradingWindow.of(np.full((n, 1), outputs), prices, prices, HOUR * np.arange(n), 1.0)


def holding(target: float):
    """All cash, and an order that fills at the first open."""
    return initial_state(1)._replace(pending=np.array([target]))


def wild_costs(m: TradingWindow, seed: int) -> BarCosts:
    """Spreads, impact, funding at some hours of either sign, and borrowing."""
    rng, n = np.random.default_rng(seed), len(m.close)
    funding = np.where(rng.random((n, 2)) < 0.1, rng.normal(0.0002, 0.002, (n, 2)), 0.0) * m.open[:, None]
    borrow = np.where(rng.random(n) < 0.2, 0.0004, 0.0) * m.open
    return BarCosts(rng.uniform(0, 0.002, n), rng.uniform(0, 0.004, n), funding, borrow)


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("kinds", [("funding",), ("half_spread",), ("impact",), ("borrow",), BarCosts._fields])
def test_equals_the_naive_twin(make, short, kinds):
    m, params = make[0](41, 700), make[1](42, 21)
    costs = wild_costs(m, 43)
    m = m.at(BarCosts(**{name: getattr(costs, name) for name in kinds}))
    rules = TradingRules(0.0005, 0.0003, short)
    got = simulate(params, m, rules)
    assert got.fills.sum() > 20
    for name in COSTS:
        here = name in kinds or (name, kinds) == ("spread", kinds)
        assert getattr(got, name).any() == (here and (name != "borrow" or short))
    for s, row in enumerate(params):
        want = naive.simulate(row, m, rules)
        assert got.equity[s] == pytest.approx(want["equity"], rel=1e-12)
        assert got.fills[s] == len(want["fills"])
        for name in ("fees", *COSTS):
            assert getattr(got, name)[s] == pytest.approx(want[name], rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("kinds", [("half_spread",), ("half_spread", "impact"), ("funding",), BarCosts._fields])
def test_vectorbt_agrees_to_the_last_fill(make, short, kinds):
    """It pays neither funding nor borrowing: the rest of the equity is compared, and every fill."""
    from strategies.trade import backtest

    m, params = make[0](44, 3000), make[1](45, 20)
    costs = wild_costs(m, 46)
    m = m.at(BarCosts(**{name: getattr(costs, name) for name in kinds}))
    result = backtest.backtest(params, m, TradingRules(0.0005, 0.0003, short))
    assert result.difference < 1e-9
    assert result.fills.sum() > 200


def test_vectorbt_notices_funding_that_was_not_paid(make, monkeypatch):
    from strategies.trade import backtest

    m, params = make[0](44, 600), make[1](45, 8)
    m, rules = m.at(BarCosts(funding=wild_costs(m, 46).funding)), TradingRules(0.0005)
    other = simulate_paths(params, m, rules, flows=True)
    other = other._replace(flows=other.flows._replace(funding=1.001 * other.flows.funding))
    monkeypatch.setattr(backtest, "simulate_paths", lambda *_, **__: other)
    with pytest.raises(ArithmeticError, match="simulator and vectorbt differ by"):
        backtest.backtest(params, m, rules)


def test_vectorbt_agrees_on_what_is_left_of_an_account_that_borrowed():
    """Digits of the cash that it is lent are lost in a rest of 1e-7, not in the simulator."""
    from strategies.trade import backtest

    m = flat(4000)
    m = m._replace(outputs=(np.arange(4000) % 2.0)[:, None])  # all long, all short
    m = m.at(BarCosts(funding=np.repeat([[0.01, 0.0]], 4000, axis=0)))
    result = backtest.backtest(ALWAYS, m, TradingRules(0.002, 0.0, True, signal_map=CLIP))
    assert 0 < result.equity[-1, 0] < 1e-6
    assert result.fills[0] == 3999


def test_vectorbt_agrees_on_what_was_bought_with_much_funding():
    from strategies.trade import backtest

    bars = np.arange(2000)
    prices = 100.0 * np.exp(0.002 * bars)
    targets = np.where(bars % 50 == 0, 0.99 + 0.01 * (bars % 100 == 0), np.nan)
    m = TradingWindow.of(targets[:, None], prices, prices, HOUR * bars, 1.0)
    m = m.at(BarCosts(funding=np.stack([np.zeros(2000), -0.0004 * prices], axis=1)))
    rules = TradingRules(0.0005, 0.0, signal_map=CLIP)
    params = np.array([[1.0, 0.5, 1.5, 0.0]])
    assert simulate(params, m, rules).funding[0] < -10.0  # times the starting cash
    result = backtest.backtest(params, m, rules)
    assert result.fills[0] > 10


def test_costs_of_nothing_change_no_bit(make, market):
    params = make[1](47, 30)
    rules = TradingRules(0.0005, 0.0003, True)
    n = len(market.close)
    zero = BarCosts(np.full(n, 0.0003), np.zeros(n), np.zeros((n, 2)), np.zeros(n))
    plain, costly = simulate(params, market, rules), simulate(params, market.at(zero), rules)
    for name, field in plain._asdict().items():
        np.testing.assert_array_equal(field, getattr(costly, name), err_msg=name)


def test_a_cut_series_gives_the_same_bits(make, market):
    params = make[1](48, 40)
    rules, m = TradingRules(0.0005, 0.0, True), market.at(wild_costs(market, 49))
    whole = simulate(params, m, rules)
    state = None
    for start in range(0, len(m.close), 77):
        state = simulate(params, m.rows(slice(start, start + 77)), rules, state)
    for name, field in whole._asdict().items():
        np.testing.assert_array_equal(field, getattr(state, name), err_msg=name)


def test_funding_by_hand():
    """Long 1 of equity at 100: a rate of 0.01% on a mark of 101 takes 0.0101 of each unit, of which it has 1/100."""
    due = np.zeros((6, 2))
    due[0, 0] = due[2, 0] = due[4, 1] = 0.0001 * 101.0
    m = flat(6).at(BarCosts(funding=due))
    long = simulate_paths(ALWAYS, m, FREE, holding(1.0), flows=True)
    paid = 0.0101 / 100
    # what is due at the first open is due before the order fills there
    np.testing.assert_allclose(long.equity[:, 0], 1 - paid * np.array([0, 0, 1, 1, 2, 2]), rtol=1e-15)
    np.testing.assert_allclose(long.position[:, 0], 1 / long.equity[:, 0], rtol=1e-15)  # paid in cash that is borrowed
    short = simulate(ALWAYS, m, TradingRules(0.0, 0.0, True), holding(-1.0))
    assert short.equity[0] == pytest.approx(1 + 2 * paid, rel=1e-15)
    assert short.funding[0] == pytest.approx(-2 * paid)
    assert simulate(ALWAYS, m, FREE, holding(0.5)).equity[0] == pytest.approx(1 - paid, rel=1e-15)


def test_borrowing_by_hand():
    """Short 1 at 100 for a day at 0.05% a day, charged each hour at the price then."""
    n = 25
    close = np.linspace(100.0, 124.0, n)
    m = flat(n)._replace(open=close, close=close)
    m = m.at(BarCosts(borrow=np.r_[0.0, close[1:] * 0.0005 / 24]))
    state = simulate(ALWAYS, m, TradingRules(0.0, 0.0, True), holding(-1.0))
    charged = sum(price * 0.0005 / 24 / 100 for price in close[1:])
    assert state.borrow[0] == pytest.approx(charged, rel=1e-12)
    assert state.equity[0] == pytest.approx(1 - 0.24 - charged, rel=1e-12)
    long = simulate(ALWAYS, m, FREE, holding(1.0))
    assert (long.borrow[0], long.equity[0]) == (0.0, pytest.approx(1.24))


def test_impact_by_hand():
    """Y = 1, 4% a day, a day's trading of 100 times the capital: an order of all of it moves the price by 0.4%."""
    impact = 0.04 * (1 / 100) ** 0.5
    m = flat(3).at(BarCosts(half_spread=np.full(3, 0.0001), impact=np.full(3, impact)))
    whole = simulate(ALWAYS, m, FREE, holding(1.0))
    assert whole.equity[0] == pytest.approx(1 / 1.0041, rel=1e-12)
    assert (whole.spread[0], whole.impact[0]) == pytest.approx((0.0001 / 1.0041, 0.004 / 1.0041))
    quarter = simulate(ALWAYS, m, FREE, holding(0.25))
    assert quarter.impact[0] == pytest.approx(0.25 * 0.002)  # half as far for a quarter of the size
    many = flat(3).at(BarCosts(impact=np.full(3, 90.0)))
    assert simulate(ALWAYS, many, FREE, holding(1.0)).equity[0] == pytest.approx(1 / (1 + MOST_SLIPPAGE))


def test_buys_fill_at_the_ask_and_sells_at_the_bid():
    ask, bid = np.array([100.5, 102.0, 101.0]), np.array([99.5, 101.0, 100.0])
    middle = (ask + bid) / 2
    m = flat(3)._replace(open=middle, close=middle).at(BarCosts(half_spread=(ask - bid) / (ask + bid)))
    bought = simulate(ALWAYS, m.rows(slice(0, 1)), FREE, holding(1.0))
    assert bought.quantity[0] == pytest.approx(1 / 100.5, rel=1e-14)
    sold = simulate(ALWAYS, m.rows(slice(1, 2)), FREE, bought._replace(pending=np.zeros(1)))
    assert sold.cash[0] == pytest.approx(101.0 / 100.5, rel=1e-14)


def test_funding_ruins_who_cannot_pay_it():
    """Long with a rate of 30% an hour: cash is borrowed until the position is worth no more than the debt."""
    m = flat(6).at(BarCosts(funding=np.full((6, 2), [30.0, 0.0])))
    paths = simulate_paths(ALWAYS, m, FREE, holding(1.0))
    np.testing.assert_allclose(paths.equity[:, 0], [1.0, 0.7, 0.4, 0.1, 0.0, 0.0], atol=1e-12)
    assert paths.state.quantity[0] == 0.0


def test_payments_are_the_totals_of_the_state(make):
    m, params = make[0](50, 900), make[1](51, 12)
    m, rules = m.at(wild_costs(m, 52)), TradingRules(0.0005, 0.0, True)
    first, rest = m.rows(slice(0, 400)), m.rows(slice(400, 900))
    before = simulate(params, first, rules)
    paths = simulate_paths(params, rest, rules, before, flows=True)
    paid = Payments.of(paths.flows, rest, rules, before)
    for name in ("traded", *COSTS):
        total = getattr(paths.state, name) - getattr(before, name)
        np.testing.assert_allclose(getattr(paid, name).sum(axis=0), total, rtol=1e-9, atol=1e-12, err_msg=name)


def test_what_an_account_earned_is_what_it_made_less_what_it_paid(make):
    """Gains on what was held, less all costs, are the change of equity."""
    m, params = make[0](53, 900), make[1](54, 10)
    m, rules = m.at(wild_costs(m, 55)), TradingRules(0.0005, 0.0, True)
    paths = simulate_paths(params, m, rules, flows=True)
    payments = Payments.of(paths.flows, m, rules)
    pool = Pool(rules)
    pool.run(np.full(10, 0.1), from_start(paths.equity, paths.position, payments, m))
    account = pool.account()
    assert account.traded.sum() > 1
    held = (paths.position * paths.equity / m.close[:, None]).mean(axis=1)
    before = np.r_[0.0, held[:-1]]
    last = np.r_[m.open[0], m.close[:-1]]
    gains = before * (m.open - last) + held * (m.close - m.open)
    paid = sum(field.sum() for field in account.paid)
    assert account.equity[-1] == pytest.approx(1 + gains.sum() - paid, rel=1e-9)
    carried = account.paid.funding.sum() + account.paid.borrow.sum()
    at_break_even = break_even(account) / 1e4 * account.traded.sum()
    assert at_break_even == pytest.approx(gains.sum() - carried, rel=1e-9)


def test_the_market_pays_funding_too():
    due = np.zeros((48, 2))
    due[::8, 0] = 0.01
    account = hold_market(flat(48).at(BarCosts(funding=due)), TradingRules(0.001))
    assert account.paid.funding.sum() == pytest.approx(5 * 0.0001 / 1.001)
    assert account.equity[-1] == pytest.approx((1 - 5 * 0.0001) / 1.001)
    assert (account.fills, account.traded.sum()) == (1.0, pytest.approx(1 / 1.001))


@pytest.mark.parametrize(
    ("costs", "text"),
    [
        (BarCosts(half_spread=np.full(3, 0.1)), r"half_spread \(3,\) does not fit 4 bars"),
        (BarCosts(funding=np.zeros(4)), r"funding \(4,\) does not fit 4 bars"),
        (BarCosts(half_spread=np.array([0, 0, -1e-9, 0])), "half_spread of row 2 is -1e-09"),
        (BarCosts(half_spread=np.array([0, 0.51, 0, 0])), "half_spread of row 1 is 0.51"),
        (BarCosts(impact=np.array([0, np.inf, 0, 0])), "impact of row 1 is inf"),
        (BarCosts(borrow=np.array([0, np.nan, 0, 0])), "borrow of row 1 is nan"),
        (BarCosts(funding=np.array([[0, 0], [0, np.nan], [0, 0], [0, 0]])), "funding of row 1"),
    ],
)
def test_bad_costs_are_refused(costs, text):
    with pytest.raises(StrategyError, match=text):
        flat(4).at(costs)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_what_is_due_where_weights_change_is_paid_by_what_was_held(side):
    """A is in the market, B in cash; capital moves from A to B at the open at which 10% is due."""
    due = np.zeros((4, 2))
    due[2, 0] = 10.0
    m = flat(4).at(BarCosts(funding=due, borrow=np.array([0.0, 0.0, 2.0, 0.0])))
    rules = TradingRules(0.0, 0.0, True)
    start = initial_state(2)._replace(pending=np.array([side, np.nan]))
    paths = simulate_paths(ALWAYS.repeat(2, axis=0), m, rules, start, flows=True)
    holdings = from_start(paths.equity, paths.position, Payments.of(paths.flows, m, rules), m)
    for weights in ((0.0, 1.0), (1.0, 0.0)):
        pool = Pool(rules)
        pool.run(1.0 - np.array(weights), holdings.rows(slice(0, 2)))
        pool.run(np.array(weights), holdings.rows(slice(2, 4)))
        account = pool.account()
        in_market = weights == (0.0, 1.0)
        funding, borrow = (0.1 * side, 0.02 * (side < 0)) if in_market else (0.0, 0.0)
        assert account.paid.funding.sum() == pytest.approx(funding)
        assert account.paid.borrow.sum() == pytest.approx(borrow)
        assert account.equity[-1] == pytest.approx(1 - funding - borrow)
