"""``labelsearch runs``, ``compare``, ``report`` and ``export``: use the results of runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, json_option, one_line_errors, report_files, runs_option, store_option
from labelsearch.commands.completion import complete_runs, complete_tiers, run_argument

if TYPE_CHECKING:
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
    from labelsearch.results.run import STAGE_NAMES, Results

    rows, data = [], []
    for folder in list_runs(runs):
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
    from labelsearch.delivery.tables import belief, belief_details, stages

    results = _results(run, runs, store)
    makers = {
        "labels": [stages.label_table],
        "features": [stages.feature_table, stages.parameter_table],
        "classifiers": [stages.classifier_table],
        "search": [stages.search_table],
        "ensembles": [
            stages.tier_table,
            belief.belief_table,
            belief_details.decile_table,
            belief_details.sharpe_table,
            belief_details.overfitting_table,
            belief_details.attribution_table,
        ],
    }
    made = [make(results) for name in makers if name in results.done for make in makers[name]]
    answer(as_json, [*made, stages.cost_table(results)], run=results.name)


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

    compared = [_finished(name, runs, store) for name in names]
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
    from labelsearch.delivery.report import write_report

    results = _finished(run, runs, store)
    answer(as_json, run=results.name, named=report_files(write_report(results)))


@click.command()
@run_argument
@click.option(
    "--tier",
    type=int,
    shell_complete=complete_tiers,
    help="Size of the tier to export, together with the smaller ones.  [default: the largest]",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for the bundle.")
@click.option("--onnx", is_flag=True, help="Also write each classifier as ONNX; needs labelsearch[onnx].")
@json_option
@runs_option
@store_option
@one_line_errors
def export(run: str, tier: int | None, out: Path, onnx: bool, as_json: bool, runs: Path, store: Path) -> None:
    """Export the winners of RUN as a bundle: strategies, classifiers, feature sets, and a manifest of checksums.

    \b
    Example:
      labelsearch export paper --out winners
      labelsearch export paper --tier 5 --out five --onnx
    """  # fmt: skip
    from labelsearch.delivery.export import export_bundle

    results = _finished(run, runs, store)
    for path in results.experiment.own:
        click.echo(f"executing your own file {path}", err=True)
    answer(as_json, run=results.name, named={"bundle": export_bundle(results, tier, out, onnx=onnx)})


def _results(run: str, runs: Path, store: Path) -> "Results":
    from labelsearch.engine.run import find_run
    from labelsearch.results.run import Results

    return Results(find_run(run, runs), store)


def _finished(run: str, runs: Path, store: Path) -> "Results":
    from labelsearch.engine.run import RunError

    results = _results(run, runs, store)
    if "belief" not in results.done:
        again = f"labelsearch run {results.folder}/experiment.toml"
        raise RunError(f"{results.folder} has no ensembles yet; to finish the run: {again}")
    return results
