"""Stage: the buy and sell probabilities of every classifier, bar by bar, on past and future."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from feature_space.feature_set import FeatureSet
from feature_space.indicators import Inputs
from labelsearch.engine.files import Files
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import BUY, SELL, Label
from labelsearch.labels.spans import Span, coverage
from labelsearch.market.bars import Bars
from labelsearch.market.calendars import ALWAYS, Calendar
from labelsearch.results.classifiers import Classifiers
from labelsearch.results.features import FeatureSets
from labelsearch.results.outputs import BarCounts, Outputs
from labelsearch.stages.features import inputs_of
from strategies.trade.window import TradingWindow

SIDES = (BUY, SELL)


@dataclass(frozen=True)
class OutputInputs:
    """All that the stage may know."""

    label_kinds: tuple[Label, ...]
    bars: Bars  # on the grid
    train: Span
    past: Span
    future: Span
    features: Stored[FeatureSets]
    classifiers: Stored[Classifiers]


class OutputTask(NamedTuple):
    """The classifier of one label."""

    network: Files
    feature_set: FeatureSet


class OutputColumns(NamedTuple):
    """What all labels share."""

    inputs: Inputs  # (T,) each
    rows: dict[str, slice]  # of the windows
    origin: int  # number of the first row, as it is when followed live


def output_unit(task: OutputTask, shared: OutputColumns) -> Files:
    """Probabilities (N, 2) of buy and sell in each window, as float32 in row order."""
    from labelsearch.classifiers.files import network_from_files
    from labelsearch.classifiers.networks import window_of
    from labelsearch.classifiers.prediction import predict

    network = network_from_files(task.network)
    # the windows of some networks reach back; most of train is not needed
    start = max(min(rows.start for rows in shared.rows.values()) - window_of(network) + 1, 0)
    matrix = task.feature_set.matrix(shared.inputs, start)

    def side_bytes(rows: slice) -> bytes:
        index = np.arange(rows.start - start, rows.stop - start)
        return predict(network, matrix, index, origin=shared.origin + start)[:, SIDES].tobytes()

    return {window: side_bytes(rows) for window, rows in shared.rows.items()}


def run(inputs: OutputInputs, work: Work) -> Outputs:
    """Compute the outputs on both windows; each label is a unit."""
    bars, names = inputs.bars, tuple(label.name for label in inputs.label_kinds)
    spans = {"past": inputs.past, "future": inputs.future}
    rows = {window: span.rows(bars.open_time) for window, span in spans.items()}
    networks, sets = inputs.classifiers.value.networks, inputs.features.value
    tasks = {name: OutputTask(networks[name], sets.of(name).feature_set) for name in names}
    done = work.units(output_unit, tasks, OutputColumns(inputs_of(bars), rows, bars.number))
    windows, year = [], calendar_year(bars)
    for window, r in rows.items():
        sides = [np.frombuffer(files[window], dtype=np.float32).reshape(-1, len(SIDES)) for files in done.values()]
        traded = ~bars.filled[r]
        seen = np.hstack(sides)[traded].astype(np.float64)
        prices = (bars.open[r][traded], bars.close[r][traded], bars.open_time[r][traded])
        windows.append(TradingWindow.of(seen, *prices, spans[window].months, year))
    past, future = windows
    return Outputs(names, count_bars(bars, {"train": inputs.train, **spans}), past, future)


def calendar_year(bars: Bars) -> int:
    """Days with bars in a year of the calendar; 0 without one, where the days that are there say it."""
    return 0 if bars.calendar == ALWAYS else Calendar(bars.calendar).days_a_year(bars.interval_ms)


def count_bars(bars: Bars, spans: dict[str, Span]) -> BarCounts:
    """Which bars these are, and how many are missing in each window; the first window says how many are usual."""
    missing = {window: int(bars.filled[span.rows(bars.open_time)].sum()) for window, span in spans.items()}
    covered = coverage(bars.open_time[~bars.filled], spans)
    if bars.calendar != ALWAYS:  # the grid has what is expected and nothing else
        covered = {window: 1.0 - float(bars.filled[span.rows(bars.open_time)].mean()) for window, span in spans.items()}
    return BarCounts(bars.symbol, len(bars), missing, covered, str(bars.index[0]), str(bars.index[-1]), bars.digest())


STAGE = Stage("outputs", OutputInputs, Outputs, run)
