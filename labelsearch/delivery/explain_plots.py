"""Pictures of an explanation: every Shapley value of the strongest features, and the means of all."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.kinds import CLASS_NAMES
from labelsearch.pipeline.explanation import explained_values
from labelsearch.pipeline.units import write_atomically

COLOURS = {"buy": "#0072B2", "neutral": "#BBBBBB", "sell": "#D55E00"}  # blue, grey, vermilion: safe for all eyes
N_SHOWN = 20
N_BINS = 60  # of the Shapley values of a row of the swarm


def swarm_heights(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Heights in [-0.4, 0.4] that keep near values apart, float64 (N,): each bin is filled from its middle outwards."""
    bins = np.floor((values - low) / max(high - low, 1e-12) * N_BINS).astype(int)
    heights = np.zeros(values.size)
    largest = 1
    for b in np.unique(bins):
        members = np.flatnonzero(bins == b)
        steps = (np.arange(members.size) + 1) // 2
        heights[members] = np.where(np.arange(members.size) % 2, steps, -steps)
        largest = max(largest, int(steps[-1]))
    return 0.4 * heights / max(largest, 6)


def _shades(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Values between their 5% and 95% quantile as [0, 1]; a constant is 0.5."""
    low, high = np.quantile(values, (0.05, 0.95))
    return np.clip((values - low) / (high - low), 0.0, 1.0) if high > low else np.full(values.size, 0.5)


def draw_beeswarm(found: dict[str, Any], values: dict[str, NDArray[Any]], path: Path) -> None:
    """A dot per explained row for the features of largest mean, buy and sell; colour is the feature's value."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    colours = LinearSegmentedColormap.from_list("feature", [COLOURS["buy"], "#DDDDDD", COLOURS["sell"]])
    entries = found["features"]
    n_shown = min(N_SHOWN, len(entries))
    figure = Figure(figsize=(15, 2 + 0.34 * n_shown), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, side in zip(axes, ("buy", "sell"), strict=True):
        shown = sorted(entries, key=lambda entry: -entry["mean_abs_shap"][side])[:n_shown]
        shap = values["shap"][:, :, CLASS_NAMES.index(side)]
        low, high = shap.min(), shap.max()
        axis.axvline(0.0, color="#444444", linewidth=0.8)
        for place, entry in enumerate(shown):
            own = shap[:, entry["column"]]
            axis.scatter(own, -place + swarm_heights(own, low, high), c=_shades(values["features"][:, entry["column"]]),
                         cmap=colours, vmin=0.0, vmax=1.0, s=7, linewidths=0, rasterized=True)  # fmt: skip
        axis.set_yticks(-np.arange(n_shown), [entry["feature"] for entry in shown], fontsize=8)
        axis.set_ylim(-n_shown + 0.4, 0.6)
        axis.set_title(f"{side}: the {n_shown} features of largest mean", fontsize=10)
        axis.set_xlabel(f"Shapley value: effect on the logit of {side}")
        axis.grid(axis="y", alpha=0.3)
    bar = figure.colorbar(ScalarMappable(cmap=colours), ax=list(axes), ticks=(0, 1), aspect=40, shrink=0.8)
    bar.ax.set_yticklabels(["low", "high"])
    bar.set_label("value of the feature")
    figure.suptitle(f"{found['label']}: {len(values['rows']):,} validation bars of train")
    figure.savefig(path, dpi=110)


def draw_bars(found: dict[str, Any], path: Path) -> None:
    """Mean absolute Shapley values by class, and the ablation beside them, for every feature."""
    from matplotlib.figure import Figure

    entries = found["features"]
    at = -np.arange(len(entries))
    figure = Figure(figsize=(12, 1.6 + 0.27 * len(entries)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    start = np.zeros(len(entries))
    for name in CLASS_NAMES:
        width = np.array([entry["mean_abs_shap"][name] for entry in entries])
        left.barh(at, width, left=start, color=COLOURS[name], label=name, height=0.75)
        start += width
    left.set_yticks(at, [entry["feature"] for entry in entries], fontsize=8)
    left.set_xlabel("mean absolute Shapley value")
    left.legend(frameon=False, loc="lower right")
    increase = [entry["ablation"]["value"] for entry in entries]
    errors = [entry["ablation"]["standard_error"] for entry in entries]
    right.barh(at, increase, xerr=errors, color="#666666", height=0.75, error_kw={"linewidth": 0.8})
    right.axvline(0.0, color="#444444", linewidth=0.8)
    right.set_xlabel("increase of the validation loss when shifted in time")
    for axis in (left, right):
        axis.grid(axis="x", alpha=0.3)
    figure.suptitle(found["label"])
    figure.savefig(path, dpi=110)


def write_explanation_pictures(found: dict[str, Any], folder: Path) -> Path:
    """Write ``pictures/beeswarm.png`` and ``pictures/bars.png`` into the folder of an explanation."""
    values = explained_values(folder)

    def write(pictures: Path) -> None:
        draw_beeswarm(found, values, pictures / "beeswarm.png")
        draw_bars(found, pictures / "bars.png")

    write_atomically(folder / "pictures", write)
    return folder / "pictures"
