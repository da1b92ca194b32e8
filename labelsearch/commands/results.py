"""``labelsearch runs``, ``compare``, ``report`` and ``export``: what finished runs hold."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, json_option, one_line_errors, report_files, runs_option, store_option
from labelsearch.commands.completion import complete_runs, complete_tiers, run_argument

if TYPE_CHECKING:
    from labelsearch.pipeline.context import Context


@click.group()
def runs() -> None:
    """List runs and show what they found."""


@runs.command("list")
@json_option
@runs_option
@one_line_errors
def list_(as_json: bool, runs: Path) -> None:
    """List the runs, oldest first, with the stages each has finished.

    \b
    Example:
      labelsearch runs list
    """
    from labelsearch.delivery.table import Table
    from labelsearch.pipeline.ledger import Ledger
    from labelsearch.pipeline.run import STAGE_NAMES, done_events, list_runs

    rows, data = [], []
    for folder in list_runs(runs):
        done = done_events(Ledger(folder / "ledger.jsonl"))
        last = [name for name in STAGE_NAMES if name in done][-1:]
        seconds = sum(event["seconds"] for event in done.values())
        rows.append((folder.name, *(last or ["-"]), f"{len(done)}/{len(STAGE_NAMES)}", f"{seconds:.0f}"))
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
    """Show everything that RUN (an id, the start of one, or a folder) has found so far.

    \b
    Example:
      labelsearch runs show paper
    """
    from labelsearch.delivery import belief_details, belief_table, tables
    from labelsearch.pipeline.ledger import Ledger
    from labelsearch.pipeline.run import done_events, find_run, open_context

    context = open_context(find_run(run, runs), store)
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    makers = {
        "labels": [tables.label_table],
        "features": [tables.feature_table, tables.parameter_table],
        "classifiers": [tables.classifier_table],
        "search": [tables.search_table],
        "ensembles": [
            tables.tier_table,
            belief_table.belief_table,
            belief_details.decile_table,
            belief_details.sharpe_table,
            belief_details.overfitting_table,
            belief_details.attribution_table,
        ],
    }
    made = [make(context) for name in makers if name in done for make in makers[name]]
    answer(as_json, [*made, tables.cost_table(context)], run=context.folder.name)


@click.command()
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a page with curves to FILE.",
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
    from labelsearch.delivery.tables import comparison_table
    from labelsearch.pipeline.run import find_run

    contexts = [_finished(find_run(name, runs), store) for name in names]
    if html:
        from labelsearch.delivery.html.compare_page import compare_page

        html.write_text(compare_page(contexts), encoding="utf-8")
    answer(as_json, [comparison_table(contexts)], told={"page": html} if html else {})


@click.command()
@run_argument
@json_option
@runs_option
@store_option
@one_line_errors
def report(run: str, as_json: bool, runs: Path, store: Path) -> None:
    """Write the report files of RUN again: one HTML page for any browser, Markdown, CSV and pictures.

    \b
    Example:
      labelsearch report paper
    """
    from labelsearch.delivery.report import write_report
    from labelsearch.pipeline.run import find_run

    context = _finished(find_run(run, runs), store)
    folder = write_report(context)
    answer(as_json, run=context.folder.name, told=report_files(folder))


@click.command()
@run_argument
@click.option(
    "--tier",
    type=int,
    shell_complete=complete_tiers,
    help="Size of the tier to export, with the smaller ones it holds.  [default: the largest]",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for the bundle.")
@click.option("--onnx", is_flag=True, help="Also write each classifier as ONNX; needs labelsearch[onnx].")
@json_option
@runs_option
@store_option
@one_line_errors
def export(run: str, tier: int | None, out: Path, onnx: bool, as_json: bool, runs: Path, store: Path) -> None:
    """Export the winners of RUN: weights and thresholds, classifiers, feature sets, and a manifest of checksums.

    \b
    Example:
      labelsearch export paper --out winners
      labelsearch export paper --tier 5 --out five --onnx
    """  # fmt: skip
    from labelsearch.delivery.export import export_bundle
    from labelsearch.pipeline.run import find_run

    context = _finished(find_run(run, runs), store)
    answer(as_json, run=context.folder.name, told={"bundle": export_bundle(context, tier, out, onnx=onnx)})


def _finished(folder: Path, store: Path) -> "Context":
    from labelsearch.pipeline.run import RunError, open_context

    context = open_context(folder, store)
    if not (context.stage("ensembles") / "tiers.json").is_file():
        raise RunError(f"{folder} has no ensembles yet; finish it with: labelsearch run {folder}/experiment.toml")
    return context
