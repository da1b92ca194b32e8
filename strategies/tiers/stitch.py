"""One account over many markets and splits: capital is shared out equally among the markets at the start of each split.

Within a split each market runs its share. At a seam the book keeps its equity: what the old tiers hold is sold at the
first open of the next split, with costs, and capital is shared out anew among the markets of the new split, whose
tiers start in cash. What is held in a market that the next split does not have, or that ends within its split, is
closed at the last price, with costs; so is everything where the next split does not begin where this one ends. At the
very end nothing is closed, as in a run of one window.

The basket holds the same markets in equal parts without any tier; at a seam only the net change is traded.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.trade.rules import TradingRules
from strategies.trade.window import DAY_MS, NO_COSTS, BarCosts, day_edges


class Leg(NamedTuple):
    """Accounts of one market in one split, each from equity 1, in cash.

    ``ended``: whether the market has no bar after these, though the split goes on.
    """

    market: str
    open_time: np.ndarray  # (T,) int64, ms since the epoch
    open: np.ndarray  # (T,)
    close: np.ndarray  # (T,)
    equity: np.ndarray  # (T, n) at each close
    position: np.ndarray  # (T, n) share of it held
    ended: bool = False
    costs: BarCosts = NO_COSTS

    @property
    def growth(self) -> np.ndarray:
        """Value (T,) at each close of what costs 1 at the first open, less the funding that it paid since."""
        paid = np.cumsum(self.costs.funding.sum(axis=1)) - self.due if len(self.costs.funding) else 0.0
        return (self.close - paid) / self.open[0]

    @property
    def due(self) -> float:
        """Funding of each unit that is held until the first open, before an order fills there."""
        return float(self.costs.funding[0, 0]) if len(self.costs.funding) else 0.0


class Split(NamedTuple):
    """All legs of one split, and whether it begins where the split before it ended."""

    legs: Sequence[Leg]
    follows: bool = False


class Stitched(NamedTuple):
    """The book and its markets by UTC days; M markets in the order of their first appearance, n accounts."""

    days: np.ndarray  # (D,) datetime64[D], those that any market has a bar on
    split: np.ndarray  # (D,) int, from 0
    markets: tuple[str, ...]
    equity: np.ndarray  # (D, n) of the book
    basket: np.ndarray  # (D,)
    returns: np.ndarray  # (D, M, n) of each market's accounts; NaN where the split does not have the market
    market_returns: np.ndarray  # (D, M) of holding the market, without costs; NaN as well

    @property
    def book_returns(self) -> np.ndarray:
        """Daily returns (D, n) of the book."""
        return returns_of_days(self.equity)

    @property
    def basket_returns(self) -> np.ndarray:
        """Daily returns (D,) of the basket."""
        return returns_of_days(self.basket[:, None])[:, 0]


def returns_of_days(equity: np.ndarray) -> np.ndarray:
    """Returns (D, n) of accounts that begin at 1; 0 once the equity is gone."""
    before = np.vstack([np.ones((1, equity.shape[1])), equity[:-1]])
    return np.divide(equity, before, out=np.ones_like(equity), where=before > 0) - 1.0


def closing(position: np.ndarray, jump: float, slippage: np.ndarray, fee_share: float) -> np.ndarray:
    """Equity left, as a share, where positions (n,) are closed at a price ``jump`` times the last close, with costs."""
    side = np.sign(position)
    left = (1.0 - side * slippage) * (1.0 - side * fee_share)
    return np.maximum(1.0 - position + position * jump * left, 0.0)


class _Days(NamedTuple):
    """The legs of a split at the ends of its D days; a day without bars of a market has what was there before."""

    days: np.ndarray  # (D,) datetime64[D]
    equity: np.ndarray  # (D, L, n) from 1
    growth: np.ndarray  # (D, L) of the price, from the first open


def _by_days(split: Split, closed: Sequence[np.ndarray]) -> _Days:
    """``closed``: share of equity (n,) left at the end of each leg; 1 where nothing is closed there."""
    edges = [day_edges(leg.open_time) for leg in split.legs]
    own = [(leg.open_time[e[:-1]] // DAY_MS).astype("datetime64[D]") for leg, e in zip(split.legs, edges, strict=True)]
    days = np.unique(np.concatenate(own))
    equity, growth = [], []
    for leg, its_days, edge, left in zip(split.legs, own, edges, closed, strict=True):
        closes = np.vstack([np.ones_like(leg.equity[:1]), leg.equity[edge[1:] - 1]])
        closes[-1] *= left
        row = np.searchsorted(its_days, days, side="right")  # days of its own so far
        equity.append(closes[row])
        growth.append(np.r_[1.0, leg.growth[edge[1:] - 1]][row])
    return _Days(days, np.stack(equity, axis=1), np.stack(growth, axis=1))


def _seam(split: Split, following: Split | None, rules: TradingRules) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Share of equity left by each leg, where it is closed at its end, and where it is closed at the next open.

    One of both is 1 for every leg, or both.
    """
    at_end, at_open = [], []
    opens = {leg.market: leg for leg in following.legs} if following and following.follows else {}
    for leg in split.legs:
        none = np.ones(leg.equity.shape[1])
        goes_on = leg.market in opens and not leg.ended
        jump, due, costs, row = 1.0, 0.0, leg.costs, -1
        if goes_on:
            later, close = opens[leg.market], float(leg.close[-1])
            jump, due, costs, row = float(later.open[0]) / close, later.due / close, later.costs, 0
        values = np.abs(leg.position[-1]) * leg.equity[-1] * jump
        slippage = np.array([costs.slippage(row, value, rules)[1] for value in values])
        left = np.maximum(closing(leg.position[-1], jump, slippage, rules.fee_share) - leg.position[-1] * due, 0.0)
        last = following is None and not leg.ended
        at_end.append(none if goes_on or last else left)
        at_open.append(left if goes_on else none)
    return at_end, at_open


