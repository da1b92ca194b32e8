"""Report files of a run: one HTML page, Markdown, the tier table as CSV, and pictures."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

from labelsearch.delivery.csv_files import write_csv
from labelsearch.delivery.page.panel_page import panel_page
from labelsearch.delivery.page.report_page import PACKAGES, report_page
from labelsearch.delivery.pictures.run import draw_equity, draw_histograms, draw_scores
from labelsearch.delivery.tables import belief, belief_details, controls, costs, features, panel, stages
from labelsearch.delivery.tables.book import book_tables
from labelsearch.delivery.tables.diversity import ambiguity_table, diversity_table, lived_on_table
from labelsearch.delivery.tables.hedges import hedge_tables
from labelsearch.delivery.tables.magnitude import magnitude_table
from labelsearch.delivery.tables.members import exit_table, members_table
from labelsearch.delivery.tables.null import null_table
from labelsearch.delivery.tables.panel_power import panel_seeds_table, power_table
from labelsearch.delivery.tables.seeds import seeds_table
from labelsearch.delivery.tables.table import literal
from labelsearch.engine.files import write_atomically
from labelsearch.results.codec import json_bytes, to_plain
from labelsearch.results.panel_run import PanelResults
from labelsearch.results.record import plain_fields
from labelsearch.results.run import Results


def provenance(results: Results) -> dict[str, object]:
    """What the run was made from."""
    windows = results.experiment.windows
    return {
        "run": results.name,
        "settings sha256": results.experiment.digest,
        "seed": results.experiment.seed,
        "windows": {name: list(getattr(windows, name)) for name in windows.named},
        "data": to_plain(results.outputs.bars),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _markdown(results: Results) -> str:
    parts = [f"# Run {results.name}", "## What it was made from"]
    parts.append("```json\n" + json.dumps(provenance(results), indent=1) + "\n```")
    for table in (
        stages.label_table(results),
        features.feature_table(results),
        *filter(None, (features.held_out_table(results),)),
        features.parameter_table(results),
        stages.classifier_table(results),
        *([found] if (found := magnitude_table(results)) else []),
        stages.search_table(results),
        stages.tier_table(results),
        stages.metrics_table(results),
        *filter(None, (controls.against_table(results), controls.control_table(results))),
        belief.belief_table(results),
        belief_details.decile_table(results),
        belief_details.sharpe_table(results),
        belief_details.overfitting_table(results),
        belief_details.attribution_table(results),
        costs.terms_table(results),
        costs.paid_table(results),
        costs.cost_curve_table(results),
        *filter(None, (members_table(results), exit_table(results))),
        *filter(None, (diversity_table(results), lived_on_table(results), ambiguity_table(results))),
        *([seeds_table(results)] if results.seeds.tables else []),
        *([null_table(results.null)] if results.null else []),
        *(table for found in results.hedges for table in hedge_tables(found)),
        stages.cost_table(results),
    ):
        parts += [f"## {literal(table.title)}", table.to_markdown()]
    pictures = {
        "Equity, drawdown and position": "equity.png",
        "Past against future, all strategies": "scores.png",
        "Separation histograms": "histograms.png",
        "Separation histograms, logarithmic": "histograms_log.png",
    }
    parts += [f"## {title}\n\n![{title}]({name})" for title, name in pictures.items()]
    return "\n\n".join(parts) + "\n"


def _panel_markdown(results: PanelResults) -> str:
    parts = [f"# Run {results.name}", "## What it shows", *map(literal, panel.panel_sentences(results))]
    tables = (
        panel.stitched_table(results),
        *book_tables(results),
        power_table(results),
        panel.split_table(results),
        panel.market_table(results, longest=None),
        panel.cell_table(results),
        *([panel.absent_table(results)] if results.panel.absent else []),
        *([panel_seeds_table(results)] if results.panel.seeds else []),
        *(table for found in results.hedges for table in hedge_tables(found)),
    )
    for table in tables:
        parts += [f"## {literal(table.title)}", table.to_markdown()]
    return "\n\n".join(parts) + "\n"


def write_panel_report(results: PanelResults) -> Path:
    """Write ``report/`` of a finished panel: a page, Markdown, all figures as JSON and cells as CSV."""

    def write(folder: Path) -> None:
        found = results.panel
        (folder / "report.html").write_text(panel_page(results), encoding="utf-8")
        (folder / "report.md").write_text(_panel_markdown(results), encoding="utf-8")
        (folder / "panel.json").write_bytes(json_bytes(plain_fields(found)))
        write_csv(folder / "cells.csv", panel.cell_records(results))

    write_atomically(results.folder / "report", write)
    return results.folder / "report"


def write_report(results: Results) -> Path:
    """Write ``report/`` of a finished run: a page, Markdown, tiers and belief as CSV and JSON, and four pictures."""

    def write(folder: Path) -> None:
        found = results.ensembles
        (folder / "report.html").write_text(report_page(results), encoding="utf-8")
        (folder / "report.md").write_text(_markdown(results))
        (folder / "tiers.json").write_bytes(json_bytes(stages.tier_table(results).data))
        (folder / "belief.json").write_bytes(json_bytes(plain_fields(results.belief)))
        write_csv(folder / "tiers.csv", [row.flat() for row in found.rows])
        draw_equity(results, folder / "equity.png")
        draw_scores(results, folder / "scores.png")
        draw_histograms(results, folder / "histograms.png", "linear")
        draw_histograms(results, folder / "histograms_log.png", "log")

    write_atomically(results.folder / "report", write)
    return results.folder / "report"
