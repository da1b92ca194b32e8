"""Books against a plain twin and vectorbt; no look-ahead, and the same bits however they are computed."""

import numpy as np
import pytest
from numba import get_num_threads, set_num_threads

from strategies import StrategyError
from strategies.book import kernels
from strategies.book.backtest import backtest_book
from strategies.book.rules import KINDS, BookRules, BookSpace
from strategies.book.simulate import band_of, mean_weights, simulate_books, trade_weights
from strategies.book.weights import ROUNDS
from strategies.search.linear import StrategySpace
from tests.naive import book as naive


def rules_of(kind: str, **options) -> BookRules:
    """Rules of a kind whose cap binds."""
    return BookRules.of(kind, **{"cap": 0.25, "fee_share": 0.0004, **options})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signal_map", [0, 2])
def test_weights_are_those_of_the_plain_twin(window, params, kind, signal_map):
    rules = rules_of(kind, signal_map=signal_map)
    short, largest = window.rows(slice(0, 150)), 0.0
    for row in params[:3]:
        found, _ = mean_weights(row[None], short, rules, (1,))
        np.testing.assert_allclose(found[0], naive.wanted(row, short, rules, ROUNDS), rtol=1e-9, atol=1e-12)
        largest = max(largest, np.abs(found).max())
    assert largest > 0.2


def test_weights_of_several_intervals(make):
    window = make(n_intervals=3, n_rows=120)
    space = BookSpace(StrategySpace(4, theta_buy=(0.5, 0.6), theta_sell=(0.4, 0.5)), n_intervals=3)
    rules = rules_of("neutral")
    for row in space.sample(np.random.default_rng(0), 3):
        found, _ = mean_weights(row[None], window, rules, (1,))
        np.testing.assert_allclose(found[0], naive.wanted(row, window, rules, ROUNDS), rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="do not fit 4 outputs of 3 intervals"):
        simulate_books(space.sample(np.random.default_rng(0), 1)[:, :-1], window, rules)


def test_neutral_weights_have_no_dollars_and_no_beta(window, params):
    rules = rules_of("neutral", gross=1.5, cap=0.4)
    found, _ = mean_weights(params, window, rules, (12, 3))
    assert np.abs(found.sum(axis=2)).max() < 1e-12
    assert np.abs((found * window.beta).sum(axis=2)).max() < 1e-12
    gross = np.abs(found).sum(axis=2)
    assert gross.max() <= 1.5 + 1e-12
    assert gross.max() > 0.5
    assert np.abs(found).max() <= 0.4 + 1e-12
    assert not found[:, ~window.member].any()


def test_long_weights_are_long_and_best_is_one_market(window, params):
    long, _ = mean_weights(params[:1], window, rules_of("long"), (1,))
    assert long.min() >= 0
    assert long.sum(axis=2).max() <= 1 + 1e-12
    best, _ = mean_weights(params[:1], window, rules_of("best"), (1,))
    assert ((best != 0).sum(axis=2) <= 1).all()
    assert set(np.unique(best)) == {-1.0, 0.0, 1.0}


def test_a_singular_projection_removes_dollars_alone(window, params):
    same = window._replace(beta=np.where(window.member, 1.0, 0.0))
    found, _ = mean_weights(params[:1], same, rules_of("neutral"), (1,))
    assert np.abs(found.sum(axis=2)).max() < 1e-12
    assert np.abs(found).max() > 0.05
    two = window._replace(member=window.member & (np.arange(7) < 2))
    assert not mean_weights(params[:1], two, rules_of("neutral"), (1,))[0].any()


