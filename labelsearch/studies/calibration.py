"""Measure a machine: the ledger of one run beside the bars has the processor time of each stage."""

import shutil
from dataclasses import replace
from pathlib import Path

from labelsearch.engine.executors.choice import ALONE, Workers
from labelsearch.engine.run import silent
from labelsearch.engine.stage import Progress
from labelsearch.results.plan import CALIBRATION
from labelsearch.settings.experiment import Experiment
from labelsearch.stages.plan import STAGES, open_run
from labelsearch.studies import null


def calibrate(experiment: Experiment, store: Path, workers: Workers = ALONE, progress: Progress = silent) -> None:
    """Run an experiment of one generated market anew in `CALIBRATION`, with its belief and its null.

    A smaller one goes before it, so that kernels are compiled, and libraries loaded, before time is taken.
    """
    folder = store / CALIBRATION
    few = replace(
        experiment,
        name="compiled",
        separation=replace(experiment.separation, n_pairs=1000, n_restarts=1),
        network=replace(experiment.network, n_neutral=1000, n_trials=1, max_epochs=1),
        search=replace(experiment.search, n_strategies=60, island_size=60),
        label=(experiment.label[0], experiment.label[-1]),
        tiers=replace(experiment.tiers, sizes=(20,)),
        null=replace(experiment.null, repeats=1, n_strategies=60),
    )
    with workers.open() as executor:  # one for both: its processes load libraries once
        for one in (few, experiment):
            shutil.rmtree(folder, ignore_errors=True)
            with open_run(one, folder, store, workers=Workers(lent=executor), progress=progress) as run:
                run.do(STAGES["belief"])
                run.do(null.STAGE, repeats=one.null.repeats, n_strategies=one.null.n_strategies)
