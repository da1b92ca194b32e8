"""The account of an ensemble: capital spread over strategies, each of which runs its share."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from strategies.trade.payments import Payments
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

CHUNK = 4096  # bars at a time: bounds memory
LEAST = 1e-7  # changes of weights below this share of equity are rounding


class Paid(NamedTuple):
    """What an account paid in each bar (T,), in starting capital."""

    fees: np.ndarray
    spread: np.ndarray  # lost to the half spread, against the open
    impact: np.ndarray  # and to the size of orders
    funding: np.ndarray  # below 0 where more was received
    borrow: np.ndarray

    @property
    def trading(self) -> np.ndarray:
        """Costs of trading alone (T,)."""
        return self.fees + self.spread + self.impact


class Account(NamedTuple):
    """An ensemble's account; arrays are (T,), money in starting capital."""

    equity: np.ndarray  # at each bar's close
    position: np.ndarray  # share of equity held at the close
    traded: np.ndarray  # value bought and sold in the bar
    fills: float  # of the average unit of capital, changes of weights among them
    moved: float  # value traded only because weights changed
    paid: Paid


class Holdings(NamedTuple):
    """Paths of S strategies over a window, and where they stood at the close before it."""

    window: TradingWindow
    equity: np.ndarray  # (T, S) at each close
    position: np.ndarray  # (T, S) share of it held, below 0 if short
    payments: Payments  # (T, S)
    equity_before: np.ndarray  # (S,)
    position_before: np.ndarray  # (S,)
    close_before: float

    def first(self, n: int) -> "Holdings":
        """The first ``n`` strategies."""
        return self.members(slice(n))

    def members(self, index: np.ndarray | slice) -> "Holdings":
        """Some of the strategies."""
        return self._replace(
            equity=self.equity[:, index],
            position=self.position[:, index],
            payments=self.payments.members(index),
            equity_before=self.equity_before[index],
            position_before=self.position_before[index],
        )

    def rows(self, rows: slice) -> "Holdings":
        """The bars from one row to a later one."""
        before = (self.equity_before, self.position_before, self.close_before)
        if rows.start:
            last = rows.start - 1
            before = (self.equity[last], self.position[last], float(self.window.close[last]))
        mine = (self.equity[rows], self.position[rows], self.payments.rows(rows))
        return Holdings(self.window.rows(rows), *mine, *before)


