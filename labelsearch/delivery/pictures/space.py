"""Picture of the search over labels: maps of what was tried, and the front of skill and worth."""

from pathlib import Path
from typing import Any

import numpy as np

from labelsearch.delivery.space_points import SpacePoint, front, points_of
from labelsearch.engine.files import write_atomically
from labelsearch.results.space import Space

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
RING = "#D55E00"


def write_space_picture(found: Space, folder: Path) -> Path:
    """Draw into a folder, which is replaced; the path of the picture."""
    write_atomically(folder, lambda temporary: _draw(found, temporary / "space.png"))
    return folder / "space.png"


def _draw(found: Space, path: Path) -> None:
    from matplotlib.figure import Figure

    points = points_of(found)
    figure = Figure(figsize=(13, 9), layout="constrained")
    axes = figure.subplots(2, 2)
    threshold = [its for its in points if its.theta is not None]
    _map(figure, axes[0, 0], threshold, [its.theta or 0.0 for its in threshold], "threshold labels: theta", "t", True)
    shares = [its.action_share for its in points]
    _map(figure, axes[0, 1], points, shares, "all kinds: share of buy and sell bars", "direction", False)
    _map(figure, axes[1, 0], points, shares, "all kinds: share of buy and sell bars", "t", False)
    _front(axes[1, 1], points)
    figure.savefig(path, dpi=110)


def _map(figure: Any, axis: Any, points: list[SpacePoint], y: list[float], title: str, by: str, log: bool) -> None:
    """Candidates by horizon, coloured by a figure; chosen ones ringed."""
    axis.set(xscale="log", xlabel="horizon, bars", ylabel=title, title=f"by {_TITLES[by]}")
    if log:
        axis.set_yscale("log")
    if not points:
        return
    values = np.array([getattr(its, by) if getattr(its, by) is not None else np.nan for its in points])
    middle = 0.5 if by == "direction" else 0.0
    reach = float(np.nanquantile(np.abs(values - middle), 0.95)) if np.isfinite(values).any() else 1.0
    kinds = list(dict.fromkeys(its.kind for its in points))
    dots = None
    for kind, marker in zip(kinds, np.resize(MARKERS, len(kinds)).tolist(), strict=True):
        own = [i for i, its in enumerate(points) if its.kind == kind]
        dots = axis.scatter(
            [points[i].horizon for i in own], [y[i] for i in own], c=values[own], cmap="RdBu", marker=marker, s=34,
            vmin=middle - max(reach, 1e-9), vmax=middle + max(reach, 1e-9), edgecolors="#777777", linewidths=0.4,
            label=kind,
        )  # fmt: skip
    ringed = [i for i, its in enumerate(points) if its.is_chosen]
    axis.scatter([points[i].horizon for i in ringed], [y[i] for i in ringed], s=130, facecolors="none",
                 edgecolors=RING, linewidths=1.6, label="chosen")  # fmt: skip
    axis.legend(frameon=False, fontsize=7)
    axis.grid(alpha=0.3)
    figure.colorbar(dots, ax=axis)


def _front(axis: Any, points: list[SpacePoint]) -> None:
    known = [its for its in points if its.t is not None]
    axis.set(xlabel="skill of the classifiers", ylabel="t-value of worth", title="Pareto front of skill and worth")
    axis.grid(alpha=0.3)
    axis.scatter([its.skill for its in known], [its.t for its in known], s=14, color="#999999")
    best = front(known)
    axis.plot([its.skill for its in best], [its.t for its in best], color="#0072B2", marker="o", markersize=4)
    ringed = [its for its in known if its.is_chosen]
    axis.scatter([its.skill for its in ringed], [its.t for its in ringed], s=130, facecolors="none", edgecolors=RING)


_TITLES = {"t": "t-value of worth", "direction": "AUC of buy against sell"}
