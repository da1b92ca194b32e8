"""``labelsearch seeds``: how far a result moves with its seeds."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, json_option, progress_bars, run_options


@click.command("seeds")
@click.argument("experiment", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--search-seeds", type=click.IntRange(min=0), default=5, show_default=True, help="Other seeds of the search alone."
)
@click.option(
    "--classifier-seeds",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Other seeds of the classifiers; the search is repeated on each.",
)
@json_option
@run_options
def seeds(
    experiment: Path, search_seeds: int, classifier_seeds: int, as_json: bool, store: Path, runs: Path, workers: int
) -> None:
    """Repeat EXPERIMENT with other seeds, and print how far its tiers move.

    Runs the experiment first where it is not done yet. Repetitions done before are not done again. Each of them is a
    further look at the future, and is counted as one.

    \b
    Example:
      labelsearch seeds experiment.toml --search-seeds 5 --classifier-seeds 3
    """
    from labelsearch.delivery.report import write_report
    from labelsearch.delivery.seeds_table import seeds_table
    from labelsearch.delivery.tables import tier_table
    from labelsearch.pipeline.experiment import Experiment
    from labelsearch.pipeline.run import run_experiment
    from labelsearch.pipeline.seeds import run_seeds

    with progress_bars() as progress:
        context = run_experiment(Experiment.load(experiment), runs, store, workers=workers, progress=progress)
        run_seeds(context, search=search_seeds, classifier=classifier_seeds)
    write_report(context)
    answer(as_json, [tier_table(context), seeds_table(context)], run=context.folder.name)
