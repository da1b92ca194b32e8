"""A folder of bars, ``root/<SYMBOL>/<interval>.parquet``, and of funding; what is missing stays missing."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace as with_fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from labelsearch.durable import held
from labelsearch.market import funding_store
from labelsearch.market.bars import Bars
from labelsearch.market.funding import Funding
from labelsearch.market.funding_store import AddedFunding
from labelsearch.market.parquet import Added, replace_table
from labelsearch.market.readers import read_parquet
from labelsearch.market.rules import OPTIONAL, REQUIRED, BarError, NoBarsError
from labelsearch.market.times import interval_name, parse_interval, time_text

FUNDING = "funding"  # name of the file of a symbol
MOST_NAMED = 12  # series that an error lists
SYMBOL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


class Extent(NamedTuple):
    """Number of stored bars, and the start of the first and the last, ms since the epoch, UTC."""

    n_bars: int
    first_ms: int
    last_ms: int


class Store:
    """Bars on disk, one file per symbol and interval.

    Files are written completely and then renamed, so that readers and crashes only ever meet the old or the new file.
    Concurrent calls of `add` for one symbol wait for each other.

    Parameters
    ----------
    root : str or Path
        The folder; created by the first `save`.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def symbols(self) -> list[str]:
        """Symbols of which there are bars, sorted."""
        return sorted({symbol for symbol, _ in self.contents()})

    def contents(self) -> list[tuple[str, str]]:
        """Symbol and interval name of every file of bars, sorted."""
        return [(symbol, name) for symbol, name in self._files() if name != FUNDING]

    def with_funding(self) -> list[str]:
        """Symbols of which there is funding, sorted."""
        return [symbol for symbol, name in self._files() if name == FUNDING]

    def _files(self) -> list[tuple[str, str]]:
        files = self.root.glob("*/*.parquet") if self.root.is_dir() else ()
        return sorted(
            (file.parent.name, file.stem)
            for file in files
            if SYMBOL.fullmatch(file.parent.name) and not file.name.startswith(".")
        )

    def path(self, symbol: str, interval: str = "1m") -> Path:
        """File of the bars of a symbol; `BarError` for an invalid symbol or interval."""
        return self._folder(symbol) / f"{interval_name(parse_interval(interval))}.parquet"

    def funding_path(self, symbol: str) -> Path:
        """File of the funding of a symbol; `BarError` for an invalid one."""
        return self._folder(symbol) / f"{FUNDING}.parquet"

    def _folder(self, symbol: str) -> Path:
        if not SYMBOL.fullmatch(symbol):
            raise BarError(
                f"{symbol!r} is not a valid symbol: use letters, digits, '.', '_' and '-', and no dot at the start"
            )
        return self.root / symbol

    def save(self, bars: Bars) -> Path:
        """Replace the stored bars by these, without those filled in by `on_grid`; returns the file."""
        bars = bars.present()
        if len(bars) == 0:
            raise BarError("no bars to store")
        path = self.path(bars.symbol, interval_name(bars.interval_ms))
        with held(path.parent / ".lock"):
            self._save(bars, path)
        return path

    def _save(self, bars: Bars, path: Path) -> None:
        """Write the file; the caller holds the lock of its folder."""
        names = [n for n in (*REQUIRED, *OPTIONAL) if getattr(bars, n) is not None]
        times = pa.array(bars.open_time, pa.timestamp("ms", tz="UTC"))
        replace_table(pa.table({"open_time": times, **{name: pa.array(getattr(bars, name)) for name in names}}), path)

    def _nearest(self, symbol: str) -> str:
        """What the store holds, as text: of the symbol, else of those with names most like it."""
        held = self.contents()
        names = [symbol] if symbol in (s for s, _ in held) else [s for s, _ in held]
        names = _closest(symbol, names)
        shown = [f"{s} {i}" for s, i in held if s in names]
        return _listed(shown, len(held))

    def load(self, symbol: str, interval: str = "1m", start_ms: int | None = None, stop_ms: int | None = None) -> Bars:
        """The stored bars that start in [start_ms, stop_ms); None leaves a side open.

        Raises
        ------
        BarError
            If there are none of the symbol or in the range, or the file is damaged.
        """
        path = self.path(symbol, interval)
        if not path.is_file():
            raise BarError(f"no {interval} bars of {symbol}; the store holds {self._nearest(symbol)}", self.root)
        bars = Bars.from_frame(read_parquet(path), symbol, parse_interval(interval), path)
        chosen = bars.between(start_ms, stop_ms)
        if len(chosen) == 0:
            first, last = time_text(bars.open_time[0]), time_text(bars.open_time[-1])
            raise NoBarsError(f"no bars in that range; stored are {first} .. {last}", path)
        return chosen

    def extent(self, symbol: str, interval: str = "1m") -> Extent:
        """Number and range of the stored bars, of which only the footer of the file is read; errors as for `load`."""
        path = self.path(symbol, interval)
        try:
            with pq.ParquetFile(path) as file:
                footer = file.metadata
                column = file.schema_arrow.names.index("open_time")
                found = [footer.row_group(i).column(column).statistics for i in range(footer.num_row_groups)]
        except (pa.ArrowException, OSError, ValueError):
            found = []  # `load` says what is wrong
        ends = [end for each in found if each is not None and each.has_min_max for end in (each.min, each.max)]
        if ends and len(ends) == 2 * len(found) and all(getattr(end, "tzinfo", None) for end in ends):
            first_ms, last_ms = (round(end.timestamp() * 1000) for end in (min(ends), max(ends)))
            return Extent(footer.num_rows, first_ms, last_ms)
        bars = self.load(symbol, interval)
        return Extent(len(bars), int(bars.open_time[0]), int(bars.open_time[-1]))

    def add(self, bars: Bars, replace: bool = False) -> Added:
        """Merge bars with those stored.

        Parameters
        ----------
        bars : Bars
        replace : bool
            Let new bars replace stored bars with other values, and drop stored columns that the new bars lack.

        Raises
        ------
        BarError
            Without ``replace``, if the two differ; names the first time. Nothing is written then.
        """
        bars = bars.present()
        # no other process may read or write between our reading and writing
        with held(self.path(bars.symbol, interval_name(bars.interval_ms)).parent / ".lock"):
            return self._add(bars, replace)

    def preview(self, bars: Bars, replace: bool = False) -> Added:
        """What `add` would do and raise now, without writing anything."""
        return self._merged(bars.present(), replace)[1]

    def _add(self, bars: Bars, replace: bool) -> Added:
        merged, added = self._merged(bars, replace)
        if merged is not None:
            self._save(merged, self.path(bars.symbol, interval_name(bars.interval_ms)))
        return added

    def _merged(self, bars: Bars, replace: bool) -> tuple[Bars | None, Added]:
        """What to write, None if nothing changes, and what becomes of the bars."""
        interval = interval_name(bars.interval_ms)
        path = self.path(bars.symbol, interval)
        if len(bars) == 0:
            raise BarError("no bars to store")
        if not path.is_file():
            return bars, Added(len(bars), 0, 0)
        stored = self.load(bars.symbol, interval)
        lost = set(_optional(stored)) - set(_optional(bars))
        if lost and not replace:
            names = ", ".join(sorted(lost))
            raise BarError(f"the new bars lack {names}, which the stored bars have; replace drops it", path)
        merged, replaced = merge([stored, bars], replace=replace, files=[path, "new bars"])
        new = len(merged) - len(stored)
        same = len(bars) - new - replaced
        dropped = (lost | set(_optional(bars))) - set(_optional(merged))
        added = Added(new, same, replaced, tuple(sorted(dropped)))
        return (merged if new or replaced or lost else None), added

    def load_funding(self, symbol: str, start_ms: int | None = None, stop_ms: int | None = None) -> Funding:
        """The stored funding payments in [start_ms, stop_ms); None leaves a side open.

        Raises
        ------
        BarError
            If there are none of the symbol or in the range, or the file is damaged.
        """
        path = self.funding_path(symbol)
        if not path.is_file():
            names = self.with_funding()
            holds = f"that of {_listed(_closest(symbol, names), len(names))}" if names else "none"
            raise BarError(f"no funding of {symbol}; the store holds {holds}", self.root)
        return funding_store.part_of(funding_store.load_funding(path, symbol), path, start_ms, stop_ms)

    def add_funding(self, funding: Funding, replace: bool = False) -> AddedFunding:
        """Merge funding with that stored; mark prices that only one of them knows are kept.

        Parameters
        ----------
        funding : Funding
        replace : bool
            Let new payments replace stored ones with other values.

        Raises
        ------
        BarError
            Without ``replace``, if the two differ; names the first time. Nothing is written then.
        """
        return funding_store.add_funding(self.funding_path(funding.symbol), funding, replace=replace)

    def preview_funding(self, funding: Funding, replace: bool = False) -> AddedFunding:
        """What `add_funding` would do and raise now, without writing anything."""
        return funding_store.merged(self.funding_path(funding.symbol), funding, replace=replace)[1]


