"""What labels mark on train."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.delivery.data import MarkedPrice, marked_price
from labelsearch.delivery.page.blocks import Choice, Figure
from labelsearch.delivery.page.figures import BUY as BLUE
from labelsearch.delivery.page.figures import SELL as RED
from labelsearch.delivery.page.figures import axis, evenly, legend_above, margins, numbers, times
from labelsearch.labels.base import BUY, SELL
from labelsearch.results.run import Results

N_PRICES = 1200
N_MARKS = 300  # of a side
SIDES = ((BUY, "buy", "triangle-up", BLUE, 1), (SELL, "sell", "triangle-down", RED, -1))


def label_choice(results: Results) -> Choice:
    """Two figures for each label: all of train, and the week in which it marks most."""
    entries = {}
    for i, name in enumerate(results.labels.names):
        found = marked_price(results, name)
        week = (found.time[found.week], found.price[found.week], found.marked[found.week])
        entries[name] = [
            _whole(f"label-{i}", found),
            _price(f"label-{i}-week", "The week in which it marks most", *week),
        ]
    return Choice("Label", entries)


def _price(
    name: str, title: str, index: pd.DatetimeIndex, price: NDArray[np.float64], marked: NDArray[np.int8]
) -> Figure:
    shown = evenly(price.size, N_PRICES)
    line = {
        "type": "scatter", "mode": "lines", "name": "price", "showlegend": False,
        "x": times(index[shown]), "y": numbers(price[shown], 6), "line": {"color": "@muted", "width": 1},
    }  # fmt: skip
    offset = 0.02 * float(np.ptp(price))
    data, words = [line], []
    for side, title_of_side, symbol, colour, sign in SIDES:
        at = np.flatnonzero(marked == side)
        some = at[evenly(at.size, N_MARKS)]
        words.append(f"{at.size:,} {title_of_side}")
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": f"{title_of_side} ({at.size:,} bars)",
                "x": times(index[some]), "y": numbers(price[some] - sign * offset, 6),
                "marker": {"symbol": symbol, "size": 6, "color": colour, "opacity": 0.75},
            }
        )  # fmt: skip
    layout = {"margin": margins(top=34), "legend": legend_above(), "xaxis": axis(type="date"), "yaxis": axis("price")}
    caption = f"Price, and {' and '.join(words)} bars that the label marks with hindsight."
    if max((marked == side).sum() for side, *_ in SIDES) > N_MARKS:
        caption += f" {N_MARKS} marks of a side are drawn at most."
    return Figure(name, title, caption, data, layout, height=320)


def _whole(name: str, found: MarkedPrice) -> Figure:
    """All of train, with the marked bars of each day below."""
    first, last = (f"{found.time[i]:%Y-%m-%d}" for i in (0, -1))
    figure = _price(name, f"Train, {first} to {last}", found.time, found.price, found.marked)
    data = list(figure.data)
    for side, title, _, colour, sign in SIDES:
        daily = found.per_day(side)
        data.append(
            {
                "type": "bar", "name": f"{title} bars a day", "x": [f"{day:%Y-%m-%d}" for day in daily.index],
                "y": [int(sign * n) for n in daily], "xaxis": "x2", "yaxis": "y2", "showlegend": False,
                "marker": {"color": colour, "line": {"width": 0}},
            }
        )  # fmt: skip
    layout = {
        **figure.layout,
        "barmode": "relative", "bargap": 0,
        "xaxis": axis(type="date", anchor="y", showticklabels=False),
        "yaxis": axis("price", domain=[0.34, 1.0]),
        "xaxis2": axis(type="date", anchor="y2", matches="x"),
        "yaxis2": axis("bars a day", domain=[0.0, 0.27], anchor="x2", nticks=5),
    }  # fmt: skip
    caption = figure.caption + " Below: marked bars of each day, buy up and sell down."
    return Figure(name, figure.title, caption, data, layout, height=430)
