"""Numbers that describe an equity curve. Times are milliseconds since 1970 in UTC, as elsewhere."""

from typing import NamedTuple

import numpy as np

from strategies.score import monthly_return

DAY_MS = 86_400_000
DAYS_A_YEAR = 365  # the market never closes


class Metrics(NamedTuple):
    """What a curve did over a window; returns, drawdown and position in percent."""

    total_return: float
    monthly_return: float
    sharpe: float  # a year, of daily returns, without a riskless rate
    max_drawdown: float
    trades_per_month: float
    mean_position: float


def daily_returns(equity: np.ndarray, time_ms: np.ndarray, initial: float = 1.0) -> np.ndarray:
    """Returns (D,) from the close of one UTC day present to the next, the first from ``initial``.

    Parameters
    ----------
    equity : (T,) array
        Equity at each bar's close.
    time_ms : (T,) array
        Opening times of the bars, rising.
    initial : float
        Equity before the first bar.

    Raises
    ------
    ValueError
        If the arrays differ in length or are empty.
    """
    if len(equity) != len(time_ms) or not len(equity):
        raise ValueError(f"{len(equity)} values of equity do not fit {len(time_ms)} times")
    day = np.asarray(time_ms) // DAY_MS
    last = np.flatnonzero(np.r_[day[1:] != day[:-1], True])
    closes = np.r_[initial, np.asarray(equity, dtype=np.float64)[last]]
    return closes[1:] / closes[:-1] - 1.0


def sharpe(returns: np.ndarray) -> float:
    """Mean over sample standard deviation of daily returns, times sqrt(365); 0 if they do not vary."""
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    return float(np.mean(returns)) / deviation * DAYS_A_YEAR**0.5 if deviation > 0 else 0.0


def max_drawdown(equity: np.ndarray, initial: float = 1.0) -> float:
    """Largest fall from a peak, as a share of it, the start counted as a peak."""
    curve = np.r_[initial, equity]
    return float(np.max(1.0 - curve / np.maximum.accumulate(curve)))


def measure(
    equity: np.ndarray,
    position: np.ndarray,
    time_ms: np.ndarray,
    *,
    months: float,
    fills: float,
    initial: float = 1.0,
) -> Metrics:
    """Describe one curve.

    Parameters
    ----------
    equity, position : (T,) array
        Equity and the share of it held, at each bar's close.
    time_ms : (T,) array
        Opening times of the bars.
    months : float
        Length of the window in calendar months.
    fills : float
        Transactions; for an ensemble the mean over its strategies.
    initial : float
        Equity before the first bar.
    """
    growth = float(equity[-1]) / initial
    return Metrics(
        total_return=100.0 * (growth - 1.0),
        monthly_return=float(monthly_return(growth, months)),
        sharpe=sharpe(daily_returns(equity, time_ms, initial)),
        max_drawdown=100.0 * max_drawdown(equity, initial),
        trades_per_month=float(fills) / months,
        mean_position=100.0 * float(np.mean(position)),
    )
