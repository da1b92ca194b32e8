"""The search over labels on the page: maps of what was tried, and the front of skill and worth."""

from labelsearch.delivery.page.blocks import Figure, Grid, Plotly, plain
from labelsearch.delivery.page.figures import CYCLE, DIVERGING, VERMILION, axis, legend_above, margins, numbers
from labelsearch.delivery.space_points import SpacePoint, front, points_of
from labelsearch.results.space import Space

SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "star", "x")
AUC_REACH, T_REACH = 0.3, 4.0  # of the colours, from chance


def space_grid(found: Space) -> Grid:
    """Maps of horizon against theta and share of action bars, by worth and by direction, and the Pareto front."""
    points = points_of(found)
    threshold = [its for its in points if its.theta is not None]
    shares = [its.action_share for its in points]
    figures = [
        _map("space-share-worth", "t-value of worth", points, shares, "share of buy and sell bars", "t"),
        _map("space-share-auc", "AUC of buy against sell", points, shares, "share of buy and sell bars", "direction"),
    ]
    if threshold:
        thetas = [its.theta or 0.0 for its in threshold]
        figures.insert(0, _map("space-theta", "Threshold labels: t-value of worth", threshold, thetas, "theta", "t"))
    figures.append(_front(points))
    caption = (
        "Each dot is a label that was tried, at the horizon that it looks ahead; rings are those chosen. Blue in one "
        "place: questions of that kind can be answered there. Single blue dots among red ones are luck. The line of "
        "the last picture joins labels that none exceeds in both skill and worth."
    )
    return Grid("Map of the label space", caption, figures, wide=True)


def _map(key: str, title: str, points: list[SpacePoint], y: list[float], name: str, by: str) -> Figure:
    middle, reach = (0.5, AUC_REACH) if by == "direction" else (0.0, T_REACH)
    kinds = list(dict.fromkeys(its.kind for its in points))
    data: list[Plotly] = []
    for k, kind in enumerate(kinds):
        own = [i for i, its in enumerate(points) if its.kind == kind and getattr(its, by) is not None]
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": plain(kind),
                "x": numbers([points[i].horizon for i in own]), "y": numbers([y[i] for i in own]),
                "text": [plain(points[i].label) for i in own],
                "marker": {
                    "symbol": SYMBOLS[k % len(SYMBOLS)], "size": 8,
                    "color": numbers([getattr(points[i], by) for i in own], 3),
                    "colorscale": DIVERGING, "cmin": middle - reach, "cmax": middle + reach,
                    "line": {"width": 0.6, "color": "#888888"}, "showscale": k == 0, "colorbar": {"thickness": 10},
                },
                "hovertemplate": "%{text}<br>%{marker.color}<extra></extra>",
            }
        )  # fmt: skip
    ringed = [i for i, its in enumerate(points) if its.is_chosen]
    data.append(
        {
            "type": "scatter", "mode": "markers", "name": "chosen", "hoverinfo": "skip",
            "x": numbers([points[i].horizon for i in ringed]), "y": numbers([y[i] for i in ringed]),
            "marker": {"symbol": "circle-open", "size": 15, "color": VERMILION, "line": {"width": 2}},
        }
    )  # fmt: skip
    layout = {
        "margin": margins(52, 6, 36, 40), "legend": {**legend_above(), "font": {"size": 11}},
        "xaxis": axis("horizon, bars", type="log"), "yaxis": axis(name),
    }  # fmt: skip
    return Figure(key, title, "", data, layout, height=330)


def _front(points: list[SpacePoint]) -> Figure:
    known = [its for its in points if its.t is not None]
    best = front(known)
    data: list[Plotly] = [
        {
            "type": "scatter", "mode": "markers", "name": "tried", "x": numbers([its.skill for its in known], 3),
            "y": numbers([its.t or 0.0 for its in known], 3), "text": [plain(its.label) for its in known],
            "marker": {"size": 6, "color": "@muted", "opacity": 0.7},
            "hovertemplate": "%{text}<br>%{x}, %{y}<extra></extra>",
        },
        {
            "type": "scatter", "mode": "lines+markers", "name": "front", "x": numbers([its.skill for its in best], 3),
            "y": numbers([its.t or 0.0 for its in best], 3), "line": {"color": CYCLE[1]}, "hoverinfo": "skip",
        },
    ]  # fmt: skip
    ringed = [its for its in known if its.is_chosen]
    data.append(
        {
            "type": "scatter", "mode": "markers", "name": "chosen", "hoverinfo": "skip",
            "x": numbers([its.skill for its in ringed], 3), "y": numbers([its.t or 0.0 for its in ringed], 3),
            "marker": {"symbol": "circle-open", "size": 15, "color": VERMILION, "line": {"width": 2}},
        }
    )  # fmt: skip
    layout = {
        "margin": margins(52, 6, 36, 40), "legend": {**legend_above(), "font": {"size": 11}},
        "xaxis": axis("skill of the classifiers"), "yaxis": axis("t-value of worth"),
    }  # fmt: skip
    return Figure("space-front", "Skill and worth", "", data, layout, height=330)
