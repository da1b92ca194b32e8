"""Capital of an ensemble: how much each strategy gets, and the account that comes of it.

Equal capital is Balcerak & Schmelzer 2020. Inverse volatility and one vote for near-duplicates fix shares at the start
from returns known by then. The universal rule moves capital every day by the exponentiated gradient of Helmbold,
Schapire, Singer & Warmuth 1998, which needs no assumption on how returns are distributed.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from strategies.ensemble import Curve

RULES = ("equal", "inverse_volatility", "redundancy", "universal")
SAME = 0.9  # mean correlation of daily returns from which strategies count as one
CHUNK = 4096  # bars at a time: bounds memory
LEAST = 1e-7  # trades below this share of equity are rounding


def shares(rule: str, past: np.ndarray) -> np.ndarray:
    """Shares of capital (S,) at the start, from daily returns (D, S) known by then; they sum to 1.

    ``equal`` and ``universal`` start with 1/S each. ``inverse_volatility``: in proportion to 1 / standard deviation;
    what never moved gets nothing, unless nothing moved. ``redundancy``: near-duplicates share one vote, see `clusters`.

    Raises
    ------
    ValueError
        If the rule is unknown or there is no strategy.
    """
    if rule not in RULES:
        raise ValueError(f"capital {rule!r} is unknown, choose from {', '.join(RULES)}")
    n = past.shape[1]
    if not n:
        raise ValueError("no strategy to give capital to")
    weight = np.ones(n)
    if rule == "inverse_volatility" and len(past):
        volatility = past.std(axis=0)
        moved = volatility > 0
        if moved.any():
            weight = np.divide(1.0, volatility, out=np.zeros(n), where=moved)
    if rule == "redundancy":
        group = clusters(past)
        weight = 1.0 / np.bincount(group)[group]
    return weight / weight.sum()


def clusters(returns: np.ndarray, same: float = SAME) -> np.ndarray:
    """Number (S,) of the cluster of each strategy, by average linkage of the correlation of returns (D, S).

    Two clusters are joined while the mean correlation of their pairs is ``same`` or more, so a chain of strategies
    that change little by little is not taken for one, as it would be by single linkage. Strategies that never moved
    are alike, and like no other.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    n = returns.shape[1]
    if n == 1 or not len(returns):
        return np.zeros(n, dtype=np.int64)
    centred = returns - returns.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    correlation = unit.T @ unit
    still = length == 0
    correlation[np.ix_(still, still)] = 1.0
    distance = np.maximum(1.0 - (correlation + correlation.T) / 2.0, 0.0)
    np.fill_diagonal(distance, 0.0)
    # 1e-12: rounding must not part what is exactly at the threshold
    joined = fcluster(linkage(squareform(distance, checks=False), "average"), 1.0 - same + 1e-12, "distance")
    return np.asarray(joined, dtype=np.int64) - 1


def gradient_rate(past: np.ndarray, n_days: int) -> float:
    """Learning rate that makes `gradient_bound` least if the next days are as wide as daily returns (D, S) of past.

    sqrt(8 ln S / (n_days * mean of (largest / smallest growth of a day - 1)^2)); 0 where nothing differs.
    """
    spread = float(np.mean(_spread(past) ** 2)) if len(past) else 0.0
    return float(np.sqrt(8.0 * np.log(past.shape[1]) / (n_days * spread))) if spread > 0 and n_days > 0 else 0.0


def _spread(returns: np.ndarray) -> np.ndarray:
    growth = np.maximum(1.0 + returns, 1e-300)
    return growth.max(axis=1) / growth.min(axis=1) - 1.0


def gradient_weights(returns: np.ndarray, rate: float) -> np.ndarray:
    """Weights (D, S) at the start of each day by the exponentiated gradient of log wealth.

    w[0] = 1/S; w[d+1] is in proportion to w[d] exp(rate * growth[d] / (w[d] . growth[d])). Row d depends on returns up
    to day d - 1 only.

    Parameters
    ----------
    returns : (D, S) array
        Daily returns of the strategies.
    rate : float
        Learning rate; 0 keeps equal weights.
    """
    weights = np.empty(returns.shape)
    gradient = Gradient(returns.shape[1], rate)
    for d in range(len(returns)):
        weights[d] = gradient.weights()
        gradient.learn(returns[d])
    return weights


class Gradient:
    """The exponentiated gradient a day at a time; ``power`` (S,) is all that it keeps."""

    def __init__(self, n_strategies: int, rate: float) -> None:
        self.rate = rate
        self.power = np.zeros(n_strategies)

    def weights(self) -> np.ndarray:
        """Weights (S,) for the next day."""
        weight = np.exp(self.power - self.power.max())
        return weight / weight.sum()

    def learn(self, returns: np.ndarray) -> None:
        """Take the returns (S,) of a day."""
        growth = np.maximum(1.0 + returns, 0.0)
        mean = self.weights() @ growth
        if mean > 0:
            self.power += self.rate * growth / mean


def gradient_bound(returns: np.ndarray, rate: float) -> float:
    """How far log wealth can lie below that of the best constant weights in hindsight, before costs.

    ln S / rate + rate / 8 * sum over days of (largest / smallest growth - 1)^2: the proof of Helmbold et al. 1998 with
    Hoeffding's lemma on the range that each day has. The best single strategy is among the constant weights.
    """
    return float(np.log(returns.shape[1]) / rate + rate / 8.0 * (_spread(returns) ** 2).sum())


def weights_by_day(rule: str, past: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Target weights: (1, S) set once at the start, or (D, S) for each day if the rule moves capital.

    Parameters
    ----------
    rule : str
        One of ``RULES``.
    past : (P, S) array
        Daily returns before the first day.
    returns : (D, S) array
        Daily returns; row d of the result depends on rows before d only.
    """
    if rule == "universal":
        return gradient_weights(returns, gradient_rate(past, len(returns)))
    return shares(rule, past)[None, :]


class Account(NamedTuple):
    """An ensemble's account: `strategies.ensemble.Curve`, and what it traded; (T,) each, in starting capital."""

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


def day_returns(stretch: Stretch, edges: np.ndarray) -> np.ndarray:
    """Returns (D, S) of the strategies from one edge to the next; edges (D + 1,) are rows, the first 0."""
    levels = np.vstack([stretch.equity_before, stretch.equity[np.asarray(edges)[1:] - 1]])
    before = levels[:-1]
    return np.divide(np.diff(levels, axis=0), before, out=np.zeros_like(before), where=before > 0)


def invest(pool: Pool, rule: str, past: np.ndarray, stretch: Stretch, edges: np.ndarray) -> None:
    """Run a stretch of bars by a capital rule.

    Parameters
    ----------
    pool : Pool
        Takes the capital on from where it is.
    rule : str
        One of ``RULES``.
    past : (P, S) array
        Daily returns of the strategies before the stretch.
    stretch : Stretch
        The bars.
    edges : (D + 1,) array
        Rows that cut the stretch into days: 0 first, its length last.
    """
    weights = weights_by_day(rule, past, day_returns(stretch, edges))
    starts = edges[:-1] if len(weights) > 1 else edges[:1]
    for weight, start, stop in zip(weights, starts, (*starts[1:], edges[-1]), strict=True):
        pool.run(weight, part(stretch, slice(int(start), int(stop))))
