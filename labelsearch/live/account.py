"""The paper account of a tier: each strategy trades its share of the capital, as in the tiers of a run."""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.live.bundle import Tier
from labelsearch.market.times import DAY_MS
from strategies.trade.capital import Gradient
from strategies.trade.pool import Holdings, Pool
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import State


class Standing(NamedTuple):
    """State of a tier at a close."""

    equity: float  # in starting capital
    position: float  # share of equity held
    target: float  # share of equity wanted from the next open on
    orders: int  # members with an order for the next open
    fills: float  # of the average unit of capital since the start


class Book:
    """The account of one tier.

    Parameters
    ----------
    tier : Tier
    rules : TradingRules
    learns : bool
        Whether capital is reallocated every day, by the returns since the start.
    """

    def __init__(self, tier: Tier, rules: TradingRules, *, learns: bool) -> None:
        self.tier = tier
        self.pool = Pool(rules)
        self.gradient = Gradient(len(tier.members), tier.rate) if learns else None
        self._day = -1
        self._level = np.ones(len(tier.members))  # equity of the members at the start of the day
        self.equity, self.position, self.fills = 1.0, 0.0, 0.0

    def run(self, holdings: Holdings) -> None:
        """Advance by some bars (T,); ``holdings`` are of all strategies of the bundle."""
        of_tier = holdings.members(self.tier.members)
        day = holdings.window.open_time // DAY_MS
        starts = np.flatnonzero(np.diff(day, prepend=self._day))
        if self.gradient is None:
            starts = starts[:1] if self._day < 0 else starts[:0]
        edges = [*starts.tolist(), len(day)]
        if edges[0] > 0:
            self._follow(of_tier.rows(slice(0, edges[0])), None)
        for first, stop in itertools.pairwise(edges):
            piece = of_tier.rows(slice(first, stop))
            weights = self.tier.shares
            if self.gradient is not None and self._day >= 0:
                before = self._level
                self.gradient.learn(
                    np.divide(piece.equity_before - before, before, out=np.zeros_like(before), where=before > 0)
                )
                weights = self.gradient.weights()
            self._day, self._level = int(day[first]), piece.equity_before.copy()
            self._follow(piece, weights)

    def _follow(self, holdings: Holdings, weights: NDArray[np.float64] | None) -> None:
        self.pool.run(weights, holdings)
        account = self.pool.account()
        self.equity, self.position = float(account.equity[-1]), float(account.position[-1])
        self.fills = account.fills
        self.pool.forget()

    def standing(self, state: State, held: NDArray[np.float64]) -> Standing:
        """State of the tier, from the state of all strategies and the share of equity that each holds (S,)."""
        members = self.tier.members
        pending = state.pending[members]
        ordered = ~np.isnan(pending)
        wanted = np.where(ordered, pending, held[members])
        target = self.pool.target(state.equity[members], wanted) if self._day >= 0 else 0.0
        return Standing(self.equity, self.position, target, int(ordered.sum()), self.fills)

    def state(self) -> dict[str, NDArray]:
        """The arrays that `restore` needs."""
        power = {} if self.gradient is None else {"power": self.gradient.power.copy()}
        now = np.array([self._day, self.equity, self.position, self.fills])
        return {**self.pool.state(), **power, "level": self._level.copy(), "now": now}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Continue from the state of a book of the same tier."""
        self.pool.restore(state)
        self._level = state["level"]
        if self.gradient is not None:
            self.gradient.power = state["power"]
        self._day = int(state["now"][0])
        self.equity, self.position, self.fills = map(float, state["now"][1:])
