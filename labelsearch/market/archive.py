"""Files of bars: any that `labelsearch.market.formats` knows, and zip files of the exchange's public kline archive.

The name of an archive file, ``BTCUSDT-1m-2020-01.zip`` or ``BTCUSDT-1m-2020-01-01.zip``, gives symbol, interval and
period. Its rows have twelve columns, mostly without a header; times are in milliseconds or, since 2025, microseconds.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.bars import Bars, broken_rows, number_columns, time_column
from labelsearch.market.checks import Report, check, check_interval, common_step
from labelsearch.market.formats import Converted, ReadOptions, convert
from labelsearch.market.readers import read_table
from labelsearch.market.rules import OPTIONAL, BarError
from labelsearch.market.store import merge
from labelsearch.market.text import Table
from labelsearch.market.times import (
    DAY_MS,
    interval_name,
    native_times,
    next_month,
    now_ms,
    parse_interval,
    row_of,
    span_text,
    time_text,
    to_ms,
)

_FUNDING = "fundingRate"  # in names of the archive, where those of bars have the interval
_ARCHIVE_NAME = re.compile(rf"([A-Z0-9]+)-(\d+[smhdwM]o?|{_FUNDING})-(\d{{4}})-(\d{{2}})(?:-(\d{{2}}))?(?![\d-])")
_ANY_INTERVAL = re.compile(r"(?<=[-_])(\d{1,2}[smhd])(?=[-_.])")
FEW_OFF_GRID = 0.05  # share of times off the grid that are rounded down: after a halt, exchanges have some
# how long before the end of its bar a time may be that marks the end: 23:59, 23:59:59 or 23:59:59.999
_BEFORE_END_MS = (1, 1_000, 60_000)
CLOCK_SKEW_MS = 60_000  # how far this machine's clock may be behind


@dataclass(frozen=True)
class FileName:
    """Contents of a file name; None where it has none."""

    symbol: str | None = None
    interval_ms: int | None = None
    start_ms: int | None = None  # the day or month [start, stop), ms since the epoch, UTC
    stop_ms: int | None = None


@dataclass(frozen=True, eq=False)
class RawBars:
    """The contents of a file, read but not checked."""

    file: Path
    frame: pd.DataFrame  # our columns; the index counts the data rows of the file from 0
    interval_ms: int
    name: FileName
    format: str  # name in `labelsearch.market.formats.FORMATS`
    options: ReadOptions
    notes: list[str] = field(default_factory=list)  # what was found, assumed or left out

    def report(self) -> Report:
        """All faults of the file; `Report.refusal` is the error that `bars` would raise."""
        report = check(self.frame, self.interval_ms, self.file)
        try:
            self.bars("CHECK")
        except BarError as error:
            return replace(report, refusal=str(error))
        return replace(report, refusal=None)

    def bars(self, symbol: str) -> Bars:
        """The file as bars; `BarError` names the first row that breaks a rule. What is left out is noted."""
        said = self.options
        if self.format == "klines" and said.anchor_ms is None and not (said.floor or said.skip_broken):
            bars = self._closed(Bars.from_frame(self.frame, symbol, self.interval_ms, self.file))
            check_interval(bars.open_time, self.interval_ms, self.file)
            self._check_close_times()
            check_period(bars.open_time, self.name, self.frame, self.file)
            return bars
        frame = self._on_grid(self._whole(self._in_order()))
        bars = Bars.from_frame(frame, symbol, self.interval_ms, self.file)
        if self.format != "trades":  # their bars are of the interval asked for, however few trades there are
            check_interval(bars.open_time, self.interval_ms, self.file)
        return self._closed(bars)

    def _in_order(self) -> pd.DataFrame:
        """The rows with their times in ms, oldest first, without those that stand there twice."""
        frame = self.frame.assign(open_time=to_ms(time_column(self.frame).set_axis(self.frame.index), self.file))
        return in_order(frame, "open_time", self.notes)

    def _whole(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows without those that break a rule, if the options say so, and without columns that not all have."""
        known = number_columns(frame)
        lacking = [name for name in OPTIONAL if name in frame and np.isnan(known[name]).any()]
        if lacking:
            self.notes.append(f"not all rows have {', '.join(lacking)}, which is left out")
            frame = frame.drop(columns=lacking)
        if not self.options.skip_broken:
            return frame
        broken, fault = broken_rows(frame)
        if fault is not None:
            first = f"the first is row {row_of(frame, int(fault.rows.argmax()))}: {fault.rule}"
            self.notes.append(f"{int(broken.sum())} rows that break a rule are left out, {first}")
        return frame[~broken]

    def _on_grid(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with their times on the grid of the interval, if the options or the times say how."""
        step, time = self.interval_ms, frame["open_time"].to_numpy()
        if self.options.anchor_ms is not None:
            time = time - self.options.anchor_ms
            self.notes.append(f"times are shifted {span_text(self.options.anchor_ms)} earlier")
        rest = time % step
        off = rest != 0
        early = off & (2 * rest > step)
        if self.options.anchor_ms is not None and early.any():
            i = int(early.argmax())
            rule = (
                f"{int(early.sum())} times are before the grid of {interval_name(step)} after the shift, the first by "
                f"{span_text(int(step - rest[i]))}, and would fall into the bar before: the shift is not the same all "
                "year. State the --zone, or round down (--anchor floor)"
            )
            raise BarError(rule, self.file, row_of(frame, i))
        # a bar may begin late in its interval, as the first after a pause: the next one is where it would be anyway
        late = off & (np.r_[time[1:], 0] == time - rest + step)
        share = float((off & ~late).mean())
        ends = any(bool((rest == step - before).all()) for before in _BEFORE_END_MS if before < step)
        if ends:
            self.notes.append("times mark the end of their bars: the start of each is stored")
        elif share > FEW_OFF_GRID and not self.options.floor:
            values, counts = np.unique(rest[off & ~late], return_counts=True)
            usual, i = int(values[counts.argmax()]), int((off & ~late).argmax())
            rule = (
                f"{100 * share:.0f} % of the times are not on the grid of {interval_name(step)}, most of them "
                f"{span_text(usual)} after it: shift them by it (--anchor {span_text(usual)}), round them down "
                "(--anchor floor), or state another --interval"
            )
            raise BarError(rule, self.file, row_of(frame, i))
        elif off.any():
            self.notes.append(f"{int(off.sum())} times off the grid are rounded down")
        return frame.assign(open_time=time - rest)

    def _closed(self, bars: Bars) -> Bars:
        """The bars without the one that is still open; `BarError` for bars of the future."""
        ahead = bars.open_time > now_ms() + CLOCK_SKEW_MS
        if ahead.any():
            when = time_text(int(bars.open_time[ahead.argmax()]))
            raise BarError(f"{when} is in the future: wrong time zone, or a wrong clock", self.file)
        still = bars.open_time + bars.interval_ms > now_ms()
        if still.any():
            self.notes.append(f"the bar of {time_text(int(bars.open_time[-1]))} is not closed yet and is left out")
        return bars.rows(0, int((~still).sum()))

    def _check_close_times(self) -> None:
        opened, native, per_ms = native_times(self.frame["open_time"], self.file)
        closed = pd.to_numeric(self.frame["close_time"], errors="coerce").to_numpy(dtype=np.float64)
        expected = native + round(self.interval_ms * per_ms) - 1
        # the few off-grid bars of the exchange after a halt do not follow this rule
        wrong = (closed != expected) & (opened % self.interval_ms == 0)
        if wrong.any():
            i = int(wrong.argmax())
            rule = f"close_time {closed[i]:.0f} is not open_time + interval - 1, {expected[i]}"
            raise BarError(rule, self.file, row_of(self.frame, i))


def in_order(frame: pd.DataFrame, time: str, notes: list[str]) -> pd.DataFrame:
    """The rows oldest first by a column of times, without those that stand there twice; what is done is noted."""
    steps = np.diff(frame[time])
    if len(steps) and (steps <= 0).all() and (steps < 0).any():
        notes.append("the newest row comes first: the order is reversed")
        frame = frame.iloc[::-1]
    same = frame.duplicated().to_numpy()
    if same.any():
        notes.append(f"{int(same.sum())} rows stand there twice, equal in every column: one of each is taken")
        frame = frame[~same]
    return frame


def check_period(time: NDArray[np.int64], name: FileName, frame: pd.DataFrame, file: object) -> None:
    """Raise `BarError` for a time of the rows of a table that is outside the period of the file name."""
    start, stop = name.start_ms, name.stop_ms
    if start is None or stop is None:
        return
    outside = (time < start) | (time >= stop)
    if outside.any():
        i = int(outside.argmax())
        rule = (
            f"time {time_text(time[i])} is outside the period of the file name, "
            f"{time_text(start)} .. {time_text(stop)} UTC: wrong time zone or wrong name"
        )
        raise BarError(rule, file, row_of(frame, i))


def read(path: str | Path, symbol: str | None = None, interval_ms: int | None = None) -> Bars:
    """Read a file of bars.

    Parameters
    ----------
    path : str or Path
        Verified against ``<file>.CHECKSUM`` if that exists.
    symbol : str, optional
        Symbol of the bars, by default that of the file name; selects the rows of a file with several symbols.
    interval_ms : int, optional
        By default that of the file name (``-1m-``), else the most common time step.

    Raises
    ------
    BarError
        Names file, row and rule.
    """
    raw = read_raw(path, ReadOptions(symbol, interval_ms))
    name = symbol or raw.name.symbol
    if name is None:
        raise BarError("the file name does not contain the symbol: specify it", path)
    return raw.bars(name)


def read_all(paths: Sequence[str | Path], symbol: str, options: ReadOptions | None = None) -> tuple[Bars, list[str]]:
    """Read several files of one symbol, in any order, as one table; optional columns that not all have are dropped.

    Parameters
    ----------
    paths : sequence of path
    symbol : str
        Of the bars.
    options : ReadOptions, optional
        By default, rows of the symbol are selected.

    Returns
    -------
    Bars
    list of str
        What was found, assumed or left out, file by file.

    Raises
    ------
    BarError
        As `read`; also if file names contain different symbols, intervals differ, or overlapping bars are not equal.
    """
    refuse_other_symbols(paths)
    parts, notes = [], []
    for path in paths:
        raw = read_raw(path, options or ReadOptions(symbol))
        parts.append(raw.bars(symbol))
        notes += [f"{Path(path).name}: {note}" for note in (f"read as {raw.format}", *raw.notes)]
    return merge(parts, files=list(paths))[0], notes


def refuse_other_symbols(paths: Sequence[str | Path]) -> None:
    """Raise `BarError` for file names of different symbols."""
    named = {str(path): parse_file_name(path).symbol for path in paths}
    names = {name for name in named.values() if name}
    if len(names) > 1:
        last = [path for path, name in named.items() if name][-1]
        raise BarError(f"the file names contain different symbols: {', '.join(sorted(names))}", last)


def read_raw(path: str | Path, options: ReadOptions = ReadOptions()) -> RawBars:  # noqa: B008 - it is frozen
    """Read a file without checking its rows; errors as for `read`, and those of an unknown format."""
    path = Path(path)
    table, name, options = open_table(path, options)
    found: Converted = convert(table, options, path)
    step = options.interval_ms or common_step(to_ms(time_column(found.frame), path), path)
    return RawBars(path, found.frame, step, name, found.format, options, found.notes)


def open_table(path: Path, options: ReadOptions) -> tuple[Table, FileName, ReadOptions]:
    """The table of a file as it is, what its name says, and the options with the interval of its name."""
    if not path.is_file():
        raise BarError("no such file", path)
    if path.stat().st_size == 0:
        raise BarError("the file is empty", path)
    _verify_checksum(path)
    name = parse_file_name(path)
    if options.interval_ms is None and name.interval_ms:
        options = replace(options, interval_ms=name.interval_ms)
    return read_table(path, options.columns), name, options


def parse_file_name(path: str | Path) -> FileName:
    """Symbol, interval and period of a file name, as far as it contains them.

    Raises
    ------
    BarError
        For an archive name with an interval without a fixed grid (weeks, months) or an invalid date.
    """
    path = Path(path)
    match = _ARCHIVE_NAME.match(path.name)
    if match is None:
        found = _ANY_INTERVAL.search(path.name)
        try:
            return FileName(interval_ms=parse_interval(found[1]) if found else None)
        except BarError:  # "_7m_" in another name need not be an interval
            return FileName()
    symbol, interval, year, month, day = match.groups()
    try:
        interval_ms = None if interval == _FUNDING else parse_interval(interval)
        start = datetime(int(year), int(month), int(day or 1), tzinfo=UTC)
    except BarError as error:
        raise BarError(error.rule, path) from None
    except ValueError:
        raise BarError("the date in the file name is not valid", path) from None
    start_ms = int(start.timestamp() * 1000)
    if day:
        return FileName(symbol, interval_ms, start_ms, start_ms + DAY_MS)
    return FileName(symbol, interval_ms, start_ms, int(next_month(start).timestamp() * 1000))


def _verify_checksum(path: Path) -> None:
    checksum = path.with_name(path.name + ".CHECKSUM")
    if not checksum.is_file():
        return
    words = checksum.read_bytes()[:1000].decode("latin-1").split()
    if not words or not re.fullmatch(r"[0-9a-fA-F]{64}", words[0]):
        raise BarError("contains no SHA-256 digest", checksum)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != words[0].lower():
        raise BarError(f"SHA-256 is {digest[:12]}.., but {checksum.name} says {words[0][:12].lower()}..", path)
