"""When markets are open: the bars that a calendar expects.

``24/7`` expects every bar. ``FX`` is open from Sunday 17:00 to Friday 17:00 in New York, without holidays. Other names
are those of the library exchange-calendars, which knows sessions, holidays, half days and breaks.

Bars are stamped as the store has them: at multiples of their interval since midnight UTC. A bar is expected if some
trading time lies within it, so that the first hour of New York, 09:30 to 10:00, is the bar of 09:00. A daily bar is
stamped 00:00 UTC of the day of its session; that of ``FX`` is the UTC day, so that Sundays have one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.rules import BarError
from labelsearch.market.times import DAY_MS, UNITS, interval_name, parse_span, time_text

ALWAYS, FX = "24/7", "FX"
USUAL_YEARS = 2004, 2023  # that say how many days and bars are usual
ANCHOR_MS = 946_684_800_000  # 2000-01-01, from which bars are numbered
FEW_OUTSIDE = 0.01  # share of bars at closed times of open days that are left out, as closing auctions of half days

Times = NDArray[np.int64]


class Sessions(NamedTuple):
    """Stretches of trading time, two for a session with a break: day of the session, start and end (S,), ms UTC."""

    day: Times
    start: Times
    stop: Times


@dataclass(frozen=True)
class Calendar:
    """Trading hours of a market; `find_calendar` checks the name."""

    name: str

    def opens(self, start_ms: int, stop_ms: int, interval_ms: int) -> Times:
        """Start of each expected bar (T,) in [start_ms, stop_ms), ms since the epoch, UTC, rising.

        Raises
        ------
        BarError
            If the calendar does not cover the range.
        """
        if self.name == ALWAYS:
            first = -(-start_ms // interval_ms)
            return np.arange(first, max(first, -(-stop_ms // interval_ms)), dtype=np.int64) * interval_ms
        if stop_ms <= start_ms:
            return np.empty(0, dtype=np.int64)
        years = (datetime.fromtimestamp(ms / 1000, UTC).year for ms in (start_ms - 3 * DAY_MS, stop_ms + 3 * DAY_MS))
        sessions = _sessions(self.name, *years)
        near = (np.maximum(sessions.stop, sessions.day + 1) > start_ms - DAY_MS) & (
            np.minimum(sessions.start, sessions.day) < stop_ms + DAY_MS
        )
        sessions = Sessions(*(times[near] for times in sessions))
        times = np.unique(_bars_of(sessions, interval_ms, by_day=self.name != FX)[1])
        return times[slice(*np.searchsorted(times, (start_ms, stop_ms)))]

    def count(self, start_ms: int, stop_ms: int, interval_ms: int) -> int:
        """Number of bars in [start_ms, stop_ms)."""
        if self.name == ALWAYS:
            return max(-(-stop_ms // interval_ms) + (-start_ms // interval_ms), 0)
        return len(self.opens(start_ms, stop_ms, interval_ms))

    def number(self, open_time_ms: int, interval_ms: int) -> int:
        """Number of a bar, counted from 2000-01-01 or the start of the calendar, so that it depends on no data."""
        if self.name == ALWAYS:
            return open_time_ms // interval_ms
        anchor = max(ANCHOR_MS, _bounds(self.name)[0])
        if open_time_ms >= anchor:
            return self.count(anchor, open_time_ms, interval_ms)
        return -self.count(open_time_ms, anchor, interval_ms)

    def moved(self, open_time_ms: int, n_bars: int, interval_ms: int) -> int:
        """Start of the bar that comes ``n_bars`` after an expected one, before it if negative.

        Raises
        ------
        BarError
            If the calendar does not cover it.
        """
        if self.name == ALWAYS:
            return open_time_ms + n_bars * interval_ms
        reach = abs(n_bars) * interval_ms + 14 * DAY_MS
        for _ in range(12):
            if n_bars >= 0:
                times = self.opens(open_time_ms, open_time_ms + reach, interval_ms)
            else:
                times = self.opens(open_time_ms - reach, open_time_ms + 1, interval_ms)[::-1]
            if len(times) > abs(n_bars):
                return int(times[abs(n_bars)])
            reach *= 2
        raise BarError(f"calendar {self.name} does not cover {n_bars} bars from {time_text(open_time_ms)}")

    def bars_a_session(self, interval_ms: int) -> int:
        """Bars of a usual session."""
        if self.name == ALWAYS:
            return DAY_MS // interval_ms
        sessions = _sessions(self.name, USUAL_YEARS[1], USUAL_YEARS[1])
        session, times = _bars_of(sessions, interval_ms, by_day=True)
        pairs = np.unique(np.stack([session, times]), axis=1)  # halves of a session may share a bar
        counts = np.unique(pairs[0], return_counts=True)[1]
        return int(np.bincount(counts).argmax())

    def days_a_year(self, interval_ms: int) -> int:
        """UTC days with bars in a usual year, as many as there are daily returns: 365 for 24/7, 252 for New York."""
        if self.name == ALWAYS:
            return 365
        first = max(USUAL_YEARS[0], datetime.fromtimestamp(_bounds(self.name)[0] / 1000, UTC).year + 1)
        sessions = _sessions(self.name, min(first, USUAL_YEARS[1]), USUAL_YEARS[1])
        coarse = min(max(interval_ms, UNITS["h"]), DAY_MS)  # shorter bars lie on the same days
        days = np.unique(_bars_of(sessions, coarse, by_day=self.name != FX)[1] // DAY_MS)
        n_years = len(np.unique(sessions.day.astype("datetime64[ms]").astype("datetime64[Y]")))
        return round(len(days) / n_years)


def find_calendar(name: str) -> Calendar:
    """The calendar of a name.

    Raises
    ------
    BarError
        If it is unknown, or exchange-calendars is not installed.
    """
    if name not in (ALWAYS, FX):
        _library_class(name)
    return Calendar(name)


def bars_of_span(text: str, interval_ms: int, calendar: str) -> int:
    """Number of bars of a length of trading time such as ``60m`` or ``5d``: a day is a usual session of the calendar.

    >>> bars_of_span("90m", 1_800_000, "24/7"), bars_of_span("1d", 3_600_000, "24/7")
    (3, 24)

    Raises
    ------
    BarError
        If it is not a whole number of bars.
    """
    if calendar != ALWAYS and text.endswith("d"):
        return parse_span(text) // DAY_MS * find_calendar(calendar).bars_a_session(interval_ms)
    span = parse_span(text)
    if span % interval_ms:
        raise BarError(f"{text} is not a whole number of bars of {interval_name(interval_ms)}")
    return span // interval_ms


def expected_among(open_time: Times, expected: Times, calendar: str, interval_ms: int) -> NDArray[np.bool_]:
    """Which of the bars (T,) are expected.

    Raises
    ------
    BarError
        For a bar on a day that has none, and if more than `FEW_OUTSIDE` of all are at closed times of other days.
    """
    inside = np.isin(open_time, expected)
    closed = ~inside & ~np.isin(open_time // DAY_MS, expected // DAY_MS)
    for outside, most in ((closed, 0.0), (~inside, FEW_OUTSIDE)):
        if outside.mean() > most:
            when, count = time_text(int(open_time[outside.argmax()])), f"{int(outside.sum()):,} of {len(open_time):,}"
            raise BarError(
                f"calendar {calendar} does not fit: {count} bars of {interval_name(interval_ms)} are at times when it "
                f"is closed, the first is {when} UTC"
            )
    return inside


def _bars_of(sessions: Sessions, interval_ms: int, *, by_day: bool) -> tuple[Times, Times]:
    """Day of the session and start of every bar within stretches; some may occur twice.

    Daily bars are at the day of the session if ``by_day``.
    """
    if interval_ms == DAY_MS and by_day:
        return sessions.day, sessions.day
    first = sessions.start // interval_ms
    count = (sessions.stop - 1) // interval_ms - first + 1
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(sessions.day, count), (np.repeat(first, count) + within) * interval_ms


@lru_cache(maxsize=8)
def _sessions(name: str, first_year: int, last_year: int) -> Sessions:
    """Sessions of whole years."""
    if name == FX:
        return _fx_sessions(first_year, last_year)
    import exchange_calendars

    first, last = pd.Timestamp(f"{first_year}-01-01"), pd.Timestamp(f"{last_year}-12-31")
    earliest, latest = (pd.Timestamp(ms, unit="ms") for ms in _bounds(name))
    if last < earliest or first > latest:
        raise BarError(f"calendar {name} covers {earliest:%Y-%m-%d} to {latest:%Y-%m-%d}")
    # the years around are for sessions that begin on the evening before
    schedule = exchange_calendars.get_calendar(name, start=max(first, earliest), end=min(last, latest)).schedule
    day = _ms(schedule.index)
    start, stop = _ms(schedule["open"]), _ms(schedule["close"])
    pause, again = _ms(schedule["break_start"]), _ms(schedule["break_end"])
    split = schedule["break_start"].notna().to_numpy()
    return Sessions(
        np.concatenate([day, day[split]]),
        np.concatenate([start, again[split]]),
        np.concatenate([np.where(split, pause, stop), stop[split]]),
    )


def _fx_sessions(first_year: int, last_year: int) -> Sessions:
    """Five sessions a week, from 17:00 to 17:00 in New York, on the days on which they end."""
    days = pd.date_range(f"{first_year}-01-01", f"{last_year}-12-31")
    days = days[days.day_of_week < 5]
    ends = [(days + pd.Timedelta(days=k) + pd.Timedelta(hours=17)).tz_localize("America/New_York") for k in (-1, 0)]
    return Sessions(_ms(days), _ms(ends[0]), _ms(ends[1]))


def _ms(times: Any) -> Times:
    """Times of pandas as ms since the epoch; 0 where there is none."""
    index = pd.DatetimeIndex(times)
    naive = index.tz_convert(None) if index.tz is not None else index
    return naive.fillna(pd.Timestamp(0)).as_unit("ms").asi8


@lru_cache(maxsize=8)
def _bounds(name: str) -> tuple[int, int]:
    """First and last time that a calendar covers."""
    first, last = pd.Timestamp("1900-01-01"), pd.Timestamp("2099-12-31")
    if name != FX:
        kind = _library_class(name)
        first, last = kind.bound_min() or first, kind.bound_max() or last
    return tuple(int(_ms([end])[0]) for end in (first, last))  # type: ignore[return-value]


@lru_cache(maxsize=8)
def _library_class(name: str) -> Any:
    try:
        import exchange_calendars
    except ImportError:
        raise BarError(
            f"calendar {name} needs exchange-calendars: pip install 'labelsearch[sessions]'; {ALWAYS} and {FX} do not"
        ) from None
    try:
        return type(exchange_calendars.get_calendar(name))
    except exchange_calendars.errors.InvalidCalendarName:
        raise BarError(
            f"calendar {name!r} is unknown: use {ALWAYS}, {FX}, or a name of exchange-calendars such as XNYS"
        ) from None
