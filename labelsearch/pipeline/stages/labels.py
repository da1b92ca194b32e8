"""Stage: label every bar of train with hindsight.

Labels are computed on bars before the past window only, so nothing of past or future can be in them.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labelsearch.labels.kinds import CLASS_NAMES, Label, LabelValues
from labelsearch.pipeline.context import Context


def label_until(context: Context, label: Label, stop: int) -> LabelValues:
    """Labels of the grid rows before ``stop``; the reference always comes from train."""
    reference = label.reference(context.label_price[context.rows("train")])
    return label.values(context.label_price[:stop], reference)


def class_counts(context: Context, values: LabelValues, window: str) -> dict[str, int]:
    """Bars of each class among the settled, traded bars of a window, and how many are not settled."""
    rows = context.rows(window)
    traded = ~context.bars.filled[rows]
    settled = traded & values.settled[rows]
    counts = np.bincount(values.classes[rows][settled], minlength=3)
    unsettled = int(traded.sum() - settled.sum())
    return {**dict(zip(CLASS_NAMES, counts.tolist(), strict=True)), "unsettled": unsettled}


def run(context: Context, folder: Path) -> dict[str, Any]:
    """Write ``<label>.parquet`` (value, classes, last_used per grid row) and ``labels.json`` (class counts)."""
    past, future = context.rows("past"), context.rows("future")
    labels = context.experiment.label_kinds()
    table = []
    for done, label in enumerate(labels):
        values = label_until(context, label, past.start)
        pd.DataFrame(values._asdict()).to_parquet(folder / f"{label.name}.parquet", compression="zstd")
        seen = label_until(context, label, future.start)
        table.append(
            {
                "label": label.name,
                "train": class_counts(context, values, "train"),
                "past": class_counts(context, seen, "past"),
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
    (folder / "labels.json").write_text(json.dumps({"data": data, "labels": table}, indent=1))
    return {}


def load(context: Context, name: str) -> LabelValues:
    """Labels that this stage wrote."""
    frame = pd.read_parquet(context.stage("labels") / f"{name}.parquet")
    return LabelValues(*(frame[column].to_numpy() for column in LabelValues._fields))


def summary(context: Context) -> dict[str, Any]:
    """Class counts and what is known of the bars."""
    return json.loads((context.stage("labels") / "labels.json").read_text())
