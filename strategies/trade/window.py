"""A window of bars to trade: classifier outputs, prices and times, checked once."""

from typing import NamedTuple

import numpy as np

from strategies import StrategyError

DAY_MS = 86_400_000


class TradingWindow(NamedTuple):
    """T bars and what is known at them, passed to the kernels as it is; `of` checks it.

    Rows are the bars present, so the next row is the next tradable bar.
    """

    outputs: np.ndarray  # (T, K) float64, classifier outputs at each bar's close; a row with NaN decides nothing
    open: np.ndarray  # (T,) float64
    close: np.ndarray  # (T,) float64
    open_time: np.ndarray  # (T,) int64, ms since the epoch, rising
    months: float  # length in calendar months
    days_a_year: int = 0  # days with bars in a year, 0 if only those here say it

    @classmethod
    def of(
        cls,
        outputs: np.ndarray,
        open_: np.ndarray,
        close: np.ndarray,
        open_time: np.ndarray,
        months: float,
        days_a_year: int = 0,
    ) -> "TradingWindow":
        """Convert the arrays to contiguous float64 and int64, and check them.

        Raises
        ------
        StrategyError
            If the shapes do not fit, a price is not a positive number, times do not rise or months is not positive.
        """
        outputs, open_, close = (np.ascontiguousarray(x, dtype=np.float64) for x in (outputs, open_, close))
        open_time = np.ascontiguousarray(open_time, dtype=np.int64)
        n_bars = len(outputs)
        if outputs.ndim != 2 or not open_.shape == close.shape == open_time.shape == (n_bars,):
            shapes = f"open {open_.shape}, close {close.shape} and open_time {open_time.shape}"
            raise StrategyError(f"outputs {outputs.shape}, {shapes} do not fit")
        for name, price in (("open", open_), ("close", close)):
            bad = ~(np.isfinite(price) & (price > 0))
            if bad.any():
                row = int(np.argmax(bad))
                raise StrategyError(f"{name} price in row {row} is not a positive number: {price[row]}")
        falls = np.flatnonzero(np.diff(open_time) <= 0)
        if len(falls):
            raise StrategyError(f"open_time does not rise at row {falls[0] + 1}")
        if not months > 0:
            raise StrategyError(f"months must be positive, not {months}")
        return cls(outputs, open_, close, open_time, float(months), int(days_a_year))

    def rows(self, rows: slice) -> "TradingWindow":
        """The bars from one row to a later one; months in proportion to the number of bars."""
        start, stop, _ = rows.indices(len(self.close))
        months = self.months * (stop - start) / len(self.close)
        part = TradingWindow(self.outputs[rows], self.open[rows], self.close[rows], self.open_time[rows], months)
        return part._replace(days_a_year=self.days_a_year)

    def shifted(self, shift: int) -> "TradingWindow":
        """The same bars with outputs moved ``shift`` bars later, in a circle."""
        return self._replace(outputs=np.roll(self.outputs, shift, axis=0)) if shift else self

    @property
    def day_edges(self) -> np.ndarray:
        """Rows (D + 1,) that cut the bars into UTC days, see `day_edges`."""
        return day_edges(self.open_time)

    @property
    def days(self) -> np.ndarray:
        """UTC days present, (D,) datetime64[D]."""
        return (self.open_time[self.day_edges[:-1]] // DAY_MS).astype("datetime64[D]")


def day_edges(open_time: np.ndarray) -> np.ndarray:
    """Rows (D + 1,) that cut bars into the UTC days present: 0, and one past the last bar of each day.

    Parameters
    ----------
    open_time : (T,) array
        Opening times of the bars in ms since the epoch, rising.

    Raises
    ------
    StrategyError
        If there are no bars.
    """
    if not len(open_time):
        raise StrategyError("no bars to cut into days")
    day = np.asarray(open_time) // DAY_MS
    return np.r_[0, np.flatnonzero(day[1:] != day[:-1]) + 1, len(day)]
