"""Text of any separator, encoding and number format as a table."""

import csv
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from labelsearch.market.names import our_names, plain
from labelsearch.market.rules import BarError, refuse_many_rows

_SEPARATORS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"-?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+")
# 0,125 is no number with thousands, 1,234.5 and 1,234,567 are no numbers with a decimal comma
_THOUSANDS = re.compile(r"[$€£¥₹₽₩₿]?-?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|[$€£¥₹₽₩₿]-?\d+(?:\.\d+)?")
_SURELY_THOUSANDS = re.compile(r"[$€£¥₹₽₩₿]?-?\d{1,3}(?:(?:,\d{3})+\.\d+|(?:,\d{3}){2,})")
_DOTTED_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(?:\.\d{3})+")
_MISSING = ["", "NaN", "nan", "NAN", "NULL", "null", "Null", "NA", "N/A", "n/a", "#N/A", "None", "<NA>"]
MOST_COLUMNS = 100
_FIRST_LINES = 10  # in which the header is looked for
# one of them is in every header: of bars, quotes, trades, funding
_NEEDED = (
    {"close", "open"},
    {"bid_close", "ask_close"},
    {"price", "amount"},
    {"funding_time", "funding_rate"},
)
# before 3.1 the default may miss the nearest double by one bit; from 3.1 on the option itself warns
_EXACT: dict[str, Literal["round_trip"]] = (
    {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}
)


@dataclass(frozen=True, eq=False)
class Table:
    """A table as a file has it.

    Attributes
    ----------
    frame : pandas.DataFrame
        The index counts the data rows of the file from 0; columns are numbered where there is no header.
    header : bool
    first : tuple of str
        Cells of the first row.
    above : str
        What stands above the header.
    separator : str
        Between cells, empty for files that are not text.
    decimal_comma : bool
        Whether commas were taken for decimal points.
    """

    frame: pd.DataFrame
    header: bool
    first: tuple[str, ...] = ()
    above: str = ""
    separator: str = ""
    decimal_comma: bool = False

    @property
    def names(self) -> dict[object, str]:
        """Our names of its known columns, by theirs."""
        return our_names(list(self.frame.columns))

    @property
    def headings(self) -> set[str]:
        """Headings in plain form; none without a header."""
        return {plain(name) for name in self.frame.columns} if self.header else set()


def read_text(content: bytes, file: object, columns: Sequence[str] = ()) -> Table:
    """Read a table from text.

    Parameters
    ----------
    content : bytes
        UTF-8 or UTF-16, cells between commas, semicolons, tabs or bars.
    file
        Named in errors.
    columns : sequence of str
        Headings of a file without a header.

    Raises
    ------
    BarError
        For bytes that are not text, rows of different lengths, or no rows.
    """
    content = _utf8(content, file)
    lines = re.split(rb"\r\n|\r|\n", content[: 1 << 16], maxsplit=_FIRST_LINES + 6)[: _FIRST_LINES + 5]
    heads = [line.decode("utf-8", "replace").strip("\ufeff\r ") for line in lines]
    refuse_many_rows(max(content.count(b"\n"), content.count(b"\r")), file)
    if not content.strip():
        raise BarError("no rows", file)
    row, separator = (0, _separator(heads[0])) if columns else _header(heads)
    if not heads[row]:
        raise BarError("the first line is empty", file)
    above, cells = " ".join(heads[:row]), _cells(heads[row], separator)
    if len(cells) > MOST_COLUMNS:
        raise BarError(f"more than {MOST_COLUMNS} columns", file)
    bare = bool(columns) or _is_data(cells[0])
    headings = list(columns) if columns else list(range(len(cells))) if bare else _different(cells)
    skipped = row if bare else row + 1
    frame = _parse(content, separator, skipped, headings, file)
    comma = separator != "," and _has_decimal_comma(frame)
    if comma:
        frame = _parse(content, separator, skipped, headings, file, as_text=True).apply(_without_decimal_comma)
    first = cells if bare else _cells(heads[row + 1], separator) if len(heads) > row + 1 else []
    return Table(frame, bool(columns) or not bare, tuple(first), above, separator, comma)


