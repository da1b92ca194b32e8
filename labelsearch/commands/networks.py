"""``labelsearch compare-networks``: compare kinds of network on one label."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, run_options
from labelsearch.commands.opening import cell_of, working_on

if TYPE_CHECKING:
    from labelsearch.engine.executors.choice import Workers


@click.command("compare-networks")
@experiment_argument
@click.option("--label", required=True, help="Name of the label, as listed by `labelsearch labels`.")
@click.option(
    "--networks",
    default="mlp,lstm,bilstm,gru,tcn,transformer,concat,stacked",
    show_default=True,
    help="Networks by name; the others are compared with the first.",
)
@json_option
@run_options
def compare_networks(
    experiment: Path, label: str, networks: str, as_json: bool, store: Path, runs: Path, workers: "Workers"
) -> None:
    """Train several kinds of network on one label of EXPERIMENT and compare them on the validation part of train.

    All kinds use the same bars, the same seeds and the budget of the section [network]. Labels and features are
    computed first where needed; networks already trained are reused.

    \b
    Example:
      labelsearch compare-networks experiment.toml --label threshold_1.2_60 --networks mlp,gru
    """  # fmt: skip
    from labelsearch.delivery.tables.networks import network_table
    from labelsearch.settings.experiment import Experiment
    from labelsearch.studies.comparison import STAGE, kinds_of

    names = tuple(name.strip() for name in networks.split(",") if name.strip())
    with working_on(Experiment.load(experiment), runs, store, workers, cell_of(experiment)) as run:
        found = run.do(STAGE, label=label, networks=kinds_of(names))
    answer(as_json, [network_table(found.value)], run=run.name)
