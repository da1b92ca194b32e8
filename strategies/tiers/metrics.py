"""Numbers that describe an equity curve. Times are milliseconds since 1970 in UTC, as elsewhere."""

from typing import NamedTuple, Protocol

import numpy as np

from strategies.search.score import monthly_return_pct
from strategies.trade.pool import Account
from strategies.trade.window import DAY_MS, day_edges

DAYS_A_YEAR = 365  # of a market that never closes
TRADING_DAYS_A_YEAR = 252  # of one that is closed at weekends
MONTHS_A_YEAR = 12


class Metrics(NamedTuple):
    """Figures of an account over a window. None where a ratio has nothing to divide by."""

    total_return_pct: float
    monthly_return_pct: float  # compound
    volatility_pct: float  # a year, of daily returns
    sharpe: float  # a year, of daily returns, without a riskless rate
    sortino: float | None
    calmar: float | None
    max_drawdown_pct: float
    recovery_days: float | None
    matched_return_pct: float | None
    trades_per_month: float
    mean_position_pct: float  # long or short
    invested_pct: float  # share of bars with something held
    turnover_per_month: float  # value traded, in equities
    fees_pct: float  # of the starting capital, as all that is paid
    spread_pct: float
    impact_pct: float
    funding_pct: float  # below 0 if more was received
    borrow_pct: float
    break_even_bp: float | None  # cost of what is traded at which nothing is left, after funding and borrowing
    beta: float | None


def daily_returns(equity: np.ndarray, open_time: np.ndarray) -> np.ndarray:
    """Returns (D,) from the close of one UTC day present to the next, the first from equity 1.

    Parameters
    ----------
    equity : (T,) array
        Equity at each bar's close.
    open_time : (T,) array
        Opening times of the bars in ms since the epoch, rising.

    Raises
    ------
    ValueError
        If the arrays differ in length or are empty.
    """
    if len(equity) != len(open_time):
        raise ValueError(f"{len(equity)} values of equity do not fit {len(open_time)} times")
    closes = np.r_[1.0, np.asarray(equity, dtype=np.float64)[day_edges(open_time)[1:] - 1]]
    return closes[1:] / closes[:-1] - 1.0


def days_a_year(days: np.ndarray) -> int:
    """Daily returns in a year of a market, by the days that have bars, (D,) array of datetime64[D], rising.

    252 if there is none on a Saturday between the first and the last, though there was one to trade on; else 365.

    >>> days_a_year(np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]"))
    365
    """
    every = np.arange(days[0], days[-1] + 1)
    saturdays = every[(every.astype(np.int64) + 3) % 7 == 5]  # 1970-01-01 was a Thursday, day 3 of its week
    return TRADING_DAYS_A_YEAR if len(saturdays) and not np.isin(saturdays, days).any() else DAYS_A_YEAR


class Days(Protocol):
    """A window, as far as figures of its days need it."""

    @property
    def open_time(self) -> np.ndarray:
        """Times (T,) of the rows, ms since the epoch."""

    @property
    def months(self) -> float:
        """Length in calendar months."""

    @property
    def days_a_year(self) -> int:
        """Days with bars in a year of the calendar, 0 where the days that are there say it."""

    @property
    def days(self) -> np.ndarray:
        """UTC days present (D,)."""


def year_of(window: Days) -> int:
    """Daily returns in a year: of the calendar of the window, or without one as `days_a_year` says."""
    return window.days_a_year or days_a_year(window.days)


def volatility(returns: np.ndarray, year: int = DAYS_A_YEAR) -> float:
    """Sample standard deviation of daily returns, times the root of the days of a year; 0 for fewer than two."""
    return float(np.std(returns, ddof=1)) * year**0.5 if len(returns) > 1 else 0.0


def sharpe(returns: np.ndarray, year: int = DAYS_A_YEAR) -> float:
    """Mean over sample standard deviation of daily returns, times the root of the days of a year; 0 if all equal."""
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    return float(np.mean(returns)) / deviation * year**0.5 if deviation > 0 else 0.0


