"""``labelsearch space``: which labels are worth asking of a market."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, run_options
from labelsearch.commands.opening import working_on

if TYPE_CHECKING:
    from labelsearch.engine.executors.choice import Workers
    from labelsearch.settings.experiment import Experiment


@click.command()
@experiment_argument
@click.option("--market", default="", metavar="SYMBOL", help="Of several markets: the one to search labels for.")
@click.option("--split", type=click.IntRange(1), default=1, show_default=True, help="Of several splits: whose train.")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="Candidates to print.")
@click.option(
    "--write", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="New experiment file with the chosen labels in place of its own.",
)  # fmt: skip
@json_option
@run_options
def space(
    experiment: Path,
    market: str,
    split: int,
    top: int,
    write: Path | None,
    as_json: bool,
    store: Path,
    runs: Path,
    workers: "Workers",
) -> None:
    """Search the labels of EXPERIMENT's [label_space], on train alone, and print those worth asking.

    Each candidate gets a feature set and quick classifiers; the best of them choose the labels whose outputs add to
    each other. What the chosen ones are worth is said by validation, which chose nothing.

    \b
    Example:
      labelsearch space experiment.toml
      labelsearch space experiment.toml --write chosen.toml
    """  # fmt: skip
    from labelsearch.delivery.pictures.space import write_space_picture
    from labelsearch.delivery.tables import space as tables
    from labelsearch.settings.experiment import Experiment
    from labelsearch.settings.schema import ExperimentError
    from labelsearch.studies.space import STAGE

    if write and write.exists():
        raise ExperimentError(f"{write} is there already: name a new file")
    loaded = Experiment.load(experiment)
    own = _alone(loaded, market, split, store)
    with working_on(own, runs, store, workers) as run:
        done = run.do(STAGE)
        folder = run.folder
    found = done.value
    named: dict[str, object] = {"folder": done.folder}
    named["picture"] = write_space_picture(found, folder / "space_picture")
    lines = [*tables.space_sentences(found), "", *tables.label_lines(found)]
    if write:
        write.write_text(_chosen_text(loaded, found.chosen, tables.label_lines(found)), encoding="utf-8")
        named["experiment"] = write
    shown = [tables.trials_table(found, top), tables.chosen_table(found), tables.own_table(found)]
    answer(
        as_json, [*filter(None, shown), tables.chosen_features_table(found)], run=folder.name, lines=lines, named=named
    )


def _alone(experiment: "Experiment", market: str, split: int, store: Path) -> "Experiment":
    """The experiment of one market and split."""
    from labelsearch.settings.cells import cells_of
    from labelsearch.settings.schema import ExperimentError

    if not experiment.is_panel:
        if market and market != experiment.data.symbol:
            raise ExperimentError(f"--market: the experiment has {experiment.data.symbol} alone")
        return experiment
    experiment.activate()
    cells = {cell.market: cell.experiment for cell in cells_of(experiment, store).of(split)}
    if not cells:
        raise ExperimentError(f"--split: there is no split {split}")
    if market not in cells:
        raise ExperimentError(f"--market: name one of {', '.join(cells)}")
    return cells[market]


def _chosen_text(experiment: "Experiment", chosen: object, lines: list[str]) -> str:
    """The experiment with other labels, each with its evidence as a comment."""
    from dataclasses import replace

    bare = replace(experiment, label=tuple({"kind": its.kind, **its.options} for its in chosen))  # type: ignore[attr-defined]
    text = bare.to_toml()
    return text[: text.index("[[label]]")] + "\n".join(lines)
