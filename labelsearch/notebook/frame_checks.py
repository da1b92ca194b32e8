"""Converts the tables of a notebook to what stages take; an InputError says in one line what is wrong."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.errors import InputError
from labelsearch.labels.base import NEUTRAL, LabelValues
from labelsearch.labels.spans import Span
from labelsearch.market.bars import Bars
from strategies.trade.window import TradingWindow

SIDES = re.compile("(( |^)(buy sell|magnitude))+")  # of outputs in their order
Days = tuple[str, str]  # first and last day, both included


def milliseconds(index: pd.Index) -> NDArray[np.int64]:
    """Times of an index, milliseconds since the epoch."""
    if not isinstance(index, pd.DatetimeIndex) or str(index.tz) != "UTC":
        raise InputError("the index must be a DatetimeIndex in UTC")
    times = index.as_unit("ms").asi8
    if len(times) < 2 or (np.diff(times) <= 0).any():
        raise InputError("the index needs two times or more, sorted and none twice")
    return times


def interval_of(times: NDArray[np.int64]) -> int:
    """Milliseconds of a bar, from the times of bars."""
    step = int(np.diff(times).min())
    if (times % step).any():
        raise InputError(f"the times do not lie on a grid of {step / 1000:g} seconds")
    return step


def grid_of(frame: pd.DataFrame) -> Bars:
    """Checked bars on a grid without gaps."""
    interval = interval_of(milliseconds(frame.index))
    if "filled" in frame and frame["filled"].any():
        raise InputError("rows marked `filled` are rejected: leave missing bars out")
    return Bars.from_frame(frame.rename_axis("open_time"), "bars", interval).on_grid()


def price_of(grid: Bars, price: str) -> NDArray[np.float64]:
    """The price that labels read, by name."""
    if price not in ("close", "vwap"):
        raise InputError(f"price {price!r} is unknown; known are close, vwap")
    return getattr(grid, price)


def values_of(labels: pd.DataFrame, index: pd.Index) -> tuple[LabelValues, NDArray[np.bool_]]:
    """Labels on the rows of a grid, and which rows they have."""
    grid, times = milliseconds(index), milliseconds(labels.index)
    if grid[-1] - grid[0] != (len(grid) - 1) * interval_of(grid):
        raise InputError("features lack bars: give all rows of compute_features, from the first on")
    if times[0] != grid[0]:
        raise InputError("labels and bars must begin with the same bar, as labels count bars from there")
    inside = labels[times <= grid[-1]]
    rows = np.searchsorted(grid, times[times <= grid[-1]])
    if (grid[rows] != times[: len(rows)]).any():
        raise InputError("labels and bars have different times")
    n = len(grid)
    values = LabelValues(np.zeros(n), np.full(n, NEUTRAL, np.int8), np.full(n, len(labels) + n, np.int64))
    for name, column in values._asdict().items():
        column[rows] = inside[name].to_numpy()
    return values, np.isin(np.arange(n), rows)


def matrix_of(features: pd.DataFrame) -> NDArray[np.float32]:
    """Features, (T, F) array of float32."""
    matrix = np.ascontiguousarray(features.to_numpy(np.float32))
    if not np.isfinite(matrix).all():
        raise InputError("features must be finite numbers")
    return matrix


def seen_by(outputs: pd.DataFrame, bars: pd.DataFrame, days: Days | None) -> TradingWindow:
    """Outputs and prices of the traded bars; months from the first to the last, or of whole days."""
    sides = [str(column[-1]) for column in outputs.columns]
    if outputs.columns.nlevels != 2 or not sides or not SIDES.fullmatch(" ".join(sides)):
        raise InputError(
            "outputs need the columns (label, 'buy') and (label, 'sell'), or (label, 'magnitude'), of each label in "
            "turn"
        )
    traded = grid_of(bars).present()
    rows = pd.Index(milliseconds(outputs.index)).get_indexer(pd.Index(traded.open_time))
    if (rows < 0).any():
        raise InputError(f"{int((rows < 0).sum()):,} of {len(rows):,} bars have no outputs")
    values = outputs.to_numpy(np.float64)[rows]
    if not np.isfinite(values).all():
        raise InputError("outputs must be finite numbers")
    whole = Span(int(traded.open_time[0]), int(traded.open_time[-1]) + traded.interval_ms)
    span = Span.of_days(*days) if days else whole
    return TradingWindow.of(values, traded.open, traded.close, traded.open_time, span.months)
