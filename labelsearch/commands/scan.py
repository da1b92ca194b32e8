"""``labelsearch scan``: rank correlations of features with labels and later returns."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, one_line_errors, store_option
from labelsearch.commands.opening import name_own_files


@click.command()
@experiment_argument
@click.option(
    "--values", type=click.IntRange(2, 100), default=3, show_default=True, help="Settings of each indicator, about."
)
@click.option(
    "--later",
    default="",
    metavar="LENGTHS",
    help="Bars of later returns between commas, as 1,6,24, or lengths of time as 1h.  [default: those of the labels]",
)
@click.option("--split", type=click.IntRange(1), default=1, show_default=True, help="Split whose train is scanned.")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Rate of false discoveries.",
)
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="Rows to print of each table.")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="New CSV file for all tests."
)
@json_option
@store_option
@one_line_errors
def scan(
    experiment: Path,
    values: int,
    later: str,
    split: int,
    level: float,
    top: int,
    out: Path | None,
    as_json: bool,
    store: Path,
) -> None:
    """Print which features of EXPERIMENT go with its labels and with later returns, on train alone.

    Every indicator of [feature_space] at a few settings is compared with the value of every label and with the return
    over so many bars, in every market and in the mean over all. Intervals and p-values come from blocks of days;
    discoveries are counted so that few of them are false, however many tests are made.

    \b
    Example:
      labelsearch scan experiment.toml
      labelsearch scan coins.toml --values 5 --later 4h,1d --out scan.csv
    """  # fmt: skip
    from labelsearch.delivery.csv_files import check_new, write_csv_whole
    from labelsearch.delivery.tables.scan import scan_table, strongest_tables
    from labelsearch.settings.entries import lengths_in_bars
    from labelsearch.settings.experiment import Experiment
    from labelsearch.studies.scan import Asked
    from labelsearch.studies.scan import scan as scan_experiment

    if out:
        check_new(out)
    loaded = Experiment.load(experiment)
    name_own_files(loaded)
    loaded.activate()
    horizons = lengths_in_bars("--later", later, loaded.data)
    found = scan_experiment(loaded, store, Asked(values, horizons, split, level))
    if out:
        write_csv_whole(out, [row._asdict() for row in found.rows])
    tables = [scan_table(found), *strongest_tables(found, top)]
    answer(as_json, tables, named={"file": out} if out else {})
