"""``labelsearch null``: search and tiers on outputs that know nothing."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, json_option, run_options, working_on


@click.command("null")
@click.argument("experiment", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Searches on shifted outputs; one with the real timing is added.",
)
@click.option(
    "--strategies", type=click.IntRange(min=3), default=4000, show_default=True, help="Strategies of each search."
)
@json_option
@run_options
def null(experiment: Path, repeats: int, strategies: int, as_json: bool, store: Path, runs: Path, workers: int) -> None:
    """Repeat search and tiers of EXPERIMENT on outputs shifted against the prices, and see where the real ones stand.

    Runs the stages before the search first, unless they are done. Repetitions already done are kept, so a larger number
    adds to a smaller one. The repetition with the real timing is a look at the future window, and is counted as one.

    \b
    Example:
      labelsearch null experiment.toml --repeats 100
    """  # fmt: skip
    from labelsearch.delivery.tables.null import null_table
    from labelsearch.settings.experiment import Experiment
    from labelsearch.studies.null import STAGE

    with working_on(Experiment.load(experiment), runs, store, workers) as run:
        found = run.do(STAGE, repeats=repeats, n_strategies=strategies)
    answer(as_json, [null_table(found.value)], run=run.name)
