"""``labelsearch data``: fetch, import, check and list bars and funding."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import BAD_INPUT, Command, answer, json_option, one_line_errors, store_option
from labelsearch.commands.fetch import fetch
from labelsearch.commands.funding import MOST_LINES, funding_line, funding_of, import_funding

if TYPE_CHECKING:
    from labelsearch.market.checks import Report
    from labelsearch.market.formats import ReadOptions
    from labelsearch.market.store import Store


@click.group()
def data() -> None:
    """Fetch bars and funding, import them into the store, check them, list them."""


data.add_command(fetch)


def file_options(command: Command) -> Command:
    """Options that say what a file leaves open."""
    for decorate in reversed((
        click.option("--format", "format_", default="auto", show_default=True, metavar="NAME",
                     help="Format of the files, by a name of docs/DATA.md; auto finds it."),
        click.option("--interval", help="Length of a bar, as 1h; by default that of the file. Trades need it."),
        click.option("--anchor", metavar="TIME|floor",
                     help="Shift times this much earlier, as 2h, onto the grid; floor rounds them down."),
        click.option("--zone", default="UTC", show_default=True, help="Zone of times without one, as Europe/Athens."),
        click.option("--dates", type=click.Choice(["dmy", "mdy"]), help="Order of dates such as 01/02/2020."),
        click.option("--columns", help="Headings of files without a header, between commas."),
        click.option("--skip-broken", is_flag=True,
                     help="Leave out rows without a time or a price, and those that break a rule."),
    )):  # fmt: skip
        command = decorate(command)
    return command


def _options(
    symbol: str | None,
    *,
    format_: str,
    interval: str | None,
    anchor: str | None,
    zone: str,
    dates: str | None,
    columns: str | None,
    skip_broken: bool,
) -> "ReadOptions":
    from labelsearch.market.formats import AUTO, FORMATS, ReadOptions
    from labelsearch.market.rules import BarError
    from labelsearch.market.times import Spelling, parse_interval, parse_span

    if format_ not in (AUTO, *FORMATS):
        raise BarError(f"unknown format {format_!r}; known are {', '.join((AUTO, *FORMATS))}")
    floor = anchor == "floor"
    return ReadOptions(
        symbol=symbol,
        interval_ms=parse_interval(interval) if interval else None,
        format=format_,
        columns=tuple(name.strip() for name in columns.split(",")) if columns else (),
        spelling=Spelling(zone, dates or ""),
        anchor_ms=parse_span(anchor) if anchor and not floor else None,
        floor=floor,
        skip_broken=skip_broken,
    )


@data.command("import")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--symbol",
    "symbols",
    multiple=True,
    required=True,
    help="Symbol of the bars; selects rows of files that hold several. May be repeated; all takes every symbol.",
)
@click.option("--funding", "of_funding", is_flag=True, help="FILES hold funding rates of perpetual futures, not bars.")
@click.option(
    "--marks",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Bars of the mark price, whose opens become that of funding payments. May be repeated; without FILES, for "
    "stored funding.",
)
@click.option("--as", "name", help="Name to store the bars under; by default the symbol, without / and :.")
@file_options
@store_option
@click.option("--replace", is_flag=True, help="Overwrite stored bars that differ.")
@json_option
@one_line_errors
def import_(
    files: tuple[Path, ...],
    symbols: tuple[str, ...],
    of_funding: bool,
    marks: tuple[Path, ...],
    name: str | None,
    store: Path,
    replace: bool,
    as_json: bool,
    **file: object,
) -> None:
    """Read bars or trades, or funding, from FILES and add the bars or the funding to the store.

    FILES are text (.csv, .txt, .tsv, .csv.gz, .zip), Parquet or Feather, in any order; where they overlap, they must
    agree. Their format is found and printed, and so is what was assumed or left out. All files are read and checked
    before anything is written. With several symbols, --skip-broken also leaves out those that cannot be read without
    their broken rows.

    \b
    Example:
      labelsearch data import BTCUSDT-1m-2020-*.zip --symbol BTCUSDT
      labelsearch data import XBTUSD_1440.csv --symbol XBTUSD --interval 1d
      labelsearch data import pairs.parquet --symbol all
      labelsearch data import BTCUSDT-fundingRate-*.zip --symbol BTCUSDT --funding
    """
    from labelsearch.market.rules import BarError
    from labelsearch.market.store import Store
    from labelsearch.market.symbols import ALL

    if not files and not (of_funding and marks):
        raise click.UsageError("Missing argument 'FILES...'.")
    if marks and not of_funding:
        raise BarError("--marks fills in mark prices of funding: give --funding too")
    symbols = tuple(dict.fromkeys(symbols))
    several = len(symbols) > 1 or symbols == (ALL,)
    if several and name:
        raise BarError("--as names the bars of one symbol")
    if ALL in symbols and len(symbols) > 1:
        raise BarError(f"--symbol {ALL} takes every symbol: name no other")
    taken = None if symbols == (ALL,) else symbols
    options = _options(None if several else symbols[0], **file)  # type: ignore[arg-type]
    if of_funding:
        import_funding(files, marks, taken, name, options, Store(store), replace=replace, as_json=as_json)
    elif several:
        _import_several(files, taken, options, Store(store), replace, as_json)
    else:
        _import_one(files, symbols[0], name, options, Store(store), replace, as_json)


def _import_one(
    files: tuple[Path, ...],
    symbol: str,
    name: str | None,
    options: "ReadOptions",
    store: "Store",
    replace: bool,
    as_json: bool,
) -> None:
    from labelsearch.market.archive import read_all
    from labelsearch.market.symbols import stored_name
    from labelsearch.market.times import interval_name

    name = name or stored_name(symbol)
    store.path(name)  # a name that cannot be stored is refused before anything is read
    bars, notes = read_all(files, symbol, options)
    added = store.add(dataclasses.replace(bars, symbol=name), replace=replace)
    interval = interval_name(bars.interval_ms)
    if as_json:
        answer(True, named={"symbol": name, "interval": interval, **vars(added), "notes": notes})
        return
    click.echo("\n".join(notes))
    click.echo(f"{name} {interval}: {added.new} bars added, {added.same} already there, {added.replaced} replaced")
    if added.dropped:
        click.echo(f"columns dropped, because some bars lack them: {', '.join(added.dropped)}")


def _import_several(
    files: tuple[Path, ...],
    symbols: tuple[str, ...] | None,
    options: "ReadOptions",
    store: "Store",
    replace: bool,
    as_json: bool,
) -> None:
    from labelsearch.market.many import add_all, read_many
    from labelsearch.market.times import interval_name

    many = read_many(files, symbols, options)
    stored = [
        {"symbol": name, "interval": interval_name(many.bars[name].interval_ms), **vars(added), "notes": notes}
        for name, added, notes in add_all(store, many, replace=replace)
    ]
    if as_json:
        answer(True, named={"imported": stored, "skipped": many.skipped})
        return
    click.echo("\n".join(many.heard()))
    for symbol, rule in many.skipped.items():
        click.echo(f"{symbol} is left out: {rule}")
    text = "{} {}: {new:,} bars added, {same:,} already there, {replaced:,} replaced"
    if len(stored) <= MOST_LINES:
        for row in stored:
            lost = f", without {', '.join(row['dropped'])}" if row["dropped"] else ""
            click.echo(text.format(row["symbol"], row["interval"], **row) + lost)
    sums = {key: sum(row[key] for row in stored) for key in ("new", "same", "replaced")}
    n_lost = sum(bool(row["dropped"]) for row in stored)
    intervals = ", ".join(sorted({row["interval"] for row in stored}))
    click.echo(
        text.format(f"{len(stored)} symbols", intervals, **sums) + f", columns dropped of {n_lost}" * bool(n_lost)
    )


@data.command("check")
@click.argument("names", metavar="FILE_OR_SYMBOL...", nargs=-1, required=True)
@click.option("--symbol", help="Symbol to check, for files that hold several.")
@file_options
@json_option
@store_option
def check_(names: tuple[str, ...], symbol: str | None, as_json: bool, store: Path, **file: object) -> None:
    """Report range, gaps, duplicates, stretches without volume and broken bars of files or stored symbols.

    Of stored symbols, also the range of their funding and the number of missing payments. Gaps and bars without
    volume are not errors: exchanges halt. The exit code is 2 if something could not be
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
    found: dict[str, object] = {}
    funded: dict[str, dict[str, object]] = {}
    options = _options(symbol, **file)  # type: ignore[arg-type]
    for name in names:
        try:
            if Path(name).is_file():
                reports = [(name, read_raw(name, options).report())]
            else:
                held = Store(store)
                intervals = [i for s, i in held.contents() if s == name]
                if name in held.with_funding():
                    funded[name] = funding_of(held, name)
                reports = [
                    (f"{name} {i}", check(held.load(name, i))) for i in intervals or ([] if name in funded else ["1m"])
                ]
        except (BarError, OSError) as error:
            refusals.append(str(error))
            continue
        for title, report in reports:
            found[title] = dataclasses.asdict(report)
            if not as_json:
                click.echo("\n".join(_lines(title, report)))
            if report.refusal:
                refusals.append(report.refusal)
        if name in funded and not as_json:
            click.echo(funding_line(funded[name]))
    if as_json:
        answer(True, named={"checked": found, "funding": funded})
    for refusal in refusals:
        click.echo(f"Error: {refusal}", err=True)
    if refusals:
        raise click.exceptions.Exit(BAD_INPUT)


