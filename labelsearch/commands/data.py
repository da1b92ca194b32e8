"""``labelsearch data``: fetch, import, check and list bars."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import BAD_INPUT, answer, json_option, one_line_errors, store_option
from labelsearch.commands.fetch import fetch

if TYPE_CHECKING:
    from labelsearch.market.checks import Report


@click.group()
def data() -> None:
    """Fetch bars, import them into the store, check them, list them."""


data.add_command(fetch)


@data.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--symbol", required=True, help="Name to store the bars under.")
@store_option
@click.option("--replace", is_flag=True, help="Overwrite stored bars that differ.")
@json_option
@one_line_errors
def import_(files: tuple[Path, ...], symbol: str, store: Path, replace: bool, as_json: bool) -> None:
    """Read bars from FILES and add them to the store.

    FILES are Parquet, CSV, or zips of the exchange's kline archive, in any order; where they overlap, they
    must agree. All files are read and checked before anything is written.

    \b
    Example:
      labelsearch data import BTCUSDT-1m-2020-*.zip --symbol BTCUSDT
    """
    from labelsearch.market.archive import read_all
    from labelsearch.market.store import Store
    from labelsearch.market.times import interval_name

    bars = read_all(files, symbol)
    added = Store(store).add(bars, replace=replace)
    interval = interval_name(bars.interval_ms)
    if as_json:
        answer(True, named={"symbol": symbol, "interval": interval, **vars(added)})
        return
    click.echo(f"{symbol} {interval}: {added.new} bars added, {added.same} already there, {added.replaced} replaced")
    if added.dropped:
        click.echo(f"columns dropped, because some bars lack them: {', '.join(added.dropped)}")


@data.command("check")
@click.argument("names", metavar="FILE_OR_SYMBOL...", nargs=-1, required=True)
@click.option("--symbol", help="Symbol to check, for files that hold several.")
@json_option
@store_option
def check_(names: tuple[str, ...], symbol: str | None, as_json: bool, store: Path) -> None:
    """Report range, gaps, duplicates, stretches without volume and broken bars of files or stored symbols.

    Gaps and bars without volume are not errors: exchanges halt. The exit code is 2 if something could not be
    imported; the last line then says why.

    \b
    Example:
      labelsearch data check BTCUSDT-1m-2020-01.zip
      labelsearch data check BTCUSDT --store store
    """
    from labelsearch.market.archive import read_raw
    from labelsearch.market.checks import check
    from labelsearch.market.rules import BarError
    from labelsearch.market.store import Store

    refusals = []
    found = {}
    for name in names:
        try:
            if Path(name).is_file():
                reports = [(name, read_raw(name, symbol).report())]
            else:
                held = Store(store)
                intervals = [i for s, i in held.contents() if s == name] or ["1m"]
                reports = [(f"{name} {i}", check(held.load(name, i))) for i in intervals]
        except (BarError, OSError) as error:
            refusals.append(str(error))
            continue
        for title, report in reports:
            found[title] = dataclasses.asdict(report)
            if not as_json:
                click.echo("\n".join(_lines(title, report)))
            if report.refusal:
                refusals.append(report.refusal)
    if as_json:
        answer(True, named={"checked": found})
    for refusal in refusals:
        click.echo(f"Error: {refusal}", err=True)
    if refusals:
        raise click.exceptions.Exit(BAD_INPUT)


@data.command("list")
@json_option
@store_option
@one_line_errors
def list_(as_json: bool, store: Path) -> None:
    """List the stored symbols and their ranges.

    \b
    Example:
      labelsearch data list --store store
    """
    from labelsearch.market.store import Store
    from labelsearch.market.times import time_text

    held = Store(store)
    rows = []
    for symbol, interval in held.contents():
        bars = held.load(symbol, interval)
        first, last = time_text(int(bars.open_time[0])), time_text(int(bars.open_time[-1]))
        rows.append({"symbol": symbol, "interval": interval, "bars": len(bars), "first": first, "last": last})
    if as_json:
        answer(True, named={"stored": rows})
        return
    if not rows:
        click.echo(f"{store} holds no bars")
    for row in rows:
        click.echo("{symbol:<12} {interval:>3} {bars:>10,} bars  {first} .. {last}".format(**row))


def _lines(title: str, report: "Report", longest: int = 30) -> list[str]:
    """A report as text; lists longer than `longest` are cut, with a note."""
    from labelsearch.market.times import interval_name, time_text

    share = 100.0 * (report.expected_rows - report.missing) / report.expected_rows
    lines = [
        title,
        f"  range            {time_text(report.first_ms)} .. {time_text(report.last_ms)} UTC",
        f"  interval         {interval_name(report.interval_ms)}",
        f"  rows             {report.rows:,} of {report.expected_rows:,} expected, {share:.3f} % complete",
        f"  gaps             {len(report.gaps):,}, {report.missing:,} bars missing",
    ]
    for gap in report.gaps[:longest]:
        lines.append(f"    {time_text(gap.first_ms)} .. {time_text(gap.last_ms)}  {gap.count:,}")
    if len(report.gaps) > longest:
        lines.append(f"    .. and {len(report.gaps) - longest:,} more")
    runs = report.zero_volume_runs
    lines += [
        f"  duplicates       {report.duplicates:,}",
        f"  unsorted rows    {report.unsorted:,}",
        f"  off-grid times   {report.off_grid:,}",
        f"  broken prices    {report.bad_prices:,}",
        f"  broken volumes   {report.bad_volumes:,}",
        f"  broken OHLC      {report.ohlc_violations:,}",
        f"  without volume   {report.zero_volume_bars:,} bars in {len(runs):,} runs",
    ]
    for run in runs[:5]:
        lines.append(f"    {time_text(run.first_ms)}  {run.length:,} bars")
    if len(runs) > 5:
        lines.append(f"    .. and {len(runs) - 5:,} shorter")
    return lines
