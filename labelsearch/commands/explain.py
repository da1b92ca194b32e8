"""``labelsearch explain``: what the classifier of one label learned."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, json_option, one_line_errors, runs_option, store_option
from labelsearch.commands.completion import complete_labels, run_argument
from labelsearch.commands.opening import find_alone, working_on


@click.command()
@run_argument
@click.option(
    "--label",
    required=True,
    shell_complete=complete_labels,
    help="Name of the label, as listed by `labelsearch labels`.",
)
@click.option(
    "--rows",
    default=300,
    show_default=True,
    type=click.IntRange(min=10),
    help="Validation bars to explain, drawn equally from the classes where possible.",
)
@json_option
@runs_option
@store_option
@one_line_errors
def explain(run: str, label: str, rows: int, as_json: bool, runs: Path, store: Path) -> None:
    """Show what the classifier of a label in RUN (an id, the start of one, or a folder) learned.

    Prints, for each feature and each family of indicators, the mean absolute Shapley values by class and the increase
    of the validation loss when it is shifted in time, and draws both. Only train is used.

    \b
    Example:
      labelsearch explain demo --label threshold_0.6_60
    """  # fmt: skip
    from labelsearch.delivery.pictures.explanation import write_explanation_pictures
    from labelsearch.delivery.tables.explanation import family_effects_table, feature_effects_table, how_explained
    from labelsearch.studies.explanation import STAGE

    results = find_alone(run, runs, store)
    with working_on(results.experiment, runs, store, folder=results.folder) as opened:
        _ = results.classifiers  # rejects a run without classifiers instead of training them
        done = opened.do(STAGE, label=label, n_rows=rows)
    found = done.value
    pictures = write_explanation_pictures(found, results.folder / "explanation_pictures" / label)
    answer(
        as_json,
        [feature_effects_table(found.figures), family_effects_table(found.figures)],
        run=results.name,
        lines=how_explained(found.figures),
        named={"figures": done.folder / "explanation.json", "pictures": pictures},
    )
