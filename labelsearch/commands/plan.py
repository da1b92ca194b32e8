"""``labelsearch plan``: what an experiment would do and could show."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, run_options
from labelsearch.commands.opening import name_own_files, working_on

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
    from labelsearch.results.plan import plan_run
    from labelsearch.settings.experiment import Experiment

    loaded = Experiment.load(experiment)
    name_own_files(loaded)
    loaded.activate()
    if calibrate:
        _calibrate(store)
        loaded.activate()
    found = plan_run(loaded, runs, store)
    answer(as_json, [splits_table(found), cost_table(found, workers.here), power_table(found)])


def _calibrate(store: Path) -> None:
    """Run the preset quick anew in a folder of the store; its ledger has the processor time of each stage."""
    import shutil
    from dataclasses import replace

    from labelsearch.results.plan import CALIBRATION
    from labelsearch.settings.presets import preset
    from labelsearch.stages.plan import STAGES

    folder, quick = store / CALIBRATION, preset("quick")
    few = replace(
        quick,
        name="compiled",
        separation=replace(quick.separation, n_pairs=1000, n_restarts=1),
        network=replace(quick.network, n_neutral=1000, n_trials=1, max_epochs=1),
        search=replace(quick.search, n_strategies=60, island_size=60),
        label=(quick.label[0], quick.label[-1]),
    )
    for experiment in (few, quick):  # kernels are compiled, and libraries loaded, before time is taken
        shutil.rmtree(folder, ignore_errors=True)
        with working_on(experiment, folder, store) as run:
            run.do(STAGES["ensembles"])
