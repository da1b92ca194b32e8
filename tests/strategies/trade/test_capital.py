"""Capital rules: shares, the universal rule's bound, and an account that pays for what it moves."""

import sys

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize

from strategies import StrategyError
from strategies.trade.capital import (
    CAPITAL_RULES,
    CapitalRule,
    day_returns,
    gradient_bound,
    gradient_rate,
    gradient_weights,
    invest,
    prove_capital_rule,
    shares,
    weights_by_day,
)
from strategies.trade.payments import Payments
from strategies.trade.pool import Pool, from_start
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import simulate_paths
from strategies.trade.window import TradingWindow
from tests.naive import metrics as naive
from tests.naive.strategies import combine

FEE, SLIPPAGE = 0.001, 0.0005
RULES = TradingRules(FEE, SLIPPAGE)
EDGES = np.array([0, 150, 500, 501, 900])


def traders(make, short):
    """Paths of the first 7 strategies with more than 5 fills."""
    market, params = make[0](4, 900), make[1](9, 60)
    rules = TradingRules(FEE, SLIPPAGE, short)
    fills = simulate_paths(params, market, rules).state.fills
    return simulate_paths(params[np.flatnonzero(fills > 5)[:7]], market, rules, flows=True)


@pytest.fixture(params=[False, True], ids=["long", "both"])
def short(request):
    return request.param


@pytest.fixture
def holdings(make, short):
    """900 bars of 7 strategies that trade, from a fresh start."""
    paths = traders(make, short)
    assert (paths.position.min() < -0.5) == short
    market = make[0](4, 900)
    return from_start(paths.equity, paths.position, Payments.of(paths.flows, market, RULES), market)


def invested(rule, holdings, past, rules=RULES):
    pool = Pool(rules)
    invest(pool, rule, past, holdings, EDGES)
    return pool.account()


def returns(seed, n_days=60, n=7, scale=0.02):
    return np.random.default_rng(seed).normal(0.001, scale, (n_days, n))


@pytest.mark.parametrize("rule", CAPITAL_RULES)
def test_weights_are_shares_whatever_the_order(rule):
    past, later = returns(1), returns(2)
    past[:, 3] = 0.0  # never moved
    past[:, 5] = past[:, 4]
    order = np.random.default_rng(0).permutation(7)
    weights = weights_by_day(rule, past, later)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights_by_day(rule, past[:, order], later[:, order]), weights[:, order], atol=1e-12)
    assert len(weights) == (60 if rule == "universal" else 1)


@pytest.mark.parametrize("rule", CAPITAL_RULES)
def test_equal_strategies_are_the_single_one(rule, holdings):
    one, five = holdings.members(np.zeros(1, dtype=int)), holdings.members(np.zeros(5, dtype=int))
    got = invested(rule, five, np.repeat(returns(1)[:, :1], 5, axis=1))
    np.testing.assert_allclose(got.equity, one.equity[:, 0], rtol=1e-12)
    np.testing.assert_allclose(got.position, one.position[:, 0], rtol=1e-9, atol=1e-12)
    assert got.moved == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("rule", CAPITAL_RULES)
def test_account_as_its_slow_twin(rule, holdings):
    past = returns(5)
    got = invested(rule, holdings, past)
    weights = weights_by_day(rule, past, day_returns(holdings, EDGES))
    starts = EDGES[:-1].tolist() if len(weights) > 1 else [0]
    equity, traded = naive.account(holdings.equity, holdings.position, holdings.window, starts, weights.tolist(), RULES)
    np.testing.assert_allclose(got.equity, equity, rtol=1e-9)
    np.testing.assert_allclose(got.traded, traded, rtol=1e-6, atol=1e-9)
    assert (got.moved > 1e-4) == (rule == "universal")


def test_wild_weights_as_their_slow_twin(holdings):
    rng = np.random.default_rng(8)
    weights = rng.dirichlet(np.full(7, 0.2), 4)
    pool = Pool(RULES)
    for weight, start, stop in zip(weights, EDGES[:-1], EDGES[1:], strict=True):
        pool.run(weight, holdings.rows(slice(start, stop)))
    got = pool.account()
    days = EDGES[:-1].tolist()
    equity, traded = naive.account(holdings.equity, holdings.position, holdings.window, days, weights.tolist(), RULES)
    np.testing.assert_allclose(got.equity, equity, rtol=1e-9)
    np.testing.assert_allclose(got.traded, traded, rtol=1e-6, atol=1e-9)
    assert got.moved > 0.2


def test_equal_is_the_sum_of_the_curves(holdings, make, short):
    got = invested("equal", holdings, returns(1))
    equity, position = combine(holdings.equity, holdings.position)
    np.testing.assert_allclose(got.equity, equity, rtol=1e-12)
    np.testing.assert_allclose(got.position, position, rtol=1e-9, atol=1e-12)
    state = traders(make, short).state
    assert got.fills == pytest.approx(state.fills.mean())
    assert got.traded.sum() == pytest.approx(state.traded.mean())
    assert got.traded.sum() * FEE == pytest.approx(state.fees.mean())


