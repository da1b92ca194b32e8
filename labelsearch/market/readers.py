"""Parquet and CSV files as plain tables with our column names; values are not checked yet."""

import io
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from labelsearch.market.rules import MOST_ROWS, REQUIRED, BarError

ARCHIVE_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip

MOST_COLUMNS = 100  # of CSV text
LONGEST_TEXT = 100  # characters of a symbol or a time
# other names of our columns; if a file has several, the first counts
_ALIASES = {
    "open_time": ("timestamp", "open_timestamp", "datetime", "time", "date"),
    "volume": ("base_volume",),
    "quote_volume": ("quote_asset_volume", "quote_vol"),
    "trades": ("count", "number_of_trades", "num_trades", "trade_count"),
    "taker_buy_volume": ("taker_buy_base_asset_volume", "taker_buy_base_volume", "taker_base_vol"),
    "taker_buy_quote_volume": ("taker_buy_quote_asset_volume", "taker_quote_vol"),
    "symbol": ("ticker",),
}
# before 3.1 the default may miss the nearest double by one bit; from 3.1 on the option itself warns
_EXACT: dict[str, Literal["round_trip"]] = (
    {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}
)


def read_parquet(path: Path) -> pd.DataFrame:
    """The known columns of a Parquet file; `BarError` for other files, missing or non-numeric columns."""
    try:
        # repeated text stays a dictionary: a small file may hold much of it
        text = [field.name for field in pq.read_schema(path) if _is_text(field.type)]
        with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=text) as file:
            names = _our_names(file.schema_arrow.names)
            _require(set(names.values()), path)
            _refuse_many_rows(file.metadata.num_rows, path)
            table = file.read(columns=list(names))
            table.validate(full=True)  # text of a damaged file may not be UTF-8
            table = _plain_text(table, path)
            columns = {names[name]: _parquet_column(table[name], name, path) for name in names}
    except BarError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise BarError(f"not a readable Parquet file: {error}", path) from None
    return pd.DataFrame(columns)


def _refuse_many_rows(n_rows: int, path: Path) -> None:
    if n_rows > MOST_ROWS:
        raise BarError(f"{n_rows:,} rows; at most {MOST_ROWS:,} can be read from one file: split it", path)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain_text(table: pa.Table, path: Path) -> pa.Table:
    """The table without dictionaries; `BarError` for text of more than 100 bytes."""
    for i, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if pa.types.is_dictionary(column.type):
            words = [chunk.dictionary for chunk in column.chunks]
            if any(len(word.as_py() or "") > LONGEST_TEXT for part in words for word in part):
                raise BarError(f"column {name} holds text of more than {LONGEST_TEXT} characters", path)
            table = table.set_column(i, name, column.cast(column.type.value_type))
    return table


def _parquet_column(column: pa.ChunkedArray, name: str, path: Path) -> pd.Series:
    if name in _ALIASES["open_time"] or name in ("open_time", "close_time"):
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("ms"))
        return column.to_pandas()
    if name in ("symbol", "ticker"):
        return column.to_pandas().astype("str")
    if name == "filled":
        return column.cast(pa.bool_()).to_pandas()
    if pa.types.is_boolean(column.type):
        raise BarError(f"column {name} is not numeric", path)
    try:
        values = column.cast(pa.float64(), safe=False).to_numpy()
    except pa.ArrowException:
        raise BarError(f"column {name} is not numeric ({column.type})", path) from None
    return pd.Series(np.array(values))


def read_csv(content: bytes, path: Path) -> tuple[pd.DataFrame, bool]:
    """Read CSV text with a header of known names, or without one in the twelve columns of the archive.

    Parameters
    ----------
    content : bytes
    path : Path
        Named in errors.

    Returns
    -------
    pandas.DataFrame
        The known columns, under our names.
    bool
        Whether the file has the twelve columns of the archive.

    Raises
    ------
    BarError
        For bytes that are not text, rows of different lengths, missing columns, or no rows.
    """
    first = content[:4096].lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("latin-1").strip()
    cells = [cell.strip().strip('"') for cell in first.split(",")]
    bare = _is_number(cells[0])
    _refuse_many_rows(max(content.count(b"\n"), content.count(b"\r")), path)
    if content[: MOST_COLUMNS * LONGEST_TEXT].split(b"\n", 1)[0].count(b",") >= MOST_COLUMNS:
        raise BarError(f"more than {MOST_COLUMNS} columns", path)
    if not first:
        raise BarError("no rows" if not content.strip() else "the first line is empty", path)
    if bare and len(cells) != len(ARCHIVE_COLUMNS):
        raise BarError(f"no header and {len(cells)} columns instead of the 12 of the archive", path, 1)
    try:
        with warnings.catch_warnings():
            # rows longer than the header would lose their last cells
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.BytesIO(content),
                header=None if bare else 0,
                names=list(ARCHIVE_COLUMNS) if bare else None,
                encoding="utf-8-sig",
                skipinitialspace=True,
                index_col=False,
                low_memory=False,
                **_EXACT,
            )
    except (ValueError, OSError, OverflowError, MemoryError, pd.errors.ParserWarning) as error:
        raise BarError(f"not readable CSV text: {error}", path) from None
    if bare:
        return frame, True
    names = _our_names([str(name) for name in frame.columns])
    archive = tuple(names.get(str(name)) for name in frame.columns) == ARCHIVE_COLUMNS
    _require(set(names.values()), path)
    return frame[list(names)].rename(columns=names), archive


def pick_symbol(frame: pd.DataFrame, symbol: str | None, path: Path) -> pd.DataFrame:
    """The rows of one symbol of a file that contains several, with their row numbers as index; else the whole table."""
    if "symbol" not in frame:
        return frame
    held = sorted(str(name) for name in frame["symbol"].unique())
    if len(held) == 1:
        return frame.drop(columns="symbol")
    if symbol is None or symbol not in held:
        shown = ", ".join(held[:10]) + (", .." if len(held) > 10 else "")
        wanted = "choose one" if symbol is None else f"not {symbol}"
        raise BarError(f"contains {len(held)} symbols, {wanted}: {shown}", path)
    return frame[(frame["symbol"] == symbol).to_numpy()].drop(columns="symbol")


def _our_names(given: list[str]) -> dict[str, str]:
    """Our names of the known columns of a file, by theirs."""
    plain = {name.strip().lower().replace(" ", "_"): name for name in reversed(given)}
    names: dict[str, str] = {}
    for ours in (*ARCHIVE_COLUMNS, "symbol", "filled"):
        for candidate in (ours, *_ALIASES.get(ours, ())):
            if candidate in plain:
                names[plain[candidate]] = ours
                break
    return {name: names[name] for name in given if name in names}


def _require(names: set[str], path: Path) -> None:
    lacking = [name for name in ("open_time", *REQUIRED) if name not in names]
    if lacking:
        raise BarError(f"missing columns: {', '.join(lacking)}", path)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
