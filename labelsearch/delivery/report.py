"""Report files of a run: one HTML page, Markdown, the tier table as CSV, and pictures."""

import csv
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labelsearch.delivery import belief_details, belief_table, tables
from labelsearch.delivery.html.report_page import report_page
from labelsearch.delivery.null_table import null_table
from labelsearch.delivery.seeds_table import seeds_table
from labelsearch.pipeline import belief, null, seeds
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import ensembles, features, labels, search
from labelsearch.pipeline.units import write_atomically

PACKAGES = ("labelsearch", "numpy", "numba", "pandas", "torch", "pytorch-lightning", "optuna", "shap", "vectorbt")
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")  # Okabe and Ito: safe for all eyes
BASELINE_COLOUR = "#999999"
MARKET_COLOUR = "#555555"


def provenance(context: Context) -> dict[str, Any]:
    """What the run was made from."""
    return {
        "run": context.folder.name,
        "settings sha256": context.experiment.digest,
        "seed": context.experiment.seed,
        "windows": {name: list(getattr(context.experiment.windows, name)) for name in ("train", "past", "future")},
        "data": labels.summary(context)["data"],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")


def draw_equity(context: Context, path: Path) -> None:
    """Equity, deepest fall from the peak and mean position of every tier and of the market, past and future."""
    figure, axes = _figure(3, 2, 12, 10)
    for column, window in enumerate(("past", "future")):
        curves = pd.read_parquet(context.stage("ensembles") / f"curves_{window}.parquet").set_index("open_time")
        names = [c.removesuffix(" equity") for c in curves if c.endswith(" equity")]
        tiers = [name for name in names if name.startswith("Top-")]
        styles = {ensembles.MARKET: (MARKET_COLOUR, "--"), "momentum": (BASELINE_COLOUR, ":")}
        for name in names:
            colour, line = styles.get(name, (BASELINE_COLOUR, "-."))
            if name in tiers:
                colour, line = (*COLOURS, *COLOURS)[tiers.index(name)], "-"
            drawn: dict[str, Any] = {"linewidth": 1.2, "color": colour, "linestyle": line}
            equity = curves[f"{name} equity"]
            fall = 100 * (equity / equity.cummax().clip(lower=1.0) - 1).resample("6h").min()
            thin = equity.iloc[:: max(len(equity) // 2000, 1)]
            axes[0][column].plot(thin.index, thin, label=name, **drawn)
            axes[1][column].plot(fall.index, fall, **drawn)
            if name in tiers:  # baselines are all in or out
                daily = curves[f"{name} position"].resample("1D").mean()
                axes[2][column].plot(daily.index, 100 * daily, **drawn)
        for row, title in enumerate(("Equity (start = 1)", "Below the peak, %", "Mean position of a day, %")):
            axes[row][column].set_title(f"{title}, {window}")
            axes[row][column].tick_params(axis="x", rotation=30)
            axes[row][column].grid(alpha=0.3)
    axes[0][0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def draw_scores(context: Context, path: Path) -> None:
    """Past score and past return of every strategy against its future return."""
    past = search.load(context)
    future = ensembles.load_future(context)
    figure, axes = _figure(1, 2, 12, 4.5)
    for axis, column, title in zip(
        axes[0], ("score", "monthly_return"), ("Past score", "Past monthly return, %"), strict=True
    ):
        axis.scatter(past[column], future["monthly_return"], s=3, alpha=0.3, color=COLOURS[0], linewidths=0)
        axis.axhline(0.0, color=MARKET_COLOUR, linewidth=0.8)
        axis.set_xlabel(title)
        axis.set_ylabel("Future monthly return, %")
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def draw_histograms(context: Context, path: Path, scale: str) -> None:
    """Distances of cross-class and same-class pairs for every label's feature set."""
    names = [label.name for label in context.experiment.label_kinds()]
    columns = min(4, len(names))
    figure, axes = _figure(-(-len(names) // columns), columns, 3.2 * columns, 2.6 * -(-len(names) // columns))
    for axis, name in zip(axes.flat, names, strict=False):
        histogram = features.load(context, name)["histogram"]
        edges = np.linspace(0.0, histogram["top"], len(histogram["cross"]) + 1)
        for kind, colour in (("cross", COLOURS[5]), ("same", COLOURS[0])):
            share = np.array(histogram[kind]) / sum(histogram[kind])
            axis.stairs(share, edges, color=colour, label=f"{kind}-class pairs")
        axis.set_title(name, fontsize=9)
        axis.set_yscale(scale)
        axis.set_xlabel("L1 distance", fontsize=8)
    axes.flat[0].legend(frameon=False, fontsize=7)
    for axis in list(axes.flat)[len(names) :]:
        axis.axis("off")
    figure.savefig(path, dpi=110)


def _markdown(context: Context) -> str:
    parts = [f"# Run {context.folder.name}", "## What it was made from"]
    parts.append("```json\n" + json.dumps(provenance(context), indent=1) + "\n```")
    for table in (
        tables.label_table(context),
        tables.feature_table(context),
        tables.parameter_table(context),
        tables.classifier_table(context),
        tables.search_table(context),
        tables.tier_table(context),
        tables.metrics_table(context),
        belief_table.belief_table(context),
        belief_details.decile_table(context),
        belief_details.sharpe_table(context),
        belief_details.overfitting_table(context),
        belief_details.attribution_table(context),
        *([seeds_table(context)] if any(seeds.load(context).values()) else []),
        *([null_table(found)] if (found := null.load(context)) else []),
        tables.cost_table(context),
    ):
        parts += [f"## {table.title}", table.to_markdown()]
    pictures = {
        "Equity, drawdown and position": "equity.png",
        "Past against future, all strategies": "scores.png",
        "Separation histograms": "histograms.png",
        "Separation histograms, logarithmic": "histograms_log.png",
    }
    parts += [f"## {title}\n\n![{title}]({name})" for title, name in pictures.items()]
    return "\n\n".join(parts) + "\n"


def write_report(context: Context) -> Path:
    """Write ``report/`` of a finished run: a page, Markdown, tiers and belief as CSV and JSON, and four pictures."""
    from matplotlib import pyplot

    def write(folder: Path) -> None:
        found = ensembles.load(context)
        (folder / "report.html").write_text(report_page(context), encoding="utf-8")
        (folder / "report.md").write_text(_markdown(context))
        (folder / "tiers.json").write_text(json.dumps(found, indent=1))
        (folder / "belief.json").write_text(json.dumps(belief.load(context), indent=1))
        with (folder / "tiers.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, found["table"][0])
            writer.writeheader()
            writer.writerows(found["table"])
        draw_equity(context, folder / "equity.png")
        draw_scores(context, folder / "scores.png")
        draw_histograms(context, folder / "histograms.png", "linear")
        draw_histograms(context, folder / "histograms_log.png", "log")
        pyplot.close("all")

    write_atomically(context.folder / "report", write)
    return context.folder / "report"
