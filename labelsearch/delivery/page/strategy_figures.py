"""All strategies of a search: what they did before against what they did later."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.delivery.data import Decile
from labelsearch.delivery.page.blocks import Figure, Plotly, Variant
from labelsearch.delivery.page.figures import (
    LOW_TO_HIGH,
    PINK,
    VERMILION,
    axis,
    evenly,
    heading,
    legend_above,
    margins,
    numbers,
)
from labelsearch.results.ensembles import tier_name
from labelsearch.results.run import Results

N_POINTS = 3000
SHARE_OUTSIDE = 0.005  # of the strategies at each end of an axis, beyond what is shown first
PANELS = (("monthly_return_pct", "past monthly return, %"), ("score", "past score"))
COLOURS = (("mean_position_pct", "position", "mean % held"), ("trades_per_month", "trades", "trades a month"))
DOMAINS = ((0.0, 0.44), (0.52, 0.96))
STYLES: tuple[tuple[str, Plotly], ...] = (
    ("searched", {"symbol": "circle", "size": 4, "opacity": 0.75}),
    ("drawn at random", {"symbol": "diamond-tall", "size": 7, "opacity": 0.95, "line": {"width": 1, "color": "@ink"}}),
)


def shown_strategies(score: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Rows of at most ``most`` strategies, evenly over the ranks of the score."""
    return np.sort(np.argsort(score, kind="stable")[evenly(score.size, most)])


def _range(values: pd.Series) -> list[float | None]:
    low, high = np.quantile(values, (SHARE_OUTSIDE, 1.0 - SHARE_OUTSIDE))
    space = 0.06 * (high - low) or 1.0
    return numbers([low - space, high + space])


def scatter_figure(results: Results, most: int = N_POINTS) -> Figure:
    """Past return and past score of all strategies against their future return; the paper's Figures 11 and 12."""
    past, later = results.strategies.frame, results.ensembles.future["monthly_return_pct"]
    rows = shown_strategies(past["score"].to_numpy(), most)
    random = past["random"].to_numpy(dtype=bool)
    dots = [rows[~random[rows]], rows[random[rows]]]
    largest = results.ensembles.sizes[0]
    members = np.array(results.ensembles.members[largest])
    ring = members[evenly(len(members), 300)]
    low, high = _colours(past[COLOURS[0][0]])
    layout: Plotly = {
        "margin": margins(top=56, bottom=44), "legend": legend_above(1.07), "annotations": [],
        "coloraxis": {
            "colorscale": LOW_TO_HIGH, "cmin": low, "cmax": high,
            "colorbar": {"title": {"text": COLOURS[0][2], "side": "right"}, "thickness": 12, "x": 0.98, "len": 0.9},
        },
    }  # fmt: skip
    data: list[Plotly] = []
    for number, ((column, title), domain) in enumerate(zip(PANELS, DOMAINS, strict=True)):
        suffix = "" if number == 0 else "2"
        axes = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        for chosen, style in zip(dots, STYLES, strict=True):
            data.append(_dots(past, later, column, title, chosen, style) | axes)
        data.append(_ring(past[column], later, ring, tier_name(largest), number == 0) | axes)
        layout[f"xaxis{suffix}"] = axis(title, domain=list(domain), anchor=f"y{suffix}", range=_range(past[column]))
        layout[f"yaxis{suffix}"] = axis(
            "" if number else "future monthly return, %", anchor=f"x{suffix}", range=_range(later)
        )
        layout["annotations"].append(heading(f"by {title.split(',')[0]}", domain[0], 1.0))
    keys = [  # in the legend, dots have no colour of their own
        {"type": "scatter", "mode": "markers", "name": name, "x": [None], "y": [None],
         "marker": {"symbol": marker["symbol"], "size": 8, "color": "@muted"}}
        for name, marker in STYLES
    ]  # fmt: skip
    caption = (
        "Each dot is a strategy. If a good past meant a good future, dots would rise from left to right; a flat cloud "
        "means that the past said nothing. The largest tier is ringed. Half a percent at each end of an axis lies "
        "outside until you double-click."
    )
    if len(rows) < len(past):
        caption += f" {len(rows):,} of {len(past):,} strategies are drawn, evenly over the ranks of the score."
    variants = tuple(_coloured(past, dots * len(PANELS), *entry) for entry in COLOURS)
    return Figure("scatter", "Past against future, all strategies", caption, [*data, *keys], layout, 470, variants)


def _dots(
    past: pd.DataFrame, later: pd.Series, column: str, title: str, chosen: NDArray[np.int64], style: tuple[str, Plotly]
) -> Plotly:
    """Some strategies by a column of past, coloured by their position."""
    name, marker = style
    colours = numbers(past["mean_position_pct"].to_numpy()[chosen], 3)
    return {
        "type": "scatter", "mode": "markers", "name": name, "legendgroup": name, "showlegend": False,
        "x": numbers(past[column].to_numpy()[chosen]), "y": numbers(later.to_numpy()[chosen]),
        "marker": {**marker, "color": colours, "coloraxis": "coloraxis"},
        "hovertemplate": f"{title} %{{x}}<br>future monthly return, % %{{y}}<extra></extra>",
    }  # fmt: skip


def _ring(x: pd.Series, later: pd.Series, members: NDArray[np.int64], tier: str, in_legend: bool) -> Plotly:
    return {
        "type": "scatter", "mode": "markers", "name": f"member of {tier}", "legendgroup": "member",
        "showlegend": in_legend, "legendrank": 2000, "hoverinfo": "skip",
        "x": numbers(x.to_numpy()[members]), "y": numbers(later.to_numpy()[members]),
        "marker": {"symbol": "circle-open", "size": 9, "color": PINK, "line": {"width": 1.5}},
    }  # fmt: skip


def _colours(values: pd.Series) -> list[float | None]:
    return numbers(np.quantile(values, (0.02, 0.98)), 3)


def _coloured(past: pd.DataFrame, chosen: list[NDArray[np.int64]], column: str, name: str, title: str) -> Variant:
    """Dots coloured by a column of past. Traces are two of dots and one of rings, for each panel."""
    low, high = _colours(past[column])
    changes: Plotly = {
        "layout.coloraxis.cmin": low,
        "layout.coloraxis.cmax": high,
        "layout.coloraxis.colorbar.title.text": title,
    }
    if column != COLOURS[0][0]:
        for i, rows in enumerate(chosen):
            changes[f"data.{i // 2 * 3 + i % 2}.marker.color"] = numbers(past[column].to_numpy()[rows], 3)
    return Variant(f"Colour: {name}", changes)


def decile_figure(found: Sequence[Decile]) -> Figure:
    """Mean and median future return by decile of past score."""
    x = [str(entry.decile) for entry in found]
    bars = (
        ("mean", [entry.mean_monthly_pct for entry in found], "@blue"),
        ("median", [entry.median_monthly_pct for entry in found], VERMILION),
    )
    data = [
        {"type": "bar", "name": name, "x": x, "y": numbers(y, 17), "marker": {"color": colour}}
        for name, y, colour in bars
    ]
    layout = {
        "margin": margins(top=36, bottom=44), "barmode": "group", "legend": legend_above(),
        "xaxis": axis("decile of past score, 1 is the best tenth", type="category"),
        "yaxis": axis("future monthly return, %"),
    }  # fmt: skip
    caption = "If the score picks well, bars fall from left to right. Bars of one height: the ranking did not help."
    return Figure("deciles", "Future return of each tenth of the ranking", caption, data, layout, height=300)
