"""Result of the labels stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import pandas as pd

from labelsearch.labels.base import LabelValues
from labelsearch.results.codec import OnDisk, json_bytes, parse


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
class LabelSeries:
    """Labels of every bar before past, and what they look like in numbers.

    Attributes
    ----------
    counts : tuple of LabelCounts
        One for each label, in order.
    overlap : tuple of tuple of float
        ``[i][j]``: share of the action bars of label i in train that label j marks on the same side; None without any.
    values : mapping of str to LabelValues
        By label, (T,) each.
    """

    counts: tuple[LabelCounts, ...]
    overlap: tuple[tuple[float | None, ...], ...]
    values: Mapping[str, LabelValues] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels, in order."""
        return tuple(entry.label for entry in self.counts)

    def save(self, folder: Path) -> None:
        """Write ``labels.json`` and ``<label>.parquet``."""
        (folder / "labels.json").write_bytes(json_bytes({"counts": self.counts, "overlap": self.overlap}))
        for name, values in self.values.items():
            pd.DataFrame(values._asdict()).to_parquet(folder / f"{name}.parquet", compression="zstd")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`; values are read when they are asked for."""
        numbers = parse(_Numbers, (folder / "labels.json").read_bytes())
        names = [entry.label for entry in numbers.counts]
        return cls(numbers.counts, numbers.overlap, OnDisk(names, partial(_read, folder)))

    @property
    def trial_counts(self) -> dict[str, int]:
        """Nothing is tried."""
        return {}


@dataclass(frozen=True)
class _Numbers:
    counts: tuple[LabelCounts, ...]
    overlap: tuple[tuple[float | None, ...], ...]


def _read(folder: Path, name: str) -> LabelValues:
    frame = pd.read_parquet(folder / f"{name}.parquet")
    return LabelValues(*(frame[column].to_numpy() for column in LabelValues._fields))
