"""``labelsearch plan``: what an experiment would do and could show."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, run_options
from labelsearch.commands.opening import name_own_files

if TYPE_CHECKING:
    from labelsearch.engine.executors.choice import Workers


@click.command()
@experiment_argument
@json_option
@run_options
def plan(experiment: Path, as_json: bool, store: Path, runs: Path, workers: "Workers") -> None:
    """Print what EXPERIMENT would do before anything runs: splits, cells, time, disk, and what it can show.

    \b
    Example:
      labelsearch plan experiment.toml
    """
    from labelsearch.delivery.tables.plan import cost_table, power_table, splits_table
    from labelsearch.results.plan import plan_run
    from labelsearch.settings.experiment import Experiment

    loaded = Experiment.load(experiment)
    name_own_files(loaded)
    loaded.activate()
    found = plan_run(loaded, runs, store)
    answer(as_json, [splits_table(found), cost_table(found, workers.here), power_table(found)])
