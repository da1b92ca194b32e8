"""A report on all faults of a table of bars, including tables that cannot be read as bars."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.bars import Bars, number_columns, require_columns, time_column
from labelsearch.market.rules import BarError, Columns, faults
from labelsearch.market.times import DAY_MS, interval_name, to_ms


@dataclass(frozen=True)
class Gap:
    """Missing bars: start of the first and of the last one (ms, UTC), and their number."""

    first_ms: int
    last_ms: int
    count: int


@dataclass(frozen=True)
class Run:
    """Consecutive bars without volume: start of the first one (ms, UTC), and their number."""

    first_ms: int
    length: int


@dataclass(frozen=True)
class Report:
    """Result of `check`; times are of bars on the grid, ms since the epoch, UTC."""

    interval_ms: int
    rows: int
    expected_rows: int  # of a dense grid from the first to the last bar
    first_ms: int
    last_ms: int
    gaps: tuple[Gap, ...]  # in time order
    duplicates: int  # rows whose bar occurs in an earlier row
    unsorted: int  # rows earlier than the previous row
    off_grid: int  # rows whose time is not a multiple of the interval; it is rounded down on reading
    zero_volume_runs: tuple[Run, ...]  # longest first; a gap ends a run
    bad_prices: int  # rows with a price that is not finite or not positive
    bad_volumes: int  # rows with a volume that is not finite, negative or less than its taker part
    ohlc_violations: int  # rows with high below low, or open or close outside [low, high]
    bad_spreads: int = 0  # rows whose ask is below their bid, or whose spread is not finite or twice the open
    refusal: str | None = None  # the error of reading the table as bars

    @property
    def missing(self) -> int:
        """Number of missing bars."""
        return sum(gap.count for gap in self.gaps)

    @property
    def zero_volume_bars(self) -> int:
        """Number of bars without volume."""
        return sum(run.length for run in self.zero_volume_runs)

    @property
    def ok(self) -> bool:
        """Whether the table can be read as bars; gaps and bars without volume are not faults."""
        return self.refusal is None


def check(data: pd.DataFrame | Bars, interval_ms: int | None = None, file: object = None) -> Report:
    """Report all faults of a table of bars.

    Parameters
    ----------
    data : pandas.DataFrame or Bars
        A table as for `Bars.from_frame`. Bars filled in by `on_grid` count as missing.
    interval_ms : int, optional
        By default that of the bars, or the most common time step of the table.
    file : optional
        Named in errors.

    Raises
    ------
    BarError
        Only for a table that cannot be examined: without rows or required columns, or with unreadable times.
    """
    if isinstance(data, Bars):
        interval_ms, frame = data.interval_ms, data.present().to_frame()
    else:
        frame = data
    require_columns(frame, file)
    if len(frame) == 0:
        raise BarError("no rows", file)
    exact = to_ms(time_column(frame), file)
    interval_ms = interval_ms or common_step(exact, file)
    open_time = exact - exact % interval_ms
    columns = number_columns(frame)
    unique, first_row = np.unique(open_time, return_index=True)
    bad = _count_faults(columns)
    refusal = None
    try:
        Bars.from_frame(frame, "CHECK", interval_ms, file)
    except BarError as error:
        refusal = str(error)
    return Report(
        interval_ms=interval_ms,
        rows=len(frame),
        expected_rows=int((unique[-1] - unique[0]) // interval_ms) + 1,
        first_ms=int(unique[0]),
        last_ms=int(unique[-1]),
        gaps=gaps_between(unique, interval_ms),
        duplicates=len(frame) - len(unique),
        unsorted=int((np.diff(open_time) < 0).sum()),
        off_grid=int((exact != open_time).sum()),
        zero_volume_runs=_zero_runs(unique, columns["volume"][first_row], interval_ms),
        bad_prices=bad["price"],
        bad_volumes=bad["volume"],
        ohlc_violations=bad["ohlc"],
        bad_spreads=bad["spread"],
        refusal=refusal,
    )


def common_step(open_time: NDArray[np.int64], file: object = None) -> int:
    """The most common step between neighbouring times, ms; `BarError` if there is none or it does not divide a day."""
    steps = np.abs(np.diff(open_time))  # some files have the newest row first
    steps = steps[steps > 0]
    if len(steps) == 0:
        raise BarError("the interval cannot be determined from the times", file)
    values, counts = np.unique(steps, return_counts=True)
    step = int(values[counts.argmax()])
    if step % 1000 or DAY_MS % step:
        raise BarError(f"the most common time step, {step / 1000:g} s, does not divide a day", file)
    return step


def check_interval(open_time: NDArray[np.int64], interval_ms: int, file: object = None) -> None:
    """Raise `BarError` if the most common step is not the interval; it is unknown for two rows or fewer."""
    steps = np.diff(open_time - open_time % interval_ms)
    if (steps > 0).sum() > 1 and common_step(open_time, file) != interval_ms:
        named, found = interval_name(interval_ms), interval_name(common_step(open_time, file))
        raise BarError(f"bars of {named} expected, the most common time step is {found}", file)


def gaps_between(open_time: NDArray[np.int64], interval_ms: int) -> tuple[Gap, ...]:
    """Missing bars between sorted times (T,)."""
    before = np.flatnonzero(np.diff(open_time) > interval_ms)
    return tuple(
        Gap(int(start + interval_ms), int(stop - interval_ms), int((stop - start) // interval_ms - 1))
        for start, stop in zip(open_time[before], open_time[before + 1], strict=True)
    )


def _zero_runs(open_time: NDArray[np.int64], volume: NDArray, interval_ms: int) -> tuple[Run, ...]:
    quiet = np.flatnonzero(volume == 0)
    if len(quiet) == 0:
        return ()
    # neighbouring rows without a gap have neighbouring times
    breaks = np.flatnonzero(np.diff(open_time[quiet]) != interval_ms) + 1
    runs = [Run(int(open_time[rows[0]]), len(rows)) for rows in np.split(quiet, breaks)]
    return tuple(sorted(runs, key=lambda run: (-run.length, run.first_ms)))


def _count_faults(columns: Columns) -> dict[str, int]:
    rows = {kind: np.zeros(len(columns["close"]), dtype=np.bool_) for kind in ("price", "volume", "ohlc", "spread")}
    for fault in faults(columns):
        rows[fault.kind] |= fault.rows
    return {kind: int(mask.sum()) for kind, mask in rows.items()}
