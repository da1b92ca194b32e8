"""Parquet files that are replaced as a whole."""

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from labelsearch.durable import sync_folder


@dataclass(frozen=True)
class Added:
    """Result of adding rows to those stored."""

    new: int  # rows that were not stored
    same: int  # rows that were stored with equal values
    replaced: int  # rows that were stored with other values
    dropped: tuple[str, ...] = ()  # optional columns left out because not all bars have them


def replace_table(table: pa.Table, path: Path) -> None:
    """Write a file, so that readers and crashes meet the old or the new one; the caller locks its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_over in path.parent.glob(f".{path.stem}.*.tmp"):  # of killed processes: nobody else writes now
        left_over.unlink(missing_ok=True)
    # not *.parquet, so that a leftover of a crash is not taken for stored rows
    temporary = path.with_name(f".{path.stem}.{uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
