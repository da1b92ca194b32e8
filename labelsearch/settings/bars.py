"""The bars of an experiment."""

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.spans import DAY_MS, Span, coverage
from labelsearch.market import resample
from labelsearch.market.bars import Bars
from labelsearch.market.calendars import ALWAYS, Calendar
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.market.times import time_text
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Data

LEAST_COVERAGE = 0.8  # of each window: with less, figures of the window are figures of other days
EDGE_MS = 5 * DAY_MS  # days at an edge of the windows that may lack bars: the longest closure of a market


def bars_of(data: Data, store: Path, first_day: str, last_day: str) -> Bars:
    """Bars of one market in some days, without a grid.

    Raises
    ------
    BarError
        If the store has no bars of the symbol then.
    """
    span = Span.of_days(first_day, last_day)
    if data.source == "store":
        return resample.load_bars(Store(store), data.symbol, data.interval, span.start_ms, span.stop_ms)
    begin = data.market_start or first_day
    n_minutes = (span.stop_ms - Span.of_days(begin, begin).start_ms) // 60_000
    minutes = synthetic_bars(n_minutes, data.market_seed, edge=data.edge, start=begin, symbol=data.symbol)
    return resample.resample(minutes, data.interval_ms).between(span.start_ms, span.stop_ms)


def load_bars(experiment: Experiment, store: Path) -> Bars:
    """Bars from the start of train to the end of future, on a dense grid, or on that of their calendar.

    Raises
    ------
    ExperimentError
        If the stored bars do not reach from the first to the last day of the windows, a window has less than
        `LEAST_COVERAGE` of its bars, or they do not fit the calendar.
    """
    data, windows = experiment.data, experiment.windows
    spans = windows.named
    bars = bars_of(data, store, windows.train[0], windows.future[1])
    start, stop = spans["train"].start_ms + EDGE_MS, spans["future"].stop_ms - EDGE_MS
    always = data.calendar == ALWAYS  # a calendar says below which bars are missing
    if len(bars) == 0 or (always and (bars.open_time[0] >= start or bars.open_time[-1] < stop)):
        have = f"{bars.index[0]:%Y-%m-%d} to {bars.index[-1]:%Y-%m-%d}" if len(bars) else "none"
        raise ExperimentError(
            f"the windows need bars from {windows.train[0]} to {windows.future[1]}, "
            f"but the store has {have} of them for {data.symbol}"
        )
    grid = on_grid(data, bars)
    check_coverage(data, grid.present().open_time, spans, "choose other days, or see `labelsearch data check`")
    if not always:
        _check_gaps(experiment, grid)
    return grid


def on_grid(data: Data, bars: Bars) -> Bars:
    """Bars on a dense grid, or on that of their calendar; `ExperimentError` if they do not fit it."""
    if data.calendar == ALWAYS:
        return bars.on_grid()
    try:
        return bars.on_grid(data.calendar)
    except BarError as error:
        raise ExperimentError(f"{bars.symbol}: {error}") from None


def check_coverage(data: Data, open_time: NDArray[np.int64], spans: dict[str, Span], advice: str) -> None:
    """Raise `ExperimentError` if a window has less than `LEAST_COVERAGE` of its bars, which open at some times."""
    needed = f"{100.0 * LEAST_COVERAGE:g} % are needed"
    if data.calendar == ALWAYS:
        for window, share in coverage(open_time, spans).items():
            if share < LEAST_COVERAGE:
                have = f"{100.0 * share:.1f} % of the bars of {data.symbol} in {window}"
                raise ExperimentError(f"the store has {have}, and {needed}: {advice}")
        return
    for window, span in spans.items():
        expected = Calendar(data.calendar).opens(span.start_ms, span.stop_ms, data.interval_ms)
        missing = np.setdiff1d(expected, open_time)
        if len(missing) > (1.0 - LEAST_COVERAGE) * len(expected) or not len(expected):
            first = f"; the first one missing is {time_text(int(missing[0]))} UTC" if len(missing) else ""
            raise ExperimentError(
                f"the store has {len(expected) - len(missing):,} of the {len(expected):,} bars of {data.symbol} in "
                f"{window} that calendar {data.calendar} expects, and {needed}{first}"
            )


def _check_gaps(experiment: Experiment, grid: Bars) -> None:
    """Refuse windows that lie closer together than labels look ahead, in bars of the grid."""
    rows = {name: span.rows(grid.open_time) for name, span in experiment.windows.named.items()}
    longest = max((label.lookahead or 0) for label in experiment.label_kinds())
    for before, after in itertools.pairwise(rows):
        gap = rows[after].start - rows[before].stop
        if gap < longest:
            raise ExperimentError(
                f"windows {before!r} and {after!r} are {gap} bars of calendar {grid.calendar} apart, but labels look "
                f"{longest} bars ahead"
            )
