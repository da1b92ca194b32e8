"""Conversion of times to milliseconds since the epoch, UTC."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.rules import BarError

DAY_MS = 86_400_000
EARLIEST_MS = 1_230_768_000_000  # 2009-01-01; an earlier time means a wrong unit
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}

_INTERVAL = re.compile(r"([1-9]\d{0,4})([smhd])")
_UTC_NAMES = {"utc", "etc/utc", "gmt", "etc/gmt", "zulu", "z", "+00:00", "utc+00:00"}
# what follows hours and minutes: nothing, an offset or the name of a zone
_ZONE = re.compile(r":\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*([A-Za-z].*|[+-]\d{2}(?::?\d{2})?)$")
_PLAIN_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?")
_ZERO_OFFSETS = {"z", "utc", "gmt", "+00", "+0000", "+00:00", "-00", "-0000", "-00:00"}


def next_month(start: datetime) -> datetime:
    """The start of the month after the one that starts at a time."""
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def interval_name(interval_ms: int) -> str:
    """Name of an interval: ``1m`` for 60_000, ``1h`` for 3_600_000, ``7s`` for 7_000."""
    for unit in ("d", "h", "m", "s"):
        if interval_ms % UNITS[unit] == 0:
            return f"{interval_ms // UNITS[unit]}{unit}"
    raise BarError(f"an interval of {interval_ms} ms is not a whole number of seconds")


def parse_interval(name: str) -> int:
    """Length in milliseconds of an interval such as ``1m`` or ``4h``.

    Raises
    ------
    BarError
        If it is not an interval or does not divide a day: weeks and months have no fixed grid from the epoch.
    """
    match = _INTERVAL.fullmatch(name)
    value = int(match[1]) * UNITS[match[2]] if match else 0
    if value == 0 or DAY_MS % value:
        raise BarError(f"{name!r} is not an interval: use one second to one day, such as 1s, 1m, 15m, 1h or 1d")
    return value


def time_text(ms: int) -> str:
    """A time in UTC for people, ``2020-01-01 00:00``; with seconds only if they are not 0."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    whole = ms % 60_000 == 0
    return moment.strftime("%Y-%m-%d %H:%M") if whole else moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def iso_time(ms: int) -> str:
    """A time in UTC for programs, ``2020-01-01T00:00:00Z``; with milliseconds only if they are not 0."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    fraction = f".{ms % 1000:03d}" if ms % 1000 else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def parse_time(text: str) -> int:
    """Milliseconds of one ISO 8601 time in UTC such as ``2018-01-01``; `BarError` for other text."""
    return int(to_ms(pd.Series([text], dtype="str"))[0])


def to_ms(values: pd.Series, file: object = None) -> NDArray[np.int64]:
    """Milliseconds since the epoch, UTC, int64 (T,), rounded down but not yet on a grid.

    Parameters
    ----------
    values : pandas.Series of length T
        Integers (milliseconds or microseconds, distinguished by size), datetimes or ISO 8601 strings, both in UTC if
        without a zone.
    file : optional
        Named in errors.

    Raises
    ------
    BarError
        For unreadable times, two units in one column, a zone other than UTC, times before 2009 or after tomorrow.
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        zone = str(values.dtype.tz)
        if zone.lower() not in _UTC_NAMES:
            raise BarError(f"times are in the zone {zone}, not UTC", file)
        ms = _from_datetimes(values.dt.tz_convert("UTC").dt.tz_localize(None), file)
    elif pd.api.types.is_datetime64_dtype(values.dtype):
        ms = _from_datetimes(values, file)
    elif pd.api.types.is_bool_dtype(values.dtype):
        raise BarError("times are neither numbers nor dates", file)
    elif pd.api.types.is_numeric_dtype(values.dtype):
        ms = native_times(values, file)[0]
    else:
        try:
            ms = _from_strings(values, file)
        except BarError:
            raise
        except (ValueError, TypeError):  # lists and the like
            raise BarError("times are neither numbers nor dates", file) from None
    outside = (ms < EARLIEST_MS) | (ms >= _latest_ms())
    if outside.any():
        i = int(outside.argmax())
        raise BarError(f"time {_show(ms[i])} is outside 2009-01-01..tomorrow", file, row_of(values, i))
    return ms


