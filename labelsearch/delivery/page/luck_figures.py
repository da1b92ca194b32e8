"""Null, seeds and explanations: what was repeated or computed on request."""

import numpy as np
from numpy.typing import NDArray

from labelsearch.delivery.data import swarm_heights
from labelsearch.delivery.page.blocks import Figure, Grid, Plotly, plain
from labelsearch.delivery.page.figures import (
    CYCLE,
    LOW_TO_HIGH,
    VERMILION,
    axis,
    evenly,
    legend_above,
    margins,
    numbers,
    vertical,
)
from labelsearch.labels.base import CLASS_NAMES
from labelsearch.results.explanation import Explanation, ExplanationFigures
from labelsearch.results.run import Results
from labelsearch.results.studies import NullResult

N_SWARM, N_DOTS = 12, 200  # features and rows of a swarm


def null_grid(found: NullResult) -> Grid:
    """A histogram of each statistic with the real value marked."""
    figures = []
    for i, entry in enumerate(found.statistics):
        data = [
            {"type": "histogram", "x": numbers(entry.shifted), "nbinsx": 24, "marker": {"color": "#999999"},
             "hovertemplate": "%{y} shifted, %{x}<extra></extra>"}
        ]  # fmt: skip
        values = [value for value in (*entry.shifted, entry.real) if np.isfinite(value)] or [0.0]
        real = values[-1] if np.isfinite(entry.real) else None  # a rank correlation may be undefined
        mark = {"text": "<b>real</b>", "x": real, "y": 1.0, "yref": "paper", "showarrow": False, "yanchor": "bottom",
                "font": {"color": VERMILION}}  # fmt: skip
        space = 0.08 * (max(values) - min(values)) or 1.0
        layout = {
            "margin": margins(36, 8, 26, 36),
            "shapes": [] if real is None else [vertical(real, VERMILION, "solid")],
            "annotations": [] if real is None else [mark],
            "xaxis": axis(entry.name, range=numbers([min(values) - space, max(values) + space])),
            "yaxis": axis(nticks=4),
            "bargap": 0.05,
        }  # fmt: skip
        title = entry.name if entry.p_value is None else f"{entry.name}: p {entry.p_value:.3f}"
        figures.append(Figure(f"null-{i}", title, "", data, layout, height=210))
    caption = (
        "Grey: the whole search and choice again on outputs shifted in time, which know nothing. The line: the real "
        "outputs at the same budget. A line within the grey could be luck."
    )
    return Grid("Real result among those that know nothing", caption, figures)


def seeds_figure(results: Results) -> Figure:
    """Returns of every tier over seeds, one dot a seed."""
    own = results.ensembles.rows
    data: list[Plotly] = []
    styles = (("search", CYCLE[1], "circle"), ("classifier", CYCLE[2], "square"), ("own", VERMILION, "diamond"))
    for kind, colour, symbol in styles:
        tables = (own,) if kind == "own" else results.seeds.of(kind)
        for number, window in enumerate(("past", "future")):
            rows = [row for table in tables for row in table if row.window == window and row.size is not None]
            data.append(
                {
                    "type": "scatter", "mode": "markers", "showlegend": number == 0 and bool(rows),
                    "name": "this run" if kind == "own" else f"other seeds of {kind}", "legendgroup": kind,
                    "x": [plain(row.name) for row in rows],
                    "y": numbers([row.figures.total_return_pct for row in rows]),
                    "xaxis": "x2" if number else "x", "yaxis": "y2" if number else "y",
                    "marker": {"color": colour, "symbol": symbol, "size": 9, "opacity": 0.85},
                }
            )  # fmt: skip
    layout = {
        "margin": margins(top=36, bottom=52), "legend": legend_above(),
        "xaxis": axis("past", domain=[0.0, 0.47], type="category"),
        "yaxis": axis("return, %"),
        "xaxis2": axis("future", domain=[0.53, 1.0], anchor="y2", type="category"),
        "yaxis2": axis("", anchor="x2"),
    }  # fmt: skip
    caption = "The same experiment with other random seeds. Dots far apart: a single figure of a tier means little."
    return Figure("seeds-spread", "Return over seeds", caption, data, layout, height=320)


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks of values as [0, 1]; equal ones share theirs."""
    _, place = np.unique(values, return_inverse=True)
    return place / max(int(place.max()), 1)


def swarm_grid(name: str, found: Explanation) -> Grid:
    """A dot per explained bar for the features of largest mean, buy and sell."""
    rows = evenly(len(found.rows), N_DOTS)
    caption = (
        f"Each dot is a bar of the validation part of train, {len(rows):,} of {len(found.rows):,} explained ones. "
        "To the right of zero the feature speaks for the side. Blue: the feature is low there, orange: it is high."
    )
    sides = [_swarm(f"{name}-{side}", side, found, rows) for side in ("buy", "sell")]
    return Grid("Effect of each feature, bar by bar", caption, sides, wide=True)


def _swarm(name: str, side: str, found: Explanation, rows: NDArray[np.int64]) -> Figure:
    shown = sorted(found.figures.features, key=lambda entry: -getattr(entry.mean_abs_shap, side))[:N_SWARM]
    shap = found.shap[rows, :, CLASS_NAMES.index(side)]
    low, high = float(shap.min()), float(shap.max())
    data = []
    for place, entry in enumerate(shown):
        own, column = shap[:, entry.column], entry.column
        data.append(
            {
                "type": "scatter", "mode": "markers", "x": numbers(own), "hoverinfo": "skip",
                "y": numbers(-place + swarm_heights(own, low, high)),
                "marker": {"size": 4, "color": numbers(_ranks(found.features[rows, column]), 2), "cmin": 0,
                           "cmax": 1, "colorscale": LOW_TO_HIGH},
            }
        )  # fmt: skip
    layout = {
        "margin": margins(top=8, bottom=44), "showlegend": False, "xaxis": axis(f"effect on {side}"),
        "yaxis": axis(
            tickvals=[-p for p in range(len(shown))], ticktext=[plain(entry.feature) for entry in shown],
            zeroline=False, range=[0.6 - len(shown), 0.6],
        ),
    }  # fmt: skip
    return Figure(name, f"Towards {side}", "", data, layout, height=90 + 26 * N_SWARM)


def ablation_figure(name: str, found: ExplanationFigures) -> Figure:
    """How much worse a classifier gets without each family of indicators."""
    families = sorted(found.families, key=lambda entry: entry.ablation.value)
    data = [
        {
            "type": "bar", "orientation": "h", "y": [plain(f.family) for f in families],
            "x": numbers([f.ablation.value for f in families]), "marker": {"color": "@blue"},
            "error_x": {"type": "data", "array": numbers([f.ablation.standard_error for f in families]),
                        "color": "@ink", "thickness": 1.2},
        }
    ]  # fmt: skip
    layout = {"margin": margins(top=30, bottom=44), "xaxis": axis("increase of the loss without it"),
              "yaxis": axis(showgrid=False)}  # fmt: skip
    caption = "All columns of a family are shifted in time. Near or below zero, the classifier does not need it."
    height = 112 + 26 * len(families)
    return Figure(name, "What each family of indicators is worth", caption, data, layout, height)
