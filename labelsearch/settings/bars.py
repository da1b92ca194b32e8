"""The bars of an experiment."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.spans import DAY_MS, Span, coverage
from labelsearch.market import resample
from labelsearch.market.bars import Bars
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
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
    """Bars from the start of train to the end of future, on a dense grid.

    Raises
    ------
    ExperimentError
        If the stored bars do not reach from the first to the last day of the windows, or a window has less than
        `LEAST_COVERAGE` of its bars.
    """
    windows = experiment.windows
    spans = windows.named
    bars = bars_of(experiment.data, store, windows.train[0], windows.future[1])
    start, stop = spans["train"].start_ms, spans["future"].stop_ms
    if len(bars) == 0 or bars.open_time[0] >= start + EDGE_MS or bars.open_time[-1] < stop - EDGE_MS:
        have = f"{bars.index[0]:%Y-%m-%d} to {bars.index[-1]:%Y-%m-%d}" if len(bars) else "none"
        raise ExperimentError(
            f"the windows need bars from {windows.train[0]} to {windows.future[1]}, "
            f"but the store has {have} of them for {experiment.data.symbol}"
        )
    check_coverage(bars.symbol, bars.open_time, spans, "choose other days, or see `labelsearch data check`")
    return bars.on_grid()


def check_coverage(symbol: str, open_time: NDArray[np.int64], spans: dict[str, Span], advice: str) -> None:
    """Raise `ExperimentError` if a window has less than `LEAST_COVERAGE` of its bars, which open at some times."""
    for window, share in coverage(open_time, spans).items():
        if share < LEAST_COVERAGE:
            raise ExperimentError(
                f"the store has {100.0 * share:.1f} % of the bars of {symbol} in {window}, "
                f"and {100.0 * LEAST_COVERAGE:g} % are needed: {advice}"
            )
