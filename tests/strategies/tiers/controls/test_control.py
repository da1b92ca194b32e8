"""Controls from fit to account."""

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from strategies import StrategyError
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import PaperScore
from strategies.tiers.controls import control
from strategies.tiers.controls.control import CONTROLS, Fit, Past, control_account, fit_controls, past_score, traded_box
from strategies.tiers.controls.folds import NotFitted
from strategies.trade.backtest import backtest
from strategies.trade.rules import SIGNAL_MAPS, TradingRules
from strategies.trade.simulate import simulate_paths
from strategies.trade.window import BarCosts, TradingWindow

NAMES = tuple(f"{label}:{side}" for label in "abc" for side in ("buy", "sell"))
ALL = tuple(CONTROLS.values())
RULES = TradingRules(0.0005)


def window_with_edge(seed: int = 0, n: int = 9000) -> TradingWindow:
    """A month of bars whose next returns go with the first output less the second; the others know nothing."""
    rng = np.random.default_rng(seed)
    slow = np.zeros((n, 6))
    for t in range(1, n):
        slow[t] = 0.97 * slow[t - 1] + 0.25 * rng.normal(size=6)
    outputs = 1 / (1 + np.exp(-slow))
    returns = 2e-3 * rng.normal(size=n)
    returns[1:] += 1e-3 * (outputs[:-1, 0] - outputs[:-1, 1])
    close = 50.0 * np.exp(np.cumsum(returns))
    minutes = 5 * 60_000 * np.arange(n)
    return TradingWindow.of(outputs, np.r_[50.0, close[:-1]], close, minutes, n / 8766, 365)


def past_of(window: TradingWindow, rules: TradingRules = RULES, n: int = 60, horizon: int = 12) -> Past:
    space = StrategySpace(window.outputs.shape[1])
    problem = SearchProblem(window, space, rules, PaperScore())
    params = space.sample(np.random.default_rng(1), n)
    params[:30, 0], params[:30, 1] = 1.0, -1.0
    return Past(
        problem, NAMES[: window.outputs.shape[1]], horizon, params, evaluate_population(problem, params)["score"]
    )


@pytest.fixture(scope="module")
def past() -> Past:
    return past_of(window_with_edge())


@pytest.fixture(scope="module")
def fits(past) -> dict[str, Fit]:
    return dict(zip(CONTROLS, fit_controls(past, ALL), strict=True))


def test_all_find_the_edge_and_earn_by_it(past, fits):
    later = window_with_edge(1)
    for name, fit in fits.items():
        assert not fit.reason, name
        account = control_account(fit, later, past.problem.rules, past.names, past.params)
        assert account.equity[-1] > 1.1, name
        assert account.fills > 10
        if fit.stack is not None:
            weights = dict(zip(fit.stack.inputs, fit.stack.slopes, strict=True))
            z = fit.stack.predict(later.outputs, past.names)
            assert np.corrcoef(z, later.outputs[:, 0] - later.outputs[:, 1])[0, 1] > 0.8, (name, weights)
            own = fit.stack.predict(past.problem.window.outputs, past.names)
            assert abs(own.mean()) < 0.01
            assert own.std() == pytest.approx(1.0, abs=0.01)
    members = fits["greedy"].members
    assert sum(members.shares) == pytest.approx(1.0)
    assert set(members.rows) <= set(np.argsort(-past.score, kind="stable")[:300].tolist())


@pytest.mark.parametrize("short", [False, True])
def test_accounts_are_those_of_the_simulator_and_of_vectorbt(past, fits, short):
    window = window_with_edge(2, 1500)
    days = np.arange(1500)[:, None] % 96 == 0
    costs = BarCosts(
        half_spread=np.full(1500, 2e-4), impact=np.full(1500, 1e-3), funding=np.where(days, 0.01, [0.0, 0.0]),
        borrow=np.where(days[:, 0], 0.02, 0.0),
    )  # fmt: skip
    window = window.at(costs)
    rules = TradingRules.of(fee_share=0.001, short=short)
    stack, members = fits["ridge"].stack, fits["greedy"].members
    asked = control.traded_window(window, stack.predict(window.outputs, past.names))
    for fit, params, shares, seen in (
        (fits["ridge"], np.array([stack.params]), [1.0], asked),
        (fits["greedy"], past.params[list(members.rows)], members.shares, window),
    ):
        account = control_account(fit, window, rules, past.names, past.params)
        tested = backtest(params, seen, rules)
        np.testing.assert_allclose(account.equity, tested.equity @ shares, rtol=1e-9)
        assert account.fills == pytest.approx(float(tested.fills @ np.array(shares)))
        state = simulate_paths(params, seen, rules, flows=True).state
        for kind in ("fees", "spread", "impact", "funding", "borrow"):
            wanted = float(getattr(state, kind) @ np.array(shares))
            assert float(getattr(account.paid, kind).sum()) == pytest.approx(wanted, rel=1e-9, abs=1e-15)
        assert (account.position < 0).any() == short


