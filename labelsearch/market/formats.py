"""Layouts of the files that people have, found by what is in them; each becomes a table with our names and times."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from labelsearch.market.names import ARCHIVE_COLUMNS, by_currency, our_names, require
from labelsearch.market.quotes import LEAN, LEAN_TIME, lean_table
from labelsearch.market.rules import PRICES, QUOTES, BarError
from labelsearch.market.symbols import pick_symbol
from labelsearch.market.text import Table, numbers_of
from labelsearch.market.times import PLAIN, Spelling, to_ms
from labelsearch.market.trades import trades_to_bars

AUTO = "auto"
_TRADINGVIEW_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T|\d{9,10}$")
_DOTTED_DAY = re.compile(r"\d{4}\.\d{2}\.\d{2}")
_TRUE = ("true", "t", "yes", "1")
_UNKNOWN_VOLUME = 1.0  # of every bar: 0 would say that nothing was traded at its price


@dataclass(frozen=True)
class ReadOptions:
    """What a file leaves open.

    Attributes
    ----------
    symbol : str, optional
        Selects rows of a file with several symbols.
    interval_ms : int, optional
        Length of a bar; by default that of the file name, else the most common time step. Needed for trades.
    format : str
        Name in `FORMATS`; ``auto`` finds it.
    columns : tuple of str
        Headings of a file without a header.
    spelling : Spelling
        Zone and order of dates of times that do not say.
    anchor_ms : int, optional
        Times are shifted this much earlier, onto the grid of the interval.
    floor : bool
        Round all times down to the grid.
    skip_broken : bool
        Leave out rows without a time or a price, and those that break a rule.
    """

    symbol: str | None = None
    interval_ms: int | None = None
    format: str = AUTO
    columns: tuple[str, ...] = ()
    spelling: Spelling = PLAIN
    anchor_ms: int | None = None
    floor: bool = False
    skip_broken: bool = False


@dataclass(frozen=True)
class Format:
    """One layout.

    Attributes
    ----------
    name, explanation : str
    fits : callable
        Whether a table with a header is of it.
    layouts : tuple of tuple of str
        Headings of its files without a header.
    mixed_units : bool
        Whether its times may change from one unit to another.
    """

    name: str
    explanation: str
    fits: Callable[[Table], bool] = lambda table: False
    layouts: tuple[tuple[str, ...], ...] = ()
    mixed_units: bool = False


_OHLC = ("open", "high", "low", "close")
_ARCHIVE_TRADES = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
_AGGREGATED = ("id", "price", "qty", "first_id", "last_id", "time", "is_buyer_maker")
FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            "klines", "Binance's kline archive, 12 columns",
            lambda t: bool(t.separator) and tuple(t.names.get(c) for c in t.frame.columns)
            == ARCHIVE_COLUMNS,
            (ARCHIVE_COLUMNS,),
        ),
        Format(
            "cryptodatadownload", "CryptoDataDownload: a line above the header, newest first",
            lambda t: "cryptodatadownload" in t.above.lower(),
            (("unix", "date", "symbol", *_OHLC, "volume", "quote_volume", "tradecount"),
             ("unix", "date", "symbol", *_OHLC, "volume", "quote_volume"),
             ("unix", "date", "symbol", *_OHLC, "volume")),
            mixed_units=True,
        ),
        Format("metatrader5", "MetaTrader 5: tabs, tick volume", lambda t: bool({"tickvol", "spread"} & t.headings)),
        Format(
            "metatrader4", "MetaTrader 4: 2019.02.15,14:00",
            lambda t: {"date", "time"} <= t.headings and bool(_DOTTED_DAY.match(" ".join(t.first))),
            (("date", "time", *_OHLC, "volume"),),
        ),
        Format("kraken", "Kraken: no header, seconds, trades last", layouts=(("time", *_OHLC, "volume", "trades"),)),
        Format(
            "quotes", "bid and ask of every bar, under names such as bid_open",
            lambda t: "ask_close" in t.names.values(),
        ),
        Format("lean", "quotes of Lean: no header, milliseconds since midnight or dates", layouts=(LEAN,)),
        Format("stooq", "Stooq, Polish headings too", lambda t: bool({"otwarcie", "per"} & t.headings)),
        Format("yahoo", "Yahoo: unadjusted prices are taken", lambda t: "adj_close" in t.headings),
        Format(
            "kaggle", "coins of Kaggle, stamped 23:59", lambda t: {"sno", "marketcap"} <= t.headings,
            (("sno", "name", "symbol", "date", "high", "low", "open", "close", "volume", "marketcap"),),
        ),
        Format(
            "tradingview", "TradingView: time, prices, indicators",
            lambda t: "time" in t.headings and "date" not in t.headings and "volume" not in t.names.values()
            and bool(_TRADINGVIEW_TIME.match("".join(t.first[:1]))),
        ),
        Format(
            "trades", "trades, of which bars are made",
            lambda t: "price" in t.names.values(),
            ((*_ARCHIVE_TRADES, "best"), _ARCHIVE_TRADES, (*_AGGREGATED, "best"), _AGGREGATED,
             ("time", "price", "amount")),
        ),
        Format("ohlcv", "no header: time, prices, volume", layouts=(("time", *_OHLC, "volume"),)),
        Format("table", "a header with the names of docs/DATA.md", lambda t: True),
    )
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Converted:
    """A table of bars in our columns: times in ms unless of the archive, which has its own checks.

    Notes say what was found or assumed.
    """

    frame: pd.DataFrame
    format: str
    notes: list[str] = field(default_factory=list)


def convert(table: Table, options: ReadOptions, file: object) -> Converted:
    """A table as bars in our columns.

    Raises
    ------
    BarError
        If no format fits, or not the one asked for; for missing columns, empty rows, unreadable times or symbols.
    """
    headed = headings(table, options, file)
    notes = list(headed.notes)
    frame = pick_symbol(headed.frame, options.symbol, file, notes)
    return converted(headed._replace(frame=frame, notes=tuple(notes)), options, file)


class Headed(NamedTuple):
    """A table whose columns have our names."""

    format: Format
    frame: pd.DataFrame
    names: dict[object, str]  # our names, by those of the file
    notes: tuple[str, ...]


def headings(table: Table, options: ReadOptions, file: object) -> Headed:
    """The table with our names; `BarError` if no format fits, or required columns are missing."""
    chosen, frame = _named(table, options, file)
    names = our_names(list(frame.columns))
    require(set(names.values()), file)
    if "funding_rate" in names.values():
        raise BarError("holds funding rates, not bars: --funding imports them", file)
    notes = ("commas are taken for decimal points",) if table.decimal_comma else ()
    return Headed(chosen, frame[list(names)].rename(columns=names), names, notes)


def converted(headed: Headed, options: ReadOptions, file: object) -> Converted:
    """A table of one symbol as bars; errors as for `convert`."""
    chosen, frame, names, notes = *headed[:3], list(headed.notes)
    if "clock" in frame:
        both = frame["open_time"].astype("str").str.strip() + " " + _clock(frame.pop("clock"))
        frame = frame.assign(open_time=both.where(frame["open_time"].notna(), None))
    if "filled" in frame and not pd.api.types.is_numeric_dtype(frame["filled"].dtype):  # any text would be true
        frame = frame.assign(filled=frame["filled"].astype("str").str.strip().str.lower().isin(_TRUE))
    frame = _without_empty(frame, options, file, notes)
    if not len(frame):
        raise BarError("no rows", file)
    if chosen.name == "klines" and pd.api.types.is_numeric_dtype(frame["open_time"].dtype):
        return Converted(frame, chosen.name, notes)
    name = "table" if chosen.name == "klines" else chosen.name  # rewritten by another tool: close times are text too
    if name == "lean":
        frame = lean_table(frame, options.spelling.zone, file, notes)
    offsets = frame["open_time"].dtype == object or pd.api.types.is_string_dtype(frame["open_time"].dtype)
    if offsets and options.spelling.zone == "UTC" and chosen.name.startswith("metatrader"):
        notes.append("times are taken as UTC; brokers use other zones, which --zone states")
    ms = to_ms(frame["open_time"], file, options.spelling._replace(mixed_units=chosen.mixed_units))
    numbers = {n: numbers_of(frame[n]) for n in frame if n not in ("open_time", "filled")}
    if any(cleaned for _, cleaned in numbers.values()):
        notes.append("signs of currencies, and commas between thousands, are left out")
    frame = frame.assign(open_time=ms, **{n: values for n, (values, _) in numbers.items()})
    if "price" in frame:
        frame = trades_to_bars(frame, options.interval_ms, file, notes, skip_broken=options.skip_broken)
    if by_currency(names):
        frame = _volumes_in_order(frame, notes)
    if "bid_open" in frame:
        notes.append("prices are the middle of bid and ask, and their difference at the open is stored as the spread")
    if "volume" not in frame:
        notes.append("there is no volume: 1 is stored for every bar, so that indicators of volume say nothing")
        frame = frame.assign(volume=_UNKNOWN_VOLUME)
    return Converted(frame, name, notes)


def _clock(values: pd.Series) -> pd.Series:
    """Times of day as text; numbers such as 500 or 93000 get the zeros back that they lost at their start."""
    texts = values.astype("str").str.strip().str.replace(r"\.0$", "", regex=True)
    if not texts.str.fullmatch(r"\d{1,6}").all():
        return texts
    return texts.str.zfill(6 if texts.str.len().max() > 4 else 4)


def _volumes_in_order(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The bars with volume and quote volume exchanged if that makes their ratio the price, which it is not now."""
    close, base, quote = (
        pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("close", "volume", "quote_volume")
    )
    known = (close > 0) & (base > 0) & (quote > 0)
    ratio, price = np.log(quote[known] / base[known]), np.log(close[known])
    if not known.any() or np.median(np.abs(ratio - price)) <= np.median(np.abs(-ratio - price)):
        return frame
    notes.append("the volume in the quote currency comes first")
    return frame.rename(columns={"volume": "quote_volume", "quote_volume": "volume"})


