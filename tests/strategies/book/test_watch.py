"""What books are watched by, and books over many splits."""

import numpy as np
import pytest

from strategies import StrategyError
from strategies.book import kernels
from strategies.book.rules import BookRules
from strategies.book.simulate import mean_weights, trade_weights
from strategies.book.stitch import BookLeg, trade_splits
from strategies.book.watch import (
    Before,
    capacity,
    gains,
    held_at_open,
    market_gains,
    neutrality,
    rolling_beta,
    strength_correlation,
    units_of,
)

RULES = BookRules.of("neutral", cap=0.3)
NAMES = tuple("ABCDEFG")


@pytest.fixture
def account(window, params):
    weights, _ = mean_weights(params, window, RULES, (4,))
    return trade_weights(weights[0], (0.02, 0.02), window, RULES)


def test_gains_add_up_to_equity(window, account):
    found = gains(account, window)
    np.testing.assert_allclose(found.net, np.diff(np.r_[1.0, account.equity]), atol=1e-13)
    np.testing.assert_allclose(market_gains(account, window).sum(axis=1), found.net, atol=1e-13)
    for name, column in {"fees": kernels.FEES, "spread": kernels.SPREAD, "impact": kernels.IMPACT}.items():
        assert getattr(found, name).sum() == pytest.approx(account.totals[column])
        assert getattr(found, name).sum() > 0
    moves = np.diff(np.vstack([window.open[:1], window.close]), axis=0)
    assert found.long.sum() + found.short.sum() != 0
    assert moves.shape == account.weight.shape


def test_legs_are_told_apart(window):
    weights = np.zeros_like(window.close)
    weights[:, 0], weights[:, 5] = 0.2, -0.2
    account = trade_weights(weights, (0.0, 0.0), window, RULES)
    by_market, found = market_gains(account, window), gains(account, window)
    costs = account.paid[:, :, 1:].sum(axis=(0, 2))
    assert found.long.sum() == pytest.approx(by_market[:, 0].sum() + costs[0])
    assert found.short.sum() == pytest.approx(by_market[:, 5].sum() + costs[5])


def test_rolling_beta_is_that_of_pandas():
    import pandas as pd

    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.02, 200)
    y = np.r_[0.5 * x[:100], -0.2 * x[100:]] + rng.normal(0, 0.01, 200)
    frame = pd.DataFrame({"x": x, "y": y})
    expected = frame["y"].rolling(30).cov(frame["x"]) / frame["x"].rolling(30).var()
    np.testing.assert_allclose(rolling_beta(y, x), expected.dropna(), rtol=1e-9)
    found = neutrality(y, x, 0.1)
    assert found.outside_share == pytest.approx((np.abs(expected.dropna()) > 0.1).mean())
    assert abs(found.rolling_worst) == pytest.approx(np.abs(expected).max())
    assert not found.holds(0.1)
    assert neutrality(rng.normal(0, 0.01, 500), rng.normal(0, 0.1, 500), 0.1).holds(0.1)
    assert neutrality(np.zeros(10), np.zeros(10), 0.1) == (0.0, 0.0, 0.0, 0.0, 0.0)


def test_capacity_is_where_impact_takes_half():
    net, impact, capital = 0.3, 0.05, 2e6
    found = capacity(net, impact, capital)
    assert impact * (found / capital) ** 0.5 == pytest.approx((net + impact) / 2)
    assert capacity(0.3, 0.0, 1e6) is None
    assert capacity(-0.2, 0.1, 1e6) is None


def test_what_is_held_at_the_open_is_worth_what_it_costs(window, account):
    held = held_at_open(account, window)
    units = units_of(account, window) - account.closed
    at_open = units * window.open
    equity = account.equity - (units * (window.close - window.open)).sum(axis=1)
    np.testing.assert_allclose(held * equity[:, None], at_open, atol=1e-14)


def test_wishes_that_know_what_follows_rank_it(window):
    rows = 6
    moved = np.full_like(window.close, 0.0)
    level = np.cumprod(1 + window.basket)
    for t in range(len(moved) - rows - 1):
        move = window.open[t + 1 + rows] / window.open[t + 1] - 1
        moved[t] = (move - window.beta[t] * (level[t + rows] / level[t] - 1)) * window.inverse_sigma[t] ** 2
    assert strength_correlation(moved, window, rows).min() > 0.999
    assert strength_correlation(-moved, window, rows).max() < -0.999
    noise = np.random.default_rng(0).normal(size=moved.shape)
    assert abs(strength_correlation(noise, window, 1).mean()) < 0.1


def test_a_seam_between_splits_that_abut_is_none(window, params):
    weights, _ = mean_weights(params, window, RULES, (4,))
    whole = trade_weights(weights[0], (0.02, 0.02), window, RULES)
    legs = [
        BookLeg(NAMES, window.rows(rows), weights[0][rows], (0.02, 0.02), follows)
        for rows, follows in ((slice(0, 120), False), (slice(120, 400), True))
    ]
    parts = trade_splits(legs, RULES)
    assert np.array_equal(np.concatenate([part.equity for part in parts]), whole.equity)
    before = Before(parts[0].held[0], legs[0].window.close[-1])
    both = np.concatenate([gains(parts[0], legs[0].window).net, gains(parts[1], legs[1].window, before).net])
    np.testing.assert_allclose(both, gains(whole, window).net, atol=1e-13)


def test_what_the_next_split_lacks_is_closed_with_costs(window, params):
    weights, _ = mean_weights(params, window, RULES, (4,))
    first = BookLeg(NAMES, window.rows(slice(0, 120)), weights[0][:120], (0.0, 0.0))
    later = window.rows(slice(120, 400))
    kept = [0, 1, 3, 4, 5, 6]
    apart = ("day_end", "open_time", "basket", "funding")
    arrays = {
        name: value[..., kept]
        for name, value in later._asdict().items()
        if isinstance(value, np.ndarray) and name not in apart
    }
    fewer = later._replace(**arrays, funding=later.funding[:, kept])
    second = BookLeg(tuple(NAMES[m] for m in kept), fewer, weights[0][120:][:, kept], (0.0, 0.0), True)
    alone = trade_splits([first], RULES)[0]
    closed, after = trade_splits([first, second], RULES)
    assert alone.weight[-1, 2] != 0
    assert closed.weight[-1, 2] == 0
    cost = abs(alone.weight[-1, 2]) * alone.equity[-1] * (RULES.fee_share + window.half_spread[119, 2])
    assert 0.9 * cost < alone.equity[-1] - closed.equity[-1] < 2 * cost
    np.testing.assert_allclose(closed.weight[-1] * closed.equity[-1], np.where(
        np.arange(7) == 2, 0, alone.weight[-1] * alone.equity[-1]), atol=1e-14)  # fmt: skip
    assert gains(closed, first.window).net.sum() == pytest.approx(closed.equity[-1] - 1)
    apart = trade_splits([first, second._replace(follows=False)], RULES)[0]
    assert not apart.weight[-1].any()
    with pytest.raises(StrategyError, match="split 2 begins before"):
        trade_splits([second, first], RULES)
    with pytest.raises(StrategyError, match="needs a split"):
        trade_splits([], RULES)
    assert len(after.equity) == 280
