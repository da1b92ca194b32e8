"""The bars of an experiment."""

from pathlib import Path

from labelsearch.labels.spans import DAY_MS, coverage
from labelsearch.market import resample
from labelsearch.market.bars import Bars
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
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
