"""Files of bars: Parquet, CSV, and the zip files of the exchange's public kline archive.

The name of an archive file, ``BTCUSDT-1m-2020-01.zip`` or ``BTCUSDT-1m-2020-01-01.zip``, gives symbol, interval and
period. Its rows have twelve columns, mostly without a header; times are in milliseconds or, since 2025, microseconds.
"""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.bars import Bars, time_column
from labelsearch.market.checks import Report, check, check_interval, common_step
from labelsearch.market.readers import pick_symbol, read_csv, read_parquet
from labelsearch.market.rules import BarError
from labelsearch.market.store import merge
from labelsearch.market.times import DAY_MS, native_times, next_month, parse_interval, row_of, time_text, to_ms

_ARCHIVE_NAME = re.compile(r"([A-Z0-9]+)-(\d+[smhdwM]o?)-(\d{4})-(\d{2})(?:-(\d{2}))?(?![\d-])")
_ANY_INTERVAL = re.compile(r"(?<=[-_])(\d{1,2}[smhd])(?=[-_.])")
LARGEST_TEXT = 1 << 30  # bytes of CSV text, far above any archive file; protects against zip bombs


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
    archive: bool  # whether the rows have the twelve columns of the archive

    def report(self) -> Report:
        """All faults of the file; `Report.refusal` is the error that `bars` would raise."""
        report = check(self.frame, self.interval_ms, self.file)
        try:
            self.bars("CHECK")
        except BarError as error:
            return Report(**{**vars(report), "refusal": str(error)})
        return report

    def bars(self, symbol: str) -> Bars:
        """The file as bars; `BarError` names the first row that breaks a rule."""
        bars = Bars.from_frame(self.frame, symbol, self.interval_ms, self.file)
        check_interval(bars.open_time, self.interval_ms, self.file)
        if self.archive:
            self._check_close_times()
            self._check_period(bars.open_time)
        return bars

    def _check_close_times(self) -> None:
        opened, native, per_ms = native_times(self.frame["open_time"], self.file)
        closed = pd.to_numeric(self.frame["close_time"], errors="coerce").to_numpy(dtype=np.float64)
        expected = native + self.interval_ms * per_ms - 1
        # the few off-grid bars of the exchange after a halt do not follow this rule
        wrong = (closed != expected) & (opened % self.interval_ms == 0)
        if wrong.any():
            i = int(wrong.argmax())
            rule = f"close_time {closed[i]:.0f} is not open_time + interval - 1, {expected[i]}"
            raise BarError(rule, self.file, row_of(self.frame, i))

    def _check_period(self, open_time: NDArray[np.int64]) -> None:
        start, stop = self.name.start_ms, self.name.stop_ms
        if start is None or stop is None:
            return
        outside = (open_time < start) | (open_time >= stop)
        if outside.any():
            i = int(outside.argmax())
            rule = (
                f"time {time_text(open_time[i])} is outside the period of the file name, "
                f"{time_text(start)} .. {time_text(stop)} UTC: wrong time zone or wrong name"
            )
            raise BarError(rule, self.file, row_of(self.frame, i))


def read(path: str | Path, symbol: str | None = None, interval_ms: int | None = None) -> Bars:
    """Read a file of bars.

    Parameters
    ----------
    path : str or Path
        ``.parquet``, ``.csv`` or a ``.zip`` of the archive; verified against ``<file>.CHECKSUM`` if that exists.
    symbol : str, optional
        Symbol of the bars, by default that of the file name; selects the rows of a file with several symbols.
    interval_ms : int, optional
        By default that of the file name (``-1m-``), else the most common time step.

    Raises
    ------
    BarError
        Names file, row and rule.
    """
    raw = read_raw(path, symbol, interval_ms)
    name = symbol or raw.name.symbol
    if name is None:
        raise BarError("the file name does not contain the symbol: specify it", path)
    return raw.bars(name)


def read_all(paths: Sequence[str | Path], symbol: str) -> Bars:
    """Read several files of one symbol, in any order, as one table; optional columns that not all have are dropped.

    Raises
    ------
    BarError
        As `read`; also if file names contain different symbols, intervals differ, or overlapping bars are not equal.
    """
    named = {str(path): parse_file_name(path).symbol for path in paths}
    names = {name for name in named.values() if name}
    if len(names) > 1:
        last = [path for path, name in named.items() if name][-1]
        raise BarError(f"the file names contain different symbols: {', '.join(sorted(names))}", last)
    parts = [read(path, symbol) for path in paths]
    return merge(parts, files=list(paths))[0]


def read_raw(path: str | Path, symbol: str | None = None, interval_ms: int | None = None) -> RawBars:
    """Read a file without checking its rows; parameters and errors as for `read`."""
    path = Path(path)
    if not path.is_file():
        raise BarError("no such file", path)
    if path.stat().st_size == 0:
        raise BarError("the file is empty", path)
    _verify_checksum(path)
    kind = path.suffix.lower()
    archive = False
    if kind in (".parquet", ".pq"):
        frame = read_parquet(path)
    elif kind == ".zip":
        frame, archive = read_csv(_only_member(path), path)
    elif kind in (".csv", ".txt"):
        _refuse_much_text(path.stat().st_size, path)
        frame, archive = read_csv(path.read_bytes(), path)
    else:
        raise BarError("not a .parquet, .csv or .zip file", path)
    if len(frame) == 0:
        raise BarError("no rows", path)
    frame = pick_symbol(frame, symbol, path)
    if not pd.api.types.is_numeric_dtype(frame["open_time"].dtype):
        frame = frame.assign(open_time=to_ms(frame["open_time"], path))  # reading text is slow, so only once
        archive = False  # rewritten by another tool, close times are text too
    name = parse_file_name(path)
    interval_ms = interval_ms or name.interval_ms or common_step(to_ms(time_column(frame), path), path)
    return RawBars(path, frame, interval_ms, name, archive)


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
        interval_ms = parse_interval(interval)
        start = datetime(int(year), int(month), int(day or 1), tzinfo=UTC)
    except BarError as error:
        raise BarError(error.rule, path) from None
    except ValueError:
        raise BarError("the date in the file name is not valid", path) from None
    start_ms = int(start.timestamp() * 1000)
    if day:
        return FileName(symbol, interval_ms, start_ms, start_ms + DAY_MS)
    return FileName(symbol, interval_ms, start_ms, int(next_month(start).timestamp() * 1000))


def _refuse_much_text(size: int, path: Path) -> None:
    if size > LARGEST_TEXT:
        raise BarError(f"{size:,} bytes of text; at most {LARGEST_TEXT:,} can be read from one file: split it", path)


def _only_member(path: Path) -> bytes:
    """The content of the only file in a zip; the zip library verifies its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) != 1:
                raise BarError(f"the zip contains {len(members)} files instead of one", path)
            _refuse_much_text(members[0].file_size, path)  # no more is unpacked
            content = archive.read(members[0])
    except (
        zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, MemoryError, IndexError
    ) as error:  # fmt: skip
        if isinstance(error, BarError):
            raise
        raise BarError(f"the zip is truncated or damaged: {error}", path) from None
    if not content:
        raise BarError("the file in the zip is empty", path)
    return content


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
