"""Pictures of a run: equity, scores and separation histograms."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.delivery.data import curve_points, distance_shares
from labelsearch.results.ensembles import MARKET
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.run import Results

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")  # Okabe and Ito: safe for all eyes
BASELINE_COLOUR, MARKET_COLOUR = "#999999", "#555555"
N_POINTS = 2000  # of a line


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _line(axis: Any, x: pd.DatetimeIndex, y: NDArray[np.float64], name: str, colour: str, style: str) -> None:
    axis.plot(x, y, label=name, linewidth=1.2, color=colour, linestyle=style)


def draw_equity(results: Results, path: Path) -> None:
    """Equity, drawdown and mean position of every tier, of the baselines and of the best control, past and future."""
    figure, axes = _figure(3, 2, 12, 10)
    found = results.ensembles
    others = (*found.baselines, *found.controls)
    best = found.against.best
    hidden = set(found.controls) - {best}
    for column, window in enumerate(WINDOWS):
        curves = found.curves[window]
        tiers = [name for name in curves.names if name not in others]
        styles = {MARKET: (MARKET_COLOUR, "--"), "momentum": (BASELINE_COLOUR, ":"), best: (MARKET_COLOUR, "-.")}
        for name in filter(lambda name: name not in hidden, curves.names):
            colour, line = styles.get(name, (BASELINE_COLOUR, "-."))
            if name in tiers:
                colour, line = (*COLOURS, *COLOURS)[tiers.index(name)], "-"
            points = curve_points(curves, name, N_POINTS)
            drawn = partial(_line, colour=colour, style=line)
            drawn(axes[0][column], points.time, points.equity, name)
            drawn(axes[1][column], points.time, points.drawdown_pct, name)
            if name in tiers:  # baselines are all in or out
                drawn(axes[2][column], points.time, points.position_pct, name)
        for row, title in enumerate(("Equity (start = 1)", "Below the peak, %", "Mean position, %")):
            axes[row][column].set_title(f"{title}, {window}")
            axes[row][column].tick_params(axis="x", rotation=30)
            axes[row][column].grid(alpha=0.3)
    axes[0][0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def draw_scores(results: Results, path: Path) -> None:
    """Past score and past return of every strategy against its future return."""
    past, future = results.strategies.frame, results.ensembles.future
    figure, axes = _figure(1, 2, 12, 4.5)
    titles = {"score": "Past score", "monthly_return_pct": "Past monthly return, %"}
    for axis, (column, title) in zip(axes[0], titles.items(), strict=True):
        axis.scatter(past[column], future["monthly_return_pct"], s=3, alpha=0.3, color=COLOURS[0], linewidths=0)
        axis.axhline(0.0, color=MARKET_COLOUR, linewidth=0.8)
        axis.set_xlabel(title)
        axis.set_ylabel("Future monthly return, %")
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def draw_histograms(results: Results, path: Path, scale: str) -> None:
    """Distances of cross-class and same-class pairs for every label's feature set."""
    chosen = results.features.chosen
    columns = min(4, len(chosen))
    figure, axes = _figure(-(-len(chosen) // columns), columns, 3.2 * columns, 2.6 * -(-len(chosen) // columns))
    for axis, entry in zip(axes.flat, chosen, strict=False):
        shares = distance_shares(entry.histogram)
        axis.stairs(shares.cross, shares.edges, color=COLOURS[5], label="cross-class pairs")
        axis.stairs(shares.same, shares.edges, color=COLOURS[0], label="same-class pairs")
        axis.set_title(entry.label, fontsize=9)
        axis.set_yscale(scale)
        axis.set_xlabel("L1 distance", fontsize=8)
    axes.flat[0].legend(frameon=False, fontsize=7)
    for axis in list(axes.flat)[len(chosen) :]:
        axis.axis("off")
    figure.savefig(path, dpi=110)
