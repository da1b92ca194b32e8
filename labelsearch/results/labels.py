"""Result of the labels stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from labelsearch.labels.base import LabelValues
from labelsearch.results.codec import OnDisk
from labelsearch.results.record import Record, apart, read_frame, write_frame


@dataclass(frozen=True)
class WindowCounts:
    """Bars of a window by class, and how far the label depends on later bars there; None without any such bar."""

    buy: int
    neutral: int
    sell: int
    unsettled: int  # bars at the end of the window that later bars could still change
    mean_horizon_bars: float | None  # from an action bar to the last bar that its label depends on
    mean_leg_bars: float | None  # between turning points, for labels that have them


@dataclass(frozen=True)
class LabelCounts:
    """Counts of one label."""

    label: str
    train: WindowCounts
    past: WindowCounts


@dataclass(frozen=True)
class LabelSeries(Record):
    """Labels of every bar before past, and what they look like in numbers.

    Attributes
    ----------
    counts : tuple of LabelCounts
        One for each label, in order.
    overlap : tuple of tuple of float
        ``[i][j]``: share of the action bars of label i in train that label j marks on the same side; None without any.
    values : mapping of str to LabelValues
        By label, (T,) each; read from disk when they are asked for.
    """

    FILE = "labels.json"
    counts: tuple[LabelCounts, ...]
    overlap: tuple[tuple[float | None, ...], ...]
    values: Mapping[str, LabelValues] = apart()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels, in order."""
        return tuple(entry.label for entry in self.counts)

    def save_parts(self, folder: Path) -> None:
        """Write ``<label>.parquet``."""
        for name, values in self.values.items():
            write_frame(pd.DataFrame(values._asdict()), folder / f"{name}.parquet")

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """Values by label."""
        return {"values": OnDisk(folder, [entry.label for entry in plain["counts"]], _read)}


def _read(folder: Path, name: str) -> LabelValues:
    frame = read_frame(folder / f"{name}.parquet")
    return LabelValues(*(frame[column].to_numpy() for column in LabelValues._fields))