def sortino(returns: np.ndarray, year: int = DAYS_A_YEAR) -> float | None:
    """Mean over root mean square of the negative daily returns, all days counted, times the root of the days of a year.

    Sortino & Price 1994 with a target of 0. None without a losing day.
    """
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns)) / downside * year**0.5 if downside > 0 else None


def max_drawdown(equity: np.ndarray) -> float:
    """Largest fall from a peak, as a share of it, the start at 1 counted as a peak.

    >>> max_drawdown(np.array([1.2, 0.9, 1.5]))
    0.25
    """
    curve = np.r_[1.0, equity]
    return float(np.max(1.0 - curve / np.maximum.accumulate(curve)))


def recovery_days(equity: np.ndarray, open_time: np.ndarray) -> float | None:
    """Days from the bottom of the largest fall until equity is back at the peak before it, the start at 1 counted.

    0 without a fall; None if it is not back at the end of the window.
    """
    curve = np.r_[1.0, equity]
    peaks = np.maximum.accumulate(curve)
    falls = 1.0 - curve / peaks
    bottom = int(np.argmax(falls))
    if falls[bottom] <= 0:
        return 0.0
    back = np.flatnonzero(curve[bottom:] >= peaks[bottom])
    if not len(back):
        return None
    return float(open_time[bottom + back[0] - 1] - open_time[bottom - 1]) / DAY_MS


def calmar(growth: float, drawdown: float, months: float) -> float | None:
    """Compound return a year over the largest drawdown, both as shares (Young 1991); None without a drawdown.

    >>> calmar(1.5, 0.25, 12)
    2.0
    """
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


def break_even(account: Account) -> float | None:
    """Cost of trading in basis points of the value traded at which the account would have earned nothing.

    Funding and borrowing count as part of what was earned, as they do not depend on what is traded. That less
    would be traded if less were left is neglected. None if nothing was traded.
    """
    traded = float(account.traded.sum())
    gained = float(account.equity[-1]) - 1.0 + float(account.paid.trading.sum())
    return 1e4 * gained / traded if traded > 0 else None


def measure(account: Account, window: Days, market: np.ndarray | None = None) -> Metrics:
    """Describe an account that started with equity 1.

    Parameters
    ----------
    account : Account
        Curves over the window.
    window : TradingWindow or BookWindow
        Its times and months.
    market : (T,) array, optional
        Equity of the market, for what is measured against it; None there by default.
    """
    equity, months = account.equity, window.months
    growth = float(equity[-1])
    returns = daily_returns(equity, window.open_time)
    year = year_of(window)
    drawdown = max_drawdown(equity)
    moved = np.divide(account.traded, equity, out=np.zeros(len(equity)), where=equity > 0)
    matched = beta = None
    if market is not None:
        held = daily_returns(market, window.open_time)
        matched, beta = matched_return(returns, held), market_beta(returns, held)
    return Metrics(
        total_return_pct=100.0 * (growth - 1.0),
        monthly_return_pct=float(monthly_return_pct(growth, months)),
        volatility_pct=100.0 * volatility(returns, year),
        sharpe=sharpe(returns, year),
        sortino=sortino(returns, year),
        calmar=calmar(growth, drawdown, months),
        max_drawdown_pct=100.0 * drawdown,
        recovery_days=recovery_days(equity, window.open_time),
        matched_return_pct=None if matched is None else 100.0 * matched,
        trades_per_month=float(account.fills) / months,
        mean_position_pct=100.0 * float(np.mean(np.abs(account.position))),
        invested_pct=100.0 * float(np.mean(np.asarray(account.position) != 0)),
        turnover_per_month=float(moved.sum()) / months,
        **{f"{name}_pct": 100.0 * float(paid.sum()) for name, paid in account.paid._asdict().items()},
        break_even_bp=break_even(account),
        beta=beta,
    )
