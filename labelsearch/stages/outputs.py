"""Stage: the buy and sell probabilities of every classifier, bar by bar, on past and future."""

from dataclasses import dataclass

import numpy as np

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


def run(inputs: OutputInputs, work: Work) -> Outputs:
    """Compute the outputs on both windows."""
    from labelsearch.classifiers.files import network_from_files
    from labelsearch.classifiers.prediction import predict

    bars, names = inputs.bars, tuple(label.name for label in inputs.label_kinds)
    columns = inputs_of(bars)
    spans = {"past": inputs.past, "future": inputs.future}
    rows = {window: span.rows(bars.open_time) for window, span in spans.items()}
    origin = bars.number  # as it is when followed live
    outputs = {w: np.empty((r.stop - r.start, 2 * len(names)), dtype=np.float32) for w, r in rows.items()}
    work.progress(0, len(names))
    for index, name in enumerate(names):
        network = network_from_files(inputs.classifiers.value.networks[name])
        matrix = inputs.features.value.of(name).feature_set.matrix(columns)
        for window, r in rows.items():
            # windows of bars may reach back
            probabilities = predict(network, matrix, np.arange(r.start, r.stop), origin=origin)
            outputs[window][:, 2 * index : 2 * index + 2] = probabilities[:, SIDES]
        work.progress(index + 1, len(names))
    windows, year = [], calendar_year(bars)
    for window, r in rows.items():
        traded = ~bars.filled[r]
        seen = outputs[window][traded].astype(np.float64)
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
