"""Funding of perpetual futures: what holders of positions pay each other at some times of the day.

Shapes: ``N`` payments. A payment is the rate times the mark price times the size of the position; longs pay it if the
rate is positive, else shorts do.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from labelsearch.market.bars import Bars, Floats
from labelsearch.market.checks import Gap
from labelsearch.market.rules import OUT_OF_RANGE, BarError, Fault, out_of_range
from labelsearch.market.times import UNITS, row_of, time_text, to_ms

COLUMNS = ("funding_time", "funding_rate", "mark_price")  # of tables; the last one may be missing
LATE_MS = 60_000  # after a whole hour; exchanges stamp payments some milliseconds late
USUAL_MS = 8 * UNITS["h"]  # between the payments of most contracts
SLACK = 1.5  # usual steps between payments from which on one is missing
NEIGHBOURS = 5  # steps before and after one that say how long it usually is
_NO_STEP = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Funding:
    """Funding payments of one perpetual contract, in time order.

    Attributes
    ----------
    symbol : str
    time : int64 array, shape (N,)
        Of each payment, ms since the epoch, UTC, strictly increasing.
    rate : float64 array, shape (N,)
        Fraction of the value of a position that longs pay to shorts; negative where shorts pay.
    mark : float64 array, shape (N,)
        Mark price at that time, in the quote currency; NaN where it is not known.

    Raises
    ------
    BarError
        Names the first payment that breaks a rule.
    """

    symbol: str
    time: NDArray[np.int64]
    rate: Floats
    mark: Floats

    def __post_init__(self) -> None:
        for name, dtype in (("time", np.int64), ("rate", np.float64), ("mark", np.float64)):
            # writable and contiguous: kernels would be compiled a second time for read-only arrays
            array = np.require(getattr(self, name), dtype=dtype, requirements=["C", "W"])
            if array.shape != (len(self.time),):
                raise BarError(f"{name} has shape {array.shape}, not {(len(self.time),)}")
            object.__setattr__(self, name, array)
        if (np.diff(self.time) <= 0).any():
            raise BarError("times of funding payments are not strictly increasing")
        for fault in faults(self.rate, self.mark):
            raise BarError(f"{time_text(int(self.time[fault.rows.argmax()]))}: {fault.rule}")

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        when = f" {time_text(self.time[0])} .. {time_text(self.time[-1])}" if len(self) else ""
        return f"<Funding {self.symbol}: {len(self)} payments{when}>"

    def between(self, start_ms: int | None = None, stop_ms: int | None = None) -> "Funding":
        """Payments in [start_ms, stop_ms), perhaps none; None leaves a side open. Arrays are views."""
        start = 0 if start_ms is None else int(np.searchsorted(self.time, start_ms))
        stop = len(self) if stop_ms is None else int(np.searchsorted(self.time, stop_ms))
        return self.take(slice(start, max(start, stop)))

    def take(self, which: slice | NDArray) -> "Funding":
        """Payments by position or mask."""
        return replace(self, time=self.time[which], rate=self.rate[which], mark=self.mark[which])

    def digest(self) -> str:
        """SHA-256 in hex of symbol and every array; the same on any platform."""
        sha = hashlib.sha256(f"funding 1\n{self.symbol}\n{len(self)}\n".encode())
        sha.update(self.time.astype("<i8").tobytes())
        for values in (self.rate, self.mark):
            # adding 0 turns -0.0 into 0.0; all unknown prices have the same bits
            sha.update(np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes())
        return sha.hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """A table with one row per payment, in the columns `COLUMNS`; times in UTC."""
        times = pd.DatetimeIndex(self.time.astype("datetime64[ms]"), tz="UTC")
        return pd.DataFrame(dict(zip(COLUMNS, (times, self.rate, self.mark), strict=True)))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, symbol: str, file: object = None) -> "Funding":
        """Funding from a table, which is checked.

        Parameters
        ----------
        frame : pandas.DataFrame
            Columns ``funding_time``, as `labelsearch.market.times.to_ms` accepts it, and ``funding_rate``; optional
            ``mark_price``. Times up to a minute after a whole hour are set to the hour.
        symbol : str
        file : optional
            Named in errors.

        Raises
        ------
        BarError
            Names the first row that breaks a rule.
        """
        if len(frame) == 0:
            raise BarError("no rows", file)
        time = on_hours(to_ms(frame["funding_time"], file))
        step = np.diff(time)
        if (step <= 0).any():
            i = int((step <= 0).argmax())
            when = time_text(time[i + 1])
            rule = f"duplicate time {when}" if step[i] == 0 else f"time {when} is earlier than the row before it"
            raise BarError(rule, file, row_of(frame, i + 1))
        columns = rates_and_marks(frame)
        for fault in faults(*columns):
            raise BarError(fault.rule, file, row_of(frame, int(fault.rows.argmax())))
        return cls(symbol, time, *columns)


def no_funding(symbol: str) -> Funding:
    """Funding without payments."""
    return Funding(symbol, np.empty(0, np.int64), np.empty(0), np.empty(0))


def on_hours(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times (N,) with those up to a minute after a whole hour set to it; others are kept as they are."""
    late = time % UNITS["h"]
    return np.where(late < LATE_MS, time - late, time)


def rates_and_marks(frame: pd.DataFrame) -> tuple[Floats, Floats]:
    """Rates and mark prices (N,) of a table: a rate that is no number is NaN, a mark price that is none infinite."""
    rate = _numbers(frame["funding_rate"])
    if "mark_price" not in frame:
        return rate, np.full(len(frame), np.nan)
    mark = _numbers(frame["mark_price"])
    texts = frame["mark_price"].astype("str").str.strip()
    mark[np.isnan(mark) & (frame["mark_price"].notna() & (texts != "")).to_numpy()] = np.inf
    return rate, mark


