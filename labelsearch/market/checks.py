"""Everything that is wrong with a table of bars, also with one that would be refused."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.bars import Bars, number_columns, require_columns, time_column
from labelsearch.market.rules import BarError, Columns, faults
from labelsearch.market.times import DAY_MS, interval_name, to_ms


@dataclass(frozen=True)
class Gap:
    """Missing bars: the start of the first and of the last one (ms, UTC), and how many."""

    first_ms: int
    last_ms: int
    count: int


@dataclass(frozen=True)
class Run:
    """Consecutive bars without volume: the start of the first one (ms, UTC), and how many."""

    first_ms: int
    length: int


@dataclass(frozen=True)
class Report:
    """What `check` found.

    Attributes
    ----------
    interval_ms : int
    rows, expected_rows : int
        Rows there are, and bars of a dense grid from the first to the last time.
    first_ms, last_ms : int
        Earliest and latest bar, ms since the epoch, UTC, on the grid.
    gaps : tuple of Gap
        In time order.
    duplicates, unsorted : int
        Rows whose bar an earlier row has; rows earlier than the row before them.
    off_grid : int
        Rows whose time is not a multiple of the interval; they are floored on reading.
    zero_volume_runs : tuple of Run
        Longest first. A gap ends a run.
    bad_prices, bad_volumes, ohlc_violations : int
        Rows with a price that is not finite or not positive; with a volume that is not finite, negative or
        less than its taker part; with high below low, or open or close outside [low, high].
    refusal : str or None
        The error that reading the table as bars gives, None where it is fine.
    """

    interval_ms: int
    rows: int
    expected_rows: int
    first_ms: int
    last_ms: int
    gaps: tuple[Gap, ...]
    duplicates: int
    unsorted: int
    off_grid: int
    zero_volume_runs: tuple[Run, ...]
    bad_prices: int
    bad_volumes: int
    ohlc_violations: int
    refusal: str | None = None

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
        """True where the table can be read as bars; gaps and quiet bars are no fault."""
        return self.refusal is None


def check(data: pd.DataFrame | Bars, interval_ms: int | None = None, file: object = None) -> Report:
    """List all that is wrong with a table of bars.

    Parameters
    ----------
    data : pandas.DataFrame or Bars
        A table as `Bars.from_frame` takes it. Bars that `on_grid` filled count as missing.
    interval_ms : int, optional
        By default that of the bars, or the most common time step of the table.
    file : optional
        Named in errors.

    Raises
    ------
    BarError
        Only for what cannot be looked at at all: no rows, missing columns, times that cannot be read.
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
        gaps=_gaps(unique, interval_ms),
        duplicates=len(frame) - len(unique),
        unsorted=int((np.diff(open_time) < 0).sum()),
        off_grid=int((exact != open_time).sum()),
        zero_volume_runs=_zero_runs(unique, columns["volume"][first_row], interval_ms),
        bad_prices=bad["price"],
        bad_volumes=bad["volume"],
        ohlc_violations=bad["ohlc"],
        refusal=refusal,
    )


def common_step(open_time: NDArray[np.int64], file: object = None) -> int:
    """Give the most common step between neighbouring times, in ms.

    Raises
    ------
    BarError
        Where there is none, or where it does not divide a day.
    """
    steps = np.diff(open_time)
    steps = steps[steps > 0]
    if len(steps) == 0:
        raise BarError("the interval cannot be told from the times", file)
    values, counts = np.unique(steps, return_counts=True)
    step = int(values[counts.argmax()])
    if step % 1000 or DAY_MS % step:
        raise BarError(f"the most common time step, {step / 1000:g} s, does not divide a day", file)
    return step


def check_interval(open_time: NDArray[np.int64], interval_ms: int, file: object = None) -> None:
    """Refuse times whose most common step is not `interval_ms`; two rows or fewer tell nothing."""
    steps = np.diff(open_time - open_time % interval_ms)
    if (steps > 0).sum() > 1 and common_step(open_time, file) != interval_ms:
        named, found = interval_name(interval_ms), interval_name(common_step(open_time, file))
        raise BarError(f"bars of {named} expected, the most common time step is {found}", file)


def _gaps(open_time: NDArray[np.int64], interval_ms: int) -> tuple[Gap, ...]:
    before = np.flatnonzero(np.diff(open_time) > interval_ms)
    return tuple(
        Gap(int(start + interval_ms), int(stop - interval_ms), int((stop - start) // interval_ms - 1))
        for start, stop in zip(open_time[before], open_time[before + 1], strict=True)
    )


def _zero_runs(open_time: NDArray[np.int64], volume: NDArray, interval_ms: int) -> tuple[Run, ...]:
    quiet = np.flatnonzero(volume == 0)
    if len(quiet) == 0:
        return ()
    # Neighbouring rows with no gap between them have neighbouring times.
    breaks = np.flatnonzero(np.diff(open_time[quiet]) != interval_ms) + 1
    runs = [Run(int(open_time[rows[0]]), len(rows)) for rows in np.split(quiet, breaks)]
    return tuple(sorted(runs, key=lambda run: (-run.length, run.first_ms)))


def _count_faults(columns: Columns) -> dict[str, int]:
    rows = {kind: np.zeros(len(columns["close"]), dtype=np.bool_) for kind in ("price", "volume", "ohlc")}
    for fault in faults(columns):
        rows[fault.kind] |= fault.rows
    return {kind: int(mask.sum()) for kind, mask in rows.items()}