def native_times(values: pd.Series, file: object = None) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Integer times in milliseconds, rounded down; the integers themselves; their units per millisecond.

    Raises
    ------
    BarError
        As `to_ms`.
    """
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    broken = ~np.isfinite(numbers) | (numbers != np.floor(numbers))
    if broken.any():
        i = int(broken.argmax())
        raise BarError(f"time {values.iloc[i]} cannot be read", file, row_of(values, i))
    in_ms = (numbers >= EARLIEST_MS) & (numbers < _latest_ms())
    in_us = (numbers >= EARLIEST_MS * 1000) & (numbers < _latest_ms() * 1000)
    outside = ~(in_ms | in_us)
    if outside.any():
        i = int(outside.argmax())
        rule = (
            f"time {numbers[i]:.0f} is outside 2009-01-01..tomorrow, both in milliseconds and in microseconds"
            + _guess(numbers[i])
        )
        raise BarError(rule, file, row_of(values, i))
    per_ms = 1 if len(numbers) == 0 or in_ms[0] else 1000
    mixed = in_ms != in_ms[:1]
    if mixed.any():
        i = int(mixed.argmax())
        raise BarError("some times are in milliseconds and some in microseconds", file, row_of(values, i))
    native = numbers.astype(np.int64)
    return native // per_ms, native, per_ms


def row_of(values: pd.Series | pd.DataFrame, i: int) -> int:
    """Data row, from 1, of position ``i``; an integer index holds the rows of the file."""
    index = values.index
    if pd.api.types.is_integer_dtype(index.dtype) and index.name != "open_time":
        return int(index[i]) + 1
    return i + 1


def _latest_ms() -> int:
    return int(time.time() * 1000) + DAY_MS


def _guess(number: float) -> str:
    for unit, factor in (("seconds", 1000), ("nanoseconds", 1e-6)):
        if EARLIEST_MS <= number * factor < _latest_ms():
            return f" (it would fit as {unit})"
    return ""


def _show(ms: int) -> str:
    try:
        return time_text(int(ms))
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"


def _from_datetimes(values: pd.Series, file: object) -> NDArray[np.int64]:
    missing = values.isna().to_numpy()
    if missing.any():
        i = int(missing.argmax())
        raise BarError("time is missing", file, row_of(values, i))
    return values.to_numpy().astype("datetime64[ms]").astype(np.int64)


def _from_strings(values: pd.Series, file: object) -> NDArray[np.int64]:
    texts = values.astype("str").str.strip()
    missing = texts.isna().to_numpy()
    if missing.any():
        raise BarError("time is missing", file, row_of(values, int(missing.argmax())))
    if len(texts) and re.fullmatch(r"\d+(\.\d*)?", texts.iloc[0]):
        # a column of integers with some other text in it
        numbers = pd.to_numeric(texts, errors="coerce")
        stray = numbers.isna().to_numpy()
        if stray.any():
            i = int(stray.argmax())
            raise BarError(f"time {texts.iloc[i]!r} cannot be read", file, row_of(values, i))
        return native_times(numbers, file)[0]
    zones = texts.str.extract(_ZONE, expand=False)
    foreign = (zones.notna() & ~zones.str.lower().isin(_ZERO_OFFSETS)).to_numpy()
    if foreign.any():
        i = int(foreign.argmax())
        raise BarError(f"time {texts.iloc[i]!r} is not in UTC", file, row_of(values, i))
    plain = texts.str.replace(r"\s*(?:utc|gmt|z|[+-]00(?::?00)?)$", "", case=False, regex=True)
    # the parser must not see anything else that it might read as an offset
    plain = plain.where(plain.str.fullmatch(_PLAIN_TIME), None)
    stamps: Any = pd.to_datetime(plain, format="ISO8601", errors="coerce")
    missing = stamps.isna().to_numpy()
    if missing.any():
        i = int(missing.argmax())
        raise BarError(
            f"time {texts.iloc[i]!r} cannot be read: use ISO 8601, such as 2020-01-01 00:00", file, row_of(values, i)
        )
    return _from_datetimes(stamps, file)
