"""Equity, drawdown and position over time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from labelsearch.delivery.html.blocks import Figure, plain
from labelsearch.delivery.html.figures import (
    axis,
    buckets,
    colour_cycle,
    heading,
    legend_above,
    margins,
    numbers,
    times,
)
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import ensembles

WINDOWS = ("past", "future")
N_POINTS = 700  # of a line
ROWS = (("equity", 0.46, 1.0), ("drawdown", 0.22, 0.40), ("position", 0.0, 0.16))  # title, bottom and top
TITLES = {"equity": "equity, start = 1", "drawdown": "below peak, %", "position": "in market, %"}
DOMAINS = ((0.0, 0.47), (0.54, 1.0))  # of the windows, left to right


def curves(context: Context, window: str) -> pd.DataFrame:
    """Curves of every tier and the market in a window."""
    return pd.read_parquet(context.stage("ensembles") / f"curves_{window}.parquet")


def curve_names(frame: pd.DataFrame) -> list[str]:
    """Names of the curves, in order."""
    return [c.removesuffix(" equity") for c in frame if c.endswith(" equity")]


def thinned(frame: pd.DataFrame, name: str, n_points: int = N_POINTS) -> dict[str, list[Any]]:
    """One curve in stretches: equity at the end, drawdown at its lowest, position on average."""
    equity = frame[f"{name} equity"].to_numpy(dtype=np.float64)
    parts = buckets(len(equity), n_points)
    peak = np.maximum.accumulate(np.maximum(equity, 1.0))
    found: dict[str, list[Any]] = {
        "time": times(frame["open_time"].iloc[parts.last]),
        "equity": numbers(equity[parts.last], 5),
        "drawdown": numbers(100.0 * parts.lowest(equity / peak - 1.0), 3),
    }
    if f"{name} position" in frame:
        found["position"] = numbers(100.0 * parts.mean(frame[f"{name} position"].to_numpy(dtype=np.float64)), 3)
    return found


def curve_figure(
    name: str, title: str, caption: str, frames: Mapping[str, Mapping[str, tuple[pd.DataFrame, str]]]
) -> Figure:
    """Equity, drawdown and position, past on the left and future on the right.

    Parameters
    ----------
    frames : mapping
        By window: what to draw by its name in the legend, each a frame and the name of its curve there. Baselines
        other than the market are hidden at first.
    """
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "margin": margins(top=64),
        "legend": legend_above(1.06),
        "annotations": [],
        "hovermode": "x unified",
    }
    lengths = []
    for column, window in enumerate(WINDOWS):
        styles = colour_cycle(list(frames[window]), ensembles.BASELINES)
        for row, (kind, bottom, top) in enumerate(ROWS):
            number = 3 * column + row + 1
            suffix = "" if number == 1 else str(number)
            first = "" if 3 * column + 1 == 1 else str(3 * column + 1)
            layout[f"yaxis{suffix}"] = axis(
                "" if column else TITLES[kind], domain=[bottom, top], anchor=f"x{suffix}", nticks=6 if row == 0 else 4
            )
            layout[f"xaxis{suffix}"] = axis(
                domain=list(DOMAINS[column]), anchor=f"y{suffix}", showticklabels=row == 2, type="date", nticks=6,
                **({"matches": f"x{first}"} if row else {}),
            )  # fmt: skip
        layout["annotations"].append(heading(window, DOMAINS[column][0], 1.0))
        for shown, (frame, curve) in frames[window].items():
            lengths.append(buckets(len(frame), N_POINTS).length)
            points = thinned(frame, curve)
            for row, (kind, _, _) in enumerate(ROWS):
                number = 3 * column + row + 1
                if kind in points and not (kind == "position" and shown == ensembles.MARKET):
                    suffix = "" if number == 1 else str(number)
                    data.append(
                        {
                            "type": "scatter", "mode": "lines", "name": plain(shown), "x": points["time"],
                            "y": points[kind], "xaxis": f"x{suffix}", "yaxis": f"y{suffix}", "line": styles[shown],
                            "legendgroup": plain(shown), "showlegend": number == 1,
                            "visible": "legendonly" if shown in ensembles.BASELINES[1:] else True,
                        }
                    )  # fmt: skip
    if max(lengths) > 1:
        caption += (
            f" Thinned to a point in {max(lengths)} bars at most: equity at its end, the lowest drawdown and the mean "
            "position of the stretch."
        )
    return Figure(name, title, caption, data, layout, height=640)


def tier_curves(context: Context) -> Figure:
    """Every tier of a run against buy and hold."""
    frames = {}
    for window in WINDOWS:
        frame = curves(context, window)
        frames[window] = {name: (frame, name) for name in curve_names(frame)}
    caption = (
        "Past is where the strategies were found and ranked, so it always looks good; future is what the choice was "
        "worth afterwards. The dashed line is buy and hold, which is always wholly in the market. Click a name to hide "
        "or show its line, those in grey are hidden at first; drag to zoom, double-click to go back."
    )
    return curve_figure("equity", "Equity, drawdown and position", caption, frames)


def walk_figure(name: str, title: str, daily: pd.DataFrame, tiers: Sequence[str]) -> Figure:
    """Daily equity of a tier as picked at first and picked anew, and of the market."""
    names = [*tiers, ensembles.MARKET]
    styles = colour_cycle(names, (ensembles.MARKET,))
    data = [
        {"type": "scatter", "mode": "lines", "name": plain(n), "x": times(daily["day"]), "y": numbers(daily[n], 5),
         "line": styles[n]}
        for n in names
        if n in daily
    ]  # fmt: skip
    layout = {"margin": margins(top=34), "legend": legend_above(), "xaxis": axis(type="date"),
              "yaxis": axis("equity, start = 1"), "hovermode": "x unified"}  # fmt: skip
    return Figure(name, title, "At the end of each day, after the cost of changing members.", data, layout, height=320)
