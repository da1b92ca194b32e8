"""Conversion of times to milliseconds since the epoch, UTC."""

import re
import time
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.rules import BarError

DAY_MS = 86_400_000
EARLIEST_MS = -2_208_988_800_000  # 1900-01-01
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}

_INTERVAL = re.compile(r"([1-9]\d{0,4})([smhd])")
_PLAIN_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?")
_ZERO_OFFSETS = ("+00:00", "+0000", " UTC", " GMT", "Z", "z", "+00")
_WITH_ZERO_OFFSET = re.compile(r".{10,}:\d{2}(?:[.,]\d+)?(?:\+00:00|\+0000| UTC| GMT|Z|z|\+00)")
_DOTTED = re.compile(r"\d{4}([./])\d{2}[./]\d{2}(?:[ T].*)?")
# a date in one of three orders, a time with or without seconds or am and pm, and an offset
_ANY_TIME = re.compile(
    r"(?:(?P<year>\d{4})(?P<s>[-./])(?P<month>\d{1,2})(?P=s)(?P<day>\d{1,2})"
    r"|(?P<one>\d{1,2})(?P<t>[-./])(?P<two>\d{1,2})(?P=t)(?P<late>\d{4})|(?P<digits>\d{8}))"
    r"(?:[T ]+(?P<hour>\d{1,2})(?:(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"|(?P<packed>\d{2}(?:\d{2})?))(?:\s*(?P<half>[ap]m))?|[- ]*(?P<only>[ap]m))"
    r"\s*(?P<zone>z|(?:utc|gmt)?[+-]\d{2}(?::?\d{2})?|utc|gmt)?)?",
    re.I,
)
# Units that numbers may be in. From 1973 to now no number fits two of them: smaller ones are not taken for times.
_PER_MS = {"seconds": 0.001, "milliseconds": 1, "microseconds": 1_000, "nanoseconds": 1_000_000}
_LEAST_MS = 100_000_000_000  # 1973-03-03
DATE_ORDERS = ("dmy", "mdy")


class Spelling(NamedTuple):
    """What the times of a file leave open."""

    zone: str = "UTC"  # of times without one, as ``Europe/Athens``
    date_order: str = ""  # of dates such as 01/02/2020: dmy or mdy, empty if the column shows it
    mixed_units: bool = False  # whether some numbers may be in one unit and some in another


PLAIN = Spelling()


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


def span_text(ms: int) -> str:
    """A length of time as ``interval_name`` writes it, or in milliseconds: ``2h``, ``90m``, ``1500ms``."""
    return interval_name(ms) if ms % 1000 == 0 else f"{ms}ms"


def parse_span(text: str) -> int:
    """Milliseconds of a length of time such as ``2h`` or ``90m``; `BarError` for other text."""
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise BarError(f"{text!r} is not a length of time: use 2h, 90m or 30s")
    return int(match[1]) * UNITS[match[2]]


def now_ms() -> int:
    """Clock of this machine, ms since the epoch."""
    return int(time.time() * 1000)


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


