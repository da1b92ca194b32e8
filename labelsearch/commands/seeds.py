"""``labelsearch seeds``: how much a result varies with its seeds."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, run_options, working_on


@click.command("seeds")
@experiment_argument
@click.option(
    "--search-seeds",
    type=click.IntRange(0, 1000),
    default=5,
    show_default=True,
    help="Further seeds of the search alone.",
)
@click.option(
    "--classifier-seeds",
    type=click.IntRange(0, 1000),
    default=3,
    show_default=True,
    help="Further seeds of the classifiers; the search is repeated for each.",
)
@json_option
@run_options
def seeds(
    experiment: Path, search_seeds: int, classifier_seeds: int, as_json: bool, store: Path, runs: Path, workers: int
) -> None:
    """Repeat EXPERIMENT with other seeds and print the spread of the tiers' results.

    The experiment itself is run first where needed; finished repetitions are reused. Each repetition counts as a look
    at the future.

    \b
    Example:
      labelsearch seeds experiment.toml --search-seeds 5 --classifier-seeds 3
    """
    from labelsearch.delivery.report import write_report
    from labelsearch.delivery.tables.seeds import seeds_table
    from labelsearch.delivery.tables.stages import tier_table
    from labelsearch.results.run import Results
    from labelsearch.settings.experiment import Experiment
    from labelsearch.studies.seeds import repeat_with_other_seeds

    loaded = Experiment.load(experiment)
    with working_on(loaded, runs, store, workers) as run:
        repeat_with_other_seeds(run, loaded.seed, loaded.search, search=search_seeds, classifier=classifier_seeds)
    results = Results(run.folder, store)
    write_report(results)
    answer(as_json, [tier_table(results), seeds_table(results)], run=results.name)
