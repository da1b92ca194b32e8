"""Records as CSV files, and files and folders that must be new."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from labelsearch.engine.run import RunError


def check_new(path: Path) -> None:
    """Raise `RunError` if there is such a file or folder."""
    if path.exists():
        raise RunError(f"{path} exists already")


def write_csv(path: Path, records: Sequence[Mapping[str, object]]) -> None:
    """Write records of the same names, one or more, with a line of names."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, records[0])
        writer.writeheader()
        writer.writerows(records)


def write_csv_whole(path: Path, records: Sequence[Mapping[str, object]]) -> None:
    """As `write_csv`, in a folder that is made if needed; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_csv(draft, records)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
