"""Tiers picked anew: what is picked, what a switch costs, and that no pick knows what comes."""

from dataclasses import replace

import numpy as np
import pytest

from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import PaperScore
from strategies.tiers.ensemble import tiers
from strategies.tiers.walk_forward import follow, history, picks, replaced, trailing
from strategies.trade.capital import CAPITAL_RULES, shares
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import simulate_paths
from strategies.trade.window import DAY_MS
from tests.naive import metrics as naive
from tests.naive.strategies import combine

LEAD_EDGES = np.array([0, 200, 400, 600, 790, 1000])
EDGES = np.array([0, 100, 300, 450, 451, 700, 800])
RULES = TradingRules(0.001, 0.0005)


def times(edges):
    """Opening times of bars a minute apart, on days between the edges."""
    return np.concatenate([DAY_MS * day + 60_000 * np.arange(n) for day, n in enumerate(np.diff(edges))])


@pytest.fixture
def windows(make):
    """Lead, test and strategies."""
    market = make[0](11, 1800)
    space, score = StrategySpace(16), PaperScore(target_trades=100.0)
    lead, test = (
        SearchProblem(market.rows(rows)._replace(months=months, open_time=times(edges)), space, RULES, score)
        for rows, months, edges in ((slice(0, 1000), 0.5, LEAD_EDGES), (slice(1000, 1800), 0.4, EDGES))
    )
    return lead, test, make[1](12, 120)


def walked(windows, every=2, n_days=None, rule="equal"):
    lead, test, params = windows
    past = history(params, lead, test)
    picked = picks(past, 6, every=every, n_days=n_days)
    return picked, follow(params, test, picked, sizes=(6, 2), rule=rule)


def test_without_new_picks_they_are_the_fixed_tiers(windows):
    lead, test, params = windows
    picked, accounts = walked(windows, every=None)
    members = tiers(evaluate_population(lead, params)["score"], (6, 2))
    assert [p.day for p in picked] == [0]
    for n, account in accounts.items():
        np.testing.assert_array_equal(picked[0].members[:n], members[n])
        paths = simulate_paths(params[members[n]], test.window, RULES)
        np.testing.assert_allclose(account.equity, combine(paths.equity, paths.position)[0], rtol=1e-12)
        assert account.moved == 0.0


@pytest.mark.parametrize("short", [False, True])
def test_switches_as_their_slow_twin(windows, short):
    lead, test, params = windows
    rules = RULES._replace(short=short)
    windows = replace(lead, rules=rules), replace(test, rules=rules), params
    picked, accounts = walked(windows)
    assert [p.day for p in picked] == [0, 2, 4]
    paths = simulate_paths(params, test.window, rules)
    days = [int(EDGES[p.day]) for p in picked]
    for n, account in accounts.items():
        weights = np.zeros((3, len(params)))
        for row, pick in zip(weights, picked, strict=True):
            row[pick.members[:n]] = 1 / n
        equity, traded = naive.account(paths.equity, paths.position, test.window, days, weights.tolist(), rules)
        np.testing.assert_allclose(account.equity, equity, rtol=1e-9)
        np.testing.assert_allclose(account.traded, traded, rtol=1e-6, atol=1e-8)
        assert account.moved > 0.01
    assert replaced(picked, 6) > 0.1
    assert replaced(picked[:1], 6) is None


def test_picks_are_those_of_the_trailing_days(windows):
    """From the second half of the lead and the first days of the test, simulated apart and judged by hand."""
    lead, test, params = windows
    past = history(params, lead, test)
    pick = picks(past, 6, every=3, n_days=5)[1]
    assert pick.day == 3
    before = simulate_paths(params, lead.window, RULES)
    after = simulate_paths(params, test.window.rows(slice(0, EDGES[3])), RULES)
    growth = before.equity[-1] / before.equity[599] * after.equity[-1]
    months = 0.9 * 850 / 1800
    fills = [
        (np.abs(np.diff(p.equity * p.position / w.window.close[: len(p.equity), None], axis=0, prepend=0.0)) > 1e-12)[
            first:
        ]
        for p, w, first in ((before, lead, 600), (after, test, 0))
    ]
    held = np.r_[before.position[600:], after.position].mean(axis=0)
    grid, edges, found_months, _ = trailing(past, 3, 5)
    assert found_months == pytest.approx(months)
    np.testing.assert_allclose(grid.equity[:, -1] / grid.equity[:, 0], growth)
    np.testing.assert_allclose((grid.position_sum[:, -1] - grid.position_sum[:, 0]) / edges[-1], held)
    rate = np.vstack(fills).sum(axis=0) / months
    score = 100 * (growth ** (1 / months) - 1) - np.maximum(100 - rate, 0) - 0.5 * np.maximum(20 - 100 * held, 0)
    np.testing.assert_array_equal(pick.members, np.argsort(-score)[:6])
    assert pick.returns.shape == (5, 6)


@pytest.mark.parametrize("rule", CAPITAL_RULES)
def test_no_look_ahead(windows, rule):
    """Other bars from a row on change no pick and no equity before it."""
    lead, test, params = windows
    picked, accounts = walked(windows, rule=rule)
    for day in (2, 3, 4):
        row = EDGES[day]
        later = [x.copy() for x in test.window[:3]]
        later[0][row:] = 1 - later[0][row:]
        for price in later[1:]:
            price[row:] = 1e8 / price[row:]
        changed = test.window._replace(outputs=later[0], open=later[1], close=later[2])
        other_picks, other = walked((lead, replace(test, window=changed), params), rule=rule)
        for a, b in zip(picked, other_picks, strict=True):
            if a.day <= day:
                np.testing.assert_array_equal(a.members, b.members)
        for n in accounts:
            np.testing.assert_array_equal(other[n].equity[:row], accounts[n].equity[:row])
            assert other[n].equity[-1] != accounts[n].equity[-1]


def test_shares_follow_the_trailing_days(windows):
    picked, accounts = walked(windows, every=None, rule="inverse_volatility")
    _, test, params = windows
    paths = simulate_paths(params[picked[0].members], test.window, RULES)
    weight = shares("inverse_volatility", picked[0].returns)
    assert weight.max() > 1.2 / 6
    np.testing.assert_allclose(accounts[6].equity, paths.equity @ weight, rtol=1e-12)


def test_what_cannot_be_picked(windows):
    lead, test, params = windows
    past = history(params, lead, test)
    for wrong in ({"every": 0}, {"n_days": 1}):
        with pytest.raises(ValueError, match="picks need"):
            picks(past, 6, **wrong)
