"""``labelsearch walk-forward``: tiers picked anew every few days."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, json_option, progress_bars, run_options


@click.command("walk-forward")
@click.argument("experiment", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--window",
    type=click.Choice(["past", "future"]),
    default="past",
    show_default=True,
    help="Trade the second half of past, or future: that is a counted look.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=14,
    show_default=True,
    metavar="DAYS",
    help="Days from one pick to the next.",
)
@click.option(
    "--trailing",
    type=click.IntRange(min=2),
    metavar="DAYS",
    show_default="all that are known at first",
    help="Days that a pick looks back.",
)
@json_option
@run_options
def walk_forward(
    experiment: Path,
    window: str,
    every: int,
    trailing: int | None,
    as_json: bool,
    store: Path,
    runs: Path,
    workers: int,
) -> None:
    """Pick the tiers of EXPERIMENT anew every few days, and compare them with the fixed ones.

    Runs what comes before the tiers where it is not done yet. Picks are from all strategies of the search, by their
    last days; what a switch trades is paid for.

    \b
    Example:
      labelsearch walk-forward experiment.toml --every 14 --trailing 60
    """  # fmt: skip
    from labelsearch.delivery.walk_forward_table import walk_forward_table
    from labelsearch.pipeline.experiment import Experiment
    from labelsearch.pipeline.run import run_experiment
    from labelsearch.pipeline.walk_forward import run_walk_forward

    loaded = Experiment.load(experiment)
    with progress_bars() as progress:
        context = run_experiment(loaded, runs, store, last="search", workers=workers, progress=progress)
        found = run_walk_forward(context, window=window, every=every, trailing=trailing)
    answer(as_json, [walk_forward_table(found)], run=context.folder.name)