def stitch(splits: Sequence[Split], rules: TradingRules) -> Stitched:
    """Trade all splits one after the other.

    Parameters
    ----------
    splits : sequence of Split
        In time order; every split has a leg or more, and no market twice.
    rules : TradingRules
        Costs of what is closed at seams.

    Raises
    ------
    StrategyError
        If a split has no leg or begins before the one before it has ended.
    """
    if not splits or not all(split.legs for split in splits):
        raise StrategyError("a split needs a market")
    markets = tuple(dict.fromkeys(leg.market for split in splits for leg in split.legs))
    n = splits[0].legs[0].equity.shape[1]
    value = np.ones(n)
    carried: dict[str, np.ndarray] = {}  # share of equity left at the first open, by market
    last_close: dict[str, float] = {}
    basket = Basket(rules)
    parts: list[_Part] = []
    for number, (split, following) in enumerate(itertools.zip_longest(splits, splits[1:])):
        at_end, at_open = _seam(split, following, rules)
        by_days = _by_days(split, at_end)
        if parts and by_days.days[0] <= parts[-1].days[-1]:
            raise StrategyError(f"split {number + 1} begins on {by_days.days[0]}, before the one before it has ended")
        names = [leg.market for leg in split.legs]
        columns = [markets.index(name) for name in names]
        own = np.full((len(by_days.days), len(markets), n), np.nan)
        own[:, columns] = _growth_to_returns(by_days.equity, [carried.get(name, np.ones(n)) for name in names])
        prices = np.full((len(by_days.days), len(markets)), np.nan)
        jumps = [
            (leg.open[0] - leg.due) / last_close[leg.market] if leg.market in last_close else 1.0 for leg in split.legs
        ]
        prices[:, columns] = _growth_to_returns(by_days.growth, jumps)
        book = value * by_days.equity.mean(axis=1)
        held = basket.run(names, by_days.growth, dict(zip(names, jumps, strict=True)), split.legs)
        parts.append(_Part(by_days.days, np.full(len(by_days.days), number), book, held, own, prices))
        value = value * np.mean(by_days.equity[-1] * np.array(at_open), axis=0)
        goes_on = following is not None and following.follows
        carried = dict(zip(names, at_open, strict=True))
        last_close = {leg.market: float(leg.close[-1]) for leg in split.legs if not leg.ended} if goes_on else {}
        if following:
            basket.keep({leg.market for leg in following.legs} & set(last_close))
    days, split_of, equity, held, own, prices = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Stitched(days, split_of, markets, equity, held, own, prices)


class _Part(NamedTuple):
    """What one split adds to `Stitched`."""

    days: np.ndarray
    split: np.ndarray
    equity: np.ndarray
    basket: np.ndarray
    returns: np.ndarray
    market_returns: np.ndarray


def _growth_to_returns(growth: np.ndarray, first: Sequence[np.ndarray] | Sequence[float]) -> np.ndarray:
    """Returns of growth (D, L, ..) from 1, the first day's after a jump by ``first`` (L, ..)."""
    before = np.concatenate([np.ones_like(growth[:1]), growth[:-1]])
    ratio = np.divide(growth, before, out=np.ones_like(growth), where=before > 0)
    ratio[0] = ratio[0] * np.array(first)
    return ratio - 1.0


class Basket:
    """Equal parts of all markets, set anew at the start of each split; only the net change is traded, with costs."""

    def __init__(self, rules: TradingRules) -> None:
        self._rules = rules
        self._cash = 1.0
        self._held: dict[str, float] = {}  # value at the last close
        self._last: dict[str, BarCosts] = {}

    def run(
        self, markets: Sequence[str], growth: np.ndarray, jumps: dict[str, float], legs: Sequence[Leg]
    ) -> np.ndarray:
        """Value (D,) at the ends of the days of a split.

        Parameters
        ----------
        markets : sequence of str
        growth : (D, L) array
            Of what is held, from the first open.
        jumps : dict of str to float
            First open, less funding due there, over the last close of the split before.
        legs : sequence of Leg
            Their costs.
        """
        held = {market: value * jumps[market] for market, value in self._held.items()}
        total = self._cash + sum(held.values())
        target = total / len(markets)
        for _ in range(20):  # what is bought has to pay for its own costs
            change = [target - held.get(market, 0.0) for market in markets]
            paid = sum(self._cost(x, leg.costs, 0) for x, leg in zip(change, legs, strict=True))
            target = (total - paid) / len(markets)
        value = target * growth
        self._cash, self._held = 0.0, dict(zip(markets, value[-1].tolist(), strict=True))
        self._last = {leg.market: leg.costs for leg in legs}
        return value.sum(axis=1)

    def _cost(self, change: float, costs: BarCosts, row: int) -> float:
        """Costs of buying, or below 0 of selling, so much at the open of a row."""
        side = 1.0 if change > 0 else -1.0
        slippage = costs.slippage(row, abs(change), self._rules)[1]
        return change * ((1.0 + side * slippage) * (1.0 + side * self._rules.fee_share) - 1.0)

    def keep(self, markets: set[str]) -> None:
        """Sell what is held in other markets at its last price; its costs are paid at the start of the next split."""
        for market in set(self._held) - markets:
            value = self._held.pop(market)
            self._cash += value - self._cost(-value, self._last[market], -1)