def test_a_neutral_book_hedges_itself(window, params):
    weights, _ = mean_weights(params, window, rules_of("neutral"), (4,))
    strays, costs = [], []
    for drift in (np.inf, 0.02):
        rules = rules_of("neutral", drift=drift)
        account = trade_weights(weights[0], (0.4, 0.2), window, rules)
        equity, held, ledger, _ = naive.trade(weights[0], 0.4, 0.2, window, rules)
        np.testing.assert_allclose(account.equity, equity, rtol=1e-10)
        np.testing.assert_allclose(account.weight, held, rtol=1e-8, atol=1e-10)
        beta = (account.weight * window.beta).sum(axis=1)
        strays.append(np.quantile(np.abs(beta), 0.95))
        costs.append(account.totals[kernels.FEES])
        assert account.totals[kernels.FILLS] == len(ledger)
    assert strays[1] < 0.04 < strays[0]
    assert costs[1] > costs[0]
    with pytest.raises(StrategyError, match="drift must be above 0"):
        rules_of("neutral", drift=0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_accounts_are_those_of_the_plain_twin_and_of_vectorbt(window, params, kind):
    rules = rules_of(kind)
    for i, row in enumerate(params[:4]):
        weights, _ = mean_weights(row[None], window, rules, (1,))
        band = band_of(row[None], 4)
        account = trade_weights(weights[0], band, window, rules)
        equity, held, ledger, paid = naive.trade(weights[0], *band, window, rules)
        np.testing.assert_allclose(account.equity, equity, rtol=1e-10)
        np.testing.assert_allclose(account.weight, held, rtol=1e-8, atol=1e-10)
        assert account.totals[kernels.FILLS] == len(ledger)
        assert i or len(ledger) > 20
        totals = {"fees": kernels.FEES, "funding": kernels.FUNDING, "borrow": kernels.BORROW}
        for name, column in totals.items():
            assert account.totals[column] == pytest.approx(paid[name], rel=1e-9, abs=1e-12)
        slipped = account.totals[kernels.SPREAD] + account.totals[kernels.IMPACT]
        assert slipped == pytest.approx(paid["slippage"], rel=1e-9)
        by_vectorbt = backtest_book(account, window, rules)
        ends = (account.closed != 0).any(axis=1)
        np.testing.assert_allclose(by_vectorbt[~ends], account.equity[~ends], rtol=1e-9)


def test_the_fused_walk_is_wishes_and_account_in_one(window, params):
    rules = rules_of("neutral")
    state, daily = simulate_books(params, window, rules, days=True)
    for s, row in enumerate(params):
        weights, _ = mean_weights(row[None], window, rules, (1,))
        account = trade_weights(weights[0], band_of(row[None], 4), window, rules)
        assert np.array_equal(account.totals, state.totals[s])
        assert np.array_equal(account.held, state.held[s], equal_nan=True)
        ends = account.equity[window.day_edges[1:] - 1]
        np.testing.assert_allclose(daily[s], ends / np.r_[1.0, ends[:-1]] - 1.0, rtol=1e-12, atol=1e-15)
    assert len(set(state.total(kernels.EQUITY))) == len(params)


def test_vectorbt_refuses_another_account(window, params):
    rules = rules_of("neutral")
    weights, _ = mean_weights(params[:1], window, rules, (1,))
    account = trade_weights(weights[0], (0.0, 0.0), window, rules)
    with pytest.raises(ArithmeticError, match="differ by"):
        backtest_book(account._replace(equity=account.equity * 1.0001), window, rules)


def test_rows_to_come_change_nothing(window, params):
    rules = rules_of("neutral")
    cut = 250
    whole, _ = mean_weights(params, window, rules, (5,))
    early, _ = mean_weights(params, window.rows(slice(0, cut)), rules, (5,))
    assert np.array_equal(whole[:, :cut], early)
    account = trade_weights(whole[0], (0.01, 0.01), window, rules)
    before = trade_weights(early[0], (0.01, 0.01), window.rows(slice(0, cut)), rules)
    assert np.array_equal(account.equity[:cut], before.equity)
    assert np.array_equal(account.weight[:cut], before.weight)


@pytest.mark.parametrize("cuts", [(1,), (100, 101, 257), tuple(range(50, 400, 50))])
def test_cuts_change_no_bit(window, params, cuts):
    rules = rules_of("neutral")
    whole, _ = simulate_books(params, window, rules)
    state = None
    for first, stop in zip((0, *cuts), (*cuts, len(window.close)), strict=True):
        state, _ = simulate_books(params, window.rows(slice(first, stop)), rules, state)
    for a, b in zip(whole, state, strict=True):
        assert np.array_equal(a, b, equal_nan=True)


def test_threads_change_no_bit(window, params):
    rules, n = rules_of("neutral"), get_num_threads()
    many, _ = simulate_books(params, window, rules)
    try:
        set_num_threads(1)
        one, _ = simulate_books(params, window, rules)
    finally:
        set_num_threads(n)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(many, one, strict=True))


def test_a_wide_band_trades_less(window, params):
    rules = rules_of("neutral")
    weights, _ = mean_weights(params[:1], window, rules, (1,))
    fills = [trade_weights(weights[0], (b, 0.0), window, rules).totals[kernels.TRADED] for b in (0.0, 0.2, 0.5)]
    assert fills[0] > fills[1] > fills[2]
    doubtful = [trade_weights(weights[0], (0.1, bk), window, rules).totals[kernels.TRADED] for bk in (0.0, 0.3)]
    assert doubtful[0] > doubtful[1]


def test_a_ruined_book_stays_out(window, params):
    rules = rules_of("best", gross=8.0)
    close, open_ = window.close.copy(), window.open.copy()
    close[200:] *= 3.0
    open_[201:] *= 3.0
    weights = np.zeros_like(close)
    weights[:, 0] = -8.0
    account = trade_weights(weights, (0.0, 0.0), window._replace(close=close, open=open_), rules)
    assert account.equity[199] > 0
    assert not account.equity[200:].any()
    assert not account.weight[200:].any()


def test_rules_and_spaces_are_checked():
    with pytest.raises(StrategyError, match="kind of book 'both' is unknown, choose from long, neutral, best"):
        BookRules.of("both")
    with pytest.raises(StrategyError, match="needs 0 < gross"):
        BookRules.of("long", gross=0.0)
    with pytest.raises(StrategyError, match="bounds of band"):
        BookSpace(StrategySpace(2), band=(0.3, 0.1))
    with pytest.raises(StrategyError, match="a span has at least 1 row"):
        BookSpace(StrategySpace(2), span=(0.5, 3.0))
