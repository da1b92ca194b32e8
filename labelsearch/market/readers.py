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
from labelsearch.market.rules import BarError
from labelsearch.market.text import Table, read_text

SUFFIXES = (".parquet", ".pq", ".feather", ".csv", ".txt", ".tsv", ".gz", ".zip")
_LARGEST = 2 << 30  # bytes of unpacked text, far above any archive file; protects against zip bombs
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
        return read_text(path.read_bytes(), path, columns)
    raise BarError(f"not a file of bars: its name must end in {', '.join(SUFFIXES)}", path)


def read_parquet(path: Path) -> pd.DataFrame:
    """The known columns of a Parquet file, under the names they have; `BarError` if it cannot be read."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            names = our_names(file.schema_arrow.names)
            require(set(names.values()), path)
            return _columns(file.read(columns=[str(name) for name in names]), path)
    except BarError:
        raise
    except _UNREADABLE as error:
        raise BarError(f"not a readable Parquet file: {error}", path) from None


def _read_feather(path: Path) -> pd.DataFrame:
    try:
        with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
            return _columns(file.read_all(), path)
    except BarError:
        raise
    except _UNREADABLE as error:
        raise BarError(f"not a readable Feather file: {error}", path) from None


def _columns(table: pa.Table, path: Path) -> pd.DataFrame:
    """The known columns of an Arrow table."""
    names = our_names(table.column_names)
    table = table.select([str(name) for name in names])
    table.validate(full=True)  # text of a damaged file may not be UTF-8
    return pd.DataFrame({name: _column(table[str(name)], ours, path) for name, ours in names.items()})


def _column(column: pa.ChunkedArray, name: str, path: Path) -> pd.Series:
    """A column under one of our names, as times, text, truth or float64."""
    if name in ("open_time", "close_time", "clock"):
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
            if members[0].file_size > _LARGEST:
                raise BarError(f"the unpacked file has {members[0].file_size} bytes, which is too large", path)
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
            content = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error, MemoryError) as error:
        raise BarError(f"the gzip file is truncated or damaged: {error}", path) from None
    if len(content) > _LARGEST:
        raise BarError("the unpacked file is too large", path)
    return content
