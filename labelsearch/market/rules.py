"""Rules that bars must satisfy, and the error that names the row that breaks one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelsearch.errors import InputError

MOST_ROWS = 10_000_000  # of a file, 19 years of minutes: it is counted before the file is read into memory
PRICES = ("open", "high", "low", "close")
REQUIRED = (*PRICES, "volume")
SUMS = ("volume", "quote_volume", "trades", "taker_buy_volume")  # a longer bar has the sum of shorter ones
OPTIONAL = (*SUMS[1:], "spread")
SIDES = ("bid", "ask")
QUOTES = tuple(f"{side}_{price}" for side in SIDES for price in PRICES)
# of prices and volumes, and of their reciprocals: products and squares of larger ones overflow in features
LARGEST = 1e18

Columns = Mapping[str, NDArray[np.float64]]


class BarError(InputError):
    """Bars, or a file of bars, that break a rule.

    Parameters
    ----------
    rule : str
        What is wrong; written in one line.
    file : object, optional
        File name.
    row : int, optional
        Data row, counted from 1 without a header line.
    """

    def __init__(self, rule: str, file: object = None, row: int | None = None) -> None:
        self.rule = " ".join(rule.split())
        self.file = None if file is None else str(file)
        self.row = row
        where = [] if self.file is None else [self.file]
        if row is not None:
            where.append(f"row {row}")
        super().__init__(": ".join([*where, self.rule]))


class NoBarsError(BarError):
    """A symbol that is known, and has no bars in a range of time."""


@dataclass(frozen=True, eq=False)
class Fault:
    """A rule and the rows that break it."""

    kind: str  # ``price``, ``volume``, ``ohlc``, ``spread`` or ``rate``
    rule: str  # what is wrong
    rows: NDArray[np.bool_]  # (T,)


def faults(columns: Columns) -> Iterator[Fault]:
    """Every rule on prices and volumes that some row breaks.

    Parameters
    ----------
    columns : mapping of str to float64 array, shape (T,)
        The five required columns and any optional ones; of quotes, both sides too.
    """
    for fault in _rules(columns):
        if fault.rows.any():
            yield fault


OUT_OF_RANGE = f"is out of range, {1 / LARGEST:g} to {LARGEST:g}"


def out_of_range(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where values (T,) are too large or too small to be computed with."""
    return (values > LARGEST) | ((values > 0) & (values < 1.0 / LARGEST))


def prefixes(columns: Columns) -> tuple[str, ...]:
    """What stands before the names of prices: nothing, and of quotes first the sides."""
    return (*(f"{side}_" for side in SIDES if f"{side}_open" in columns), "")


def _rules(columns: Columns) -> Iterator[Fault]:
    for name in (prefix + price for prefix in prefixes(columns) for price in PRICES):
        yield Fault("price", f"{name} is not a finite number", ~np.isfinite(columns[name]))
        yield Fault("price", f"{name} is not positive", columns[name] <= 0)
        yield Fault("price", f"{name} {OUT_OF_RANGE}", out_of_range(columns[name]))
    for name in SUMS:
        if name in columns:
            yield Fault("volume", f"{name} is not a finite number", ~np.isfinite(columns[name]))
            yield Fault("volume", f"{name} is negative", columns[name] < 0)
            yield Fault("volume", f"{name} {OUT_OF_RANGE}", out_of_range(columns[name]))
    yield from _spread_rules(columns)
    for prefix in prefixes(columns):
        low, high = columns[f"{prefix}low"], columns[f"{prefix}high"]
        yield Fault("ohlc", f"{prefix}high is below {prefix}low", high < low)
        for name in (f"{prefix}open", f"{prefix}close"):
            value = columns[name]
            yield Fault("ohlc", f"{name} is outside [{prefix}low, {prefix}high]", (value < low) | (value > high))
    if "taker_buy_volume" in columns:
        # The tolerance allows for sums of rounded trades, not for a wrong column.
        above = columns["taker_buy_volume"] > columns["volume"] * (1 + 1e-9) + 1e-9
        yield Fault("volume", "taker_buy_volume is above volume", above)


def _spread_rules(columns: Columns) -> Iterator[Fault]:
    if "bid_open" in columns:
        # highs and lows of the two sides are not of one moment: consolidated quotes cross for an instant
        for price in ("open", "close"):
            crossed = columns[f"ask_{price}"] < columns[f"bid_{price}"]
            yield Fault("spread", f"ask_{price} is below bid_{price}", crossed)
    elif "spread" in columns:
        spread = columns["spread"]
        yield Fault("spread", "spread is not a finite number", ~np.isfinite(spread))
        yield Fault("spread", "spread is negative", spread < 0)
        yield Fault("spread", "spread is twice the open or more", spread >= 2 * columns["open"])


def refuse_many_rows(n_rows: int, file: object) -> None:
    """Raise `BarError` for more rows than one file may have."""
    if n_rows > MOST_ROWS:
        raise BarError(f"{n_rows:,} rows; at most {MOST_ROWS:,} can be read from one file: split it", file)
