"""Funding in the store: a file beside the bars of its symbol, ``root/<SYMBOL>/funding.parquet``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from labelsearch.durable import held
from labelsearch.market.funding import COLUMNS, Funding
from labelsearch.market.parquet import Added, replace_table
from labelsearch.market.readers import read_parquet
from labelsearch.market.rules import BarError
from labelsearch.market.times import time_text


@dataclass(frozen=True)
class AddedFunding(Added):
    """Result of adding funding payments."""

    completed: int = 0  # of the same ones, those that were stored without the mark price which they have now


def load_funding(path: Path, symbol: str) -> Funding:
    """All funding of a file; `BarError` if it is damaged."""
    return Funding.from_frame(read_parquet(path), symbol, path)


def add_funding(path: Path, funding: Funding, *, replace: bool) -> AddedFunding:
    """Merge funding with that of a file; see `labelsearch.market.store.Store.add_funding`."""
    # no other process may read or write between our reading and writing
    with held(path.parent / ".lock"):
        joined, added = merged(path, funding, replace=replace)
        if added.new or added.replaced or added.completed:
            _save(joined, path)
    return added


def merged(path: Path, funding: Funding, *, replace: bool) -> tuple[Funding, AddedFunding]:
    """What the file would hold with some more funding, and what becomes of that."""
    if len(funding) == 0:
        raise BarError("no funding payments to store")
    if not path.is_file():
        return funding, AddedFunding(len(funding), 0, 0)
    stored = load_funding(path, funding.symbol)
    joined = join_funding([stored, funding], replace=replace, files=[path, "new funding"])
    new = len(joined.funding) - len(stored)
    same = len(funding) - new - joined.replaced
    return joined.funding, AddedFunding(new, same, joined.replaced, completed=joined.completed)


def part_of(funding: Funding, path: Path, start_ms: int | None, stop_ms: int | None) -> Funding:
    """The payments of a file in [start_ms, stop_ms); `BarError` if there are none, with those that there are."""
    chosen = funding.between(start_ms, stop_ms)
    if len(chosen) == 0:
        first, last = time_text(int(funding.time[0])), time_text(int(funding.time[-1]))
        raise BarError(f"no funding payments in that range; stored are {first} .. {last}", path)
    return chosen


def _save(funding: Funding, path: Path) -> None:
    times = pa.array(funding.time, pa.timestamp("ms", tz="UTC"))
    columns = (times, pa.array(funding.rate), pa.array(funding.mark))
    replace_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), path)


class Joined(NamedTuple):
    """Result of `join_funding`."""

    funding: Funding
    replaced: int  # payments whose rate or mark price differed
    completed: int  # payments that got a mark price of a later part


def join_funding(parts: Sequence[Funding], replace: bool = False, files: Sequence[object] | None = None) -> Joined:
    """Join funding of one symbol in time order; where a part knows no mark price, that of another is taken.

    Parameters
    ----------
    parts : sequence of Funding
    replace : bool
        Where parts differ, use the last one.
    files : sequence, optional
        A name of each part for errors.

    Raises
    ------
    BarError
        If symbols differ; without ``replace``, if two parts differ at some time.
    """
    named = list(files) if files is not None else [None] * len(parts)
    joined, replaced, completed = parts[0], 0, 0
    for k in range(1, len(parts)):
        part = parts[k]
        if part.symbol != joined.symbol:
            raise BarError(f"funding of {part.symbol} cannot be joined with funding of {joined.symbol}", named[k])
        _, old, new = np.intersect1d(joined.time, part.time, assume_unique=True, return_indices=True)
        other_mark = ~np.isnan(joined.mark[old]) & ~np.isnan(part.mark[new]) & (joined.mark[old] != part.mark[new])
        differs = (joined.rate[old] != part.rate[new]) | other_mark
        if differs.any() and not replace:
            i = int(differs.argmax())
            raise _conflict(joined, part, int(old[i]), int(new[i]), named, k)
        mark = part.mark.copy()
        kept = np.isnan(part.mark[new]) & ~differs
        mark[new[kept]] = joined.mark[old[kept]]
        replaced += int(differs.sum())
        completed += int((np.isnan(joined.mark[old]) & ~np.isnan(part.mark[new]) & ~differs).sum())
        rest = np.delete(np.arange(len(joined)), old)
        time = np.r_[joined.time[rest], part.time]
        order = np.argsort(time)
        rate, mark = np.r_[joined.rate[rest], part.rate], np.r_[joined.mark[rest], mark]
        joined = Funding(joined.symbol, time[order], rate[order], mark[order])
    return Joined(joined, replaced, completed)


def _conflict(joined: Funding, part: Funding, old: int, new: int, files: Sequence[object], k: int) -> BarError:
    name, ours, theirs = "funding rate", joined.rate[old], part.rate[new]
    if ours == theirs:
        name, ours, theirs = "mark price", joined.mark[old], part.mark[new]
    rule = f"{time_text(int(part.time[new]))}: {name} {theirs} conflicts with {ours}"
    if k == 1 and files[0] is not None:
        rule += f" in {files[0]}"
    return BarError(rule, files[k], new + 1)
