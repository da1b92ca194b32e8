"""Files of funding: those of exchanges' archives, of their APIs, and tables with several symbols."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from labelsearch.market.archive import FileName, check_period, in_order, open_table, read_all, refuse_other_symbols
from labelsearch.market.formats import FORMATS, Headed, ReadOptions
from labelsearch.market.funding import Funding, faults, on_hours, rates_and_marks, with_marks
from labelsearch.market.funding_store import AddedFunding, join_funding
from labelsearch.market.many import Many, Part, gather, parts_of, read_many
from labelsearch.market.names import our_names, require
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.symbols import pick_symbol
from labelsearch.market.text import Table
from labelsearch.market.times import row_of, to_ms


class ManyFunding(Many[Funding]):
    """Funding of several symbols."""


def read_funding(paths: Sequence[str | Path], symbols: Sequence[str] | None, options: ReadOptions) -> ManyFunding:
    """Read funding of files, in any order; each file is read once.

    Parameters
    ----------
    paths : sequence of path
        With a header that names time and rate. A file without a column of symbols is of the only symbol asked for, or
        of that in its name.
    symbols : sequence of str, optional
        Those to take; None takes all.
    options : ReadOptions
        Zone, order of dates, headings, and whether broken rows are left out.

    Raises
    ------
    BarError
        Names file, row and rule; as `labelsearch.market.many.read_many`.
    """
    if symbols is not None and len(symbols) == 1:
        refuse_other_symbols(paths)
    many = ManyFunding()
    parts = ((path, part) for path in map(Path, paths) for part in _symbols_of(path, symbols, options, many))
    gather(many, parts, symbols, options, lambda series, files: join_funding(series, files=files).funding)
    return many


def read_archive_month(path: Path, symbol: str) -> Funding:
    """The funding of a monthly file of the exchange's archive; `BarError` names the row that breaks a rule."""
    table, name, options = open_table(path, ReadOptions())
    return _funding(_headed(table, path), symbol, name, options, path, [])


def _symbols_of(
    path: Path, symbols: Sequence[str] | None, options: ReadOptions, many: ManyFunding
) -> Iterator[Part[Funding]]:
    """The symbols of a file, spelled as asked for, and what reads their rows."""
    table, name, options = open_table(path, options)
    headed = _headed(table, path)
    if symbols is not None and len(symbols) == 1:
        found: list[str] = []
        frame = pick_symbol(headed.frame, symbols[0], path, found)
        held = iter([(symbols[0], headed._replace(frame=frame, notes=(*headed.notes, *found)))])
    else:
        held = parts_of(headed, name, symbols, path, options)
    for symbol, part in held:
        notes = list(part.notes)

        def made(stored: str, part: Headed = part, notes: list[str] = notes) -> Funding:
            return _funding(part, stored, name, options, path, notes)

        yield symbol, made, "funding", notes


def _headed(table: Table, file: object) -> Headed:
    """The table with our names; `BarError` if it holds no funding."""
    names = our_names(list(table.frame.columns))
    found = set(names.values())
    if not table.header:
        raise BarError("no header: give the names of its columns", file, 1)
    if "funding_rate" not in found:
        rule = (
            "no column is of funding rates: it needs funding_time and funding_rate, and may have mark_price and symbol"
        )
        raise BarError(rule, file)
    require(found, file)
    notes = ("commas are taken for decimal points",) if table.decimal_comma else ()
    return Headed(FORMATS["table"], table.frame[list(names)].rename(columns=names), names, notes)


def _funding(
    headed: Headed, symbol: str, name: FileName, options: ReadOptions, file: object, notes: list[str]
) -> Funding:
    """Rows of one symbol as funding."""
    frame = headed.frame
    timeless = frame["funding_time"].isna().to_numpy()
    if options.skip_broken and timeless.any():
        notes.append(f"{int(timeless.sum())} rows without a time are left out")
        frame = frame[~timeless]
    if not len(frame):
        raise BarError("no rows", file)
    exact = to_ms(frame["funding_time"], file, options.spelling)
    time = on_hours(exact)
    if (time != exact).any():
        notes.append(f"{int((time != exact).sum())} times less than a minute after a whole hour are set to it")
    frame = in_order(frame.assign(funding_time=time), "funding_time", notes)
    if options.skip_broken:
        frame = _whole(frame, notes)
    funding = Funding.from_frame(frame, symbol, file)
    check_period(funding.time, name, frame, file)
    return funding


def _whole(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The rows that break no rule; the others are noted."""
    found = list(faults(*rates_and_marks(frame)))
    if not found:
        return frame
    broken = np.any([fault.rows for fault in found], axis=0)
    first = f"the first is row {row_of(frame, int(found[0].rows.argmax()))}: {found[0].rule}"
    notes.append(f"{int(broken.sum())} rows that break a rule are left out, {first}")
    return frame[~broken]


def add_marks(many: ManyFunding, paths: Sequence[str | Path], symbols: Sequence[str], options: ReadOptions) -> None:
    """Fill in unknown mark prices from files of bars of the mark price, and note how many are known then.

    Parameters
    ----------
    many : ManyFunding
        Changed in place.
    paths : sequence of path
    symbols : sequence of str
        Of the funding, as the files may spell them.
    options : ReadOptions

    Raises
    ------
    BarError
        As `labelsearch.market.many.read_many`, also if the bars have no price at the time of any payment.
    """
    if len(symbols) == 1:
        bars = {name: read_all(paths, symbols[0], replace(options, symbol=symbols[0]))[0] for name in many.series}
    else:
        bars = read_many(paths, None, options).bars
    n_known = 0
    for name, funding in many.series.items():
        if name not in bars:
            many.notes[name].append("the files have no mark prices of it")
            continue
        marked = with_marks(funding, bars[name])
        known = int(np.isfinite(marked.mark).sum())
        n_known += known
        many.series[name] = marked
        many.notes[name].append(f"{known:,} of {len(marked):,} payments have a mark price")
    if not n_known:
        raise BarError("no bar of the mark price starts at the time of a payment", paths[0])


def add_all_funding(store: Store, many: ManyFunding, *, overwrite: bool) -> list[tuple[str, AddedFunding, list[str]]]:
    """Store the funding of many symbols, as `labelsearch.market.many.add_all` does their bars."""
    for funding in many.series.values():
        try:
            store.preview_funding(funding, overwrite)
        except BarError as error:
            raise BarError(f"{funding.symbol}: {error.rule}", error.file, error.row) from None
    return [(name, store.add_funding(funding, overwrite), many.notes[name]) for name, funding in many.series.items()]
