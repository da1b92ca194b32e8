"""``labelsearch runs``, ``compare``, ``report`` and ``export``: use the results of runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, json_option, one_line_errors, report_files, runs_option, store_option
from labelsearch.commands.completion import complete_runs, complete_tiers, run_argument
from labelsearch.commands.opening import find_alone, find_results, finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from labelsearch.delivery.tables.table import Table
    from labelsearch.results.panel_run import PanelResults
    from labelsearch.results.run import Results


@click.group()
def runs() -> None:
    """List runs and show their results."""


@runs.command("list")
@json_option
@runs_option
@one_line_errors
def list_(as_json: bool, runs: Path) -> None:
    """List the runs, oldest first, with the stages that each has finished.

    \b
    Example:
      labelsearch runs list
    """
    from labelsearch.delivery.tables.table import Table
    from labelsearch.engine.run import list_runs
    from labelsearch.results.panel_run import PanelResults, is_panel
    from labelsearch.results.run import STAGE_NAMES, Results

    rows: list[tuple[str, ...]] = []
    data: list[dict[str, object]] = []
    folders = list_runs(runs)
    # a panel has no ledger before its verdict
    folders += sorted(path for path in runs.glob("*") if is_panel(path) and path not in folders)
    for folder in folders:
        if is_panel(folder):
            state = PanelResults(folder).progress
            seconds, cells = state.seconds, f"{state.done}/{state.of} cells"
            rows.append((folder.name, "panel" if state.judged else "cells", cells, f"{seconds:.0f}"))
            stages = ["cells"] * (state.done == state.of) + ["panel"] * state.judged
            counts = {"cells": state.done, "of_cells": state.of}
            data.append({"run": folder.name, "done": stages, "of": 2, "seconds": seconds, **counts})
            continue
        if not (folder / "experiment.toml").is_file():
            continue  # no run
        done = Results(folder).done
        seconds = sum(event["seconds"] for event in done.values())
        rows.append((folder.name, *(list(done)[-1:] or ["-"]), f"{len(done)}/{len(STAGE_NAMES)}", f"{seconds:.0f}"))
        data.append({"run": folder.name, "done": list(done), "of": len(STAGE_NAMES), "seconds": seconds})
    columns = ("run", "last stage", "stages", "seconds")
    answer(as_json, [Table("Runs", columns, tuple(rows), n_text=2, key="runs", data=data)])


@runs.command("show")
@run_argument
@json_option
@runs_option
@store_option
@one_line_errors
def show_(run: str, as_json: bool, runs: Path, store: Path) -> None:
    """Show all results of RUN (an id, the start of one, or a folder) so far.

    \b
    Example:
      labelsearch runs show paper
    """
    from labelsearch.delivery.tables import (
        belief,
        belief_details,
        controls,
        costs,
        diversity,
        features,
        members,
        stages,
    )
    from labelsearch.delivery.tables.magnitude import magnitude_table
    from labelsearch.delivery.tables.panel import panel_sentences
    from labelsearch.results.panel_run import PanelResults

    results = find_results(run, runs, store)
    if isinstance(results, PanelResults):
        named = {"verdict": results.panel.verdict}
        answer(as_json, _panel_tables(results), run=results.name, lines=panel_sentences(results), named=named)
        return
    makers: dict[str, list[Callable[[Results], Table | None]]] = {
        "labels": [stages.label_table],
        "features": [features.feature_table, features.held_out_table, features.parameter_table],
        "classifiers": [stages.classifier_table, magnitude_table],
        "search": [stages.search_table],
        "belief": [
            stages.tier_table,
            controls.against_table,
            controls.control_table,
            belief.belief_table,
            belief_details.decile_table,
            belief_details.sharpe_table,
            belief_details.overfitting_table,
            belief_details.attribution_table,
            members.members_table,
            members.exit_table,
            diversity.diversity_table,
            diversity.ambiguity_table,
            costs.terms_table,
            costs.paid_table,
            costs.cost_curve_table,
        ],
    }
    made = [make(results) for name in makers if name in results.done for make in makers[name]]
    answer(as_json, [*filter(None, made), stages.cost_table(results)], run=results.name)


@click.command()
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write an HTML page with equity curves to FILE.",
    metavar="FILE",
)
@json_option
@runs_option
@store_option
@one_line_errors
def compare(names: tuple[str, ...], html: Path | None, as_json: bool, runs: Path, store: Path) -> None:
    """Print the ensemble tiers of several runs side by side.

    \b
    Example:
      labelsearch compare paper-1a2b3c4d demo-5e6f7a8b
      labelsearch compare paper demo --html both.html
    """  # fmt: skip
    from labelsearch.delivery.tables.stages import comparison_table

    compared = [finished(find_alone(name, runs, store)) for name in names]
    if html:
        from labelsearch.delivery.page.compare_page import compare_page

        html.write_text(compare_page(compared), encoding="utf-8")
    answer(as_json, [comparison_table(compared)], named={"page": html} if html else {})


@click.command()
@run_argument
@json_option
@runs_option
@store_option
@one_line_errors
def report(run: str, as_json: bool, runs: Path, store: Path) -> None:
    """Write the report files of RUN again: one self-contained HTML page, Markdown, CSV, JSON and pictures.

    \b
    Example:
      labelsearch report paper
    """
    from labelsearch.delivery.report import write_panel_report, write_report
    from labelsearch.results.panel_run import PanelResults

    results = find_results(run, runs, store)
    folder = write_panel_report(results) if isinstance(results, PanelResults) else write_report(finished(results))
    answer(as_json, run=results.name, named=report_files(folder))


@click.command()
@run_argument
@click.option(
    "--tier",
    type=int,
    shell_complete=complete_tiers,
    help="Size of the tier to export, together with the smaller ones.  [default: the largest]",
)
@click.option("--market", metavar="SYMBOL", help="Market of a run of many markets or splits; its last split is taken.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for the bundle.")
@click.option("--onnx", is_flag=True, help="Also write each classifier as ONNX; needs labelsearch[onnx].")
@json_option
@runs_option
@store_option
@one_line_errors
def export(
    run: str, tier: int | None, market: str | None, out: Path, onnx: bool, as_json: bool, runs: Path, store: Path
) -> None:
    """Export the winners of RUN as a bundle: strategies, classifiers, feature sets, and a manifest of checksums.

    Of a run of many markets or splits, those of one market in its last split; of a book, the book of its last split
    with all its markets.

    \b
    Example:
      labelsearch export paper --out winners
      labelsearch export paper --tier 5 --out five --onnx
      labelsearch export coins --market BTCUSDT --out btc
    """  # fmt: skip
    from labelsearch.delivery.export import export_bundle
    from labelsearch.delivery.export_book import export_book
    from labelsearch.results.panel_run import PanelResults

    found = find_results(run, runs, store)
    if isinstance(found, PanelResults) and market is None and found.experiment.book.is_one:
        for path in found.experiment.own:
            click.echo(f"executing your own file {path}", err=True)
        answer(as_json, run=found.name, named={"bundle": export_book(found, tier, out, onnx=onnx)})
        return
    results = finished(_one_market(found, market), "ensembles")
    for path in results.experiment.own:
        click.echo(f"executing your own file {path}", err=True)
    answer(as_json, run=results.name, named={"bundle": export_bundle(results, tier, out, onnx=onnx)})


def _one_market(results: "Results | PanelResults", market: str | None) -> "Results":
    """The results to export: of a panel, those of a market in its last split."""
    from labelsearch.engine.run import RunError
    from labelsearch.results.run import Results

    if not isinstance(results, Results):
        if market is None:
            known = ", ".join(row.market for row in results.panel.markets)
            raise RunError(f"{results.name} has several markets or splits: name a market with --market; it has {known}")
        return results.last_cell(market)
    if market not in (None, symbol := results.experiment.data.symbol):
        raise RunError(f"{results.name} has no market {market}; it has {symbol}")
    return results


def _panel_tables(results: "PanelResults") -> list["Table"]:
    from labelsearch.delivery.tables import book, panel, panel_power

    makers = (panel.stitched_table, panel_power.power_table, panel.split_table, panel.market_table)
    found = results.panel
    return [
        *(make(results) for make in makers[:1]),
        *book.book_tables(results),
        *(make(results) for make in makers[1:]),
        *([panel.absent_table(results)] if found.absent else []),
        *([panel_power.panel_seeds_table(results)] if found.seeds else []),
    ]
