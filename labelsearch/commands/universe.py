"""``labelsearch universe``: which markets have enough history, which are unlike each other, which are liquid when."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, experiment_argument, json_option, one_line_errors, store_option


@click.command()
@experiment_argument
@click.option(
    "--start", default="", metavar="SYMBOL", help="First of the markets unlike each other.  [default: the most liquid]"
)
@click.option("--count", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Markets to choose.")
@click.option(
    "--split", type=click.IntRange(1), default=1, show_default=True, help="Split on whose train markets are compared."
)
@click.option(
    "--every",
    type=click.Choice(["month", "quarter"]),
    default="month",
    show_default=True,
    help="Dates at which members are listed.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="New folder for all tables as CSV and JSON, and for lists of symbols that [data] symbols can name.",
)
@json_option
@store_option
@one_line_errors
def universe(
    experiment: Path, start: str, count: int, split: int, every: str, out: Path | None, as_json: bool, store: Path
) -> None:
    """Print which markets of EXPERIMENT have enough history, which are unlike each other, and which are liquid when.

    Markets are compared by daily returns of train alone, with and without what all share. Each pick is the market
    whose largest correlation with the picks before it is least. With [universe] size, the most liquid ones of the end
    of train are compared.

    \b
    Example:
      labelsearch universe coins.toml --count 12
      labelsearch universe coins.toml --start BTCUSDT --every quarter --out universe
    """  # fmt: skip
    from labelsearch.delivery.csv_files import check_new
    from labelsearch.delivery.tables.universe import dates_table, history_table, picks_table, rank_table
    from labelsearch.delivery.universe_files import write_universe
    from labelsearch.results.universe import Asked, survey
    from labelsearch.settings.experiment import Experiment

    if out:
        check_new(out)
    found = survey(Experiment.load(experiment), store, Asked(start, count, split, every))
    tables = [history_table(found), picks_table(found), dates_table(found), rank_table(found)]
    answer(as_json, tables, named={"files": write_universe(found, out)} if out else {})
