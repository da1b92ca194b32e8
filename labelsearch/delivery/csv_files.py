"""Records as CSV files."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_csv(path: Path, records: Sequence[Mapping[str, object]]) -> None:
    """Write records of the same names, one or more, with a line of names."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, records[0])
        writer.writeheader()
        writer.writerows(records)