def _named(table: Table, options: ReadOptions, file: object) -> tuple[Format, pd.DataFrame]:
    """The format of a table, and the table with headings."""
    wanted = [FORMATS[options.format]] if options.format != AUTO else list(FORMATS.values())
    if table.header:
        for row in wanted:
            if row.fits(table):
                return row, table.frame
        raise BarError(f"is not of the format {options.format}", file)
    for row in wanted:
        for layout in row.layouts:
            if len(layout) == len(table.first) and _is_of(layout, table.first):
                return row, table.frame.set_axis(list(layout), axis=1)
    if options.format != AUTO:
        raise BarError(f"is not of the format {options.format}", file)
    raise BarError(f"no header, and {len(table.first)} columns of no known format: give their names", file, 1)


def _is_of(layout: tuple[str, ...], cells: tuple[str, ...]) -> bool:
    """Whether the cells of a row without a header can have these headings."""
    for heading, cell in zip(layout, cells, strict=True):
        number = _number(cell)
        if heading in (*_OHLC, *QUOTES, "price") and number is None:
            return False
        if heading == "trades" and (number is None or number % 1 != 0):  # such as a turnover
            return False
        if heading in ("unix", "open_time", "time") and layout[0] != "date" and (number is None or number < 1e8):
            return False
        if heading == "time" and layout[0] == "date" and ":" not in cell:
            return False
        if heading == "lean_time" and not LEAN_TIME.fullmatch(cell):
            return False
        if heading == "date" and not re.match(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}", cell):
            return False
        if heading in ("symbol", "name", "is_buyer_maker") and number is not None:
            return False
    return True


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _without_empty(frame: pd.DataFrame, options: ReadOptions, file: object, notes: list[str]) -> pd.DataFrame:
    """The rows that have a time and a price; without the option, a row without them is an error."""
    prices = [name for name in (*PRICES, *QUOTES, "price") if name in frame]
    empty = (frame["open_time"].isna() | frame[prices].isna().all(axis=1)).to_numpy()
    if not empty.any():
        return frame
    if not options.skip_broken:
        wholly = frame.isna().all(axis=1).to_numpy()
        if wholly.any():
            i = int(wholly.argmax())
            raise BarError("the row is empty; --skip-broken leaves such rows out", file, int(frame.index[i]) + 1)
        return frame
    notes.append(f"{int(empty.sum())} rows without a time or without any price are left out")
    return frame[~np.asarray(empty)]
