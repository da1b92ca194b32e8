"""Pictures of an explanation: every Shapley value of the strongest features, and the means of all."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelsearch.delivery.data import swarm_heights
from labelsearch.engine.files import write_atomically
from labelsearch.labels.base import CLASS_NAMES
from labelsearch.results.explanation import Explanation, ExplanationFigures

COLOURS = {"buy": "#0072B2", "neutral": "#BBBBBB", "sell": "#D55E00"}  # blue, grey, vermilion: safe for all eyes
N_SHOWN = 20


def _shades(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Values between their 5% and 95% quantile as [0, 1]; a constant is 0.5."""
    low, high = np.quantile(values, (0.05, 0.95))
    return np.clip((values - low) / (high - low), 0.0, 1.0) if high > low else np.full(values.size, 0.5)


def draw_beeswarm(found: Explanation, path: Path) -> None:
    """A dot per explained row for the features of largest mean, buy and sell; colour is the feature's value."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    colours = LinearSegmentedColormap.from_list("feature", [COLOURS["buy"], "#DDDDDD", COLOURS["sell"]])
    entries = found.figures.features
    n_shown = min(N_SHOWN, len(entries))
    figure = Figure(figsize=(15, 2 + 0.34 * n_shown), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, side in zip(axes, ("buy", "sell"), strict=True):
        shown = sorted(entries, key=lambda entry: -getattr(entry.mean_abs_shap, side))[:n_shown]
        shap = found.shap[:, :, CLASS_NAMES.index(side)]
        low, high = shap.min(), shap.max()
        axis.axvline(0.0, color="#444444", linewidth=0.8)
        for place, entry in enumerate(shown):
            own = shap[:, entry.column]
            axis.scatter(own, -place + swarm_heights(own, low, high), c=_shades(found.features[:, entry.column]),
                         cmap=colours, vmin=0.0, vmax=1.0, s=7, linewidths=0, rasterized=True)  # fmt: skip
        axis.set_yticks(-np.arange(n_shown), [entry.feature for entry in shown], fontsize=8)
        axis.set_ylim(-n_shown + 0.4, 0.6)
        axis.set_title(f"{side}: the {n_shown} features of largest mean", fontsize=10)
        axis.set_xlabel(f"Shapley value: effect on the logit of {side}")
        axis.grid(axis="y", alpha=0.3)
    bar = figure.colorbar(ScalarMappable(cmap=colours), ax=list(axes), ticks=(0, 1), aspect=40, shrink=0.8)
    bar.ax.set_yticklabels(["low", "high"])
    bar.set_label("value of the feature")
    figure.suptitle(f"{found.figures.label}: {len(found.rows):,} validation bars of train")
    figure.savefig(path, dpi=110)


def draw_bars(found: ExplanationFigures, path: Path) -> None:
    """Mean absolute Shapley values by class, and the ablation beside them, for every feature."""
    from matplotlib.figure import Figure

    entries = found.features
    at = -np.arange(len(entries))
    figure = Figure(figsize=(15, 1.6 + 0.27 * len(entries)), layout="constrained")
    left, right, last = figure.subplots(1, 3, sharey=True)
    start = np.zeros(len(entries))
    for name in CLASS_NAMES:
        width = np.array([getattr(entry.mean_abs_shap, name) for entry in entries])
        left.barh(at, width, left=start, color=COLOURS[name], label=name, height=0.75)
        start += width
    left.set_yticks(at, [entry.feature for entry in entries], fontsize=8)
    left.set_xlabel("mean absolute Shapley value")
    left.legend(frameon=False, loc="lower right")
    for axis, name, what in ((right, "ablation", "shifted in time"), (last, "retrained", "retrained without it")):
        increase = [getattr(entry, name).value for entry in entries]
        errors = [getattr(entry, name).standard_error for entry in entries]
        axis.barh(at, increase, xerr=errors, color="#666666", height=0.75, error_kw={"linewidth": 0.8})
        axis.axvline(0.0, color="#444444", linewidth=0.8)
        axis.set_xlabel(f"increase of the validation loss when {what}")
    for axis in (left, right, last):
        axis.grid(axis="x", alpha=0.3)
    figure.suptitle(found.label)
    figure.savefig(path, dpi=110)


def write_explanation_pictures(found: Explanation, folder: Path) -> Path:
    """Write ``beeswarm.png`` and ``bars.png`` into a folder."""

    def write(pictures: Path) -> None:
        draw_beeswarm(found, pictures / "beeswarm.png")
        draw_bars(found.figures, pictures / "bars.png")

    write_atomically(folder, write)
    return folder
