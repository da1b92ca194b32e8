"""Symbols of files with several: their spelling, the rows of one, and the rows of each."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.market.rules import BarError
from labelsearch.market.times import row_of

ALL = "all"  # every symbol of a file; a symbol of this name in lower case cannot be chosen


def joined(symbol: str) -> str:
    """A symbol without what separates its currencies.

    >>> joined("BTC/USDT")
    'BTCUSDT'
    """
    return "".join(c for c in symbol if c.isalnum())


def stored_name(symbol: str) -> str:
    """Name in the store.

    >>> stored_name("BTC/USDT"), stored_name("BTC/USDT:USDT")
    ('BTCUSDT', 'BTCUSDT_USDT')
    """
    return symbol.replace("/", "").replace(":", "_")


def spelled(symbol: str, held: list[str]) -> str | None:
    """How a file spells a symbol, among those it holds: as given, or alike when `joined`; None if none or several."""
    alike = [name for name in held if joined(name) == joined(symbol)]
    return symbol if symbol in held else alike[0] if len(alike) == 1 else None


def pick_symbol(frame: pd.DataFrame, symbol: str | None, file: object, notes: list[str]) -> pd.DataFrame:
    """The rows of one symbol of a file that contains several, with their row numbers as index; else the whole table.

    A symbol may be spelled without what separates its currencies: BTCUSDT for BTC/USDT. A file of one symbol is taken
    as a whole, whatever it calls it, and that is noted.
    """
    if "symbol" not in frame:
        return frame
    texts = frame["symbol"].astype("str")
    held = sorted(texts.dropna().unique())
    if len(held) == 1:
        if symbol is not None and joined(symbol) != joined(held[0]):
            notes.append(f"the symbol in the file is {held[0]}, not {symbol}")
        return frame.drop(columns="symbol")
    found = None if symbol is None else spelled(symbol, held)
    if found is None:
        wanted = "choose one" if symbol is None else f"not {symbol}"
        raise BarError(f"contains {len(held)} symbols, {wanted}: {listed(held)}", file)
    return frame[(texts == found).to_numpy()].drop(columns="symbol")


def rows_of_symbols(frame: pd.DataFrame, file: object, *, skip_broken: bool) -> dict[str, NDArray[np.int64]]:
    """Positions (n,) of the rows of each symbol of a table with a column ``symbol``, by symbol, sorted.

    Raises
    ------
    BarError
        For a row without a symbol, unless ``skip_broken``, which leaves it out.
    """
    texts = frame["symbol"].astype("str").str.strip()
    nameless = (texts.isna() | (texts == "")).to_numpy()
    if nameless.any() and not skip_broken:
        raise BarError("the row has no symbol", file, row_of(frame, int(nameless.argmax())))
    codes, names = pd.factorize(texts.mask(nameless), sort=True)
    # sorted once: a scan of the whole table for each of many symbols takes long
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(names) + 1))
    return {str(name): order[edges[i] : edges[i + 1]] for i, name in enumerate(names)}


def listed(names: list[str], longest: int = 10) -> str:
    """The first names between commas."""
    return ", ".join(names[:longest]) + (", .." if len(names) > longest else "")
