"""``labelsearch null``: search and tiers on outputs that know nothing."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, json_option, progress_bars, run_options


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

    Runs what comes before the search where it is not done yet. Repetitions done before are not done again, so a larger
    number adds to a smaller. The real timing is a look at the future window, and counted as one.

    \b
    Example:
      labelsearch null experiment.toml --repeats 100
    """  # fmt: skip
    from labelsearch.delivery.null_table import null_table
    from labelsearch.pipeline.experiment import Experiment
    from labelsearch.pipeline.null import run_null
    from labelsearch.pipeline.run import run_experiment

    loaded = Experiment.load(experiment)
    with progress_bars() as progress:
        context = run_experiment(loaded, runs, store, last="outputs", workers=workers, progress=progress)
        found = run_null(context, repeats, strategies)
    answer(as_json, [null_table(found)], run=context.folder.name)
