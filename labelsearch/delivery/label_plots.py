"""Pictures of labels: the price of train with the bars that each label marks.

No later price is drawn, and no label is computed here: those of the labels stage are read.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.labels.base import BUY, SELL
from labelsearch.labels.describe import marks
from labelsearch.labels.windows import DAY_MS
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import labels
from labelsearch.pipeline.units import write_atomically

SIDES = ((BUY, "buy", "^", -1.0, "#0072B2"), (SELL, "sell", "v", 1.0, "#D55E00"))  # blue, vermilion: safe for all eyes
PRICE_COLOUR = "#444444"
N_POINTS = 4000  # of the overview line
SHOWN_DAYS = 7


def busiest_stretch(marked: NDArray[np.int8], n_bars: int) -> slice:
    """The ``n_bars`` in which a label marks most, of stretches that start every half of their length.

    A side counts no more than twice the other, so that a stretch shows both where it can.
    """
    starts = range(0, max(marked.size - n_bars, 0) + 1, max(n_bars // 2, 1))

    def weight(start: int) -> int:
        part = marked[start : start + n_bars]
        sides = [int(np.count_nonzero(part == side)) for side in (BUY, SELL)]
        return min(sum(sides), 3 * min(sides))

    best = max(starts, key=weight)
    return slice(best, min(best + n_bars, marked.size))


def _draw(times: pd.DatetimeIndex, price: NDArray[np.float64], marked: NDArray[np.int8], name: str, n_bars: int) -> Any:
    from matplotlib.figure import Figure

    shown = busiest_stretch(marked, n_bars)
    figure = Figure(figsize=(14, 8.5), layout="constrained")
    whole, daily, part = figure.subplots(3, 1, height_ratios=(2, 1, 4))
    counts = {side: int(np.count_nonzero(marked == side)) for side, *_ in SIDES}
    first, last = (f"{times[i]:%Y-%m-%d}" for i in (0, -1))
    figure.suptitle(f"{name} on train, {first} to {last}: {counts[BUY]:,} buy bars, {counts[SELL]:,} sell bars")

    step = max(price.size // N_POINTS, 1)
    whole.plot(times[::step], price[::step], color=PRICE_COLOUR, linewidth=0.8)
    days = times.floor("D")
    for side, _, _, sign, colour in SIDES:
        per_day = pd.Series(marked == side).groupby(days).sum()
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


def write_label_pictures(context: Context) -> Path:
    """Write ``label_pictures/<label>.png`` into the run's folder: price and marked bars of train, one for each label.

    Above, all of train with the marked bars of each day; below, the week in which the label marks most.
    """
    rows = context.rows("train")
    times, price = context.bars.index[rows].tz_localize(None), context.label_price[rows]
    n_bars = SHOWN_DAYS * DAY_MS // context.experiment.data.interval_ms

    def write(folder: Path) -> None:
        for label in context.experiment.label_kinds():
            values = labels.load(context, label.name)
            marked = marks(values, labels.traded_bars(context, "train", values.value.size))[rows]
            _draw(times, price, marked, label.name, n_bars).savefig(folder / f"{label.name}.png", dpi=100)

    write_atomically(context.folder / "label_pictures", write)
    return context.folder / "label_pictures"
