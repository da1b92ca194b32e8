"""``labelsearch plan``: what an experiment would do and could show."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, progress_bars, run_options
from labelsearch.commands.opening import name_own_files

if TYPE_CHECKING:
    from labelsearch.engine.executors.choice import Workers


@click.command()
@experiment_argument
@click.option("--calibrate", is_flag=True, help="First run the preset quick, for a minute, to measure this machine.")
@json_option
@run_options
def plan(experiment: Path, calibrate: bool, as_json: bool, store: Path, runs: Path, workers: "Workers") -> None:
    """Print what EXPERIMENT would do before anything runs: splits, cells, time, disk, and what it can show.

    Times are those of finished runs of the folder and of the last calibration, carried over to EXPERIMENT.

    \b
    Example:
      labelsearch plan experiment.toml
      labelsearch plan experiment.toml --calibrate
    """  # fmt: skip
    from labelsearch.delivery.tables.plan import cost_table, power_table, splits_table
    from labelsearch.engine.executors.choice import Workers
    from labelsearch.results.plan import plan_run
    from labelsearch.settings.experiment import Experiment
    from labelsearch.settings.presets import preset
    from labelsearch.studies.calibration import calibrate as calibrate_machine

    loaded = Experiment.load(experiment)
    name_own_files(loaded)
    loaded.activate()
    if calibrate:
        with progress_bars() as progress:
            calibrate_machine(preset("quick"), store, Workers(workers.here), progress)
        loaded.activate()  # own files were set aside meanwhile
    found = plan_run(loaded, runs, store)
    answer(as_json, [splits_table(found), cost_table(found, workers.here), power_table(found)])
