"""The account of an ensemble: capital spread over strategies, each of which runs its share."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from strategies.tiers.ensemble import Curve

CHUNK = 4096  # bars at a time: bounds memory
LEAST = 1e-7  # trades below this share of equity are rounding


class Account(NamedTuple):
    """An ensemble's account: `strategies.tiers.ensemble.Curve`, and what it traded; (T,) each, in starting capital."""

    equity: np.ndarray
    position: np.ndarray
    traded: np.ndarray  # value bought and sold in the bar
    fills: float  # of the average unit of capital, changes of weights among them
    moved: float  # value traded only because weights changed

    @property
    def curve(self) -> Curve:
        """Equity and position alone."""
        return Curve(self.equity, self.position)


class Stretch(NamedTuple):
    """Some bars of S strategies, and where they stood at the close before."""

    equity: np.ndarray  # (T, S) at each close
    position: np.ndarray  # (T, S) share of it held, below 0 if short
    open: np.ndarray  # (T,)
    close: np.ndarray  # (T,)
    equity_before: np.ndarray  # (S,)
    position_before: np.ndarray  # (S,)
    close_before: float

    def first(self, n: int) -> "Stretch":
        """The first ``n`` strategies."""
        return self.members(slice(n))

    def members(self, index: np.ndarray | slice) -> "Stretch":
        """Some of the strategies."""
        return self._replace(
            equity=self.equity[:, index],
            position=self.position[:, index],
            equity_before=self.equity_before[index],
            position_before=self.position_before[index],
        )


def from_start(equity: np.ndarray, position: np.ndarray, open_: np.ndarray, close: np.ndarray) -> Stretch:
    """A window of strategies that started with equity 1, all in cash; shapes as in `Stretch`.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    n_bars = len(close)
    if equity.shape != position.shape or equity.ndim != 2 or len(equity) != n_bars or len(open_) != n_bars:
        raise ValueError(f"equity {equity.shape} and position {position.shape} do not fit {n_bars} bars")
    n = equity.shape[1]
    return Stretch(equity, position, open_, close, np.ones(n), np.zeros(n), float(open_[0]))


class Pool:
    """Capital spread over strategies, each of which runs its share as it would run its own.

    Weights change at the open of a bar, on what was known before it. Cash and holdings then move between strategies in
    kind, and only the net change of what all hold is traded, at the open, with slippage and fee. Trades that
    strategies make themselves are paid by each, not netted.
    """

    def __init__(self, fee: float = 0.0, slippage: float = 0.0) -> None:
        self.fee = fee
        self.slippage = slippage
        self._value = 1.0
        self._held = 0.0  # value held at the last close
        self._fills = 0.0
        self._moved = 0.0
        self._weights = self._units = np.empty(0)
        self._idle = 0.0
        self._pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def run(self, weights: np.ndarray | None, stretch: Stretch) -> None:
        """Set weights (S,) at the first open of a stretch, and leave them alone until its end; None sets none."""
        switched = 0.0 if weights is None else self._set(weights, stretch)
        units, idle = self._units, self._idle
        quantity = stretch.equity_before * stretch.position_before / stretch.close_before
        for first in range(0, len(stretch.close), CHUNK):
            rows = slice(first, first + CHUNK)
            own = stretch.equity[rows]
            value = own * stretch.position[rows]
            now = value / stretch.close[rows, None]
            change = np.diff(now, axis=0, prepend=quantity[None, :])
            quantity = now[-1]
            price = stretch.open[rows, None] * (1.0 + np.sign(change) * self.slippage)
            traded = np.abs(change) * price
            traded[(own <= 0) | (traded <= LEAST * own)] = 0.0
            equity = own @ units + idle
            position = np.divide(value @ units, equity, out=np.zeros_like(equity), where=equity > 0)
            paid = traded @ units
            if first == 0:
                paid[0] += switched
            self._fills += float(((traded > 0) @ self._weights).sum())
            self._pieces.append((equity, position, paid))
        self._value = float(equity[-1])
        self._held = float(equity[-1] * position[-1])

    def _set(self, weights: np.ndarray, stretch: Stretch) -> float:
        """Move capital to weights (S,) at the first open of a stretch; the value traded for it."""
        jump = float(stretch.open[0]) / stretch.close_before
        cash = stretch.equity_before * (1.0 - stretch.position_before)
        held = stretch.equity_before * stretch.position_before * jump
        at_open = cash + held
        position = np.divide(held, at_open, out=np.zeros_like(held), where=at_open > 0)
        switched = self._rebalance(float(weights @ position), jump)
        # capital given to a strategy that lost everything stays cash
        alive = at_open > 0
        self._weights = weights
        self._units = np.divide(weights * self._value, at_open, out=np.zeros_like(at_open), where=alive)
        self._idle = float(weights[~alive].sum()) * self._value
        return switched

    def _rebalance(self, target: float, jump: float) -> float:
        """Trade from what is held to the share ``target`` of what is left after costs; the value traded."""
        held = self._held * jump
        value = self._value - self._held + held
        self._value = value
        if value <= 0:
            return 0.0
        side = 1.0 if target * value > held else -1.0
        price = 1.0 + side * self.slippage
        cost = side * (price * (1.0 + side * self.fee) - 1.0)  # per value traded, at the open
        self._value = (value + side * cost * held) / (1.0 + side * cost * target)
        traded = abs(self._value * target - held) * price
        if traded <= LEAST * value:
            self._value = value
            return 0.0
        self._fills += 1.0
        self._moved += traded
        return traded

    def forget(self) -> None:
        """Drop the curves so far; totals and holdings go on."""
        self._pieces.clear()

    def state(self) -> dict[str, np.ndarray]:
        """Holdings and totals, for `restore`; the curves are not among them."""
        return {
            "weights": self._weights,
            "units": self._units,
            "totals": np.array([self._value, self._held, self._fills, self._moved, self._idle]),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where a pool was."""
        self._weights, self._units = state["weights"], state["units"]
        self._value, self._held, self._fills, self._moved, self._idle = map(float, state["totals"])

    def target(self, equity: np.ndarray, wanted: np.ndarray) -> float:
        """Share of equity wanted by all, from equity and share wanted (S,) of each strategy at the last close."""
        value = float(equity @ self._units) + self._idle
        return float((equity * wanted) @ self._units) / value if value > 0 else 0.0

    def account(self) -> Account:
        """Everything since the start, or since curves were dropped; totals are always from the start."""
        equity, position, traded = (np.concatenate(parts) for parts in zip(*self._pieces, strict=True))
        return Account(equity, position, traded, self._fills, self._moved)


def part(stretch: Stretch, rows: slice) -> Stretch:
    """Rows of a stretch, from one row to a later one."""
    start = rows.start
    before = (stretch.equity_before, stretch.position_before, stretch.close_before)
    if start:
        before = (stretch.equity[start - 1], stretch.position[start - 1], float(stretch.close[start - 1]))
    return Stretch(stretch.equity[rows], stretch.position[rows], stretch.open[rows], stretch.close[rows], *before)
