"""Feature sets and classifiers: how far apart classes lie, and how well networks tell them."""

from collections.abc import Mapping, Sequence

import numpy as np

from labelsearch.classifiers.figures import Interval
from labelsearch.delivery.data import distance_shares
from labelsearch.delivery.page.blocks import Block, Choice, Figure, Grid, Plotly, Variant, plain
from labelsearch.delivery.page.figures import (
    CLASS_COLOURS,
    HEAT,
    VERMILION,
    axis,
    heading,
    legend_above,
    margins,
    numbers,
    vertical,
)
from labelsearch.labels.base import CLASS_NAMES
from labelsearch.results.classifiers import ClassifierFigures, MagnitudeFigures
from labelsearch.results.run import Results

N_SHAP = 15
SIDES = ("buy", "sell")
JUDGED = (("validation", "later part of train"), ("past", "past"))


def histogram_grid(results: Results) -> Grid:
    """Distances of pairs of bars for every label's feature set."""
    figures = []
    for i, entry in enumerate(results.features.chosen):
        shares = distance_shares(entry.histogram)
        x = (shares.edges[1:] + shares.edges[:-1]) / 2.0
        data = []
        for share, title, colour in (
            (shares.cross, "of two classes", VERMILION),
            (shares.same, "of one class", "@blue"),
        ):
            data.append(
                {
                    "type": "scatter", "mode": "lines", "name": title, "x": numbers(x),
                    "y": numbers(np.where(share > 0, share, np.nan)),
                    "line": {"color": colour, "shape": "hvh", "width": 1.6}, "showlegend": True,
                }
            )  # fmt: skip
        layout = {
            "margin": margins(48, 6, 24, 36), "legend": {**legend_above(), "font": {"size": 11}},
            "xaxis": axis("distance of a pair"), "yaxis": axis("share of pairs", type="linear", nticks=5),
        }  # fmt: skip
        figures.append(Figure(f"histogram-{i}", entry.label, "", data, layout, height=240))
    caption = (
        "How unlike the features of two bars are. Features tell the classes apart if pairs of two classes (buy with "
        "sell, for one) lie further right than pairs of one class, above all near zero, where the logarithmic scale "
        "shows more. Distances are sums of absolute differences over all features."
    )
    scales = (Variant("Linear", {"layout.yaxis.type": "linear"}), Variant("Logarithmic", {"layout.yaxis.type": "log"}))
    return Grid("Distances between bars", caption, figures, scales)


Points = dict[tuple[int, str], tuple[float, Interval | None]]  # by place and window: a figure, and its interval


def _judged(names: list[str], sides: dict[str, tuple[float, Points, Plotly]], title: str, none: float) -> Plotly:
    """Figures with intervals on validation and past, side by side: the data and layout of a plotly figure.

    ``sides`` have by name a shift from the line of their label, the points and the marker; ``none`` is the figure of
    one that knows nothing.
    """
    data: list[Plotly] = []
    layout: Plotly = {"margin": margins(top=56, bottom=44), "legend": legend_above(1.08), "annotations": [],
                              "shapes": []}  # fmt: skip
    for number, (window, heading_of_window) in enumerate(JUDGED):
        suffix, domain = ("", [0.0, 0.48]) if number == 0 else ("2", [0.52, 1.0])
        for side, (shift, points, marker) in sides.items():
            x, above, below, at = [], [], [], []
            for place in range(len(names)):
                if (place, window) not in points:
                    continue
                value, interval = points[place, window]
                low, high = interval or (value, value)
                x.append(value)
                above.append(high - value)
                below.append(value - low)
                at.append(place + shift)
            data.append(
                {
                    "type": "scatter", "mode": "markers", "name": side, "legendgroup": side,
                    "showlegend": number == 0, "x": numbers(x), "y": at, "xaxis": f"x{suffix}", "yaxis": f"y{suffix}",
                    "marker": marker,
                    "error_x": {"type": "data", "symmetric": False, "array": numbers(above),
                                "arrayminus": numbers(below), "color": marker["color"], "thickness": 1.5},
                    "hovertemplate": title + " %{x:.3f}<extra>" + side + "</extra>",
                }
            )  # fmt: skip
        layout[f"xaxis{suffix}"] = axis(title, domain=domain, anchor=f"y{suffix}", matches="x" if number else None)
        layout[f"yaxis{suffix}"] = axis(
            anchor=f"x{suffix}", tickvals=list(range(len(names))), showgrid=False, zeroline=False,
            ticktext=[plain(name) for name in names], showticklabels=number == 0,
            range=[-0.6, len(names) - 0.4],
        )  # fmt: skip
        layout["annotations"].append(heading(heading_of_window, domain[0], 1.0))
        layout["shapes"].append(vertical(none, axes=suffix))
    return {"data": data, "layout": layout, "height": 140 + 44 * len(names)}


def auc_figure(results: Results) -> Figure:
    """AUC of every classifier with its interval."""
    entries = list(reversed(results.classifiers.of_classes))
    sides = {}
    for side, shift in (("buy", 0.14), ("sell", -0.14)):
        points: Points = {}
        for place, entry in enumerate(entries):
            for window, _ in JUDGED:
                scores = entry.on(window).side(side)
                if scores.auc is not None:
                    points[place, window] = scores.auc, scores.auc_interval
        marker = {"color": CLASS_COLOURS[side], "size": 8, "symbol": "circle" if side == "buy" else "square"}
        sides[side] = (shift, points, marker)
    caption = (
        "AUC: how often a marked bar gets a higher probability than another one. At the dotted line, 0.5, it is a coin "
        "toss; an interval (95%, over blocks of bars) that touches it may be one."
    )
    made = _judged([entry.label for entry in entries], sides, "AUC", 0.5)
    return Figure("auc", "How well each classifier ranks bars", caption, **made)


