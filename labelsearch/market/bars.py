"""Bars: the one type that everything else takes.

Shapes: ``T`` bars. Times are milliseconds since the epoch in UTC and name the start of a bar.
"""

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.rules import OPTIONAL, PRICES, REQUIRED, BarError, faults
from labelsearch.market.times import interval_name, row_of, time_text, to_ms

__all__ = ["BarError", "Bars"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of one symbol, in time order; minutes may be missing unless it comes from `on_grid`.

    Attributes
    ----------
    symbol : str
    interval_ms : int
        Length of a bar in milliseconds: 60_000 for minutes.
    open_time : int64 array, shape (T,)
        Start of each bar, milliseconds since the epoch, UTC; strictly increasing, multiples of `interval_ms`.
    open, high, low, close : float64 array, shape (T,)
        Prices, in the quote currency.
    volume : float64 array, shape (T,)
        In the base currency.
    quote_volume, trades, taker_buy_volume : float64 array, shape (T,), or None
        Volume in the quote currency, number of trades, part of `volume` that buyers took; None where unknown.
    filled : bool array, shape (T,)
        True where a missing bar was carried forward by `on_grid`. All False where not given.

    Raises
    ------
    BarError
        Arrays of different lengths, times unsorted or off the grid. Prices and volumes are checked where bars
        come in, by `from_frame`.
    """

    symbol: str
    interval_ms: int
    open_time: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats | None = None
    trades: Floats | None = None
    taker_buy_volume: Floats | None = None
    filled: NDArray[np.bool_] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.filled is None:
            object.__setattr__(self, "filled", np.zeros(len(self.open_time), dtype=np.bool_))
        for name, dtype in _DTYPES.items():
            value = getattr(self, name)
            if value is not None:
                # Writable and contiguous: read-only arrays would make compiled kernels compile a second time.
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
        """Start of each bar, as pandas times in UTC, shape (T,)."""
        return pd.DatetimeIndex(self.open_time.astype("datetime64[ms]"), tz="UTC", name="open_time")

    @property
    def vwap(self) -> Floats:
        """Volume-weighted price of each bar, shape (T,), quote currency.

        ``quote_volume / volume``, or ``(high + low + close) / 3`` without quote volume; the previous close
        where `volume` is 0, and for the first bar its own close.
        """
        previous = np.concatenate([self.close[:1], self.close[:-1]])
        traded = self.volume > 0
        if self.quote_volume is None:
            return np.where(traded, (self.high + self.low + self.close) / 3.0, previous)
        return np.where(traded, self.quote_volume / np.where(traded, self.volume, 1.0), previous)

    def rows(self, start: int | None, stop: int | None) -> "Bars":
        """Bars `start` up to but not including `stop`, by position as a slice; arrays are views."""
        return self._take(slice(start, stop))

    def between(self, start_ms: int | None = None, stop_ms: int | None = None) -> "Bars":
        """Bars that start in [`start_ms`, `stop_ms`); None leaves that side open. May be empty."""
        start = 0 if start_ms is None else int(np.searchsorted(self.open_time, start_ms))
        stop = len(self) if stop_ms is None else int(np.searchsorted(self.open_time, stop_ms))
        return self.rows(start, max(start, stop))

    def on_grid(self) -> "Bars":
        """Make the grid dense from the first to the last bar.

        A missing bar has open = high = low = close = the last close, nothing traded, and `filled` True.
        """
        if len(self) == 0:
            return self
        position = (self.open_time - self.open_time[0]) // self.interval_ms
        n_grid = int(position[-1]) + 1
        if n_grid == len(self):
            return self
        present = np.zeros(n_grid, dtype=np.bool_)
        present[position] = True
        last = np.cumsum(present) - 1  # the bar that each grid point carries
        changes: dict[str, Any] = {
            "open_time": self.open_time[0] + np.arange(n_grid, dtype=np.int64) * self.interval_ms,
            "filled": np.where(present, self.filled[last], True),
        }
        for name in PRICES:
            changes[name] = np.where(present, getattr(self, name)[last], self.close[last])
        for name in ("volume", *OPTIONAL):
            value = getattr(self, name)
            if value is not None:
                changes[name] = np.where(present, value[last], 0.0)
        return replace(self, **changes)

    def present(self) -> "Bars":
        """The bars that the exchange sent: without those that `on_grid` filled in."""
        return self._take(~self.filled) if self.filled.any() else self

    def digest(self) -> str:
        """Sha256, in hex, of symbol, interval and every array; the same on any platform."""
        sha = hashlib.sha256(f"bars 1\n{self.symbol}\n{self.interval_ms}\n{len(self)}\n".encode())
        for name, dtype in _DTYPES.items():
            value = getattr(self, name)
            sha.update(f"{name} {value is not None}\n".encode())
            if value is not None:
                # Adding 0 turns -0.0 into 0.0, which is the same volume.
                array = value if dtype is np.bool_ else value + dtype(0)
                sha.update(array.astype(np.dtype(dtype).newbyteorder("<")).tobytes())
        return sha.hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """A table with one row a bar, indexed by `index`; unknown columns are left out."""
        names = [name for name in _DTYPES if name != "open_time" and getattr(self, name) is not None]
        return pd.DataFrame({name: getattr(self, name) for name in names}, index=self.index)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, symbol: str, interval_ms: int = 60_000, file: object = None) -> "Bars":
        """Check a table and make bars of it.

        Parameters
        ----------
        frame : pandas.DataFrame
            Column or index `open_time` (see `to_ms` for what it may hold), columns open, high, low, close,
            volume; optional quote_volume, trades, taker_buy_volume, filled. Other columns are ignored.
        symbol : str
        interval_ms : int
            Times off its grid are floored to it.
        file : optional
            Named in errors.

        Raises
        ------
        BarError
            With the first row that breaks a rule.
        """
        require_columns(frame, file)
        if len(frame) == 0:
            raise BarError("no rows", file)
        open_time = to_ms(time_column(frame), file)
        open_time -= open_time % interval_ms
        _check_order(open_time, frame, file)
        columns = number_columns(frame)
        for fault in faults(columns):
            raise BarError(fault.rule, file, row_of(frame, int(fault.rows.argmax())))
        filled = frame["filled"].to_numpy(dtype=np.bool_) if "filled" in frame else None
        return cls(symbol, interval_ms, open_time, **columns, filled=filled)  # type: ignore[arg-type]

    def _take(self, which: slice | NDArray) -> "Bars":
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _DTYPES}
        arrays = {name: None if value is None else value[which] for name, value in arrays.items()}
        return replace(self, **arrays)


_DTYPES: dict[str, type] = {
    field.name: {"open_time": np.int64, "filled": np.bool_}.get(field.name, np.float64)
    for field in fields(Bars)
    if field.name not in ("symbol", "interval_ms")
}


def require_columns(frame: pd.DataFrame, file: object = None) -> None:
    """Refuse a table without the needed columns, and name those it lacks."""
    lacking = [name for name in REQUIRED if name not in frame]
    if "open_time" not in frame and frame.index.name != "open_time":
        lacking.insert(0, "open_time")
    if lacking:
        raise BarError(f"missing columns: {', '.join(lacking)}", file)


def time_column(frame: pd.DataFrame) -> pd.Series:
    """The times of a table, from its column or its index."""
    if "open_time" in frame:
        return frame["open_time"]
    return frame.index.to_series().reset_index(drop=True)


def number_columns(frame: pd.DataFrame) -> dict[str, Floats]:
    """The known columns as new float64 arrays, shape (T,); what is not a number is NaN."""
    names = [name for name in (*REQUIRED, *OPTIONAL) if name in frame]
    return {name: _numbers(frame[name]) for name in names}


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
