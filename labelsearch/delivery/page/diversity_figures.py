"""How unlike strategies are: a map of behaviours, correlations of members, and what they weigh."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelsearch.delivery.page.blocks import Block, Figure, Plotly, missing, plain
from labelsearch.delivery.page.figures import (
    CYCLE,
    DIVERGING,
    LOW_TO_HIGH,
    PINK,
    SKY,
    axis,
    legend_above,
    margins,
    numbers,
)
from labelsearch.delivery.tables.diversity import member_weights
from labelsearch.results.ensembles import tier_name
from labelsearch.results.run import Results

LEAST = 3  # members of which blocks can be seen
MOST_MEMBERS = 100  # whose weights are drawn


def bets_figure(results: Results) -> Figure:
    """Effective bets of every tier on past and on future."""
    tiers = results.belief.diversity.tiers
    data: list[Plotly] = []
    for window, colour in (("past", CYCLE[1]), ("future", "@blue")):
        rows = [row for row in tiers if row.window == window]
        data.append(
            {
                "type": "bar", "name": window, "x": [tier_name(row.tier) for row in rows],
                "y": numbers([row.effective_bets for row in rows], 3), "marker": {"color": colour},
            }
        )  # fmt: skip
    layout = {
        "margin": margins(top=36), "barmode": "group", "legend": legend_above(),
        "xaxis": axis(type="category"), "yaxis": axis("effective bets", rangemode="tozero"),
    }  # fmt: skip
    caption = "Bars near 1: the tier is one strategy held many times. Lower on future: members became more alike."
    return Figure("effective-bets", "Effective bets of each tier", caption, data, layout, height=260)


def map_block(results: Results) -> Block:
    """Strategies on the first two components of their residual returns on past, or why there is no map."""
    found = results.belief.diversity
    points = found.points
    if len(points) < LEAST or not (points[["x", "y"]].to_numpy() != 0).any():
        return missing("There is no map of behaviours: no three strategies differ in what they do without the market.")
    score = results.strategies.score[points["row"].to_numpy()]
    low, high = numbers(np.quantile(score, (0.02, 0.98)), 3)
    x, y = (points[name].to_numpy() for name in ("x", "y"))
    data: list[Plotly] = [
        {
            "type": "scatter", "mode": "markers", "name": "strategy", "showlegend": False,
            "x": numbers(x), "y": numbers(y),
            "marker": {
                "size": 4, "opacity": 0.75, "color": numbers(score, 3), "colorscale": LOW_TO_HIGH, "cmin": low,
                "cmax": high, "colorbar": {"title": {"text": "past score", "side": "right"}, "thickness": 12},
            },
            "hovertemplate": "past score %{marker.color}<extra></extra>",
        }
    ]  # fmt: skip
    sizes = results.ensembles.sizes
    marks = ((sizes[0], "circle-open", 9, PINK), (sizes[-1], "square-open", 14, SKY))
    for size, symbol, width, colour in marks[: len(sizes)]:
        own = points["row"].isin(results.ensembles.members[size]).to_numpy()
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": f"member of {tier_name(size)}", "hoverinfo": "skip",
                "x": numbers(x[own]), "y": numbers(y[own]),
                "marker": {"symbol": symbol, "size": width, "color": colour, "line": {"width": 1.5}},
            }
        )  # fmt: skip
    first, second = (f"{100 * share:.0f}% of the variance" for share in found.shares)
    layout = {
        "margin": margins(top=36, bottom=44), "legend": legend_above(),
        "xaxis": axis(f"first component, {first}"), "yaxis": axis(f"second component, {second}"),
    }  # fmt: skip
    caption = (
        "Each dot is a strategy; near ones earn their daily returns without the market's on the same days, as far as "
        f"two components show. {len(points):,} of {results.ensembles.n_strategies:,} strategies are drawn: members, "
        "and others at random. Rings in one heap: the tier is one idea."
    )
    if found.n_still:
        caption += f" {found.n_still:,} more never did anything but hold a share of the market."
    return Figure("behaviours", "Map of behaviours on past", caption, data, layout, height=470)


def correlation_block(results: Results) -> Block:
    """Correlations of the members of the largest tier, blocks side by side, or why they are not drawn."""
    found = results.belief.diversity
    if len(found.order) < LEAST:
        return missing(f"Correlations of {len(found.order)} members show no blocks: the largest tier has no more.")
    order = np.array(found.order)
    matrix = found.correlation.to_numpy()[np.ix_(order, order)]
    ranks = [f"no. {place + 1}" for place in order.tolist()]
    data = [_heat(matrix, ranks, ranks, 1.0, "%{x}, %{y}: %{z}", "correlation")]
    layout = {
        "margin": margins(top=8), "xaxis": _names(visible=False), "yaxis": _names(autorange="reversed", nticks=12),
    }  # fmt: skip
    caption = (
        "Of daily returns less the market's, on past; members by their rank, in the order of a clustering, so that a "
        "block on the diagonal is a group that does the same. Blue: alike, red: opposite."
    )
    if len(order) < (size := results.ensembles.sizes[0]):
        caption += f" The best {len(order)} of {size} members."
    return Figure("member-correlation", "Members beside each other", caption, data, layout, height=480)


def weights_figure(results: Results) -> Figure:
    """Weights of the members of the largest tier by output, members in the order of their correlations."""
    found = results.belief.diversity
    weights = member_weights(results)
    order = np.array(found.order)
    weights = weights[order]
    ranks = [f"no. {place + 1}" for place in order.tolist()]
    names = [plain(name) for name in results.outputs.columns]
    top = float(f"{max(float(np.quantile(np.abs(weights), 0.98)), 1e-3):.2g}")
    data = [_heat(weights, names, ranks, top, "%{x}, %{y}: %{z}", "share")]
    layout = {
        "margin": margins(top=8, bottom=130), "xaxis": _names(tickangle=-50, automargin=True),
        "yaxis": _names(autorange="reversed", nticks=12),
    }  # fmt: skip
    caption = (
        "Each row is a member: its weight on every output, as a share of the sizes of all its weights, in the order of "
        "the figure above. Blue speaks for buying where the output is high, red against it. Columns in one colour: all "
        "members live on the same outputs."
    )
    return Figure("member-weights", "What each member weighs", caption, data, layout, 260 + 5 * len(order))


def _names(**more: Any) -> Plotly:
    return axis(type="category", showgrid=False, zeroline=False, **more)


def _heat(
    values: NDArray[np.float64], columns: list[str], rows: list[str], top: float, hover: str, title: str
) -> Plotly:
    return {
        "type": "heatmap", "x": columns, "y": rows, "z": [numbers(row, 3) for row in values], "zmin": -top,
        "zmax": top, "colorscale": DIVERGING, "hovertemplate": f"{hover}<extra></extra>",
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 12, "outlinewidth": 0},
    }  # fmt: skip


def ambiguity_block(results: Results) -> Block:
    """Disagreement of the networks of each label against the loss of their mean, or why it is not drawn."""
    labels = results.belief.diversity.labels
    known = [its for its in labels if its.correlation is not None and its.relative_loss is not None]
    if not labels:
        return missing("Each classifier is one network, so there is no diversity among networks: n_seeds above 1.")
    if len(known) < LEAST:
        return missing(f"Labels with figures of diversity and of loss are too few to draw: {len(known)}.")
    data: list[Plotly] = [
        {
            "type": "scatter", "mode": "markers", "showlegend": False,
            "x": numbers([1.0 - (its.correlation or 0.0) for its in known]),
            "y": numbers([its.relative_loss or 0.0 for its in known]),
            "text": [plain(its.label) for its in known], "marker": {"color": "@blue", "size": 9},
            "hovertemplate": "%{text}<br>%{x}, %{y}<extra></extra>",
        }
    ]  # fmt: skip
    layout = {
        "margin": margins(bottom=44), "xaxis": axis("1 - correlation of networks"),
        "yaxis": axis("loss of the mean over that without knowledge"),
    }  # fmt: skip
    caption = "Each dot is a label. Falling from left to right: networks that differ more are better together."
    return Figure("ambiguity", "Diversity of networks against loss", caption, data, layout, height=300)
