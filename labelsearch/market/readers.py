"""Files as plain tables: Parquet, Feather, text, and what wraps text; values are not checked yet."""

import gzip
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from labelsearch.market.names import our_names, require
from labelsearch.market.rules import BarError, refuse_many_rows
from labelsearch.market.text import Table, read_text

SUFFIXES = (".parquet", ".pq", ".feather", ".csv", ".txt", ".tsv", ".gz", ".zip")
LARGEST_TEXT = 1 << 30  # bytes of text, far above any archive file; protects against bombs
LONGEST_TEXT = 100  # characters of a symbol or a time
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError)


def read_table(path: Path, columns: Sequence[str] = ()) -> Table:
    """The table of a file, by its suffix; `BarError` for other files, and for damaged ones.

    ``columns`` are the headings of text without a header.
    """
    kind = path.suffix.lower()
    if kind in (".parquet", ".pq"):
        return Table(read_parquet(path), True)
    if kind == ".feather":
        return Table(_read_feather(path), True)
    if kind == ".zip":
        return read_text(_only_member(path), path, columns)
    if kind == ".gz":
        return read_text(_unzipped(path), path, columns)
    if kind in (".csv", ".txt", ".tsv"):
        _refuse_much_text(path.stat().st_size, path)
        return read_text(path.read_bytes(), path, columns)
    raise BarError(f"not a file of bars: its name must end in {', '.join(SUFFIXES)}", path)


def read_parquet(path: Path) -> pd.DataFrame:
    """The known columns of a Parquet file, under the names they have; `BarError` if it cannot be read."""
    try:
        # repeated text stays a dictionary: a small file may hold much of it
        text = [field.name for field in pq.read_schema(path) if _is_text(field.type)]
        with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=text) as file:
            names = our_names(file.schema_arrow.names)
            require(set(names.values()), path)
            refuse_many_rows(file.metadata.num_rows, path)
            return _columns(file.read(columns=[str(name) for name in names]), path)
    except BarError:
        raise
    except _UNREADABLE as error:
        raise BarError(f"not a readable Parquet file: {error}", path) from None


def _read_feather(path: Path) -> pd.DataFrame:
    try:
        with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
            n_rows = 0
            for i in range(file.num_record_batches):  # a batch is unpacked at a time
                n_rows += file.get_batch(i).num_rows
                refuse_many_rows(n_rows, path)
            return _columns(file.read_all(), path)
    except BarError:
        raise
    except _UNREADABLE as error:
        raise BarError(f"not a readable Feather file: {error}", path) from None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain_text(table: pa.Table, path: Path) -> pa.Table:
    """The table without dictionaries; `BarError` for text of more than 100 characters."""
    for i, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if pa.types.is_dictionary(column.type):
            words = [chunk.dictionary for chunk in column.chunks]
            if any(len(word.as_py() or "") > LONGEST_TEXT for part in words for word in part):
                raise BarError(f"column {name} holds text of more than {LONGEST_TEXT} characters", path)
            table = table.set_column(i, name, column.cast(column.type.value_type))
    return table


def _columns(table: pa.Table, path: Path) -> pd.DataFrame:
    """The known columns of an Arrow table."""
    names = our_names(table.column_names)
    table = table.select([str(name) for name in names])
    table.validate(full=True)  # text of a damaged file may not be UTF-8
    table = _plain_text(table, path)
    return pd.DataFrame({name: _column(table[str(name)], ours, path) for name, ours in names.items()})


def _column(column: pa.ChunkedArray, name: str, path: Path) -> pd.Series:
    """A column under one of our names, as times, text, truth or float64."""
    if name in ("open_time", "close_time", "clock", "funding_time"):
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("ms"))
        return column.to_pandas()
    if name in ("symbol", "side", "buyer_maker"):
        return column.to_pandas().astype("str")
    if name == "filled":
        return column.cast(pa.bool_()).to_pandas()
    if pa.types.is_boolean(column.type):
        raise BarError(f"column {name} is not numeric", path)
    if name == "trade_id":
        return column.to_pandas()
    try:
        values = column.cast(pa.float64(), safe=False).to_numpy()
    except pa.ArrowException:
        raise BarError(f"column {name} is not numeric ({column.type})", path) from None
    return pd.Series(np.array(values))


def _only_member(path: Path) -> bytes:
    """The content of the only file in a zip; the zip library verifies its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) != 1:
                raise BarError(f"the zip contains {len(members)} files instead of one", path)
            _refuse_much_text(members[0].file_size, path)  # no more is unpacked
            content = archive.read(members[0])
    except (
        zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, MemoryError, IndexError
    ) as error:  # fmt: skip
        if isinstance(error, BarError):
            raise
        raise BarError(f"the zip is truncated or damaged: {error}", path) from None
    if not content:
        raise BarError("the file in the zip is empty", path)
    return content


def _unzipped(path: Path) -> bytes:
    """The content of a gzip file."""
    try:
        with gzip.open(path) as file:
            content = file.read(LARGEST_TEXT + 1)
    except (OSError, EOFError, zlib.error, MemoryError) as error:
        raise BarError(f"the gzip file is truncated or damaged: {error}", path) from None
    _refuse_much_text(len(content), path)
    return content


def _refuse_much_text(size: int, path: Path) -> None:
    if size > LARGEST_TEXT:
        raise BarError(f"{size:,} bytes of text; at most {LARGEST_TEXT:,} can be read from one file: split it", path)
