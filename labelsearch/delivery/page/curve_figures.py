"""Equity, drawdown and position over time."""

from collections.abc import Mapping, Sequence
from typing import Any

from labelsearch.delivery.data import buckets, curve_points
from labelsearch.delivery.page.blocks import Figure, Plotly, plain
from labelsearch.delivery.page.figures import (
    axis,
    colour_cycle,
    heading,
    legend_above,
    margins,
    numbers,
    times,
)
from labelsearch.results.ensembles import MARKET, Curves
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.run import Results
from labelsearch.results.studies import WalkForward

N_POINTS = 700  # of a line
ROWS = (("equity", 0.46, 1.0), ("drawdown", 0.22, 0.40), ("position", 0.0, 0.16))  # title, bottom and top
TITLES = {"equity": "equity, start = 1", "drawdown": "below peak, %", "position": "in market, %"}
DOMAINS = ((0.0, 0.47), (0.54, 1.0))  # of the windows, left to right


def thinned(curves: Curves, name: str, n_points: int = N_POINTS) -> dict[str, list[Any]]:
    """One curve as plotly takes it."""
    points = curve_points(curves, name, n_points)
    return {
        "time": times(points.time),
        "equity": numbers(points.equity, 5),
        "drawdown": numbers(points.drawdown_pct, 3),
        "position": numbers(points.position_pct, 3),
    }


def curve_figure(
    name: str,
    title: str,
    caption: str,
    shown_curves: Mapping[str, Mapping[str, tuple[Curves, str]]],
    baselines: Sequence[str],
) -> Figure:
    """Equity, drawdown and position, past on the left and future on the right.

    Parameters
    ----------
    shown_curves : mapping
        By window: what to draw by its name in the legend, each a set of curves and the name of one of them.
    baselines : sequence of str
        And controls. The market first; the others are hidden at first.
    """
    data: list[Plotly] = []
    layout: Plotly = {
        "margin": margins(top=64),
        "legend": legend_above(1.06),
        "annotations": [],
        "hovermode": "x unified",
    }
    lengths = []
    for column, window in enumerate(WINDOWS):
        styles = colour_cycle(list(shown_curves[window]), baselines)
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
        for shown, (curves, curve) in shown_curves[window].items():
            lengths.append(buckets(len(curves.open_time), N_POINTS).length)
            points = thinned(curves, curve)
            for row, (kind, _, _) in enumerate(ROWS):
                number = 3 * column + row + 1
                if not (kind == "position" and shown == MARKET):
                    suffix = "" if number == 1 else str(number)
                    data.append(
                        {
                            "type": "scatter", "mode": "lines", "name": plain(shown), "x": points["time"],
                            "y": points[kind], "xaxis": f"x{suffix}", "yaxis": f"y{suffix}", "line": styles[shown],
                            "legendgroup": plain(shown), "showlegend": number == 1,
                            "visible": "legendonly" if shown in baselines[1:] else True,
                        }
                    )  # fmt: skip
    if max(lengths) > 1:
        caption += (
            f" Thinned to a point in {max(lengths)} bars at most: equity at its end, the lowest drawdown and the mean "
            "position of the stretch."
        )
    return Figure(name, title, caption, data, layout, height=640)


def tier_curves(results: Results) -> Figure:
    """Every tier of a run against buy and hold."""
    found = results.ensembles
    shown = {window: {name: (curves, name) for name in curves.names} for window, curves in found.curves.items()}
    caption = (
        "Past is where the strategies were found and ranked, so it always looks good; future shows what the choice was "
        "worth afterwards. The dashed line is buy and hold, which is always fully invested. Click a name to hide or "
        "show its line (those in grey are hidden at first); drag to zoom, double-click to zoom out."
    )
    others = (*found.baselines, *found.controls)
    return curve_figure("equity", "Equity, drawdown and position", caption, shown, others)


def walk_figure(name: str, title: str, found: WalkForward, size: int) -> Figure:
    """Daily equity of a tier as picked at first and picked anew, and of the market."""
    names = [*(row.title for row in found.rows if row.size == size), MARKET]
    styles = colour_cycle(names, (MARKET,))
    days = times(found.equity["day"])
    data = [
        {"type": "scatter", "mode": "lines", "name": plain(n), "x": days, "y": numbers(found.equity[n], 5),
         "line": styles[n]}
        for n in names
    ]  # fmt: skip
    layout = {"margin": margins(top=34), "legend": legend_above(), "xaxis": axis(type="date"),
              "yaxis": axis("equity, start = 1"), "hovermode": "x unified"}  # fmt: skip
    return Figure(name, title, "At the end of each day, after the cost of changing members.", data, layout, height=320)
