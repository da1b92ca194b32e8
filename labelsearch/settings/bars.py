"""The bars of an experiment."""

import itertools
from pathlib import Path

import numpy as np

from labelsearch.labels.spans import DAY_MS, coverage
from labelsearch.market import resample
from labelsearch.market.bars import Bars
from labelsearch.market.calendars import ALWAYS, Calendar
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.market.times import time_text
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError

LEAST_COVERAGE = 0.8  # of each window: with less, figures of the window are figures of other days


def load_bars(experiment: Experiment, store: Path) -> Bars:
    """Bars from the start of train to the end of future, on a dense grid.

    Raises
    ------
    ExperimentError
        If the stored bars do not reach from the first to the last day of the windows, or a window has less than
        `LEAST_COVERAGE` of its bars.
    """
    data, windows = experiment.data, experiment.windows.named
    start, stop = windows["train"].start_ms, windows["future"].stop_ms
    if data.source == "synthetic":
        n_minutes = (stop - start) // 60_000
        minutes = synthetic_bars(
            n_minutes, data.market_seed, edge=data.edge, start=experiment.windows.train[0], symbol=data.symbol
        )
        return resample.resample(minutes, data.interval_ms)
    bars = resample.load_bars(Store(store), data.symbol, data.interval, start, stop)
    if data.calendar != ALWAYS:
        return _on_calendar(bars, experiment)
    if len(bars) == 0 or bars.open_time[0] >= start + DAY_MS or bars.open_time[-1] < stop - DAY_MS:
        have = f"{bars.index[0]:%Y-%m-%d} to {bars.index[-1]:%Y-%m-%d}" if len(bars) else "none"
        raise ExperimentError(
            f"the windows need bars from {experiment.windows.train[0]} to {experiment.windows.future[1]}, "
            f"but the store has {have} of them for {data.symbol}"
        )
    for window, share in coverage(bars.open_time, windows).items():
        if share < LEAST_COVERAGE:
            raise ExperimentError(
                f"the store has {100.0 * share:.1f} % of the bars of {data.symbol} in {window}, "
                f"and {100.0 * LEAST_COVERAGE:g} % are needed: choose other days, or see `labelsearch data check`"
            )
    return bars.on_grid()


def _on_calendar(bars: Bars, experiment: Experiment) -> Bars:
    """The grid of a calendar, after the same checks against the bars that it expects."""
    name, windows = experiment.data.calendar, experiment.windows.named
    try:
        grid = bars.on_grid(name)
    except BarError as error:
        raise ExperimentError(f"{bars.symbol}: {error}") from None
    present = grid.present().open_time
    for window, span in windows.items():
        expected = Calendar(name).opens(span.start_ms, span.stop_ms, bars.interval_ms)
        missing = np.setdiff1d(expected, present)
        if len(missing) > (1.0 - LEAST_COVERAGE) * len(expected) or not len(expected):
            first = f"; the first one missing is {time_text(int(missing[0]))} UTC" if len(missing) else ""
            raise ExperimentError(
                f"the store has {len(expected) - len(missing):,} of the {len(expected):,} bars of {bars.symbol} in "
                f"{window} that calendar {name} expects, and {100.0 * LEAST_COVERAGE:g} % are needed{first}"
            )
    _check_gaps(experiment, grid)
    return grid


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
