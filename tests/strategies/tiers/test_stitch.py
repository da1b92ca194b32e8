"""One account over many markets and splits, by hand and against a plain loop."""

import numpy as np
import pytest

from strategies import StrategyError
from strategies.tiers.stitch import Leg, Split, closing, stitch
from strategies.trade.rules import TradingRules
from strategies.trade.window import BarCosts

HOUR, DAY = 3_600_000, 86_400_000
FREE = TradingRules()._replace(fee_share=0.0)


def leg(market, first_day, n_days, *, price=100.0, drift=0.0, position=0.0, ended=False, n=1) -> Leg:
    """Hours of a price that drifts, and accounts that hold a share of their equity all the time, for nothing."""
    t = first_day * DAY + np.arange(24 * n_days) * HOUR
    close = price * np.exp(drift * np.arange(1, len(t) + 1))
    open_ = np.r_[price, close[:-1]]
    equity = np.cumprod(1 + position * (close / open_ - 1))
    return Leg(market, t, open_, close, np.tile(equity[:, None], n), np.full((len(t), n), position), ended)


def test_equity_goes_on_at_a_seam_and_what_is_held_is_sold_at_the_next_open():
    rules = TradingRules.of(fee_share=0.01, half_spread=0.02)
    first = leg("A", 0, 2, drift=0.001, position=0.5)
    last = first.close[-1]
    second = leg("A", 2, 1, price=last * 1.1)  # opens 10 % higher, and holds nothing
    found = stitch([Split([first]), Split([second], follows=True)], rules)
    before = first.equity[-1, 0]
    assert found.equity[1, 0] == pytest.approx(before)
    after = before * (0.5 + 0.5 * 1.1 * 0.98 * 0.99)
    assert found.equity[2, 0] == pytest.approx(after)
    assert found.returns[2, 0, 0] == pytest.approx(after / before - 1)
    assert found.market_returns[:, 0] == pytest.approx([np.exp(0.024) - 1, np.exp(0.024) - 1, 0.1])
    assert list(found.split) == [0, 0, 1]


def test_where_the_next_split_does_not_follow_all_is_closed_at_the_last_price():
    rules = TradingRules.of(fee_share=0.01)
    first, second = leg("A", 0, 2, position=1.0), leg("A", 5, 1, price=500.0)
    found = stitch([Split([first]), Split([second])], rules)
    assert found.equity[:, 0] == pytest.approx([1.0, 0.99, 0.99])
    assert found.market_returns[2, 0] == 0.0  # a jump that nobody held through


def test_a_market_that_ends_is_closed_and_its_loss_stays():
    rules = TradingRules.of(fee_share=0.01)
    gone = leg("B", 0, 1, drift=-0.1, position=1.0, ended=True)
    found = stitch([Split([leg("A", 0, 3), gone])], rules)
    left = 0.5 + 0.5 * gone.equity[-1, 0] * 0.99
    assert found.equity[:, 0] == pytest.approx([left] * 3)
    assert found.basket[-1] < 0.5 + 0.06


def test_at_the_very_end_nothing_is_closed():
    found = stitch([Split([leg("A", 0, 1, position=1.0)])], TradingRules.of(fee_share=0.01))
    assert found.equity[-1, 0] == pytest.approx(1.0)


def test_shorts_are_bought_back_dearer():
    slippage = np.array([0.02])
    assert closing(np.array([-0.5]), 1.2, slippage, 0.01) == pytest.approx(1.5 - 0.5 * 1.2 * 1.02 * 1.01)
    assert closing(np.array([-1.0]), 3.0, slippage, 0.01) == 0.0


def test_costs_of_a_window_are_paid_at_seams_and_by_the_basket():
    """Held in A over a seam: sold at the next split's spread and impact; the basket pays funding and both spreads."""
    due = np.zeros((24, 2))
    due[8, 0] = 0.5
    dear = BarCosts(half_spread=np.full(24, 0.01), impact=np.full(24, 0.02))
    first = leg("A", 0, 1, position=1.0)._replace(costs=BarCosts(np.full(24, 0.03), funding=due))
    second = leg("A", 1, 1)._replace(costs=dear)
    found = stitch([Split([first]), Split([second], follows=True)], FREE)
    assert found.equity[-1, 0] == pytest.approx(1 - 0.01 - 0.02)
    assert found.market_returns[0, 0] == pytest.approx(-0.005)
    np.testing.assert_allclose(found.basket, 0.995 / 1.03, rtol=1e-12)  # bought at the first open alone
    other = leg("B", 1, 1)
    left = stitch([Split([first]), Split([other], follows=True)], FREE)
    assert left.equity[-1, 0] == pytest.approx(0.97)  # closed at the last price
    assert left.basket[-1] == pytest.approx(0.995 / 1.03 * 0.97)


