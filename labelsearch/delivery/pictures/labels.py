"""Pictures of labels: the price of train with the bars that each label marks."""

from pathlib import Path
from typing import Any

import numpy as np

from labelsearch.delivery.data import MarkedPrice, marked_price
from labelsearch.engine.files import write_atomically
from labelsearch.labels.base import BUY, SELL
from labelsearch.results.run import Results

SIDES = ((BUY, "buy", "^", -1.0, "#0072B2"), (SELL, "sell", "v", 1.0, "#D55E00"))  # blue, vermilion: safe for all eyes
PRICE_COLOUR = "#444444"
N_POINTS = 4000  # of the overview line


def _draw(found: MarkedPrice, name: str) -> Any:
    from matplotlib.figure import Figure

    times, price, marked, shown = found.time.tz_localize(None), found.price, found.marked, found.week
    figure = Figure(figsize=(14, 8.5), layout="constrained")
    whole, daily, part = figure.subplots(3, 1, height_ratios=(2, 1, 4))
    counts = {side: int(np.count_nonzero(marked == side)) for side, *_ in SIDES}
    first, last = (f"{times[i]:%Y-%m-%d}" for i in (0, -1))
    figure.suptitle(f"{name} on train, {first} to {last}: {counts[BUY]:,} buy bars, {counts[SELL]:,} sell bars")

    step = max(price.size // N_POINTS, 1)
    whole.plot(times[::step], price[::step], color=PRICE_COLOUR, linewidth=0.8)
    for side, _, _, sign, colour in SIDES:
        per_day = found.per_day(side).tz_localize(None)
        daily.fill_between(per_day.index, 0.0, -sign * per_day, step="mid", color=colour, linewidth=0.5)
        peak = int(per_day.max())
        daily.annotate(f"{peak:,}", (per_day.idxmax(), -sign * peak), fontsize=8, ha="center",
                       va="bottom" if sign < 0 else "top")  # fmt: skip
    daily.axhline(0.0, color=PRICE_COLOUR, linewidth=0.6)
    daily.set_ylabel("bars a day")
    daily.margins(y=0.25)
    daily.sharex(whole)
    whole.set_ylabel("price")
    whole.margins(x=0.0)
    for axis in (whole, daily):
        axis.axvspan(times[shown.start], times[shown.stop - 1], color="#F0E442", alpha=0.6, linewidth=0, zorder=0)

    some, here = marked[shown], price[shown]
    part.plot(times[shown], here, color=PRICE_COLOUR, linewidth=0.9)
    offset = 0.025 * (here.max() - here.min() or 1.0)
    for side, title, marker, sign, colour in SIDES:
        at = np.flatnonzero(some == side)
        size = 26.0 if at.size < 500 else 8.0
        part.scatter(times[shown][at], here[at] + sign * offset, marker=marker, s=size, color=colour, linewidths=0,
                     alpha=0.7, label=f"{title} ({at.size:,})", rasterized=True)  # fmt: skip
    start, stop = (f"{times[i]:%Y-%m-%d %H:%M}" for i in (shown.start, shown.stop - 1))
    part.set_title(f"{start} to {stop} UTC, shaded above", fontsize=10)
    part.set_ylabel("price")
    part.margins(x=0.0)
    part.legend(frameon=False, loc="best")
    for axis in (whole, daily, part):
        axis.grid(alpha=0.3)
    return figure


def write_label_pictures(results: Results) -> Path:
    """Write ``label_pictures/<label>.png`` into the run's folder: price and marked bars of train, one for each label.

    Above, all of train with the marked bars of each day; below, the week in which the label marks most.
    """

    def write(folder: Path) -> None:
        for name in results.labels.names:
            _draw(marked_price(results, name), name).savefig(folder / f"{name}.png", dpi=100)

    write_atomically(results.folder / "label_pictures", write)
    return results.folder / "label_pictures"