def moves_figure(results: Results) -> Figure:
    """Rank correlation of predicted and true moves, with its interval, of every label whose moves are predicted."""
    entries = list(reversed(results.classifiers.of_magnitudes))
    points: Points = {}
    for place, entry in enumerate(entries):
        for window, _ in JUDGED:
            ranks = entry.on(window).rank_correlation.figure
            if ranks.value is not None:
                points[place, window] = ranks.value, ranks.interval
    caption = (
        "Rank correlation of the moves that are predicted with those that came. At the dotted line, 0, nothing is "
        "known; an interval (95%, over blocks of bars) that touches it may be nothing."
    )
    sides = {"moves": (0.0, points, {"color": "@blue", "size": 8, "symbol": "circle"})}
    made = _judged([entry.label for entry in entries], sides, "rank correlation", 0.0)
    return Figure("moves", "How well moves are ranked", caption, **made)


def classifier_choice(results: Results) -> Choice:
    """Confusion, reliability and Shapley values of each label's classifier."""
    entries: dict[str, list[Block]] = {}
    for i, found in enumerate(results.classifiers.figures):
        if isinstance(found, MagnitudeFigures):
            shap = {"move": found.shap.move}
            entries[found.label] = [_shap(f"shap-{i}", found.shap.features, shap, {"move": "@blue"})]
            continue
        shap = {c: getattr(found.shap, c) for c in CLASS_NAMES}
        pair = Grid("", "", [_confusion(f"confusion-{i}", found), _reliability(f"reliability-{i}", found)])
        entries[found.label] = [pair, _shap(f"shap-{i}", found.shap.features, shap, CLASS_COLOURS)]
    return Choice("Classifier of", entries)


def _confusion(name: str, found: ClassifierFigures) -> Figure:
    counts = np.array(found.past.confusion, dtype=np.float64)
    share = 100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    words = [[f"{p:.0f}%<br>{int(n):,}" for p, n in zip(*row, strict=True)] for row in zip(share, counts, strict=True)]
    classes = list(CLASS_NAMES)
    data = [
        {
            "type": "heatmap", "x": [f"says {c}" for c in classes], "y": [f"is {c}" for c in classes],
            "z": [numbers(row, 3) for row in share], "text": words, "texttemplate": "%{text}", "zmin": 0, "zmax": 100,
            "colorscale": HEAT, "showscale": False, "xgap": 2, "ygap": 2, "hoverinfo": "skip",
        }
    ]  # fmt: skip
    layout = {"margin": margins(70, 6, 8, 30), "xaxis": axis(showgrid=False), "yaxis": axis(autorange="reversed")}
    caption = "Bars of each true class by the answer they get, share and number. Right answers lie on the diagonal."
    return Figure(name, "Answers on past", caption, data, layout, height=280)


def _reliability(name: str, found: ClassifierFigures) -> Figure:
    data: list[Plotly] = [
        {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "hoverinfo": "skip", "showlegend": False,
         "line": {"color": "@zero", "dash": "dot", "width": 1.5}}
    ]  # fmt: skip
    for side in SIDES:
        points = found.past.side(side).reliability  # none where no bar of past is settled
        data.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": side, "x": numbers([point[0] for point in points]),
                "y": numbers([point[1] for point in points]),
                "marker": {"color": CLASS_COLOURS[side], "symbol": "circle" if side == "buy" else "square"},
                "line": {"color": CLASS_COLOURS[side]}, "text": [f"{point[2]:,} bars" for point in points],
                "hovertemplate": "said %{x:.0%}, seen %{y:.0%}, %{text}<extra></extra>",
            }
        )  # fmt: skip
    layout = {
        "margin": margins(48, 6, 24, 40), "legend": legend_above(),
        "xaxis": axis("probability that was said", range=[0, 1], tickformat=".0%"),
        "yaxis": axis("how often it was so", range=[0, 1], tickformat=".0%"),
    }  # fmt: skip
    caption = (
        "On the dotted diagonal, a said 70% comes true in 70% of cases. Below it the classifier is too sure. Rare "
        "classes count more in training than they occur, which alone puts a curve below."
    )
    return Figure(name, "Said and seen on past", caption, data, layout, height=280)


def _shap(
    name: str, features: Sequence[str], means: Mapping[str, Sequence[float]], colours: Mapping[str, str]
) -> Figure:
    shap = {c: np.array(values) for c, values in means.items()}
    total = np.sum(list(shap.values()), axis=0)
    order = np.argsort(-total, kind="stable")[:N_SHAP][::-1]
    data = [
        {
            "type": "bar", "orientation": "h", "name": c, "y": [plain(features[k]) for k in order],
            "x": numbers(shap[c][order]), "marker": {"color": colours[c]},
        }
        for c in shap
    ]  # fmt: skip
    layout = {
        "margin": margins(top=30, bottom=40), "barmode": "stack", "legend": {**legend_above(), "traceorder": "normal"},
        "xaxis": axis("mean absolute Shapley value"), "yaxis": axis(showgrid=False),
    }  # fmt: skip
    caption = f"How far each feature moves the answer, right or wrong: the {len(order)} that move it most."
    return Figure(name, "What the classifier looks at", caption, data, layout, height=90 + 22 * len(order))
