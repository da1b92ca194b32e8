"""Funding of ``labelsearch data``: what is imported, and what is stored."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer

if TYPE_CHECKING:
    from labelsearch.market.formats import ReadOptions
    from labelsearch.market.funding_files import ManyFunding
    from labelsearch.market.store import Store

MOST_LINES = 40  # of symbols imported at once; more are counted


def import_funding(
    files: tuple[Path, ...],
    marks: tuple[Path, ...],
    symbols: tuple[str, ...] | None,
    name: str | None,
    options: "ReadOptions",
    store: "Store",
    *,
    replace: bool,
    as_json: bool,
) -> None:
    """Import funding of files, or mark prices of stored funding if there are none; None as symbols takes all."""
    import dataclasses

    from labelsearch.market.formats import AUTO
    from labelsearch.market.funding_files import add_all_funding, add_marks, read_funding
    from labelsearch.market.rules import BarError

    if not marks and (options.interval_ms or options.anchor_ms or options.floor or options.format != AUTO):
        raise BarError("--interval, --anchor and --format are of bars, not of funding")
    if name:
        store.funding_path(name)  # a name that cannot be stored is refused before anything is read
    many = read_funding(files, symbols, options) if files else _stored(store, symbols, name)
    if name and files:
        ((read, funding),) = many.series.items()
        many.series, many.notes = {name: dataclasses.replace(funding, symbol=name)}, {name: many.notes[read]}
    if marks:
        add_marks(many, marks, symbols or tuple(many.series), dataclasses.replace(options, columns=()))
    stored = [
        {"symbol": symbol, **vars(added), "notes": notes}
        for symbol, added, notes in add_all_funding(store, many, overwrite=replace)
    ]
    for row in stored:
        row.pop("dropped")
    if as_json:
        answer(True, named={"imported": stored, "skipped": many.skipped})
        return
    for line in (*many.heard(), *(f"{symbol} is left out: {rule}" for symbol, rule in many.skipped.items())):
        click.echo(line)
    text = "{}: {new:,} payments added, {same:,} already there, {replaced:,} replaced, {completed:,} got a mark price"
    if len(stored) <= MOST_LINES:
        for row in stored:
            click.echo(text.format(row["symbol"], **row))
    if len(stored) > 1:
        sums = {key: sum(row[key] for row in stored) for key in ("new", "same", "replaced", "completed")}
        click.echo(text.format(f"{len(stored)} symbols", **sums))


def _stored(store: "Store", symbols: tuple[str, ...] | None, name: str | None) -> "ManyFunding":
    """Funding of the store, to which mark prices are added."""
    from labelsearch.market.funding_files import ManyFunding
    from labelsearch.market.symbols import stored_name

    names = store.with_funding() if symbols is None else [name or stored_name(symbol) for symbol in symbols]
    return ManyFunding({held: store.load_funding(held) for held in names}, {held: [] for held in names})


def funding_of(store: "Store", symbol: str) -> dict[str, object]:
    """Number, range and missing payments of the stored funding of a symbol."""
    from labelsearch.market.funding import FundingExtent
    from labelsearch.market.times import time_text

    extent = FundingExtent.of(store.load_funding(symbol))
    return {
        "symbol": symbol,
        "payments": extent.n_payments,
        "first": time_text(extent.first_ms),
        "last": time_text(extent.last_ms),
        "missing": extent.missing,
        "marks": extent.n_marks,
    }


def funding_line(found: dict[str, object]) -> str:
    """The same as a line."""
    return (
        "{symbol:<12} funding {payments:>6,} payments  {first} .. {last}, {missing:,} missing, "
        "{marks:,} with a mark price".format(**found)
    )