def test_moving_capital_costs(holdings):
    past = returns(1)
    free = invested("universal", holdings, past, TradingRules(0.0))
    paid = invested("universal", holdings, past)
    assert paid.moved > 0
    # strategies paid their own costs already: what is missing is what the moves cost
    assert free.equity[-1] - paid.equity[-1] == pytest.approx(paid.moved * (FEE + SLIPPAGE), rel=0.5)


def test_inverse_volatility_by_hand():
    past = np.array([[0.01, 0.04, 0.0], [-0.01, -0.04, 0.0]])
    np.testing.assert_allclose(shares("inverse_volatility", past), [0.8, 0.2, 0.0])
    np.testing.assert_allclose(shares("inverse_volatility", np.zeros((2, 4))), 0.25)
    np.testing.assert_allclose(shares("inverse_volatility", np.empty((0, 4))), 0.25)


def test_hierarchical_risk_parity_gives_no_outlier_half():
    rng = np.random.default_rng(4)
    one, still = rng.normal(0.0, 0.01, (120, 1)), np.zeros((120, 1))
    alike = one + rng.normal(0.0, 0.0005, (120, 9))
    past = np.hstack([alike, rng.normal(0.0, 0.03, (120, 1)), still])
    weight = shares("hierarchical_risk_parity", past)
    assert weight.sum() == pytest.approx(1.0)
    assert weight[10] == 0.0  # it never moved
    assert 0 < weight[9] < 0.2  # nine times the variance of the others
    # of two strategies each gets its share by inverse variance
    pair = np.column_stack([rng.normal(0.0, 0.01, 500), rng.normal(0.0, 0.02, 500)])
    inverse = 1.0 / pair.var(axis=0)
    np.testing.assert_allclose(shares("hierarchical_risk_parity", pair), inverse / inverse.sum(), rtol=0.02)


def test_hierarchical_risk_parity_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "skfolio.optimization", None)
    with pytest.raises(StrategyError, match=r"labelsearch\[portfolio\]"):
        shares("hierarchical_risk_parity", np.random.default_rng(0).normal(size=(30, 3)))