def _parse(
    content: bytes, separator: str, skipped: int, headings: Sequence[object], file: object, *, as_text: bool = False
) -> pd.DataFrame:
    """The rows below the skipped lines, under these headings."""
    names = our_names(headings)
    # a ticker may look like a number, or like a missing one; a time of day has zeros at its start
    tickers = [name for name in headings if our_names([name]).get(name) == "symbol"]
    clocks = [name for name, ours in names.items() if ours == "clock"]
    try:
        with warnings.catch_warnings():
            # rows longer than the header would lose their last cells
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.BytesIO(content),
                sep=separator,
                skiprows=skipped,
                header=None,
                names=headings,
                dtype=str if as_text else dict.fromkeys((*tickers, *clocks), str),
                keep_default_na=False,
                na_values={name: _MISSING for name in headings if name not in tickers},
                encoding="utf-8-sig",
                skipinitialspace=True,
                index_col=False,
                low_memory=False,
                **_EXACT,
            )
    except pd.errors.EmptyDataError:
        raise BarError("no rows", file) from None
    except (ValueError, OSError, OverflowError, MemoryError, pd.errors.ParserWarning) as error:
        raise BarError(f"not readable CSV text: {error}", file) from None


def _different(cells: Sequence[str]) -> list[str]:
    """Headings that stand there once: the second ``close`` becomes ``close.1``."""
    names: list[str] = []
    for i, cell in enumerate(cells):
        name, n = cell or f"Unnamed: {i}", 0
        while name in names:
            n += 1
            name = f"{cell}.{n}"
        names.append(name)
    return names


def numbers_of(values: pd.Series) -> tuple[pd.Series, bool]:
    """Numbers of a column of text, and whether some had a currency sign or commas between thousands, which go."""
    if pd.api.types.is_numeric_dtype(values.dtype) or not len(values):
        return values, False
    texts = values.astype("str").str.strip()
    grouped = texts.str.fullmatch(_THOUSANDS).fillna(False)
    if not grouped.any():
        return values, False
    return values.where(~grouped, texts.str.replace(r"[^\d.-]", "", regex=True)), True


def _utf8(content: bytes, file: object) -> bytes:
    """The content in UTF-8, from UTF-16 with or without a mark at its start."""
    start = content[:200]
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif len(start) >= 20 and not start[1::2].strip(b"\0"):
        encoding = "utf-16-le"
    elif len(start) >= 20 and not start[::2].strip(b"\0"):
        encoding = "utf-16-be"
    else:
        return content
    try:
        return content.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise BarError(f"not readable CSV text: {error}", file) from None


def _header(heads: list[str]) -> tuple[int, str]:
    """Number of the line of the header, or of the first row where there is none, and the separator."""
    for row, line in enumerate(heads[:_FIRST_LINES]):
        for separator in _SEPARATORS:
            names = our_names(_cells(line, separator)).values()
            if any(needed <= set(names) for needed in _NEEDED):
                return row, separator
    row = next((i for i, line in enumerate(heads[:_FIRST_LINES]) if line and not line.startswith("#")), 0)
    return row, _separator(heads[row])


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=lambda separator: len(_cells(line, separator)))


def _cells(line: str, separator: str) -> list[str]:
    try:
        (cells,) = csv.reader([line], delimiter=separator, skipinitialspace=True)
    except (csv.Error, ValueError):
        return [line]
    return [cell.strip() for cell in cells] or [""]


def _is_data(cell: str) -> bool:
    """Whether a cell is a number or a date, which no heading is."""
    return bool(re.match(r"-?\d", cell))


def _has_decimal_comma(frame: pd.DataFrame) -> bool:
    """Whether some cells have a comma before their decimals, and none has commas between thousands for sure."""
    found = False
    for name in frame.columns:
        if pd.api.types.is_numeric_dtype(frame[name].dtype):
            continue
        texts = frame[name].astype("str").str.strip()
        texts = texts[texts.str.contains(",", regex=False).fillna(False).astype(bool)]
        if texts.str.fullmatch(_SURELY_THOUSANDS).any():
            return False
        found = found or bool(texts.str.fullmatch(_DECIMAL_COMMA).any())
    return found


def _without_decimal_comma(values: pd.Series) -> pd.Series:
    """A column of a file with decimal commas, whose dots stand between thousands, with decimal points."""
    texts = values.astype("str")
    numbers = texts.str.fullmatch(r"-?[\d.]+(?:,\d+)?").fillna(False)
    swapped = values.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    # dates with dots are no numbers
    whole = values.str.contains(",", regex=False).fillna(False).any()
    dotted = texts[texts.str.contains(".", regex=False).fillna(False).astype(bool)]
    whole = whole or (len(dotted) and dotted.str.fullmatch(_DOTTED_THOUSANDS).all())
    return values.where(~numbers, swapped) if whole else values
