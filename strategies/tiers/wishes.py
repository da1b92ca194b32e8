"""What simple rules and forecasts want to hold, decided at the end of steps of time; nothing here was tuned.

A step is a bar or several of them. A wish is a share of equity in [-1, 1] at the close that ends a step, from closes up
to it; NaN leaves things as they are. Momentum takes the side of the return of a month over its volatility (Moskowitz,
Ooi & Pedersen 2012), the contrarian the opposite side of that of a week (Lehmann 1990).
"""

from typing import NamedTuple

import numpy as np

from strategies import StrategyError

MOMENTUM_DAYS, CONTRARIAN_DAYS = 28, 7


class Steps(NamedTuple):
    """Closes of a market at the ends of N steps, from the start of train."""

    open_time: np.ndarray  # (N,) int64, ms, of the bar that ends the step
    close: np.ndarray  # (N,)
    n_train: int  # the first of them
    a_day: int

    @property
    def returns(self) -> np.ndarray:
        """Log returns (N,) of the steps; 0 for the first."""
        return np.diff(np.log(self.close), prepend=np.log(self.close[:1]))

    @property
    def deviation(self) -> float:
        """Standard deviation of the returns of train; 0 below two of them."""
        known = self.returns[1 : self.n_train]
        return float(np.std(known, ddof=1)) if len(known) > 1 else 0.0

    @classmethod
    def of(
        cls, open_time: np.ndarray, close: np.ndarray, interval_ms: int, step_ms: int, train_stop_ms: int, a_day: int
    ) -> "Steps":
        """From the bars (T,) that are present.

        Parameters
        ----------
        open_time, close : (T,) array
        interval_ms, step_ms : int
            Length of a bar, and of a step; a step is no shorter than a bar.
        train_stop_ms : int
            End of train.
        a_day : int
            Bars of a usual day.

        Raises
        ------
        StrategyError
            If a step is not a whole number of bars, or longer than a day.
        """
        step_ms = max(step_ms, interval_ms)
        if step_ms % interval_ms or (step_ms > interval_ms and 86_400_000 % step_ms):
            raise StrategyError("a step must be a whole number of bars and divide a day")
        rows = np.flatnonzero((open_time + interval_ms) % step_ms == 0) if step_ms > interval_ms else slice(None)
        times = np.ascontiguousarray(open_time[rows], dtype=np.int64)
        n_train = int(np.searchsorted(times, train_stop_ms))
        return cls(times, np.ascontiguousarray(close[rows]), n_train, max(a_day * interval_ms // step_ms, 1))


def trailing_ratio(returns: np.ndarray, n: int) -> np.ndarray:
    """Sum of the last n returns over their standard deviation times the root of n, (N,).

    0 where they do not vary; NaN until there are n of them beside the first, which is no return.
    """
    ratio = np.full(len(returns), np.nan)
    if n < 2 or len(returns) <= n:
        return ratio
    sums, squares = (np.cumsum(np.r_[0.0, x[1:]]) for x in (returns, returns**2))
    total, square = sums[n:] - sums[:-n], squares[n:] - squares[:-n]
    variance = (square - total**2 / n) / (n - 1)
    varies = variance > 1e-14 * np.maximum(square, 1e-300)
    ratio[n:] = np.divide(total, np.sqrt(n * np.where(varies, variance, 1.0)), out=np.zeros(len(total)), where=varies)
    return ratio


def momentum_wish(steps: Steps) -> np.ndarray:
    """Wish (N,): the return of the last 28 days over its volatility, cut to [-1, 1]."""
    return np.clip(trailing_ratio(steps.returns, MOMENTUM_DAYS * steps.a_day), -1.0, 1.0)


def contrarian_wish(steps: Steps) -> np.ndarray:
    """Wish (N,): less the return of the last 7 days over its volatility, cut to [-1, 1]."""
    return -np.clip(trailing_ratio(steps.returns, CONTRARIAN_DAYS * steps.a_day), -1.0, 1.0)


class Forecast(NamedTuple):
    """Of the log return of the next step, at the end of each of N; NaN where there is none."""

    mean: np.ndarray
    deviation: np.ndarray
    fits: int  # of the model
    failed: int  # those that gave nothing: too few steps, no convergence

    @classmethod
    def nothing(cls, n: int) -> "Forecast":
        """Where a model could not be fitted at all."""
        return cls(np.full(n, np.nan), np.full(n, np.nan), 1, 1)


def forecast_wish(forecast: Forecast, usual: float, cost: np.ndarray | float) -> np.ndarray:
    """Wish (N,) of a forecast: its side, at most at the usual risk, where it is more than its trade costs.

    A forecast that would not pay for the trade decides nothing, and what is held stays. Without that a forecast of
    hours would be traded to ruin by fees whatever it knew.

    Parameters
    ----------
    forecast : Forecast
    usual : float
        Standard deviation of returns on train: above it less is held, in proportion.
    cost : float or (N,) array
        Share that one trade costs.
    """
    size = np.minimum(usual / np.where(forecast.deviation > 0, forecast.deviation, np.inf), 1.0)
    decides = np.isfinite(forecast.mean) & (np.abs(forecast.mean) > cost) & (forecast.deviation > 0)
    return np.where(decides, np.sign(forecast.mean) * size, np.nan)
