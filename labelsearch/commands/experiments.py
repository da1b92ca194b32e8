"""``labelsearch init``, ``run``, ``demo``, and one command per stage."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from labelsearch.commands.common import (
    Command,
    answer,
    experiment_argument,
    json_option,
    one_line_errors,
    report_files,
    run_options,
    runs_option,
    worker_options,
)
from labelsearch.commands.opening import cell_of, working_on, working_on_panel

if TYPE_CHECKING:
    from labelsearch.delivery.tables.table import Table
    from labelsearch.engine.executors.choice import Workers
    from labelsearch.results.run import Results
    from labelsearch.settings.experiment import Experiment


def _run(path: Path, last: str, store: Path, runs: Path, workers: "Workers") -> "Results":
    from labelsearch.results.run import Results
    from labelsearch.settings.experiment import Experiment
    from labelsearch.stages.plan import STAGES

    with working_on(Experiment.load(path), runs, store, workers, cell_of(path)) as run:
        run.do(STAGES[last])
    return Results(run.folder, store)


class Outcome(NamedTuple):
    """What a whole run prints."""

    run: str
    tables: list["Table"]
    lines: list[str]
    named: dict[str, object]

    def answer(self, as_json: bool) -> None:
        """Print it."""
        answer(as_json, self.tables, run=self.run, lines=self.lines, named=self.named)


def _run_whole(
    experiment: "Experiment", store: Path, runs: Path, workers: "Workers", folder: Path | None = None
) -> Outcome:
    """Run everything and write the report."""
    if experiment.is_panel:
        return _run_panel(experiment, store, runs, workers)
    return _run_alone(experiment, store, runs, workers, folder)


def _run_panel(experiment: "Experiment", store: Path, runs: Path, workers: "Workers") -> Outcome:
    """Run all cells, judge them together, and write the report."""
    from labelsearch.delivery.report import write_panel_report
    from labelsearch.delivery.tables import book, panel
    from labelsearch.delivery.tables.panel_power import power_table
    from labelsearch.results.panel_run import PanelResults

    with working_on_panel(experiment, runs, store, workers) as run:
        run.do()
    results = PanelResults(runs / run.folder.name, store)
    report = write_panel_report(results)
    return Outcome(
        results.name,
        [
            panel.stitched_table(results),
            *book.book_tables(results),
            power_table(results),
            panel.split_table(results),
            panel.market_table(results),
        ],
        panel.panel_sentences(results),
        {"verdict": results.panel.verdict, **report_files(report)},
    )


def _run_alone(experiment: "Experiment", store: Path, runs: Path, workers: "Workers", folder: Path | None) -> Outcome:
    """Run all stages and the null of one market and one split, and write the report."""
    from labelsearch.delivery.report import write_report
    from labelsearch.delivery.tables.belief import belief_table
    from labelsearch.delivery.tables.controls import against_table
    from labelsearch.delivery.tables.diversity import ambiguity_table, diversity_table
    from labelsearch.delivery.tables.members import exit_table, members_table
    from labelsearch.delivery.tables.null import null_table
    from labelsearch.delivery.tables.stages import tier_table
    from labelsearch.results.run import Results
    from labelsearch.stages.plan import STAGES
    from labelsearch.studies import null

    settings = experiment.null
    with working_on(experiment, runs, store, workers, folder) as run:
        run.do(STAGES["costs"])  # what is wrong with them is told before anything is trained
        run.do(STAGES["labels"])  # which a cell with classifiers of another lacks, and the report shows
        run.do(STAGES["belief"])
        if settings.repeats:
            run.do(null.STAGE, repeats=settings.repeats, n_strategies=settings.n_strategies)
    results = Results(run.folder, store)
    report = write_report(results)
    against = against_table(results)
    tables = [tier_table(results), against, belief_table(results), members_table(results), exit_table(results)]
    tables += [diversity_table(results), ambiguity_table(results)]
    tables += [null_table(results.null)] if results.null else []
    return Outcome(results.name, [*filter(None, tables)], [], dict(report_files(report)))


@click.command()
@click.argument("path", default="experiment.toml", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--preset",
    type=click.Choice(["paper", "quick", "panel", "neutral"]),
    default="paper",
    show_default=True,
    help="Settings to start from.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@one_line_errors
def init(path: Path, preset: str, force: bool) -> None:
    """Write a commented experiment file to PATH.

    The preset `paper` is the published method on BTC/USDT minutes; `quick` runs in about a minute on a generated
    market, `panel` on four of them in two splits. `neutral` is a neutral book of perpetual futures, which needs
    their bars and funding in the store.

    \b
    Example:
      labelsearch init experiment.toml --preset paper
    """  # fmt: skip
    from labelsearch.settings.presets import preset as load_preset
    from labelsearch.settings.schema import ExperimentError

    if path.exists() and not force:
        raise ExperimentError(f"{path} already exists; use --force to overwrite it")
    path.write_text(load_preset(preset).to_toml())
    click.echo(f"wrote {path}; to run it: labelsearch run {path}")


@click.command()
@experiment_argument
@json_option
@run_options
def run(experiment: Path, as_json: bool, store: Path, runs: Path, workers: "Workers") -> None:
    """Run every stage of EXPERIMENT and print the ensemble tiers.

    Stages already computed from the same inputs are skipped; an interrupted run resumes where it stopped.

    \b
    Example:
      labelsearch run experiment.toml
    """
    from labelsearch.settings.experiment import Experiment

    _run_whole(Experiment.load(experiment), store, runs, workers, cell_of(experiment)).answer(as_json)


@click.command()
@click.option(
    "--edge",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    default=0.1,
    show_default=True,
    help="Per-bar Sharpe ratio of the planted drift; 0 plants no drift.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the market and of the search.")
@json_option
@runs_option
@worker_options
@one_line_errors
def demo(edge: float, seed: int, as_json: bool, runs: Path, workers: "Workers") -> None:
    """Run everything on generated markets in about two minutes: one market, then four in two splits.

    One market of them shows little by itself; what all show together is the last verdict.

    \b
    Example:
      labelsearch demo --edge 0.1
      labelsearch demo --edge 0
    """  # fmt: skip
    import dataclasses

    from labelsearch.settings.presets import preset

    quick, panel = preset("quick"), preset("panel")
    alone = dataclasses.replace(quick.data, edge=edge, market_seed=seed)
    together = dataclasses.replace(panel.data, edge=edge, market_seed=10 * seed + 1)
    store = Path("store")
    first = _run_whole(dataclasses.replace(quick, name="demo", seed=seed, data=alone), store, runs, workers)
    if not as_json:
        first.answer(False)
    many = _run_whole(dataclasses.replace(panel, name="demo-panel", seed=seed, data=together), store, runs, workers)
    if not as_json:
        many.answer(False)
        return
    named = {**first.named, "panel": {"run": many.run, **many.named}}
    Outcome(first.run, [*first.tables, *many.tables], [], named).answer(True)


STAGE_HELP = {
    "labels": "Label every bar of EXPERIMENT's train window, print class counts and overlap, and draw the marked bars.",
    "features": "Choose a feature set for each label of EXPERIMENT and print its separation power.",
    "classifiers": "Train one classifier per label of EXPERIMENT and print losses, AUC, precision and recall.",
    "outputs": "Compute the outputs of the classifiers of EXPERIMENT on past and future.",
    "search": "Search the strategies of EXPERIMENT on past and print the distribution of their scores.",
    "ensembles": "Form the ensemble tiers of EXPERIMENT and judge them on past and future.",
}


def _stage_command(name: str, text: str) -> click.Command:
    def command(experiment: Path, as_json: bool, store: Path, runs: Path, workers: "Workers") -> None:
        from labelsearch.delivery.tables import belief, controls, diversity, features, members, stages
        from labelsearch.delivery.tables.magnitude import magnitude_table

        last = "belief" if name == "ensembles" else name  # the tiers, and what they are worth
        results = _run(experiment, last, store, runs, workers)
        makers = {
            "labels": (stages.label_table, stages.overlap_table),
            "features": (features.feature_table, features.held_out_table),
            "classifiers": (stages.classifier_table, magnitude_table),
            "search": (stages.search_table,),
            "ensembles": (
                stages.tier_table,
                controls.against_table,
                controls.control_table,
                belief.belief_table,
                members.members_table,
                members.exit_table,
                diversity.diversity_table,
                diversity.ambiguity_table,
            ),
        }
        made = [make(results) for make in makers.get(name, ())]
        named = {"folder": results.folder / name}
        if name == "labels":
            from labelsearch.delivery.pictures.labels import write_label_pictures

            named["pictures"] = write_label_pictures(results)
        answer(as_json, [*filter(None, made)], run=results.name, named=named)

    decorated: Command = experiment_argument(json_option(run_options(command)))
    text += "\n\nEarlier stages are run first where needed."
    return click.command(name, help=f"{text}\n\n\b\nExample:\n  labelsearch {name} experiment.toml")(decorated)


stage_commands = [_stage_command(name, text) for name, text in STAGE_HELP.items()]
