"""``labelsearch hedges``: whether strategies that need no labels hedge the tiers."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, json_option, run_options
from labelsearch.commands.completion import complete_runs
from labelsearch.commands.opening import cell_of, find_results, working_on, working_on_panel

if TYPE_CHECKING:
    from labelsearch.engine.executors.choice import Workers
    from labelsearch.settings.experiment import Experiment


@click.command("hedges")
@click.argument("target", metavar="RUN|EXPERIMENT", shell_complete=complete_runs)
@click.option(
    "--window",
    type=click.Choice(["past", "future"]),
    default="past",
    show_default=True,
    help="Judge on the second half of past, or on future, which counts as a look.",
)
@click.option(
    "--step",
    default="1d",
    show_default=True,
    metavar="LENGTH",
    help="Time from one decision to the next, as 1h, 4h or 1d; at least a bar.",
)
@json_option
@run_options
def hedges(target: str, window: str, step: str, as_json: bool, store: Path, runs: Path, workers: "Workers") -> None:
    """Trade four strategies that need no labels, and print how well they hedge the tiers of RUN or EXPERIMENT.

    An LSTM, ARIMA-GARCH, momentum and a contrarian trade every market, at the costs of the experiment; then all four
    with equal capital, and all markets. Earlier stages are run first where needed. Of a run of many markets or splits
    the stitched tiers are hedged, on past those of the first split.

    \b
    Example:
      labelsearch hedges experiment.toml
      labelsearch hedges coins --window future --step 4h
    """  # fmt: skip
    from labelsearch.delivery.tables.hedges import hedge_tables
    from labelsearch.market.times import parse_span
    from labelsearch.panels.hedges import hedge_panel
    from labelsearch.studies.hedges import hedge_run

    step_ms = parse_span(step)
    experiment, folder = _named(target, runs, store)
    if experiment.is_panel:
        with working_on_panel(experiment, folder.parent if folder else runs, store, workers) as panel:
            found, name = hedge_panel(panel, window, step_ms), panel.folder.name
    else:
        with working_on(experiment, runs, store, workers, folder) as run:
            found, name = hedge_run(run, window, step_ms), run.name
    answer(as_json, hedge_tables(found.value), run=name)


def _named(target: str, runs: Path, store: Path) -> tuple["Experiment", Path | None]:
    """The experiment, and the folder of its run where that is not the one of its id below ``runs``."""
    from labelsearch.settings.experiment import Experiment

    path = Path(target)
    if path.is_file():
        return Experiment.load(path), cell_of(path)
    results = find_results(target, runs, store)
    return results.experiment, results.folder
