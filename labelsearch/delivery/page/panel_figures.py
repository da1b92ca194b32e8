"""Figures of a panel: the stitched account, and what markets and years can show."""

import numpy as np

from labelsearch.delivery.page.blocks import Figure, Plotly, Variant, plain
from labelsearch.delivery.page.figures import (
    CYCLE,
    VERMILION,
    axis,
    colour_cycle,
    evenly,
    legend_above,
    margins,
    numbers,
    vertical,
)
from labelsearch.delivery.tables.panel_power import power_rows
from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel import BASKET, Panel
from strategies.luck.power import detectable_sharpe

N_DAYS = 1500  # of a line
N_NUMBERS = 16  # of splits that are named in a figure
SCALES = (Variant("linear", {"layout.yaxis.type": "linear"}), Variant("logarithmic", {"layout.yaxis.type": "log"}))
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def stitched_figure(panel: Panel) -> Figure:
    """Equity of every tier and of the basket at the end of each day, and how far each is below its peak."""
    frame = panel.equity
    rows = evenly(len(frame), N_DAYS)
    days = frame["day"].dt.strftime("%Y-%m-%d").to_numpy()[rows].tolist()
    names = [row.name for row in panel.tiers]
    data: list[Plotly] = []
    for name, style in colour_cycle(names, (BASKET,)).items():
        equity = frame[name].to_numpy()
        below = 100.0 * (equity / np.maximum.accumulate(np.maximum(equity, 1.0)) - 1.0)
        for values, digits, number in ((equity, 5, ""), (below, 3, "2")):
            data.append(
                {
                    "type": "scatter", "mode": "lines", "name": plain(name), "x": days, "line": style,
                    "y": numbers(values[rows], digits), "xaxis": f"x{number}", "yaxis": f"y{number}",
                    "legendgroup": plain(name), "showlegend": not number,
                }
            )  # fmt: skip
    layout: Plotly = {
        "margin": margins(top=64), "legend": legend_above(1.08), "hovermode": "x unified",
        "xaxis": axis(domain=[0.0, 1.0], anchor="y", type="date", showticklabels=False),
        "yaxis": axis("equity, start = 1", domain=[0.36, 1.0], anchor="x"),
        "xaxis2": axis(domain=[0.0, 1.0], anchor="y2", type="date", matches="x", nticks=8),
        "yaxis2": axis("below peak, %", domain=[0.0, 0.28], anchor="x2", nticks=4),
        **_boundaries(panel),
    }  # fmt: skip
    caption = (
        "One account over all markets and splits, at the end of each day, after the costs of every seam. The basket "
        "holds the same markets at equal weights. Dotted lines are the first days of splits, by number. Click a name "
        "to hide or show its line; drag to zoom, double-click to zoom out."
    )
    return Figure("stitched-equity", "Stitched equity and drawdown", caption, data, layout, 520, SCALES)


def _boundaries(panel: Panel) -> Plotly:
    """Lines at the first days of splits, and their numbers above."""
    starts = {row.split: row.future[0] for row in panel.splits}
    lines = [
        {**vertical(0.0, axes=axes), "x0": start, "x1": start}
        for number, start in starts.items()
        if number > 1
        for axes in ("", "2")
    ]
    step = -(-len(starts) // N_NUMBERS)
    words = [
        {"text": f"{number}", "x": start, "y": 1.0, "xref": "x", "yref": "y domain", "showarrow": False,
         "xanchor": "left", "yanchor": "bottom", "font": {"size": 11, "color": "@muted"}}
        for number, start in list(starts.items())[::step]
    ]  # fmt: skip
    return {"shapes": lines, "annotations": words}


def power_figure(panel: Panel) -> Figure:
    """Detectable Sharpe ratio against years, for one market and for the panel's markets."""
    rows = power_rows(panel)
    many = panel.power.effective_markets
    years = np.geomspace(min(0.1, rows[0].years), max(20.0, 2.0 * panel.power.years), 60)
    alone = "the book" if panel.book else "one market"
    lines = ((alone, 1.0, CYCLE[0], "dash"), (f"{many:.1f} independent markets", many, "@blue", "solid"))
    data: list[Plotly] = [
        {
            "type": "scatter", "mode": "lines", "name": name, "x": numbers(years), "hoverinfo": "skip",
            "y": numbers([detectable_sharpe(float(x), m) for x in years]),
            "line": {"color": colour, "dash": dash, "width": 1.8},
        }
        for name, m, colour, dash in (lines if many > 1.0 else lines[:1])
    ]  # fmt: skip
    for row, symbol in zip(rows, ("circle", "square", "diamond"), strict=False):
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": row.name, "x": numbers([row.years]),
                "y": numbers([row.detectable_sharpe]),
                "marker": {"symbol": symbol, "size": 11, "color": "@ink"},
                "hovertemplate": f"{row.name}<br>%{{x}} years: a Sharpe ratio of %{{y}}<extra></extra>",
            }
        )  # fmt: skip
    ticks: Plotly = {"type": "log", "tickvals": list(TICKS), "ticktext": [f"{x:g}" for x in TICKS]}
    layout: Plotly = {
        "margin": margins(top=70, bottom=44), "legend": legend_above(), "hovermode": "closest",
        "xaxis": axis("years", **ticks), "yaxis": axis("detectable Sharpe ratio a year", **ticks),
    }  # fmt: skip
    caption = (
        f"Above a line, a Sharpe ratio of {'the book' if panel.book else 'each market'} would most likely have been "
        "seen; below it, luck and skill look alike. Four times the years, or four times the independent markets, halve "
        "what can be seen."
    )
    return Figure("power-years", "Detectable Sharpe ratio against years", caption, data, layout, height=400)


def panel_seeds_figure(panel: Panel) -> Figure | None:
    """Total return of every tier, a dot for each seed of the classifiers; None without other seeds."""
    if panel.seeds is None:
        return None
    points = [(tier_name(n), i, v) for n, values in panel.seeds.total_pct.items() for i, v in enumerate(values)]
    styles = (("other seeds", CYCLE[2], "square"), ("this run", VERMILION, "diamond"))
    data: list[Plotly] = []
    for name, colour, symbol in styles:
        own = [(tier, value) for tier, i, value in points if (i == 0) == (name == "this run")]
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": name, "x": [tier for tier, _ in own],
                "y": numbers([value for _, value in own]),
                "marker": {"color": colour, "symbol": symbol, "size": 9, "opacity": 0.85},
            }
        )  # fmt: skip
    layout: Plotly = {
        "margin": margins(top=36, bottom=36), "legend": legend_above(), "xaxis": axis(type="category"),
        "yaxis": axis("total return, %"),
    }  # fmt: skip
    caption = "The same panel with other random seeds. Dots far apart: a single figure of a tier means little."
    return Figure("seeds-spread", "Return over seeds of the classifiers", caption, data, layout, height=320)
