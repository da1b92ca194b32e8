"""What a book is watched by: neutrality, exposure, gain by leg, what was paid, and how much capital it would carry."""

from typing import NamedTuple

import numpy as np

from strategies.book.simulate import Account
from strategies.book.window import BookWindow

ROLLING_DAYS = 30
LEAST_MARKETS = 3  # of a row, for a rank correlation


class Neutrality(NamedTuple):
    """Beta and correlation of daily returns to the basket, over trailing days."""

    beta: float  # of all days
    correlation: float
    rolling_mean: float  # of the trailing betas
    rolling_worst: float  # the largest in size, with its sign
    outside_share: float  # of the trailing betas beyond the bound

    def holds(self, bound: float) -> bool:
        """Whether the book is neutral: its beta, and nine in ten of its trailing betas, are within the bound."""
        return abs(self.beta) <= bound and self.outside_share <= 0.1


def rolling_beta(returns: np.ndarray, basket: np.ndarray, days: int = ROLLING_DAYS) -> np.ndarray:
    """Least-squares slopes (D - days + 1,) of returns (D,) on those of the basket over trailing days."""
    if len(returns) < days:
        return np.empty(0)
    y, x = (np.lib.stride_tricks.sliding_window_view(v, days) for v in (returns, basket))
    x_away, y_away = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    square = (x_away * x_away).sum(axis=1)
    return np.divide((x_away * y_away).sum(axis=1), square, out=np.zeros(len(square)), where=square > 0)


def neutrality(returns: np.ndarray, basket: np.ndarray, bound: float) -> Neutrality:
    """How neutral daily returns (D,) are to those of the basket (D,).

    >>> x = np.sin(np.arange(40.0))
    >>> [round(v, 9) for v in neutrality(0.5 * x, x, 0.1)]
    [0.5, 1.0, 0.5, 0.5, 1.0]
    """
    whole = rolling_beta(returns, basket, max(len(returns), 1))
    rolling = rolling_beta(returns, basket)
    moves = np.ptp(returns) > 0 and np.ptp(basket) > 0 if len(returns) > 1 else False
    worst = float(rolling[np.argmax(np.abs(rolling))]) if len(rolling) else 0.0
    return Neutrality(
        float(whole[0]) if len(whole) else 0.0,
        float(np.corrcoef(returns, basket)[0, 1]) if moves else 0.0,
        float(rolling.mean()) if len(rolling) else 0.0,
        worst,
        float((np.abs(rolling) > bound).mean()) if len(rolling) else 0.0,
    )


class Gains(NamedTuple):
    """Where the equity of a book came from, row by row, (T,) each, in its starting cash."""

    long: np.ndarray  # price moves of what was held long
    short: np.ndarray
    traded: np.ndarray  # value bought and sold
    fees: np.ndarray  # paid, as in all that follow
    spread: np.ndarray
    impact: np.ndarray
    funding: np.ndarray  # below 0 where more was received
    borrow: np.ndarray

    @property
    def net(self) -> np.ndarray:
        """What is left (T,)."""
        return self.long + self.short - self.fees - self.spread - self.impact - self.funding - self.borrow


def units_of(account: Account, window: BookWindow) -> np.ndarray:
    """Units (T, M) held at each close."""
    return account.weight * account.equity[:, None] / window.close


class Before(NamedTuple):
    """Where a book stood at the close before its first row."""

    units: np.ndarray  # (M,)
    close: np.ndarray  # (M,)


def _moves(account: Account, window: BookWindow, before: Before | None) -> tuple[np.ndarray, np.ndarray]:
    """What price moves earned (2, T, M), until the open and within the row, and the units held meanwhile."""
    units = units_of(account, window)
    start = before or Before(np.zeros(units.shape[1]), window.open[0])
    held = np.stack([np.vstack([start.units, units[:-1]]), units - account.closed])
    last = np.vstack([start.close, window.close[:-1]])
    return held * np.stack([window.open - last, window.close - window.open]), held


def gains(account: Account, window: BookWindow, before: Before | None = None) -> Gains:
    """Take apart what an account earned; nothing is held before the first row by default."""
    moves, held = _moves(account, window, before)
    legs = [np.where(side * held > 0, moves, 0.0).sum(axis=(0, 2)) for side in (1.0, -1.0)]
    return Gains(*legs, *account.paid.sum(axis=1).T)


def market_gains(account: Account, window: BookWindow, before: Before | None = None) -> np.ndarray:
    """What was left of each market (T, M) after its costs, in starting cash."""
    moves, _ = _moves(account, window, before)
    left: np.ndarray = moves.sum(axis=0) - account.paid[:, :, 1:].sum(axis=2)
    return left


def held_at_open(account: Account, window: BookWindow) -> np.ndarray:
    """Share of equity (T, M) held after the open of each row, at its prices."""
    units = units_of(account, window) - account.closed
    at_open = units * window.open
    equity = account.equity - (units * (window.close - window.open)).sum(axis=1)
    return np.divide(at_open, equity[:, None], out=np.zeros_like(at_open), where=equity[:, None] > 0)


def capacity(net: float, impact: float, capital: float) -> float | None:
    """Capital at which impact takes half of what is left before it.

    Impact is a share of traded value that grows with the root of the order (Toth et al. 2011), so that its part of
    the gain grows with the root of the capital. None without impact or gain.

    Parameters
    ----------
    net, impact : float
        Gain after all costs, and what impact took (0 or more), in starting cash.
    capital : float
        Starting cash that impact was computed for.

    >>> capacity(0.3, 0.1, 1e6)
    4000000.0
    """
    before = net + impact
    if impact <= 0 or before <= 0:
        return None
    return capital * (before / (2.0 * impact)) ** 2


def strength_correlation(weights: np.ndarray, window: BookWindow, rows: int) -> np.ndarray:
    """Rank correlation (n,) across members of what is wished and what followed, at rows that are ``rows`` apart.

    What follows is the return over the next rows from the open after the decision, less beta times the basket's, over
    volatility; what is wished is the weight times volatility. Rows with fewer than three members do not count.

    Parameters
    ----------
    weights : (T, M) array
        Wanted at each close.
    window : BookWindow
    rows : int
    """
    from scipy.stats import rankdata

    found = []
    level = np.cumprod(1.0 + window.basket)
    for t in range(0, len(weights) - rows - 1, rows):
        member = window.member[t] & window.traded[t + 1] & window.traded[t + 1 + rows]
        if member.sum() < LEAST_MARKETS or not np.ptp(weights[t, member]) > 0:
            continue
        moved = window.open[t + 1 + rows] / window.open[t + 1] - 1.0
        rest = (moved - window.beta[t] * (level[t + rows] / level[t] - 1.0))[member]
        wish = (weights[t] / np.where(window.inverse_sigma[t] > 0, window.inverse_sigma[t], 1.0))[member]
        found.append(np.corrcoef(rankdata(wish), rankdata(rest * window.inverse_sigma[t, member]))[0, 1])
    return np.array(found)