def test_fits_are_chosen_on_purged_folds(past):
    found, _, folds = control._prepared(past)
    for fold in folds:
        trained, tested = np.flatnonzero(fold.train(len(found.z))), np.arange(len(found.z))[fold.test]
        near = np.minimum(np.abs(trained - tested[0]), np.abs(trained - tested[-1]))
        assert near.min() > past.horizon


def test_no_look_ahead(past, fits):
    whole = window_with_edge(3, 1200)
    for name, fit in fits.items():
        account = control_account(fit, whole, past.problem.rules, past.names, past.params)
        part = control_account(fit, whole.rows(slice(0, 777)), past.problem.rules, past.names, past.params)
        np.testing.assert_array_equal(part.equity, account.equity[:777], err_msg=name)


def test_fits_have_the_same_bits_for_any_number_of_threads(past, fits):
    before = numba.get_num_threads()
    try:
        for threads in (1, 2):
            numba.set_num_threads(min(threads, before))
            with threadpool_limits(threads):
                assert dict(zip(CONTROLS, fit_controls(past, ALL), strict=True)) == fits
    finally:
        numba.set_num_threads(before)


def test_the_way_to_trade_has_the_best_past_score_in_its_box(past, fits):
    problem, stack = past.problem, fits["lasso"].stack
    account = control_account(fits["lasso"], problem.window, problem.rules, past.names, past.params)
    found = past_score(account, problem)
    box = traded_box(problem.space, problem.rules.signal_map)
    assert (np.array(stack.params) >= box[:, 0]).all()
    assert (np.array(stack.params) <= box[:, 1]).all()
    window = control.traded_window(problem.window, stack.predict(problem.window.outputs, past.names))
    asked = SearchProblem(window, StrategySpace(2), problem.rules, problem.score)
    assert found == pytest.approx(evaluate_population(asked, np.array([stack.params]))["score"][0])
    drawn = np.random.default_rng(0).uniform(box[:, 0], box[:, 1], (200, 5))
    assert found > np.quantile(evaluate_population(asked, drawn)["score"], 0.97)


@pytest.mark.parametrize("name", SIGNAL_MAPS)
def test_every_signal_map_and_side_reaches_all_positions(name):
    window = window_with_edge(4, 3000)
    for short in (False, True):
        rules = TradingRules.of(fee_share=0.0001, short=short, signal_map=name)
        (fit,) = fit_controls(past_of(window, rules), (CONTROLS["ridge"],))
        account = control_account(fit, window, rules, NAMES, np.empty((0, 9)))
        assert account.position.max() > 0.5
        assert account.equity[-1] > 1.1
        assert (account.position.min() < -0.1) == short


def test_few_and_flat_outputs(market):
    """One output is enough; without any that varies the reason is told, and the selection goes on."""
    one = past_of(window_with_edge(5, 3000)._replace(outputs=window_with_edge(5, 3000).outputs[:, :1]))
    for fit in fit_controls(one, ALL):
        assert fit.members or fit.stack.inputs == ("a:buy",)
    flat = past_of(market._replace(outputs=np.full((2000, 2), 0.5)))
    found = dict(zip(CONTROLS, fit_controls(flat, ALL), strict=True))
    assert {fit.reason for name, fit in found.items() if name != "greedy"} == {"no output varies"}
    with pytest.raises(NotFitted, match="no output varies"):
        control_account(found["ridge"], market, flat.problem.rules, flat.names, flat.params)


def test_rows_without_outputs_decide_nothing():
    window = window_with_edge(6, 3000)
    outputs = window.outputs.copy()
    outputs[1000:1400] = np.nan
    outputs[2000, 3] = np.nan
    past = past_of(window._replace(outputs=outputs))
    for fit in fit_controls(past, ALL):
        assert not fit.reason
        account = control_account(fit, past.problem.window, past.problem.rules, past.names, past.params)
        assert (account.traded[1001:1401] == 0).all()
        assert account.traded[2001] == 0
        assert np.isfinite(account.equity).all()


@pytest.mark.parametrize(("n", "reason"), [(9, "no bar of 9"), (15, "15 bars are too few"), (200, "a fold of past")])
def test_tiny_windows_say_why(n, reason):
    past = past_of(window_with_edge(7, 3000).rows(slice(0, n)))
    for name, fit in zip(CONTROLS, fit_controls(past, ALL), strict=True):
        assert fit.reason.startswith("past has " if name == "greedy" else reason)


def test_a_control_that_never_trades_keeps_its_capital():
    window = window_with_edge(8, 3000)
    dear = TradingRules(0.0005)
    (fit,) = fit_controls(past_of(window, dear), (CONTROLS["ridge"],))
    still = Fit(stack=fit.stack._replace(params=(0.0, 0.0, 0.9, 0.1, 0.1)))
    account = control_account(still, window, dear, NAMES, np.empty((0, 9)))
    assert (account.equity == 1.0).all()
    assert account.fills == 0
    assert past_score(account, past_of(window).problem) == pytest.approx(-40.0)  # 30 trades and 20 points are missing


def test_unknown_names_list_the_known_ones():
    with pytest.raises(StrategyError, match="unknown control 'luck'; known are ridge, lasso"):
        CONTROLS.find("luck")
