"""Bars, the common type of all market data.

Shapes: ``T`` bars. The time of a bar is that of its start, in milliseconds since the epoch, UTC.
"""

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.calendars import ALWAYS, Calendar, expected_among, find_calendar
from labelsearch.market.rules import OPTIONAL, PRICES, QUOTES, REQUIRED, SUMS, BarError, Fault, faults, prefixes
from labelsearch.market.times import DAY_MS, interval_name, row_of, time_text, to_ms

__all__ = ["BarError", "Bars"]

Floats = NDArray[np.float64]
ROUNDING = 1e-15  # relative: four bits of the last digit


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of one symbol in time order; bars may be missing unless the table comes from `on_grid`.

    Raises
    ------
    BarError
        If arrays differ in length, or times are unsorted or off the grid. Prices and volumes are checked by
        `from_frame`, where bars enter the program.
    """

    symbol: str
    interval_ms: int  # length of a bar
    open_time: NDArray[np.int64]  # (T,) strictly increasing multiples of the interval
    open: Floats  # (T,) prices in the quote currency
    high: Floats
    low: Floats
    close: Floats
    volume: Floats  # in the base currency
    quote_volume: Floats | None = None  # in the quote currency; None where unknown, as in the next three
    trades: Floats | None = None  # number of trades
    taker_buy_volume: Floats | None = None  # part of the volume bought by takers
    spread: Floats | None = None  # ask minus bid at the open, in the quote currency; prices are then their middle
    filled: NDArray[np.bool_] = None  # type: ignore[assignment]  # missing bars carried forward by `on_grid`
    calendar: str = ALWAYS  # whose bars `on_grid` has laid out

    def __post_init__(self) -> None:
        if self.filled is None:
            object.__setattr__(self, "filled", np.zeros(len(self.open_time), dtype=np.bool_))
        for name, dtype in _DTYPES.items():
            value = getattr(self, name)
            if value is not None:
                # writable and contiguous: kernels would be compiled a second time for read-only arrays
                array = np.require(value, dtype=dtype, requirements=["C", "W"])
                if array.shape != (len(self.open_time),):
                    raise BarError(f"{name} has shape {array.shape}, not {(len(self.open_time),)}")
                object.__setattr__(self, name, array)
        if self.interval_ms <= 0:
            raise BarError(f"interval of {self.interval_ms} ms")
        if (np.diff(self.open_time) <= 0).any():
            raise BarError("open_time is not strictly increasing")
        if (self.open_time % self.interval_ms != 0).any():
            raise BarError("open_time is not on the grid of the interval")

    def __len__(self) -> int:
        return len(self.open_time)

    def __repr__(self) -> str:
        when = f" {time_text(self.open_time[0])} .. {time_text(self.open_time[-1])}" if len(self) else ""
        return f"<Bars {self.symbol} {interval_name(self.interval_ms)}: {len(self)} bars{when}>"

    @property
    def index(self) -> pd.DatetimeIndex:
        """Start of each bar, as pandas times in UTC, (T,)."""
        return pd.DatetimeIndex(self.open_time.astype("datetime64[ms]"), tz="UTC", name="open_time")

    @property
    def vwap(self) -> Floats:
        """Volume-weighted price of each bar (T,), quote currency.

        ``quote_volume / volume``, or ``(high + low + close) / 3`` without quote volume. Where the volume is 0 it is the
        previous close, for the first bar its own close.
        """
        previous = np.concatenate([self.close[:1], self.close[:-1]])
        traded = self.volume > 0
        if self.quote_volume is None:
            return np.where(traded, (self.high + self.low + self.close) / 3.0, previous)
        return np.where(traded, self.quote_volume / np.where(traded, self.volume, 1.0), previous)

    def rows(self, start: int | None, stop: int | None) -> "Bars":
        """Bars ``start`` to ``stop - 1`` by position; arrays are views."""
        return self._take(slice(start, stop))

    def between(self, start_ms: int | None = None, stop_ms: int | None = None) -> "Bars":
        """Bars that start in [start_ms, stop_ms), perhaps none; None leaves a side open."""
        start = 0 if start_ms is None else int(np.searchsorted(self.open_time, start_ms))
        stop = len(self) if stop_ms is None else int(np.searchsorted(self.open_time, stop_ms))
        return self.rows(start, max(start, stop))

    @property
    def number(self) -> int:
        """Number of the first bar in its calendar, the same wherever bars begin; there must be one."""
        return Calendar(self.calendar).number(int(self.open_time[0]), self.interval_ms)

    @property
    def bars_a_day(self) -> int:
        """Bars of a day, or of a usual session of the calendar."""
        return Calendar(self.calendar).bars_a_session(self.interval_ms)

    def on_grid(self, calendar: str = ALWAYS) -> "Bars":
        """The dense grid from the first to the last bar: every bar that a calendar expects.

        A missing bar gets open = high = low = close = the last close, zero volume, the last spread, and ``filled``.
        Bars at closed times of open days are left out if they are few.

        Raises
        ------
        BarError
            If the calendar does not fit, see `labelsearch.market.calendars.expected_among`.
        """
        if len(self) == 0:
            return self
        if calendar != ALWAYS:
            return self._on_calendar(calendar)
        position = (self.open_time - self.open_time[0]) // self.interval_ms
        n_grid = int(position[-1]) + 1
        if n_grid == len(self):
            return self
        times = self.open_time[0] + np.arange(n_grid, dtype=np.int64) * self.interval_ms
        return self.laid_out(times, position)

    def _on_calendar(self, name: str) -> "Bars":
        first, stop = int(self.open_time[0]), int(self.open_time[-1]) + 1
        times = find_calendar(name).opens(first - first % DAY_MS, stop + DAY_MS - stop % DAY_MS, self.interval_ms)
        kept = self._take(expected_among(self.open_time, times, name, self.interval_ms))
        if not len(kept):
            return kept
        grid = times[slice(*np.searchsorted(times, (kept.open_time[0], kept.open_time[-1] + 1)))]
        return replace(kept.laid_out(grid, np.searchsorted(grid, kept.open_time)), calendar=name)

    def laid_out(self, times: NDArray[np.int64], position: NDArray[np.int64]) -> "Bars":
        """These bars at some positions (T,) of a grid of times (N,), the first one at 0; the others are filled in."""
        n_grid = len(times)
        present = np.zeros(n_grid, dtype=np.bool_)
        present[position] = True
        last = np.cumsum(present) - 1  # the last present bar at each grid point
        changes: dict[str, NDArray] = {
            "open_time": times,
            "filled": np.where(present, self.filled[last], True),
        }
        for name in PRICES:
            changes[name] = np.where(present, getattr(self, name)[last], self.close[last])
        for name in SUMS:
            value = getattr(self, name)
            if value is not None:
                changes[name] = np.where(present, value[last], 0.0)
        if self.spread is not None:
            # a filled bar is never traded, but a spread of 0 would say that trading it is free
            changes["spread"] = self.spread[last]
        return replace(self, **changes)  # type: ignore[arg-type]

    def present(self) -> "Bars":
        """The bars without those that `on_grid` filled in."""
        return self._take(~self.filled) if self.filled.any() else self

    def digest(self) -> str:
        """SHA-256 in hex of symbol, interval and every array; the same on any platform."""
        sha = hashlib.sha256(f"bars 1\n{self.symbol}\n{self.interval_ms}\n{len(self)}\n".encode())
        if self.calendar != ALWAYS:
            sha.update(f"calendar {self.calendar}\n".encode())
        for name, dtype in _DTYPES.items():
            value = getattr(self, name)
            if name == "spread" and value is None:  # bars without it have the digest of before there was any
                continue
            sha.update(f"{name} {value is not None}\n".encode())
            if value is not None:
                # adding 0 turns -0.0 into 0.0, the same volume
                array = value if dtype is np.bool_ else value + dtype(0)
                sha.update(array.astype(np.dtype(dtype).newbyteorder("<")).tobytes())
        return sha.hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """A table with one row per bar, indexed by `index`, without unknown columns."""
        names = [name for name in _DTYPES if name != "open_time" and getattr(self, name) is not None]
        return pd.DataFrame({name: getattr(self, name) for name in names}, index=self.index)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, symbol: str, interval_ms: int = 60_000, file: object = None) -> "Bars":
        """Bars from a table, which is checked.

        Parameters
        ----------
        frame : pandas.DataFrame
            Column or index ``open_time`` as `to_ms` accepts it; columns open, high, low, close and volume; optional
            quote_volume, trades, taker_buy_volume, spread and filled. Other columns are ignored. With bid_open,
            bid_high, bid_low, bid_close, and the same of the ask, prices are their middle, and spread is that of the
            open.
        symbol : str
        interval_ms : int
            Times are rounded down to its grid.
        file : optional
            Named in errors.

        Raises
        ------
        BarError
            Names the first row that breaks a rule.
        """
        require_columns(frame, file)
        if len(frame) == 0:
            raise BarError("no rows", file)
        open_time = to_ms(time_column(frame), file)
        open_time -= open_time % interval_ms
        _check_order(open_time, frame, file)
        columns = without_rounding(number_columns(frame))
        for fault in faults(columns):
            raise BarError(fault.rule, file, row_of(frame, int(fault.rows.argmax())))
        filled = frame["filled"].to_numpy(dtype=np.bool_) if "filled" in frame else None
        known = {name: columns[name] for name in (*REQUIRED, *OPTIONAL) if name in columns}
        return cls(symbol, interval_ms, open_time, **known, filled=filled)  # type: ignore[arg-type]

    def _take(self, which: slice | NDArray) -> "Bars":
        arrays = ((name, getattr(self, name)) for name in _DTYPES)
        return replace(self, **{name: None if array is None else array[which] for name, array in arrays})  # type: ignore[arg-type]


_DTYPES: dict[str, type] = {
    field.name: {"open_time": np.int64, "filled": np.bool_}.get(field.name, np.float64)
    for field in fields(Bars)
    if field.name not in ("symbol", "interval_ms", "calendar")
}


def require_columns(frame: pd.DataFrame, file: object = None) -> None:
    """Raise `BarError` for a table that lacks required columns."""
    lacking = [name for name in REQUIRED if name not in frame and not (name in PRICES and has_quotes(frame))]
    if "open_time" not in frame and frame.index.name != "open_time":
        lacking.insert(0, "open_time")
    if lacking:
        raise BarError(f"missing columns: {', '.join(lacking)}", file)


def has_quotes(frame: pd.DataFrame) -> bool:
    """Whether a table has all prices of both sides."""
    return all(name in frame for name in QUOTES)


def time_column(frame: pd.DataFrame) -> pd.Series:
    """The times of a table, from its column or index."""
    if "open_time" in frame:
        return frame["open_time"]
    return frame.index.to_series().reset_index(drop=True)


def number_columns(frame: pd.DataFrame) -> dict[str, Floats]:
    """The known columns as new float64 arrays (T,); NaN for anything that is not a number.

    Quotes also get their middle, open to close, and the spread at the open.
    """
    quotes = QUOTES if has_quotes(frame) else ()
    columns = {name: _numbers(frame[name]) for name in (*REQUIRED, *OPTIONAL, *quotes) if name in frame}
    if quotes:
        columns |= {price: (columns[f"bid_{price}"] + columns[f"ask_{price}"]) / 2.0 for price in PRICES}
        columns["spread"] = columns["ask_open"] - columns["bid_open"]
    return columns


def without_rounding(columns: dict[str, Floats]) -> dict[str, Floats]:
    """The columns, with a high or low that misses the open or the close by rounding moved onto it."""
    for prefix in prefixes(columns):
        opens, closes = columns[f"{prefix}open"], columns[f"{prefix}close"]
        for name, end, side in (("high", np.maximum(opens, closes), 1.0), ("low", np.minimum(opens, closes), -1.0)):
            missed = side * (end - columns[prefix + name])
            few = np.isfinite(end) & (missed > 0.0) & (missed <= ROUNDING * np.abs(end))
            columns[prefix + name][few] = end[few]
    return columns


def broken_rows(frame: pd.DataFrame) -> tuple[NDArray[np.bool_], Fault | None]:
    """Rows (T,) of a table that break a rule, and the first fault."""
    found = list(faults(without_rounding(number_columns(frame))))
    broken = np.zeros(len(frame), dtype=np.bool_)
    for fault in found:
        broken |= fault.rows
    return broken, found[0] if found else None


def _numbers(values: pd.Series) -> Floats:
    if pd.api.types.is_bool_dtype(values.dtype):
        return np.full(len(values), np.nan)
    try:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    except TypeError:  # lists and the like
        return np.full(len(values), np.nan)
    return np.array(numbers)


def _check_order(open_time: NDArray[np.int64], frame: pd.DataFrame, file: object) -> None:
    step = np.diff(open_time)
    bad = step <= 0
    if bad.any():
        i = int(bad.argmax())
        when = time_text(open_time[i + 1])
        rule = f"duplicate time {when}" if step[i] == 0 else f"time {when} is earlier than the row before it"
        raise BarError(rule, file, row_of(frame, i + 1))