def from_start(equity: np.ndarray, position: np.ndarray, payments: Payments, window: TradingWindow) -> Holdings:
    """Holdings of strategies that started with equity 1, all in cash; shapes as in `Holdings`.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    n_bars = len(window.close)
    if not equity.shape == position.shape == payments.traded.shape or equity.ndim != 2 or len(equity) != n_bars:
        shapes = f"equity {equity.shape}, position {position.shape} and payments {payments.traded.shape}"
        raise ValueError(f"{shapes} do not fit {n_bars} bars")
    n = equity.shape[1]
    return Holdings(window, equity, position, payments, np.ones(n), np.zeros(n), float(window.open[0]))


# what a change of weights adds to the first bar, in the order of `Payments`
Switch = tuple[float, float, float, float, float]
NO_SWITCH: Switch = (0.0, 0.0, 0.0, 0.0, 0.0)


class Pool:
    """Capital spread over strategies, each of which runs its share as it would run its own.

    Weights change at the open of a bar, on what was known before it. Cash and holdings then move between strategies in
    kind, and only the net change of what all hold is traded, at the open, with slippage and fee. Trades that
    strategies make themselves are paid by each, not netted.
    """

    def __init__(self, rules: TradingRules) -> None:
        self.rules = rules
        self._value = 1.0
        self._held = 0.0  # value held at the last close
        self._short = 0.0  # value of what members hold short then
        self._fills = 0.0
        self._moved = 0.0
        self._weights = self._units = np.empty(0)
        self._idle = 0.0
        self._pieces: list[tuple[np.ndarray, ...]] = []

    def run(self, weights: np.ndarray | None, holdings: Holdings) -> None:
        """Set weights (S,) at the first open of the window, and leave them alone until its end; None sets none."""
        switched = NO_SWITCH if weights is None else self._set(weights, holdings)
        units, idle = self._units, self._idle
        for first in range(0, len(holdings.window.close), CHUNK):
            rows = slice(first, first + CHUNK)
            own = holdings.equity[rows]
            payments = holdings.payments.rows(rows)
            equity = own @ units + idle
            held = (own * holdings.position[rows]) @ units
            position = np.divide(held, equity, out=np.zeros_like(equity), where=equity > 0)
            paid = [field @ units for field in payments]
            if first == 0:
                for field, more in zip(paid, switched, strict=True):
                    field[0] += more
            self._fills += float(((payments.traded > 0) @ self._weights).sum())
            self._pieces.append((equity, position, *paid))
        self._value = float(equity[-1])
        self._held = float(equity[-1] * position[-1])
        self._short = -float(np.minimum(own[-1] * holdings.position[-1], 0.0) @ units)

    def _set(self, weights: np.ndarray, holdings: Holdings) -> "Switch":
        """Move capital to weights (S,) at the first open of the window.

        What is due there is paid before, by what was held until then, and not by what the members hold.
        """
        window = holdings.window
        jump = float(window.open[0]) / holdings.close_before
        cash = holdings.equity_before * (1.0 - holdings.position_before)
        held = holdings.equity_before * holdings.position_before
        funding, borrow = (
            float(due[0]) / holdings.close_before if len(due) else 0.0
            for due in (window.costs.funding[:, 0], window.costs.borrow)
        )
        own_funding, own_borrow = held * funding, np.minimum(held, 0.0) * -borrow
        at_open = cash + held * jump - own_funding - own_borrow
        position = np.divide(held * jump, at_open, out=np.zeros_like(held), where=at_open > 0)
        paid_funding, paid_borrow = self._held * funding, self._short * borrow
        self._value -= paid_funding + paid_borrow
        traded, spread, impact = self._rebalance(float(weights @ position), jump, window)
        # capital given to a strategy that lost everything stays cash
        alive = at_open > 0
        self._weights = weights
        units = self._units = np.divide(weights * self._value, at_open, out=np.zeros_like(at_open), where=alive)
        self._idle = float(weights[~alive].sum()) * self._value
        return (
            traded,
            spread,
            impact,
            paid_funding - float(own_funding @ units),
            paid_borrow - float(own_borrow @ units),
        )

    def _rebalance(self, target: float, jump: float, window: TradingWindow) -> tuple[float, float, float]:
        """Trade from what is held to the share ``target`` of what is left after costs: traded, spread and impact."""
        held = self._held * jump
        value = self._value - self._held + held
        self._value = value
        if value <= 0:
            return 0.0, 0.0, 0.0
        side = 1.0 if target * value > held else -1.0
        half_spread, slippage = window.costs.slippage(0, abs(target * value - held), self.rules)
        price = 1.0 + side * slippage
        cost = side * (price * (1.0 + side * self.rules.fee_share) - 1.0)  # per value traded, at the open
        self._value = (value + side * cost * held) / (1.0 + side * cost * target)
        moved = abs(self._value * target - held)
        traded = moved * price
        if traded <= LEAST * value:
            self._value = value
            return 0.0, 0.0, 0.0
        self._fills += 1.0
        self._moved += traded
        return traded, moved * half_spread, moved * (slippage - half_spread)

    def forget(self) -> None:
        """Drop the curves so far; totals and holdings go on."""
        self._pieces.clear()

    def state(self) -> dict[str, np.ndarray]:
        """Holdings and totals, for `restore`; the curves are not among them."""
        return {
            "weights": self._weights,
            "units": self._units,
            "totals": np.array([self._value, self._held, self._fills, self._moved, self._idle, self._short]),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where a pool was."""
        self._weights, self._units = state["weights"], state["units"]
        self._value, self._held, self._fills, self._moved, self._idle, self._short = map(float, state["totals"])

    def target(self, equity: np.ndarray, wanted: np.ndarray) -> float:
        """Share of equity wanted by all, from equity and share wanted (S,) of each strategy at the last close."""
        value = float(equity @ self._units) + self._idle
        return float((equity * wanted) @ self._units) / value if value > 0 else 0.0

    def account(self) -> Account:
        """Everything since the start, or since curves were dropped; totals are always from the start."""
        equity, position, traded, *others = (np.concatenate(parts) for parts in zip(*self._pieces, strict=True))
        paid = Paid(self.rules.fee_share * traded, *others)
        return Account(equity, position, traded, self._fills, self._moved, paid)