def _numbers(values: pd.Series) -> Floats:
    return np.array(pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))


def faults(rate: Floats, mark: Floats) -> Iterator[Fault]:
    """Every rule on rates and mark prices (N,) that some payment breaks."""
    for fault in (
        Fault("rate", "the funding rate is not a finite number", ~np.isfinite(rate)),
        Fault("rate", "the funding rate is not a fraction between -1 and 1", np.abs(rate) >= 1.0),
        Fault("price", "the mark price is not a finite number", np.isinf(mark)),
        Fault("price", "the mark price is not positive", mark <= 0.0),
        Fault("price", f"the mark price {OUT_OF_RANGE}", out_of_range(mark)),
    ):
        if fault.rows.any():
            yield fault


def with_marks(funding: Funding, bars: Bars) -> Funding:
    """The funding with unknown mark prices filled in: opens of the bars of the mark price that start at its times."""
    row = np.searchsorted(bars.open_time, funding.time)
    found = np.isnan(funding.mark) & (np.append(bars.open_time, -1)[row] == funding.time)
    return replace(funding, mark=np.where(found, np.append(bars.open, np.nan)[row], funding.mark))


def rates_within(funding: Funding, open_time: NDArray[np.int64], interval_ms: int) -> Floats:
    """Sum of the rates (T,) paid within each bar, known at its close; 0 without any.

    A payment at the very end of a bar, or between two, counts with the next one.
    """
    row = np.searchsorted(open_time, funding.time, side="right") - 1
    row += (row >= 0) & (funding.time >= open_time[np.maximum(row, 0)] + interval_ms)
    inside = (row >= 0) & (row < len(open_time))
    return np.bincount(row[inside], weights=funding.rate[inside], minlength=len(open_time)).astype(np.float64)


def uncovered(funding: Funding, start_ms: int, stop_ms: int, interval_ms: int) -> list[tuple[int, int]]:
    """Stretches of a window in which payments are missing.

    Parameters
    ----------
    funding : Funding
    start_ms, stop_ms : int
        The window. A payment is expected no later than 1.5 intervals after its start, and before its end.
    interval_ms : int
        Time between two payments.

    Returns
    -------
    list of (int, int)
        Neighbouring payments, or ends of the window, that are further apart than 1.5 intervals.
    """
    times = np.concatenate([[start_ms], funding.between(start_ms, stop_ms).time, [stop_ms]])
    wide = np.flatnonzero(np.diff(times) > SLACK * interval_ms)
    return [(int(times[i]), int(times[i + 1])) for i in wide]


def payments_missing(funding: Funding, start_ms: int, stop_ms: int, interval_ms: int) -> int:
    """Number of payments missing in the stretches of `uncovered`, without those at the ends of the window."""
    return sum(
        -(-(stop - start) // interval_ms) - 1 for start, stop in uncovered(funding, start_ms, stop_ms, interval_ms)
    )


def usual_steps(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """How long each step between payments (N,) usually is, (N - 1,), ms; contracts change from 8 hours to 4 and back.

    The larger of two medians, of up to five steps before and of as many after, so that the last long step of a schedule
    is not a gap in the next one.
    """
    steps = np.diff(time)
    none = np.full(NEIGHBOURS, _NO_STEP)
    windows = sliding_window_view(np.r_[none, steps, none], NEIGHBOURS)
    sides = _lower_medians(windows[: len(steps)]), _lower_medians(windows[NEIGHBOURS + 1 :])
    usual = np.maximum(*sides)
    return np.where(usual > 0, usual, steps)


def _lower_medians(windows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lower median of the steps in each window (N, 5), 0 where there are none."""
    ordered = np.sort(windows, axis=1)
    number = (ordered < _NO_STEP).sum(axis=1)
    middle = ordered[np.arange(len(ordered)), np.maximum(number - 1, 0) // 2]
    return np.where(number > 0, middle, 0)


def funding_gaps(time: NDArray[np.int64], start_ms: int | None = None, stop_ms: int | None = None) -> tuple[Gap, ...]:
    """Missing payments between those at some times (N,), in time order.

    Parameters
    ----------
    time : int64 array, shape (N,)
        Sorted.
    start_ms, stop_ms : int, optional
        Ends of a window whose payments are expected too; by default nothing is expected outside the times. Without any
        payment, one is expected every 8 hours.
    """
    usual = usual_steps(time)
    ends = (usual[0], usual[-1]) if len(usual) else (USUAL_MS, USUAL_MS)
    if start_ms is not None:
        time, usual = np.r_[start_ms, time], np.r_[ends[0], usual]
    if stop_ms is not None:
        time, usual = np.r_[time, stop_ms], np.r_[usual, ends[1]]
    usual = usual[: max(len(time) - 1, 0)]  # without payments, both ends have one step between them
    return tuple(
        Gap(int(first + step), int(last - step), int(-(-(last - first) // step)) - 1)
        for first, last, step in zip(time[:-1], time[1:], usual, strict=True)
        if last - first > SLACK * step
    )


class FundingExtent(NamedTuple):
    """How much funding there is."""

    n_payments: int
    first_ms: int  # time of the first payment, ms since the epoch, UTC
    last_ms: int
    missing: int  # payments between the first and the last
    n_marks: int  # payments with a mark price

    @classmethod
    def of(cls, funding: Funding) -> "FundingExtent":
        """That of some payments; there must be one."""
        missing = sum(gap.count for gap in funding_gaps(funding.time))
        n_marks = int(np.isfinite(funding.mark).sum())
        return cls(len(funding), int(funding.time[0]), int(funding.time[-1]), missing, n_marks)
