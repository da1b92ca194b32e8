"""Numbers that describe an equity curve. Times are milliseconds since 1970 in UTC, as elsewhere."""

from typing import NamedTuple

import numpy as np

from strategies.search.score import monthly_return

DAY_MS = 86_400_000
DAYS_A_YEAR = 365  # the market never closes
MONTHS_A_YEAR = 12


class Metrics(NamedTuple):
    """What a curve did over a window; shares in percent. None where a ratio has nothing to divide by."""

    total_return: float
    monthly_return: float
    volatility: float  # a year, of daily returns
    sharpe: float  # a year, of daily returns, without a riskless rate
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    recovery_days: float | None
    matched_return: float | None
    trades_per_month: float
    mean_position: float  # long or short
    invested: float  # share of bars with something held
    turnover: float  # value traded a month, in equities
    fees: float  # of the starting capital
    beta: float | None


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


def volatility(returns: np.ndarray) -> float:
    """Sample standard deviation of daily returns, times sqrt(365); 0 for fewer than two."""
    return float(np.std(returns, ddof=1)) * DAYS_A_YEAR**0.5 if len(returns) > 1 else 0.0


def sharpe(returns: np.ndarray) -> float:
    """Mean over sample standard deviation of daily returns, times sqrt(365); 0 if they do not vary."""
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    return float(np.mean(returns)) / deviation * DAYS_A_YEAR**0.5 if deviation > 0 else 0.0


def sortino(returns: np.ndarray) -> float | None:
    """Mean over root mean square of the negative daily returns, all days counted, times sqrt(365).

    Sortino & Price 1994 with a target of 0. None without a losing day.
    """
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns)) / downside * DAYS_A_YEAR**0.5 if downside > 0 else None


def max_drawdown(equity: np.ndarray, initial: float = 1.0) -> float:
    """Largest fall from a peak, as a share of it, the start counted as a peak."""
    curve = np.r_[initial, equity]
    return float(np.max(1.0 - curve / np.maximum.accumulate(curve)))


def recovery_days(equity: np.ndarray, time_ms: np.ndarray, initial: float = 1.0) -> float | None:
    """Days from the bottom of the largest fall until equity is back at the peak before it.

    0 without a fall; None if it is not back at the end of the window.
    """
    curve = np.r_[initial, equity]
    peaks = np.maximum.accumulate(curve)
    falls = 1.0 - curve / peaks
    bottom = int(np.argmax(falls))
    if falls[bottom] <= 0:
        return 0.0
    back = np.flatnonzero(curve[bottom:] >= peaks[bottom])
    if not len(back):
        return None
    return float(time_ms[bottom + back[0] - 1] - time_ms[bottom - 1]) / DAY_MS


def calmar(growth: float, drawdown: float, months: float) -> float | None:
    """Compound return a year over the largest drawdown, both as shares (Young 1991); None without a drawdown."""
    return (max(growth, 0.0) ** (MONTHS_A_YEAR / months) - 1.0) / drawdown if drawdown > 0 else None


def matched_return(returns: np.ndarray, market: np.ndarray) -> float | None:
    """Total return at the market's volatility, as a share: daily returns times the ratio of the volatilities.

    The leverage is set anew each day and costs nothing; equity that is gone stays gone. None if the returns do not
    vary.
    """
    own = volatility(returns)
    if own == 0:
        return None
    return float(np.prod(np.maximum(1.0 + returns * (volatility(market) / own), 0.0))) - 1.0


def market_beta(returns: np.ndarray, market: np.ndarray) -> float | None:
    """Slope of daily returns on the market's; None if the market did not move."""
    centred = market - market.mean()
    square = float(centred @ centred)
    return float(centred @ returns) / square if square > 0 else None


def measure(
    equity: np.ndarray,
    position: np.ndarray,
    time_ms: np.ndarray,
    *,
    months: float,
    fills: float,
    traded: np.ndarray | None = None,
    fee: float = 0.0,
    market: np.ndarray | None = None,
    initial: float = 1.0,
) -> Metrics:
    """Describe one curve.

    Parameters
    ----------
    equity, position : (T,) array
        Equity and the share of it held, below 0 if short, at each bar's close.
    time_ms : (T,) array
        Opening times of the bars.
    months : float
        Length of the window in calendar months.
    fills : float
        Transactions; for an ensemble those of the average unit of capital.
    traded : (T,) array, optional
        Value bought and sold in each bar; nothing by default.
    fee : float
        Share of the traded value.
    market : (T,) array, optional
        Equity of the market, for what is measured against it; None there by default.
    initial : float
        Equity before the first bar, also of the market.
    """
    growth = float(equity[-1]) / initial
    returns = daily_returns(equity, time_ms, initial)
    drawdown = max_drawdown(equity, initial)
    traded = np.zeros(len(equity)) if traded is None else traded
    moved = np.divide(traded, equity, out=np.zeros(len(equity)), where=equity > 0)
    matched = beta = None
    if market is not None:
        held = daily_returns(market, time_ms, initial)
        matched, beta = matched_return(returns, held), market_beta(returns, held)
    return Metrics(
        total_return=100.0 * (growth - 1.0),
        monthly_return=float(monthly_return(growth, months)),
        volatility=100.0 * volatility(returns),
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        calmar=calmar(growth, drawdown, months),
        max_drawdown=100.0 * drawdown,
        recovery_days=recovery_days(equity, time_ms, initial),
        matched_return=None if matched is None else 100.0 * matched,
        trades_per_month=float(fills) / months,
        mean_position=100.0 * float(np.mean(np.abs(position))),
        invested=100.0 * float(np.mean(np.asarray(position) != 0)),
        turnover=float(moved.sum()) / months,
        fees=100.0 * fee * float(traded.sum()) / initial,
        beta=beta,
    )
