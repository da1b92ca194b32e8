"""Spans of time, and the purge that keeps labels from depending on bars across their edges."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import LabelError

DAY_MS = 86_400_000


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True)
class Span:
    """Time from ``start_ms`` to before ``stop_ms``, milliseconds since the epoch, UTC."""

    start_ms: int
    stop_ms: int

    @classmethod
    def of_days(cls, first: str, last: str) -> "Span":
        """Span of whole UTC days, both included, from ``YYYY-MM-DD``; `LabelError` if the last is before the first."""
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        if end < begin:
            raise LabelError(f"window ends on {last}, before its start {first}")
        return cls(_midnight_ms(begin), _midnight_ms(end + timedelta(days=1)))

    @property
    def days(self) -> float:
        """Length in days."""
        return (self.stop_ms - self.start_ms) / DAY_MS

    @property
    def months(self) -> float:
        """Length in months of 365.25/12 days."""
        return self.days / (365.25 / 12.0)

    def rows(self, open_time: NDArray[np.int64]) -> slice:
        """Rows of sorted open times, (T,) array of int64, ms, that lie in the span."""
        first, last = np.searchsorted(open_time, (self.start_ms, self.stop_ms))
        return slice(int(first), int(last))


def check_order(windows: dict[str, Span], lookahead_ms: int) -> None:
    """Refuse windows that overlap, are out of order, or lie closer together than labels look ahead.

    Parameters
    ----------
    windows : dict of str to Span
        By name, in time order.
    lookahead_ms : int
        Longest look-ahead of a label in milliseconds.

    Raises
    ------
    LabelError
        Naming the two windows, the gap and the gap needed.
    """
    names = list(windows)
    for before, after in itertools.pairwise(names):
        gap = windows[after].start_ms - windows[before].stop_ms
        if gap < 0:
            raise LabelError(f"window {after!r} starts before window {before!r} ends")
        if gap < lookahead_ms:
            raise LabelError(
                f"windows {before!r} and {after!r} are {gap / 60_000:g} minutes apart, "
                f"but labels look {lookahead_ms / 60_000:g} minutes ahead"
            )


def purged_split(
    last_used: NDArray[np.int64], usable: NDArray[np.bool_], boundary: int, stop: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to fit on and rows to validate on, so that no fitted label depends on a validation bar.

    Parameters
    ----------
    last_used : (T,) array of int64
        Last bar that the label of each bar depends on.
    usable : (T,) array of bool
        False for bars that must not be used at all (filled bars, warm-up).
    boundary, stop : int
        First validation row and end of the train window.

    Returns
    -------
    fit_rows, validation_rows : (N,) array of int64
        ``fit_rows`` lie before ``boundary`` and depend only on bars before it; ``validation_rows`` lie in
        [boundary, stop) and depend only on bars before ``stop``.
    """
    rows = np.flatnonzero(usable[:stop])
    fit = rows[(rows < boundary) & (last_used[rows] < boundary)]
    validation = rows[(rows >= boundary) & (last_used[rows] < stop)]
    return fit, validation


def purged_folds(
    last_used: NDArray[np.int64], fit: NDArray[np.int64], validation: NDArray[np.int64], boundary: int, n_folds: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Folds of train by time: rows to fit on and rows to validate on, purged on both sides of what is validated on.

    The first fold is the split itself. The part before ``boundary`` is cut into ``n_folds`` - 1 stretches of equal
    length; each further fold validates on the middle of one, as many rows as the last part spans where there is room,
    and fits on everything else of train (purged K-fold: Lopez de Prado 2018, chapter 7).

    Parameters
    ----------
    last_used : (T,) array of int64
        Last bar that the label of each bar depends on.
    fit, validation : (N,) array of int64
        The split of train, as `purged_split`.
    boundary : int
        First row of its last part.
    n_folds : int
        Number of folds, from 1.

    Returns
    -------
    list of (fit_rows, validation_rows)
        A fitted row before what is validated on depends on no bar of it, and no validated row depends on a fitted row
        after it. Either may be empty where train is short.
    """
    found = [(fit, validation)]
    if n_folds == 1 or not fit.size or not validation.size:
        return found * n_folds
    start, length = int(fit[0]), int(validation[-1]) + 1 - boundary
    edges = np.linspace(start, boundary, n_folds).astype(np.int64)
    rows = np.concatenate([fit, validation])
    for low, high in itertools.pairwise(edges.tolist()):
        spare = max(high - low - length, 0)
        first, stop = low + spare // 2, high - (spare - spare // 2)
        inside = fit[(fit >= first) & (last_used[fit] < stop)]
        outside = rows[(last_used[rows] < first) | (rows >= stop)]
        found.append((outside, inside))
    return found


def coverage(open_time: NDArray[np.int64], windows: Mapping[str, Span]) -> dict[str, float]:
    """Share of the expected bars that is present in each window, at most 1.

    Expected are, for each weekday, as many as on the median of such days of the first window that have bars, so that a
    market that is closed at night, or that often has no trade, lacks nothing. The market counts as closed on weekdays
    that have bars less than half as often as the busiest one, as at weekends.

    Parameters
    ----------
    open_time : (T,) array
        Opening times of the bars present, ms since the epoch, rising.
    windows : mapping of str to Span
        By name, the first one the standard.
    """
    n_bars, weekday = {}, {}
    for name, span in windows.items():
        edges = np.arange(span.start_ms, span.stop_ms + 1, DAY_MS)
        n_bars[name] = np.diff(np.searchsorted(open_time, edges))
        weekday[name] = (edges[:-1] // DAY_MS) % 7
    standard = next(iter(windows))
    known = np.unique(weekday[standard])
    days = [n_bars[standard][weekday[standard] == day] for day in known]
    open_share = np.array([np.mean(n > 0) for n in days])
    is_open = (open_share > 0) & (open_share >= open_share.max() / 2)
    medians = [float(np.median(n[n > 0])) if is_open[i] else 0.0 for i, n in enumerate(days)]
    usual = np.full(7, max(medians))  # of days that a first window of less than a week has not
    usual[known] = medians
    expected = {name: max(float(usual[which].sum()), 1.0) for name, which in weekday.items()}
    return {name: min(float(n.sum()) / expected[name], 1.0) for name, n in n_bars.items()}
