"""Stage: label every bar of train with hindsight.

Labels are computed on bars before the past window only, so nothing of past or future can be in them. The counts of
past use bars before the future window.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.labels.describe import class_counts, marks, mean_horizon, mean_leg, overlap
from labelsearch.labels.extrema import Extrema
from labelsearch.labels.kinds import Label, LabelValues
from labelsearch.pipeline.context import Context


def label_until(context: Context, label: Label, stop: int) -> LabelValues:
    """Labels of the grid rows before ``stop``; the reference always comes from train."""
    reference = label.reference(context.label_price[context.rows("train")])
    return label.values(context.label_price[:stop], reference)


def traded_bars(context: Context, window: str, stop: int) -> NDArray[np.bool_]:
    """True for the traded bars of a window among the grid rows before ``stop``."""
    rows = context.rows(window)
    traded = np.zeros(stop, dtype=np.bool_)
    traded[rows] = ~context.bars.filled[rows]
    return traded


def _describe(context: Context, label: Label, values: LabelValues, window: str) -> dict[str, Any]:
    """Counts of a window, and how far the label sees there, in bars."""
    stop = values.value.size
    traded = traded_bars(context, window, stop)
    numbers: dict[str, Any] = {**class_counts(values, traded), "mean_horizon": mean_horizon(values, traded)}
    if isinstance(label, Extrema):
        turns = label.turning_points(context.label_price[:stop])
        numbers["mean_leg"] = mean_leg(turns, values.settled, context.rows(window))
    return numbers


def run(context: Context, folder: Path) -> dict[str, Any]:
    """Write ``<label>.parquet`` (value, classes, last_used per grid row) and ``labels.json``.

    ``labels.json`` holds the numbers of each label on train and past, and the overlap of the labels on train.
    """
    past, future = context.rows("past"), context.rows("future")
    labels = context.experiment.label_kinds()
    traded = traded_bars(context, "train", past.start)
    table, marked = [], []
    context.progress("labels", 0, len(labels))
    for done, label in enumerate(labels):
        values = label_until(context, label, past.start)
        pd.DataFrame(values._asdict()).to_parquet(folder / f"{label.name}.parquet", compression="zstd")
        marked.append(marks(values, traded))
        seen = label_until(context, label, future.start)
        table.append(
            {
                "label": label.name,
                "train": _describe(context, label, values, "train"),
                "past": _describe(context, label, seen, "past"),
            }
        )
        context.progress("labels", done + 1, len(labels))
    bars = context.bars
    data = {
        "bars": len(bars),
        "missing": {w: int(bars.filled[context.rows(w)].sum()) for w in context.experiment.windows.named},
        "first": str(bars.index[0]),
        "last": str(bars.index[-1]),
    }
    found = {"data": data, "labels": table, "overlap": overlap(marked)}
    (folder / "labels.json").write_text(json.dumps(found, indent=1))
    return {}


def load(context: Context, name: str) -> LabelValues:
    """Labels that this stage wrote."""
    frame = pd.read_parquet(context.stage("labels") / f"{name}.parquet")
    return LabelValues(*(frame[column].to_numpy() for column in LabelValues._fields))


def summary(context: Context) -> dict[str, Any]:
    """Numbers of the labels, and what is known of the bars."""
    return json.loads((context.stage("labels") / "labels.json").read_text())
