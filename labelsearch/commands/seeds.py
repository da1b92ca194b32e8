"""``labelsearch seeds``: how much a result varies with its seeds."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from labelsearch.commands.common import answer, experiment_argument, json_option, run_options
from labelsearch.commands.opening import cell_of, working_on, working_on_panel

if TYPE_CHECKING:
    from labelsearch.engine.executors.choice import Workers
    from labelsearch.settings.experiment import Experiment


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
    experiment: Path,
    search_seeds: int,
    classifier_seeds: int,
    as_json: bool,
    store: Path,
    runs: Path,
    workers: "Workers",
) -> None:
    """Repeat EXPERIMENT with other seeds and print the spread of the tiers' results.

    The experiment itself is run first where needed; finished repetitions are reused. Each repetition counts as a look
    at the future.

    In a panel the classifiers alone get other seeds, in every cell.

    \b
    Example:
      labelsearch seeds experiment.toml --search-seeds 5 --classifier-seeds 3
    """
    from labelsearch.settings.experiment import Experiment

    loaded = Experiment.load(experiment)
    if loaded.is_panel:
        _repeat_panel(loaded, classifier_seeds, as_json, store, runs, workers)
        return
    from labelsearch.delivery.report import write_report
    from labelsearch.delivery.tables.seeds import seeds_table
    from labelsearch.delivery.tables.stages import tier_table
    from labelsearch.results.run import Results
    from labelsearch.stages.plan import STAGES
    from labelsearch.studies.seeds import repeat_with_other_seeds

    with working_on(loaded, runs, store, workers, cell_of(experiment)) as run:
        repeat_with_other_seeds(run, loaded.seed, loaded.search, search=search_seeds, classifier=classifier_seeds)
        run.do(STAGES["belief"])
    results = Results(run.folder, store)
    write_report(results)
    answer(as_json, [tier_table(results), seeds_table(results)], run=results.name)


def _repeat_panel(
    experiment: "Experiment", classifier_seeds: int, as_json: bool, store: Path, runs: Path, workers: "Workers"
) -> None:
    """Repeat every cell with other seeds of its classifiers, write the report and print the spread."""
    from labelsearch.delivery.report import write_panel_report
    from labelsearch.delivery.tables.panel import stitched_table
    from labelsearch.delivery.tables.panel_power import panel_seeds_table
    from labelsearch.results.panel_run import PanelResults
    from labelsearch.settings.schema import ExperimentError

    context = click.get_current_context()
    asked = context.get_parameter_source("search_seeds") != ParameterSource.DEFAULT
    if asked and context.params["search_seeds"]:
        raise ExperimentError("a panel is repeated with other seeds of its classifiers alone: --search-seeds 0")
    with working_on_panel(experiment, runs, store, workers) as run:
        run.do(classifier_seeds=classifier_seeds)
    results = PanelResults(run.folder, store)
    write_panel_report(results)
    answer(as_json, [stitched_table(results), panel_seeds_table(results)], run=results.name)