def best_constant(x: np.ndarray) -> float:
    """Log wealth of the best constant weights, a concave maximum."""
    n = x.shape[1]
    found = minimize(
        lambda w: -np.log(x @ w).mean(), np.full(n, 1 / n), jac=lambda w: -(x / (x @ w)[:, None]).mean(axis=0),
        bounds=[(0, 1)] * n, constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    weight = np.maximum(found.x, 0)
    return float(np.log(x @ (weight / weight.sum())).sum())


def adversary(rate: float) -> np.ndarray:
    """Punishes whatever weighs most, every day."""
    rows = np.empty((0, 4))
    for _ in range(80):
        weight = gradient_weights(np.vstack([rows, np.zeros(4)]), rate)[-1]
        row = np.full(4, 0.05)
        row[np.argmax(weight)] = -0.05
        rows = np.vstack([rows, row])
    return rows


@pytest.mark.parametrize("rate", [0.05, 1.0, 8.0, 40.0])
@pytest.mark.parametrize("kind", ["calm", "wild", "trend", "swap", "adversary"])
def test_universal_wealth_is_within_its_bound(kind, rate):
    rng = np.random.default_rng(6)
    later = {
        "calm": lambda: rng.normal(0, 0.01, (200, 10)),
        "wild": lambda: rng.uniform(-0.5, 1.0, (60, 5)),
        "trend": lambda: rng.normal([0.01, 0.0, -0.01], 0.01, (150, 3)),
        "swap": lambda: np.tile([[1.0, 0.0], [-0.5, 0.0]], (40, 1)),  # Cover's example: only rebalancing earns
        "adversary": lambda: adversary(rate),
    }[kind]()
    weights = gradient_weights(later, rate)
    wealth = np.log1p((weights * later).sum(axis=1)).sum()
    best = best_constant(1 + later)
    assert best >= np.log1p(later).sum(axis=0).max() - 1e-6
    assert wealth >= best - gradient_bound(later, rate) - 1e-6


def test_the_rate_makes_the_bound_least():
    past = returns(7, 90, 20)
    rate = gradient_rate(past, 90)
    assert gradient_bound(past, rate) == pytest.approx(min(gradient_bound(past, rate * f) for f in (0.8, 1, 1.25)))
    assert gradient_rate(np.zeros((5, 3)), 10) == gradient_rate(past[:, :1], 10) == 0.0


@pytest.mark.parametrize("rule", CAPITAL_RULES)
def test_no_look_ahead(rule, holdings):
    past = returns(5)
    whole = invested(rule, holdings, past)
    for cut in (1, 2, 3):
        stop = EDGES[cut]
        changed = holdings._replace(
            equity=np.vstack([holdings.equity[:stop], holdings.equity[stop:] * np.linspace(0.5, 2.0, 7)]),
            position=np.vstack([holdings.position[:stop], 1 - holdings.position[stop:]]),
        )
        other = invested(rule, changed, past)
        np.testing.assert_array_equal(other.equity[:stop], whole.equity[:stop])
        np.testing.assert_array_equal(other.traded[:stop], whole.traded[:stop])
        assert other.equity[-1] != whole.equity[-1]
    later = returns(2)
    weights = weights_by_day("universal", past, later)
    later[30:] = -later[30:]
    other = weights_by_day("universal", past, later)
    np.testing.assert_array_equal(other[:31], weights[:31])
    assert (other[31:] != weights[31:]).any()


def test_chunks_do_not_matter(holdings, monkeypatch):
    whole = invested("universal", holdings, returns(1))
    monkeypatch.setattr("strategies.trade.pool.CHUNK", 7)
    small = invested("universal", holdings, returns(1))
    for a, b in zip(whole, small, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def window(n_bars):
    """Bars at a price of 1."""
    return TradingWindow.of(np.zeros((n_bars, 1)), np.ones(n_bars), np.ones(n_bars), np.arange(n_bars), 1.0)


def nothing(n_bars, n):
    return Payments(*(sparse.csr_array((n_bars, n)) for _ in Payments._fields))


def test_capital_of_a_ruined_strategy_stays_cash():
    equity = np.array([[1.0, 0.0], [1.1, 0.0], [1.2, 0.0]])
    holdings = from_start(equity, np.zeros((3, 2)), nothing(3, 2), window(3))
    pool = Pool(TradingRules(0.0))
    for rows in (slice(0, 1), slice(1, 3)):
        pool.run(np.array([0.5, 0.5]), holdings.rows(rows))
    np.testing.assert_allclose(pool.account().equity, [0.5, 0.525, 0.55])


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="unknown capital rule 'all'; known are equal"):
        shares("all", returns(1))
    with pytest.raises(ValueError, match="no strategy"):
        shares("equal", np.empty((5, 0)))
    with pytest.raises(ValueError, match="do not fit"):
        from_start(np.ones((3, 2)), np.ones((3, 1)), nothing(3, 2), window(3))


def calm(past):
    """In proportion to 1 / (1 + range)."""
    return 1.0 / (1.0 + np.ptp(past, axis=0)) if len(past) else np.ones(past.shape[1])


def test_an_own_rule_is_proved_and_used(holdings, registries):
    row = CapitalRule("calm", "little to what moves much", calm, origin="mine.py")
    CAPITAL_RULES.register(row)
    CAPITAL_RULES.register(row)  # the same again is no clash
    past = returns(1)
    wanted = calm(past) / calm(past).sum()
    np.testing.assert_array_equal(shares("calm", past), wanted)
    np.testing.assert_allclose(invested("calm", holdings, past).equity, holdings.equity @ wanted, rtol=1e-12)
    with pytest.raises(ValueError, match="'calm': the name is taken"):
        CAPITAL_RULES.register(row._replace(shares=lambda past: calm(past)))


def spoil(past):
    past[:] = 0.0
    return np.ones(past.shape[1])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (CapitalRule("equal", "", calm), "'equal': the name is taken"),
        (CapitalRule("my rule", "", calm), "letters, digits and underscores"),
        (CapitalRule("bad", "", lambda past: past.mean(axis=0) - 1.0 if len(past) else np.ones(7)), "0 or more"),
        (CapitalRule("bad", "", lambda past: np.zeros(past.shape[1])), "not all 0"),
        (CapitalRule("bad", "", lambda past: np.ones(past.shape[0])), "one float64 for each strategy"),
        (CapitalRule("bad", "", lambda past: np.ones(past.shape[1], dtype=int)), "one float64 for each strategy"),
        (CapitalRule("bad", "", lambda past: 1.0 / past.std(axis=0)), r"returns \(60, 7\) gives inf for strategy 0"),
        (CapitalRule("bad", "", lambda past: np.random.default_rng().random(past.shape[1])), "other values"),
        (CapitalRule("bad", "", lambda past: past[9] * 0 + 1.0), "IndexError: index 9"),
        (CapitalRule("bad", "", spoil), "changes its input"),
        (CapitalRule("bad", "", calm, learns=True), "must be equal"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_bad_rule_is_refused_in_one_line(row, message):
    before = dict(CAPITAL_RULES)
    with pytest.raises(ValueError, match=message) as error:
        [step(row) for step in (prove_capital_rule, CAPITAL_RULES.register)]
    assert "\n" not in str(error.value)
    assert before == CAPITAL_RULES


@pytest.mark.parametrize("name", CAPITAL_RULES)
def test_the_rules_pass_their_own_proof(name):
    prove_capital_rule(CAPITAL_RULES[name])


def test_a_weight_that_is_no_share_is_refused_when_used(registries):
    CAPITAL_RULES.register(CapitalRule("sign", "", lambda past: past.sum(axis=0)))
    with pytest.raises(ValueError, match="'sign' must give weights of 0 or more"):
        shares("sign", -np.ones((3, 2)))
