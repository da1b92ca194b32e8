"""Pieces of plotly figures as plain data: thinning, rounding, axes and small builders.

Colours that start with ``@`` are those of the page's theme. The others are Okabe and Ito's, safe for all eyes.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.delivery.page.blocks import Plotly, plain

BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
CYCLE = (VERMILION, SKY, ORANGE, GREEN, PINK, "@blue")  # each is clear on white and on dark
BUY, SELL, NEUTRAL = "@blue", VERMILION, "#999999"
CLASS_COLOURS = {"buy": BUY, "neutral": NEUTRAL, "sell": SELL}
DASHES = ("solid", "dash", "dot")
BROKEN = ("dash", "dot", "dashdot", "longdash")
LOW_TO_HIGH = [[0, BLUE], [0.5, "#a6a6a6"], [1, ORANGE]]  # of a third quantity
HEAT = [[0, "@heat0"], [1, "@heat1"]]
DIVERGING = [[0, VERMILION], [0.5, "@paper"], [1, "@heat1"]]  # numbers in white can be read on both ends


def evenly(n: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` indices among ``n``, evenly spread, first and last included."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)) if n else np.zeros(0, np.int64)


def numbers(values: Iterable[float], digits: int = 4) -> list[float | None]:
    """Values with so many significant digits; what is not finite is left out of a line."""
    array = np.asarray(values if isinstance(values, (np.ndarray, pd.Series)) else list(values), dtype=np.float64)
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in array.tolist()]


def times(index: Any) -> list[str]:
    """Times to the minute, UTC."""
    return pd.DatetimeIndex(index).strftime("%Y-%m-%d %H:%M").tolist()


def axis(title: str = "", **more: Any) -> Plotly:
    """An axis, with a title or without."""
    named = {"title": {"text": plain(title), "font": {"size": 12}, "standoff": 8}} if title else {}
    return {**named, **more}


def heading(words: str, x: float, y: float) -> Plotly:
    """A heading above a part of a figure; place in shares of the figure."""
    return {
        "text": f"<b>{plain(words)}</b>", "x": x, "y": y, "xref": "paper", "yref": "paper", "showarrow": False,
        "xanchor": "left", "yanchor": "bottom", "font": {"size": 13},
    }  # fmt: skip


def colour_cycle(names: Sequence[str], baselines: Sequence[str]) -> dict[str, Plotly]:
    """A line style for each name; those of baselines are broken and of the colour of ink."""
    styles: dict[str, Plotly] = {}
    others = [name for name in names if name not in baselines]
    for i, name in enumerate(others):
        styles[name] = {"color": CYCLE[i % len(CYCLE)], "dash": DASHES[i // len(CYCLE) % len(DASHES)], "width": 1.6}
    for i, name in enumerate(baselines):
        styles[name] = {"color": "@market", "dash": BROKEN[i % len(BROKEN)], "width": 1.6}
    return styles


def vertical(x: float, colour: str = "@zero", dash: str = "dot", axes: str = "") -> Plotly:
    """A line from bottom to top of the axes with this number."""
    return {
        "type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "xref": f"x{axes}", "yref": f"y{axes} domain",
        "line": {"color": colour, "width": 1.5, "dash": dash},
    }  # fmt: skip


def legend_above(y: float = 1.02) -> Plotly:
    """A legend in one line above the figure."""
    return {"orientation": "h", "x": 0, "y": y, "yanchor": "bottom", "xanchor": "left", "itemwidth": 30}


def margins(left: int = 48, right: int = 12, top: int = 28, bottom: int = 36) -> dict[str, int]:
    """Space around the axes, in pixels."""
    return {"l": left, "r": right, "t": top, "b": bottom}
