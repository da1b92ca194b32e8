"""``labelsearch compare-networks``: kinds of network on one label."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, json_option, progress_bars, run_options


@click.command("compare-networks")
@click.argument("experiment", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--label", required=True, help="Name of the label, as the table of labels has it.")
@click.option(
    "--networks",
    default="mlp,lstm,bilstm,gru,tcn,transformer",
    show_default=True,
    help="Networks by name; the first is the one that the others are held against.",
)
@json_option
@run_options
def compare_networks(
    experiment: Path, label: str, networks: str, as_json: bool, store: Path, runs: Path, workers: int
) -> None:
    """Train several kinds of network on one label of EXPERIMENT, and compare them on the validation part of train.

    All get the budget, the bars and the seeds of the experiment's [network] section. Runs labels and features where
    they are not done yet. Networks trained before are not trained again.

    \b
    Example:
      labelsearch compare-networks experiment.toml --label threshold_1.2_60 --networks mlp,gru
    """  # fmt: skip
    from labelsearch.delivery.network_table import network_table
    from labelsearch.pipeline.comparison import compare_networks as compare
    from labelsearch.pipeline.experiment import Experiment
    from labelsearch.pipeline.run import run_experiment

    names = tuple(name.strip() for name in networks.split(",") if name.strip())
    loaded = Experiment.load(experiment)
    with progress_bars() as progress:
        context = run_experiment(loaded, runs, store, last="features", workers=workers, progress=progress)
        found = compare(context, label, names)
    answer(as_json, [network_table(found)], run=context.folder.name)
