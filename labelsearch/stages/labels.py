"""Stage: label every bar of train with hindsight.

Labels are computed on bars before the past window only, so nothing of past or future can be in them. The counts of
past use bars before the future window.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelsearch.engine.stage import Stage, Work
from labelsearch.labels.base import Label, LabelValues, OfMarket
from labelsearch.labels.describe import class_counts, marks, mean_horizon, mean_leg, overlap, turning_points
from labelsearch.labels.spans import Span
from labelsearch.market.bars import Bars
from labelsearch.results.labels import LabelCounts, LabelSeries, WindowCounts


@dataclass(frozen=True)
class LabelInputs:
    """All that the stage may know."""

    label_kinds: tuple[Label, ...]
    label_price: str
    bars_before_future: Bars  # on the grid, from the first bar of train on
    train: Span
    past: Span
    across: OfMarket  # labels that compare markets, of the same bars


def price_of(bars: Bars, price: str) -> NDArray[np.float64]:
    """The price that labels read, by name, (T,)."""
    return bars.close if price == "close" else bars.vwap


def label_bars(
    label: Label, price: NDArray[np.float64], train: slice, stop: int, across: OfMarket | None = None
) -> LabelValues:
    """Labels of the rows before ``stop``, as they are known then; the reference always comes from train.

    Those that compare markets are taken from ``across``, where they are.
    """
    if across and label.name in across:
        return across[label.name].before(stop)
    try:
        return label.values(price[:stop], label.reference(price[train]))
    except (Exception, SystemExit) as error:  # whatever a label of the user's own may raise
        error.add_note(f"label {label.name}")
        raise


def traded_bars(bars: Bars, rows: slice, stop: int) -> NDArray[np.bool_]:
    """True for the traded bars of some rows, among the grid rows before ``stop``, (stop,)."""
    traded = np.zeros(stop, dtype=np.bool_)
    traded[rows] = ~bars.filled[rows]
    return traded


def _describe(label: Label, values: LabelValues, bars: Bars, rows: slice, price: NDArray[np.float64]) -> WindowCounts:
    stop = values.value.size
    traded = traded_bars(bars, rows, stop)
    turns = turning_points(label, price[:stop])
    return WindowCounts(
        **vars(class_counts(values, traded)),
        mean_horizon_bars=mean_horizon(values, traded),
        mean_leg_bars=None if turns is None else mean_leg(turns, values.settled, rows),
    )


def run(inputs: LabelInputs, work: Work) -> LabelSeries:
    """Label the bars before past, and count those of train and of past."""
    bars, labels = inputs.bars_before_future, inputs.label_kinds
    train, past = inputs.train.rows(bars.open_time), inputs.past.rows(bars.open_time)
    price = price_of(bars, inputs.label_price)
    series, counts = {}, []
    work.progress(0, len(labels))
    for done, label in enumerate(labels):
        values = series[label.name] = label_bars(label, price, train, past.start, inputs.across)
        seen = label_bars(label, price, train, len(bars), inputs.across)
        counts.append(
            LabelCounts(
                label.name, _describe(label, values, bars, train, price), _describe(label, seen, bars, past, price)
            )
        )
        work.progress(done + 1, len(labels))
    traded = traded_bars(bars, train, past.start)
    shared = overlap([marks(values, traded) for values in series.values()])
    return LabelSeries(tuple(counts), tuple(map(tuple, shared)), series)


STAGE = Stage("labels", LabelInputs, LabelSeries, run)
