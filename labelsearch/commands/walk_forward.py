"""``labelsearch walk-forward``: tiers re-selected every few days."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, run_options
from labelsearch.commands.opening import cell_of, working_on

if TYPE_CHECKING:
    from labelsearch.engine.executors.choice import Workers


@click.command("walk-forward")
@experiment_argument
@click.option(
    "--window",
    type=click.Choice(["past", "future"]),
    default="past",
    show_default=True,
    help="Trade the second half of past, or future, which counts as a look.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=14,
    show_default=True,
    metavar="DAYS",
    help="Days between selections.",
)
@click.option(
    "--trailing",
    type=click.IntRange(min=2),
    metavar="DAYS",
    show_default="all known at the first selection",
    help="Days that a selection is based on.",
)
@json_option
@run_options
def walk_forward(
    experiment: Path,
    window: str,
    every: int,
    trailing: int | None,
    as_json: bool,
    store: Path,
    runs: Path,
    workers: "Workers",
) -> None:
    """Re-select the tiers of EXPERIMENT every few days and compare them with fixed tiers.

    Earlier stages are run first where needed. Members are selected from all strategies of the search by their most
    recent days; the costs of switching are included.

    \b
    Example:
      labelsearch walk-forward experiment.toml --every 14 --trailing 60
    """  # fmt: skip
    from labelsearch.delivery.tables.walk_forward import walk_forward_table
    from labelsearch.settings.experiment import Experiment
    from labelsearch.studies.walk_forward import STAGE

    with working_on(Experiment.load(experiment), runs, store, workers, cell_of(experiment)) as run:
        found = run.do(STAGE, window=window, every=every, trailing=trailing)
    answer(as_json, [walk_forward_table(found.value)], run=run.name)
