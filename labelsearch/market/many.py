"""Files of many symbols, each read once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from labelsearch.market.archive import FileName, RawBars, open_table
from labelsearch.market.bars import Bars, time_column
from labelsearch.market.checks import common_step
from labelsearch.market.formats import Converted, Headed, ReadOptions, converted, headings
from labelsearch.market.rules import BarError
from labelsearch.market.store import Added, Store, merge
from labelsearch.market.symbols import listed, rows_of_symbols, spelled, stored_name
from labelsearch.market.times import to_ms

T = TypeVar("T")
Part = tuple[str, Callable[[str], T], str, list[str]]
"""A symbol of a file, what makes its series under the name in the store, the format, and notes."""


@dataclass
class Many(Generic[T]):
    """Series of several symbols.

    Attributes
    ----------
    series : dict of str to T
        By the name in the store, sorted.
    notes : dict of str to list of str
        What was found, assumed or left out, by the same names.
    skipped : dict of str to str
        Symbols that were left out, and the rule that each breaks.
    """

    series: dict[str, T] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def heard(self) -> list[str]:
        """All notes, equal ones of several symbols as one line."""
        names: dict[str, list[str]] = {}
        for name, notes in self.notes.items():
            for note in notes:
                names.setdefault(note, []).append(name)
        return [
            note if ": read as " in note else f"{note} ({held[0] if len(held) == 1 else f'{len(held)} symbols'})"
            for note, held in names.items()
        ]


class ManyBars(Many[Bars]):
    """Bars of several symbols."""

    @property
    def bars(self) -> dict[str, Bars]:
        """Bars by the name in the store, sorted."""
        return self.series


def read_many(paths: Sequence[str | Path], symbols: Sequence[str] | None, options: ReadOptions) -> ManyBars:
    """Read several symbols of files, in any order; each file is read once.

    A file without a column of symbols is of the symbol in its name. All symbols of a file have one interval.

    Parameters
    ----------
    paths : sequence of path
    symbols : sequence of str, optional
        Those to take; None takes all.
    options : ReadOptions
        ``symbol`` is not used. With ``skip_broken``, a symbol that breaks a rule even without its broken rows is left
        out, and named in the result.

    Raises
    ------
    BarError
        As `labelsearch.market.archive.read`, with the symbol; also for a symbol that no file has, two symbols that
        would be stored under one name, and if no symbol is left.
    """
    many = ManyBars()
    parts = ((path, part) for path in map(Path, paths) for part in _symbols_of(path, symbols, options, many))
    gather(many, parts, symbols, options, lambda bars, files: merge(bars, files=files)[0])
    return many


def gather(
    many: Many[T],
    found: Iterable[tuple[Path, Part[T]]],
    symbols: Sequence[str] | None,
    options: ReadOptions,
    join: Callable[[Sequence[T], Sequence[object]], T],
) -> None:
    """Join the parts of files by symbol; arguments and errors as for `read_many`."""
    parts: dict[str, list[tuple[Path, T]]] = {}
    origin: dict[str, str] = {}
    lacking = set(symbols or ())
    for path, (symbol, made, layout, notes) in found:
        lacking.discard(symbol)
        name = stored_name(symbol)
        if origin.setdefault(name, symbol) != symbol:
            raise BarError(f"{origin[name]} and {symbol} would both be stored as {name}", path)
        try:
            parts.setdefault(name, []).append((path, made(name)))
        except BarError as error:
            leave_out(many, symbol, error, options)
        many.notes.setdefault(name, []).extend(f"{path.name}: {n}" for n in (f"read as {layout}", *notes))
    if lacking - many.skipped.keys():
        raise BarError(f"no file has {listed(sorted(lacking - many.skipped.keys()))}")
    for name in sorted(parts):
        files, series = zip(*parts.pop(name), strict=True) if parts[name] else ((), ())
        if not series:
            continue
        try:
            many.series[name] = join(series, files)
        except BarError as error:
            leave_out(many, origin[name], error, options)
    for symbol in many.skipped:  # a symbol is taken from all files or from none
        many.series.pop(stored_name(symbol), None)
    if not many.series:
        symbol, rule = next(iter(many.skipped.items()))
        raise BarError(f"no symbol is left, the first that breaks a rule is {symbol}: {rule}")


def _symbols_of(
    path: Path, symbols: Sequence[str] | None, options: ReadOptions, many: ManyBars
) -> Iterator[Part[Bars]]:
    """The symbols of a file, spelled as asked for, and their rows."""
    table, name, options = open_table(path, options)
    headed = headings(table, options, path)
    del table
    found: dict[str, Converted] = {}
    for symbol, part in parts_of(headed, name, symbols, path, options):
        try:
            found[symbol] = converted(part, options, path)
        except BarError as error:
            leave_out(many, symbol, error, options)
    del headed
    if found:
        step = options.interval_ms or _common_step(found, path)
    for symbol in list(found):
        rows = found.pop(symbol)
        raw = RawBars(path, rows.frame, step, name, rows.format, options, rows.notes)
        yield symbol, raw.bars, raw.format, raw.notes


def parts_of(
    headed: Headed, name: FileName, symbols: Sequence[str] | None, path: Path, options: ReadOptions
) -> Iterator[tuple[str, Headed]]:
    """The rows of each symbol that is asked for."""
    if "symbol" not in headed.frame:
        if name.symbol is None:
            raise BarError("has no column of symbols and no symbol in its name: import it alone, with its symbol", path)
        held = {name.symbol: np.arange(len(headed.frame))}
    else:
        held = rows_of_symbols(headed.frame, path, skip_broken=options.skip_broken)
    asked = {name: name for name in held} if symbols is None else {name: spelled(name, list(held)) for name in symbols}
    if not any(asked.values()):
        raise BarError(f"has none of the symbols asked for, but {listed(list(held)) or 'none'}", path)
    frame = headed.frame.drop(columns="symbol", errors="ignore")
    for symbol, of_file in asked.items():
        if of_file is not None:
            yield symbol, headed._replace(frame=frame.take(held[of_file]))


def _common_step(found: dict[str, Converted], path: Path) -> int:
    """The most common step within symbols, so that one of few rows has the interval of the others."""
    steps = [np.abs(np.diff(to_ms(time_column(rows.frame), path))) for rows in found.values()]
    return common_step(np.cumsum(np.concatenate([np.zeros(1, np.int64), *steps])), path)


def leave_out(many: Many[T], symbol: str, error: BarError, options: ReadOptions) -> None:
    """Note that a symbol breaks a rule; without ``skip_broken``, raise the error with its name."""
    if not options.skip_broken:
        raise BarError(f"{symbol}: {error.rule}", error.file, error.row) from None
    many.skipped.setdefault(symbol, str(error))


def add_all(store: Store, many: ManyBars, *, replace: bool) -> list[tuple[str, Added, list[str]]]:
    """Store many symbols: name, result and notes of each. All are compared with stored bars before any is written.

    Raises
    ------
    BarError
        As `Store.add`, with the symbol. Nothing is written then, unless another process changed the store meanwhile.
    """
    for bars in many.bars.values():
        try:
            store.preview(bars, replace)
        except BarError as error:
            raise BarError(f"{bars.symbol}: {error.rule}", error.file, error.row) from None
    return [(name, store.add(bars, replace), many.notes[name]) for name, bars in many.bars.items()]