def to_ms(values: pd.Series, file: object = None, spelling: Spelling = PLAIN) -> NDArray[np.int64]:
    """Milliseconds since the epoch, UTC, int64 (T,), rounded down but not yet on a grid.

    Parameters
    ----------
    values : pandas.Series of length T
        Numbers in seconds, milliseconds, microseconds or nanoseconds, which their size tells apart; datetimes; or text:
        ISO 8601, dates with dots or slashes, twelve hours with am and pm; dates of 8, 12 or 14 digits. Offsets count.
    file : optional
        Named in errors.
    spelling : Spelling
        What the values leave open.

    Raises
    ------
    BarError
        For unreadable or ambiguous times, two units in one column, times before 1900 or after tomorrow.
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        ms = _from_datetimes(values.dt.tz_convert("UTC").dt.tz_localize(None), file)
    elif pd.api.types.is_datetime64_dtype(values.dtype):
        ms = _in_zone(_from_datetimes(values, file), spelling.zone, values, file)
    elif pd.api.types.is_bool_dtype(values.dtype):
        raise BarError("times are neither numbers nor dates", file)
    elif pd.api.types.is_numeric_dtype(values.dtype) and not _are_digits(values):
        ms = _from_numbers(values, file, spelling)
    else:
        try:
            ms = _from_strings(values, file, spelling)
        except BarError:
            raise
        except (ValueError, TypeError):  # lists and the like
            raise BarError("times are neither numbers nor dates", file) from None
    outside = (ms < EARLIEST_MS) | (ms >= _latest_ms())
    if outside.any():
        i = int(outside.argmax())
        raise BarError(f"time {_show(ms[i])} is outside 1900-01-01..tomorrow", file, row_of(values, i))
    return ms


def native_times(
    values: pd.Series, file: object = None, mixed: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    """Numeric times in milliseconds, rounded down; the integers themselves; their units per millisecond.

    Raises
    ------
    BarError
        As `to_ms`.
    """
    exact = pd.api.types.is_integer_dtype(values.dtype) and not values.isna().any()
    numbers = values.to_numpy(dtype=np.int64) if exact else values.to_numpy(dtype=np.float64, na_value=np.nan)
    unit = np.full(len(numbers), -1)
    for k, per_ms in enumerate(_PER_MS.values()):
        unit[(numbers >= _LEAST_MS * per_ms) & (numbers < _latest_ms() * per_ms)] = k
    broken = ~np.isfinite(numbers) | ((numbers != np.floor(numbers)) & (unit != 0))
    if broken.any():
        i = int(broken.argmax())
        raise BarError(f"time {values.iloc[i]} cannot be read", file, row_of(values, i))
    if (unit < 0).any():
        i = int((unit < 0).argmax())
        rule = f"time {numbers[i]:.0f} is outside 1973-03-03..tomorrow in seconds and in every smaller unit"
        raise BarError(rule, file, row_of(values, i))
    other = unit != unit[:1]
    if other.any() and not mixed:
        i, names = int(other.argmax()), list(_PER_MS)
        rule = f"some times are in {names[unit[0]]} and some in {names[unit[i]]}"
        raise BarError(rule, file, row_of(values, i))
    ms = np.empty(len(numbers), dtype=np.int64)
    for k, per_ms in enumerate(_PER_MS.values()):
        own = unit == k
        # a fraction of a second must not lose a millisecond to rounding
        ms[own] = numbers[own] // per_ms if k else np.floor(numbers[own] * 1000.0 + 1e-3).astype(np.int64)
    return ms, numbers.astype(np.int64), list(_PER_MS.values())[unit[0]] if len(unit) else 1


def row_of(values: pd.Series | pd.DataFrame, i: int) -> int:
    """Data row, from 1, of position ``i``; an integer index holds the rows of the file."""
    index = values.index
    if pd.api.types.is_integer_dtype(index.dtype) and index.name != "open_time":
        return int(index[i]) + 1
    return i + 1


def _latest_ms() -> int:
    return now_ms() + DAY_MS


def _show(ms: int) -> str:
    try:
        return time_text(int(ms))
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"


def _are_digits(values: pd.Series) -> bool:
    """Whether numbers are dates of eight digits, as 20200131."""
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return bool(len(numbers)) and bool(((numbers >= 19000101) & (numbers <= 22001231)).all())


def _from_numbers(values: pd.Series, file: object, spelling: Spelling) -> NDArray[np.int64]:
    text = _written_out(values)
    return native_times(values, file, spelling.mixed_units)[0] if text is None else _from_strings(text, file, spelling)


def _written_out(values: pd.Series) -> pd.Series | None:
    """Dates with times of day, as 20200131 1530, of numbers that all are such, of 12 or 14 digits; else None."""
    # milliseconds of 1976 have 12 digits too, but not long those of dates
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    for minute in (numbers, numbers // 100):
        month, day, hour = minute // 1e6 % 100, minute // 1e4 % 100, minute // 100 % 100
        dates = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (hour < 24) & (minute % 100 < 60)
        if len(dates) and (dates & (minute >= 190001010000) & (minute <= 209912312359) & (numbers % 1 == 0)).all():
            digits = pd.Series(numbers.astype(np.int64), index=values.index).astype("str")
            return digits.str[:8] + " " + digits.str[8:]
    return None


def _from_datetimes(values: pd.Series, file: object) -> NDArray[np.int64]:
    missing = values.isna().to_numpy()
    if missing.any():
        i = int(missing.argmax())
        raise BarError("time is missing", file, row_of(values, i))
    return values.to_numpy().astype("datetime64[ms]").astype(np.int64)


def _in_zone(ms: NDArray[np.int64], zone: str, values: pd.Series, file: object) -> NDArray[np.int64]:
    """Times of a zone in UTC; `BarError` for an unknown zone, and for times that clocks show twice or never."""
    if zone == "UTC":
        return ms
    try:
        local = pd.DatetimeIndex(ms.astype("datetime64[ms]")).tz_localize(
            ZoneInfo(zone), ambiguous="NaT", nonexistent="NaT"
        )
    except (KeyError, ValueError, OSError):
        raise BarError(f"{zone!r} is not a time zone: use a name such as Europe/Athens", file) from None
    unclear = np.asarray(local.isna())
    if unclear.any():
        i = int(unclear.argmax())
        raise BarError(f"time {time_text(int(ms[i]))} exists twice or never in {zone}", file, row_of(values, i))
    return np.asarray(local.tz_convert("UTC").tz_localize(None)).astype("datetime64[ms]").astype(np.int64)


def _from_strings(values: pd.Series, file: object, spelling: Spelling) -> NDArray[np.int64]:
    if pd.api.types.is_numeric_dtype(values.dtype):
        values = values.astype(np.int64)
    texts = values.astype("str").str.strip()
    missing = texts.isna().to_numpy()
    if missing.any():
        raise BarError("time is missing", file, row_of(values, int(missing.argmax())))
    if len(texts) and re.fullmatch(r"\d{9,}(\.\d*)?", texts.iloc[0]):
        # a column of numbers with some other text in it
        numbers = pd.to_numeric(texts, errors="coerce")
        stray = numbers.isna().to_numpy()
        if stray.any():
            i = int(stray.argmax())
            raise BarError(f"time {texts.iloc[i]!r} cannot be read", file, row_of(values, i))
        return _from_numbers(numbers, file, spelling)
    # nearly all files are of a spelling that pandas reads, but for an offset of zero and the dots of a date
    zoned = texts.str.fullmatch(_WITH_ZERO_OFFSET)
    without = texts
    for offset in _ZERO_OFFSETS:
        without = without.str.removesuffix(offset)
    without = without.where(zoned, texts)
    dotted = without.str.fullmatch(_DOTTED)
    without = without.where(~dotted, without.str.slice_replace(4, 5, "-").str.slice_replace(7, 8, "-"))
    stamps = pd.to_datetime(without.where(without.str.fullmatch(_PLAIN_TIME), None), format="ISO8601", errors="coerce")
    plain = stamps.notna().to_numpy()
    local = plain & ~zoned.to_numpy()
    ms = np.zeros(len(texts), dtype=np.int64)
    ms[plain] = _from_datetimes(stamps[plain], file)
    if not plain.all():
        ms[~plain], local[~plain] = _from_any(texts[~plain], file, spelling)
    if local.any():
        ms[local] = _in_zone(ms[local], spelling.zone, values[local], file)
    return ms


def _from_any(texts: pd.Series, file: object, spelling: Spelling) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Milliseconds of times in any known spelling, and whether each is local, that is without an offset."""
    parts = pd.DataFrame([m.groupdict() if (m := _ANY_TIME.fullmatch(text)) else {} for text in texts])
    parts = parts.reindex(columns=list(_ANY_TIME.groupindex)).set_index(texts.index)
    known = parts[["year", "late", "digits"]].notna().any(axis=1).to_numpy()
    if not known.all():
        i = int((~known).argmax())
        rule = f"time {texts.iloc[i]!r} cannot be read: use ISO 8601, such as 2020-01-01 00:00"
        raise BarError(rule, file, row_of(texts, i))
    day_first = _day_first(parts, file, spelling)
    number = {name: pd.to_numeric(parts[name]).fillna(0).to_numpy(dtype=np.int64) for name in _NUMBERS}
    year = np.where(number["late"] > 0, number["late"], number["year"])
    first, second = (number["two"], number["one"]) if day_first else (number["one"], number["two"])
    month, day = (
        np.where(number["late"] > 0, first, number["month"]),
        np.where(number["late"] > 0, second, number["day"]),
    )
    packed = number["digits"] > 0
    year = np.where(packed, number["digits"] // 10_000, year)
    month = np.where(packed, number["digits"] // 100 % 100, month)
    day = np.where(packed, number["digits"] % 100, day)
    half = parts["half"].fillna(parts["only"]).str.lower()
    hour = np.where(half.notna(), number["hour"] % 12, number["hour"]) + np.where(half == "pm", 12, 0)
    short = parts["packed"].str.len().to_numpy() == 2
    minute = number["minute"] + np.where(short, number["packed"], number["packed"] // 100)
    second = number["second"] + np.where(short, 0, number["packed"] % 100)
    text = [f"{y:04d}-{m:02d}-{d:02d}" for y, m, d in zip(year, month, day, strict=True)]
    days = pd.to_datetime(pd.Series(text, index=texts.index), format="%Y-%m-%d", errors="coerce")
    wrong = (days.isna() | (hour > 23) | (minute > 59) | (second > 59)).to_numpy()
    if wrong.any():
        i = int(wrong.argmax())
        raise BarError(f"time {texts.iloc[i]!r} does not exist", file, row_of(texts, i))
    part = parts["part"].fillna("0").str.ljust(3, "0").str[:3].astype(np.int64).to_numpy()
    ms = _from_datetimes(days, file) + ((hour * 60 + minute) * 60 + second) * 1000 + part
    offset = parts["zone"].fillna("").str.lower().str.replace(r"^(?:utc|gmt)(?=.)|:", "", regex=True)
    offset = offset.replace(["z", "utc", "gmt"], "+00")
    minutes = pd.to_numeric(offset.str[1:3]).fillna(0) * 60 + pd.to_numeric(offset.str[3:5]).fillna(0)
    sign = np.where(offset.str[:1] == "-", -1, 1)
    return ms - (sign * minutes.to_numpy(dtype=np.int64)) * 60_000, (offset == "").to_numpy()


_NUMBERS = ("year", "month", "day", "one", "two", "late", "digits", "hour", "minute", "second", "packed")


def _day_first(parts: pd.DataFrame, file: object, spelling: Spelling) -> bool:
    """Whether dates that end in the year begin with the day; the column, dots between the numbers or the option say."""
    one, two = (pd.to_numeric(parts[name]).to_numpy(dtype=np.float64) for name in ("one", "two"))
    if spelling.date_order or np.isnan(one).all():
        return spelling.date_order == "dmy"
    if (parts["t"] == ".").any():
        return True
    day_first, month_first = bool((one > 12).any()), bool((two > 12).any())
    if day_first == month_first:
        i = int((~np.isnan(one)).argmax())
        rule = f"whether {int(one[i]):02d}/{int(two[i]):02d} is day/month or month/day is not clear: say dmy or mdy"
        raise BarError(rule, file, row_of(parts, i))
    return day_first