@pytest.mark.parametrize("position", [1.0, -1.0])
def test_funding_at_the_first_open_is_paid_by_what_was_held_until_then(position):
    """The basket buys after it in the first split, and holds at the seam; so does the book, which then sells."""
    due = np.zeros((24, 2))
    due[0, 0] = 0.5
    first, second = (
        leg("A", day, 1, position=held)._replace(costs=BarCosts(funding=due)) for day, held in enumerate((position, 0))
    )
    found = stitch([Split([first]), Split([second], follows=True)], FREE)
    np.testing.assert_allclose(found.basket, [1.0, 0.995], rtol=1e-12)
    np.testing.assert_allclose(found.market_returns[:, 0], [0.0, -0.005], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.equity[:, 0], [1.0, 1.0 - 0.005 * position], rtol=1e-12)
    np.testing.assert_allclose(found.returns[:, 0, 0], [0.0, -0.005 * position], rtol=1e-12, atol=1e-15)
    apart = stitch([Split([first]), Split([second])], FREE)
    np.testing.assert_allclose(apart.equity[:, 0], 1.0)
    np.testing.assert_allclose(apart.basket, 1.0)


def test_capital_is_shared_equally_and_anew_at_each_split():
    up, down = leg("A", 0, 1, drift=0.01, position=1.0), leg("B", 0, 1, drift=-0.01, position=1.0)
    later = [leg("A", 1, 1, price=up.close[-1]), leg("C", 1, 1, drift=0.02, position=1.0)]
    found = stitch([Split([up, down]), Split(later, follows=True)], FREE)
    first = (up.equity[-1, 0] + down.equity[-1, 0]) / 2
    assert found.equity[0, 0] == pytest.approx(first)
    assert found.equity[1, 0] == pytest.approx(first * (1 + later[1].equity[-1, 0]) / 2)
    assert np.isnan(found.returns[1, found.markets.index("B"), 0])
    assert found.markets == ("A", "B", "C")


def test_the_basket_trades_the_net_change_alone():
    rules = TradingRules.of(fee_share=0.01)
    same = [Split([leg("A", 0, 1)]), Split([leg("A", 1, 1)], follows=True)]
    assert stitch(same, rules).basket == pytest.approx([1 / 1.01, 1 / 1.01])
    other = [Split([leg("A", 0, 1)]), Split([leg("B", 1, 1)], follows=True)]
    assert stitch(other, rules).basket == pytest.approx([1 / 1.01, 0.99 / 1.01 / 1.01])


def naive(splits, rules):
    """Value of the book at the end of each day, one market and one bar at a time."""
    value, found = 1.0, []
    for k, split in enumerate(splits):
        share = value / len(split.legs)
        days = sorted({int(t) // DAY for one in split.legs for t in one.open_time})
        held = {}
        for one in split.legs:
            rows = {int(t) // DAY: row for row, t in enumerate(one.open_time)}
            held[one.market] = {d: one.equity[r, 0] for d, r in rows.items()}
        following = splits[k + 1] if k + 1 < len(splits) and splits[k + 1].follows else None
        opens = {one.market: one.open[0] for one in following.legs} if following else {}
        end = 0.0
        for one in split.legs:
            p, last = one.position[-1, 0], one.equity[-1, 0]
            cost = (1 - rules.fee_share) * (1 - rules.half_spread)
            if one.market in opens and not one.ended:
                end += share * last * (1 - p + p * opens[one.market] / one.close[-1] * cost)
                continue
            if k + 1 < len(splits) or one.ended:
                last *= 1 - p + p * cost
                held[one.market][max(held[one.market])] = last
            end += share * last
        for day in days:
            known = [[v for d, v in sorted(by_day.items()) if d <= day] for by_day in held.values()]
            found.append(share * sum(values[-1] if values else 1.0 for values in known))
        value = end
    return found


@pytest.mark.parametrize("seed", range(8))
def test_equals_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    rules = TradingRules.of(fee_share=0.003, half_spread=0.001)
    splits, day = [], 0
    for k in range(4):
        follows = k > 0 and rng.random() < 0.7
        day += 0 if follows else 2
        length = int(rng.integers(2, 5))
        legs = []
        for market in rng.permutation(list("ABCD"))[: rng.integers(1, 5)]:
            ended = rng.random() < 0.3 and len(legs) > 0
            n_days = length - 1 if ended else length
            made = leg(market, day, n_days, price=rng.uniform(50, 150), drift=rng.normal(0, 0.003))
            position = rng.uniform(0, 1, made.position.shape)
            legs.append(
                made._replace(
                    position=position,
                    equity=np.exp(np.cumsum(rng.normal(0, 0.01, position.shape), 0)),
                    ended=bool(ended),
                )
            )
        splits.append(Split(legs, bool(follows)))
        day += length
    found = stitch(splits, rules)
    assert found.equity[:, 0] == pytest.approx(naive(splits, rules), rel=1e-12)
    assert np.prod(1 + found.book_returns[:, 0]) == pytest.approx(found.equity[-1, 0])


def test_splits_that_overlap_or_hold_nothing_are_refused():
    with pytest.raises(StrategyError, match="before the one before it has ended"):
        stitch([Split([leg("A", 0, 2)]), Split([leg("A", 1, 1)])], FREE)
    with pytest.raises(StrategyError, match="needs a market"):
        stitch([Split([])], FREE)
