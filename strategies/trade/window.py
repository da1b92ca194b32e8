"""A window of bars to trade: classifier outputs, prices and times, checked once."""

from typing import NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.trade.rules import MOST_SLIPPAGE, TradingRules, slippage_nb

DAY_MS = 86_400_000


class BarCosts(NamedTuple):
    """Costs that differ from bar to bar, passed to the kernels as they are; no rows where there are none.

    What is due at the open of a bar is paid by what was held until then, before an order fills there; what is due
    within the bar is paid at its close by what is held then.
    """

    half_spread: np.ndarray = np.empty(0)  # (T,) share by which a fill is worse than the open, not that of the rules
    impact: np.ndarray = np.empty(0)  # (T,) the same for an order worth the starting cash; goes with its value's root
    funding: np.ndarray = np.empty((0, 2))  # (T, 2) money due for each unit held long, at the open and within the bar
    borrow: np.ndarray = np.empty(0)  # (T,) money due for each unit held short, at the open

    def rows(self, rows: slice) -> "BarCosts":
        """Those of some bars."""
        return BarCosts(*(field[rows] for field in self))

    def times(self, multiple: float) -> "BarCosts":
        """A multiple of all costs but funding, which others receive."""
        half_spread = np.minimum(multiple * self.half_spread, MOST_SLIPPAGE)
        return BarCosts(half_spread, multiple * self.impact, self.funding, multiple * self.borrow)

    def slippage(self, row: int, value: float, rules: TradingRules) -> tuple[float, float]:
        """Half spread, and the whole slippage, of an order of some value in starting cash at the open of a row."""
        half_spread = float(self.half_spread[row]) if len(self.half_spread) else rules.half_spread
        impact = float(self.impact[row]) if len(self.impact) else 0.0
        return half_spread, slippage_nb(half_spread, impact, value)

    @property
    def carried(self) -> bool:
        """Whether holding something costs or earns money."""
        return len(self.funding) > 0 or len(self.borrow) > 0


NO_COSTS = BarCosts()


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
    costs: BarCosts = NO_COSTS

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
        return TradingWindow(
            outputs=self.outputs[rows],
            open=self.open[rows],
            close=self.close[rows],
            open_time=self.open_time[rows],
            months=months,
            days_a_year=self.days_a_year,
            costs=self.costs.rows(rows),
        )

    def at(self, costs: BarCosts) -> "TradingWindow":
        """The same bars at these costs.

        Raises
        ------
        StrategyError
            If their shapes do not fit, or a share or the money due for a unit short is negative or not finite.
        """
        n_bars = len(self.close)
        found = BarCosts(*(np.ascontiguousarray(field, dtype=np.float64) for field in costs))
        for name, field in found._asdict().items():
            shape = (n_bars, 2) if name == "funding" else (n_bars,)
            if len(field) and field.shape != shape:
                raise StrategyError(f"{name} {field.shape} does not fit {n_bars} bars")
            bad = ~np.isfinite(field) if name == "funding" else ~(np.isfinite(field) & (field >= 0))
            if name == "half_spread":
                bad |= field > MOST_SLIPPAGE
            if bad.any():
                row = int(np.argwhere(bad)[0][0])
                raise StrategyError(f"{name} of row {row} is {field[row]}")
        return self._replace(costs=found)

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
        return days_present(self.open_time)


def days_present(open_time: np.ndarray) -> np.ndarray:
    """UTC days (D,) datetime64[D] on which bars open, see `day_edges`."""
    return (open_time[day_edges(open_time)[:-1]] // DAY_MS).astype("datetime64[D]")


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