def _closest(symbol: str, names: list[str]) -> list[str]:
    """The names, of many those most like a symbol."""
    return names if len(names) <= MOST_NAMED else difflib.get_close_matches(symbol, names, n=MOST_NAMED, cutoff=0.0)


def _listed(shown: list[str], n_all: int) -> str:
    """Names between commas, with the number of those not shown."""
    more = f" and {n_all - len(shown)} more" if len(shown) < n_all else ""
    return ", ".join(shown) + more if n_all else "nothing"


def merge(parts: Sequence[Bars], replace: bool = False, files: Sequence[object] | None = None) -> tuple[Bars, int]:
    """Join bars of one symbol in time order.

    Parameters
    ----------
    parts : sequence of Bars
        Of one symbol and interval. Optional columns that not all have are dropped.
    replace : bool
        Where parts differ, use the last one.
    files : sequence, optional
        A name of each part for errors.

    Returns
    -------
    Bars
    int
        Number of replaced bars.

    Raises
    ------
    BarError
        If symbols or intervals differ; without ``replace``, if two parts differ at some time.
    """
    named = list(files) if files is not None else [None] * len(parts)
    for part, file in zip(parts, named, strict=True):
        if (part.symbol, part.interval_ms) != (parts[0].symbol, parts[0].interval_ms):
            kinds = [f"{p.symbol} {interval_name(p.interval_ms)}" for p in (part, parts[0])]
            raise BarError(f"{kinds[0]} bars cannot be merged with {kinds[1]} bars", file)
    names = [*REQUIRED, *(n for n in OPTIONAL if all(getattr(part, n) is not None for part in parts))]
    times = np.concatenate([part.open_time for part in parts])
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = np.argsort(times, kind="stable")
    same_time = np.flatnonzero(np.diff(times[order]) == 0)
    earlier, later = order[same_time], order[same_time + 1]
    differs = np.zeros(len(same_time), dtype=np.bool_)
    for values in columns.values():
        differs |= values[earlier] != values[later]
    if differs.any() and not replace:
        i = int(differs.argmax())
        raise _conflict(parts, named, columns, times, int(earlier[i]), int(later[i]))
    keep = np.delete(order, same_time)  # a stable sort leaves the last part's row as the last of its time
    arrays: dict[str, NDArray | None] = {name: values[keep] for name, values in columns.items()}
    arrays |= {name: None for name in OPTIONAL if name not in columns}
    filled = np.concatenate([part.filled for part in parts])[keep]
    merged = with_fields(parts[0], open_time=times[keep], filled=filled, **arrays)  # type: ignore[arg-type]
    return merged, int(differs.sum())


def _conflict(
    parts: Sequence[Bars], files: list, columns: dict[str, NDArray], times: NDArray, earlier: int, later: int
) -> BarError:
    ends = np.cumsum([len(part) for part in parts])
    i, j = (int(np.searchsorted(ends, row, side="right")) for row in (earlier, later))
    name = next(name for name, values in columns.items() if values[earlier] != values[later])
    values = columns[name]
    rule = f"{time_text(int(times[later]))}: {name} {values[later]} conflicts with {values[earlier]}"
    if files[i] is not None:
        rule += f" in {files[i]}"
    return BarError(rule, files[j], later - int(ends[j]) + len(parts[j]) + 1)


def _optional(bars: Bars) -> list[str]:
    return [name for name in OPTIONAL if getattr(bars, name) is not None]