@data.command("list")
@json_option
@store_option
@one_line_errors
def list_(as_json: bool, store: Path) -> None:
    """List the stored symbols and the ranges of their bars and of their funding.

    \b
    Example:
      labelsearch data list --store store
    """
    from labelsearch.market.store import Store
    from labelsearch.market.times import time_text

    held = Store(store)
    rows = []
    for symbol, interval in held.contents():
        found = held.extent(symbol, interval)
        first, last = time_text(found.first_ms), time_text(found.last_ms)
        rows.append({"symbol": symbol, "interval": interval, "bars": found.n_bars, "first": first, "last": last})
    funded = [funding_of(held, symbol) for symbol in held.with_funding()]
    if as_json:
        answer(True, named={"stored": rows, "funding": funded})
        return
    if not rows and not funded:
        click.echo(f"{store} holds no bars")
    for row in rows:
        click.echo("{symbol:<12} {interval:>3} {bars:>10,} bars  {first} .. {last}".format(**row))
    for each in funded:
        click.echo(funding_line(each))


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
        f"  broken spreads   {report.bad_spreads:,}",
        f"  without volume   {report.zero_volume_bars:,} bars in {len(runs):,} runs",
    ]
    for run in runs[:5]:
        lines.append(f"    {time_text(run.first_ms)}  {run.length:,} bars")
    if len(runs) > 5:
        lines.append(f"    .. and {len(runs) - 5:,} shorter")
    return lines
