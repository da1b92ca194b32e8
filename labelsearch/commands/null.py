"""``labelsearch null``: search and tiers on outputs without information."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, run_options
from labelsearch.commands.opening import cell_of, working_on

if TYPE_CHECKING:
    from labelsearch.engine.executors.choice import Workers


@click.command("null")
@experiment_argument
@click.option(
    "--repeats",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="Searches on shifted outputs; one search with the real timing is added.",
)
@click.option(
    "--strategies", type=click.IntRange(3, 10_000_000), default=4000, show_default=True, help="Strategies per search."
)
@json_option
@run_options
def null(
    experiment: Path, repeats: int, strategies: int, as_json: bool, store: Path, runs: Path, workers: "Workers"
) -> None:
    """Repeat the search and the tiers of EXPERIMENT on outputs shifted against the prices, and rank the real result.

    Earlier stages are run first where needed. Finished repetitions are reused, so a larger number extends a smaller
    one. The repetition with the real timing counts as a look at the future window.

    \b
    Example:
      labelsearch null experiment.toml --repeats 100
    """  # fmt: skip
    from labelsearch.delivery.tables.null import null_table
    from labelsearch.settings.experiment import Experiment
    from labelsearch.studies.null import STAGE

    with working_on(Experiment.load(experiment), runs, store, workers, cell_of(experiment)) as run:
        found = run.do(STAGE, repeats=repeats, n_strategies=strategies)
    answer(as_json, [null_table(found.value)], run=run.name)
