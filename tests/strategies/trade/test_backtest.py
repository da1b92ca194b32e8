"""The simulator against vectorbt; slow to import, so alone in its file."""

import numpy as np
import pandas as pd
import pytest

from strategies.search.linear import StrategySpace
from strategies.tiers import baselines
from strategies.tiers.metrics import max_drawdown, sharpe
from strategies.trade.fills import fill_nb
from strategies.trade.rules import CLIP, TradingRules
from strategies.trade.simulate import simulate, simulate_paths
from strategies.trade.window import DAY_MS


@pytest.fixture(scope="module")
def bt():
    from strategies.trade import backtest

    return backtest


def eager(seed: int, n: int) -> np.ndarray:
    """Strategies of which many trade often."""
    space = StrategySpace(16, weight=(-2, 2), theta_buy=(0.45, 0.7), theta_sell=(0.3, 0.55), delta=(0.0, 0.1))
    return space.sample(np.random.default_rng(seed), n)


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize(("fee", "slippage"), [(0.0, 0.0), (0.0005, 0.0), (0.0005, 0.0003), (0.01, 0.002)])
def test_vectorbt_agrees_to_the_last_fill(bt, make, market, fee, slippage, short):
    params = np.vstack([make[1](20, 25), eager(21, 25)])
    rules = TradingRules(fee, slippage, short)
    paths = simulate_paths(params, market, rules)
    assert paths.state.fills.sum() > 2000
    result = bt.backtest(params, market, rules, columns=20)
    assert result.difference < 1e-9
    np.testing.assert_allclose(result.equity[-1], simulate(params, market, rules).equity, rtol=1e-9)
    records = bt.portfolio(paths.orders, market, rules).orders.values
    quantity = np.zeros_like(paths.equity)
    quantity[1:] = bt.starting_cash(market) * np.diff(paths.position * paths.equity / market.close[:, None], axis=0)
    for col in range(50):
        mine = records[records["col"] == col]
        assert len(mine) == paths.state.fills[col]
        # every fill moves what is held by vectorbt's size, on vectorbt's side
        signed = np.where(mine["side"] == 0, mine["size"], -mine["size"])
        np.testing.assert_allclose(quantity[mine["idx"], col], signed, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize(
    ("fee", "slippage", "short"), [(0.0, 0.0, False), (0.0005, 0.001, False), (0.01, 0.0, False), (0.0005, 0.001, True)]
)
def test_any_targets_fill_as_in_vectorbt(bt, make, fee, slippage, short):
    """Targets no strategy would send, many of which change nothing, as all in again or out again."""
    market = make[0](24, 1500)
    rng = np.random.default_rng(25)
    targets = rng.choice([0.0, 0.0, 0.5, 1.0, 1.0, -0.6 if short else 0.37], (1500, 6))
    orders = np.where(rng.random((1500, 6)) < 0.4, targets, np.nan)
    records = bt.portfolio(orders, market, TradingRules(fee, slippage, short)).orders.values
    for col in range(6):
        cash, quantity, fills = bt.starting_cash(market), 0.0, []
        for t in np.flatnonzero(~np.isnan(orders[:, col])):
            order = (orders[t, col], market.open[t], fee, slippage, 0.0, short)
            cash, quantity, value, paid, _ = fill_nb(cash, quantity, *order)
            if value > 0:
                fills.append((t, value, paid))
        mine = records[records["col"] == col]
        assert len(fills) < (~np.isnan(orders[:, col])).sum() - 50
        np.testing.assert_array_equal([t for t, _, _ in fills], mine["idx"])
        np.testing.assert_allclose([v for _, v, _ in fills], mine["size"] * mine["price"], rtol=1e-9)
        np.testing.assert_allclose([p for _, _, p in fills], mine["fees"], rtol=1e-9, atol=1e-15)


def test_a_difference_is_an_error(bt, make, market, monkeypatch):
    params = eager(22, 4)
    other = simulate_paths(params, market, TradingRules(0.002), flows=True)
    monkeypatch.setattr(bt, "simulate_paths", lambda *_, **__: other)
    with pytest.raises(ArithmeticError, match="differ"):
        bt.backtest(params, market, TradingRules())


def test_a_tier_survives_near_ruin(bt, market):
    """Churners at a high fee lose nearly all, and the two still agree while equity is above dust."""
    params = eager(23, 8)
    result = bt.backtest(params, market.rows(slice(0, 600)), TradingRules(0.05), tolerance=1e-7)
    assert result.equity[-1].min() < 0.2


def test_shorts_agree_with_vectorbt_up_to_ruin(bt, make, market):
    wild = np.exp(np.cumsum(np.random.default_rng(33).normal(0.0, 0.2, len(market.close) + 1)))
    market = market._replace(open=wild[:-1], close=wild[1:]).rows(slice(0, 400))
    result = bt.backtest(eager(26, 40), market, TradingRules(0.0005, 0.0, True), tolerance=1e-7)
    ruined = result.equity[-1] == 0.0
    assert 3 < ruined.sum() < 40
    assert result.fills[ruined].min() > 0


@pytest.mark.parametrize("unit", [1e-17, 1e-9, 1e9, 1e12])
@pytest.mark.parametrize("fee", [0.0005, 0.02])
def test_vectorbt_agrees_at_any_price(bt, make, market, unit, fee):
    market = market._replace(open=market.open * unit, close=market.close * unit).rows(slice(0, 1000))
    assert bt.backtest(eager(27, 20), market, TradingRules(fee)).difference < 1e-9


def test_a_fill_on_the_bar_of_ruin_counts_in_both(bt, market):
    """Sold short at an open, ruined by the close of the same bar, where prices double."""
    doubled = np.r_[1.0, 1.0, 2.1, 2.1]
    window = market.rows(slice(0, 4))._replace(open=np.r_[1.0, 1.0, 1.0, 2.1], close=doubled)
    params = np.r_[np.zeros(window.outputs.shape[1]), 0.0, 1.0, 0.0][None]
    rules = TradingRules.of(fee_share=0.0, short=True, signal_map="clip")
    result = bt.backtest(params, window.rows(slice(1, 4)), rules)
    assert result.equity[:, 0].tolist() == [1.0, 0.0, 0.0]
    assert (result.fills[0], result.simulated[0]) == (1, 1)


@pytest.mark.parametrize("interval_ms", [pytest.param(60_000, marks=pytest.mark.slow), 3_600_000, DAY_MS])
def test_statistics_are_those_of_the_interval(bt, make, interval_ms):
    """A figure is the same whether it is computed here or by the portfolio that a notebook gets."""
    market = make[0](28, 900, interval_ms=interval_ms)
    params, rules = eager(29, 30), TradingRules()
    params = params[simulate(params, market, rules).fills > 20][:3]
    paths = simulate_paths(params, market, rules)
    portfolio = bt.portfolio(paths.orders, market, rules, interval_ms=interval_ms)
    assert portfolio.wrapper.freq == pd.Timedelta(interval_ms, "ms")
    returns = paths.equity / np.vstack([np.ones(3), paths.equity[:-1]]) - 1.0
    for s in range(3):
        year = 365 * DAY_MS / interval_ms
        assert portfolio.sharpe_ratio().iloc[s] == pytest.approx(
            returns[:, s].mean() / returns[:, s].std(ddof=1) * year**0.5, rel=1e-6
        )
        assert -portfolio.max_drawdown().iloc[s] == pytest.approx(max_drawdown(paths.equity[:, s]), rel=1e-6)
        if interval_ms == DAY_MS:
            assert portfolio.sharpe_ratio().iloc[s] == pytest.approx(sharpe(returns[:, s]), rel=1e-6)


def test_baselines_fill_as_in_vectorbt(bt, make):
    market = make[0](25, 3000, interval_ms=3_600_000)
    for name, outputs_of in baselines.OUTPUTS.items():
        rules = TradingRules(0.001, 0.0005, False, CLIP)
        result = bt.backtest(baselines.PARAMS, market._replace(outputs=outputs_of(market)), rules)
        assert result.fills[0] > 40
        np.testing.assert_allclose(baselines.baseline_account(name, market, rules).equity, result.equity[:, 0])
