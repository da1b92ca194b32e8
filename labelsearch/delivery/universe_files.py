"""Files of a survey of markets: tables as CSV, all of it as JSON, and lists of symbols for experiments."""

from collections.abc import Iterable
from pathlib import Path

from labelsearch.delivery.csv_files import check_new, write_csv
from labelsearch.delivery.tables.universe import records
from labelsearch.engine.files import write_atomically
from labelsearch.results.codec import json_bytes
from labelsearch.results.universe import KINDS, Universe


def write_universe(found: Universe, folder: Path) -> Path:
    """Fill a new folder: ``history``, ``picks``, ``ranks`` and ``universe`` as CSV, all as JSON, and lists of symbols.

    ``picks.txt`` and ``picks-beta-free.txt`` name the picks by each kind of return, and ``members.txt`` all markets
    that were members at any date: files for ``[data] symbols``.
    """

    def write(draft: Path) -> None:
        for name, rows in records(found).items():
            write_csv(draft / f"{name}.csv", rows)
        (draft / "universe.json").write_bytes(json_bytes(found))
        for by, name in zip(KINDS, ("picks", "picks-beta-free"), strict=True):
            days = " .. ".join(found.train)
            _write_symbols(draft / f"{name}.txt", found.picked(by), f"unlike each other by {by} of {days}")
        when = f"{found.dates[0].date} .. {found.dates[-1].date}" if found.dates else "no date"
        size = f"the {found.size} most liquid" if found.size else "the universe"
        _write_symbols(draft / "members.txt", found.ever, f"among {size} at any date of {when}")

    check_new(folder)
    write_atomically(folder, write)
    return folder


def _write_symbols(path: Path, symbols: Iterable[str], why: str) -> None:
    """One symbol on each line, as ``[data] symbols`` reads them."""
    path.write_text("".join(f"{line}\n" for line in (f"# {why}", *symbols)), encoding="utf-8")
