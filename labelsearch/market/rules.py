"""What a bar must hold, and the one error that says which row breaks it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelsearch.errors import InputError

PRICES = ("open", "high", "low", "close")
REQUIRED = (*PRICES, "volume")
OPTIONAL = ("quote_volume", "trades", "taker_buy_volume")

Columns = Mapping[str, NDArray[np.float64]]


class BarError(InputError):
    """Bars, or a file of them, that break a rule.

    Parameters
    ----------
    rule : str
        What is wrong, in one line.
    file : str, optional
        The file it is wrong in.
    row : int, optional
        The data row, counted from 1; a header line is not counted.
    """

    def __init__(self, rule: str, file: object = None, row: int | None = None) -> None:
        self.rule = " ".join(rule.split())
        self.file = None if file is None else str(file)
        self.row = row
        where = [] if self.file is None else [self.file]
        if row is not None:
            where.append(f"row {row}")
        super().__init__(": ".join([*where, self.rule]))


@dataclass(frozen=True, eq=False)
class Fault:
    """One rule and the rows that break it.

    Attributes
    ----------
    kind : str
        ``price``, ``volume`` or ``ohlc``.
    rule : str
        What is wrong, in words.
    rows : bool array, shape (T,)
        True where the rule is broken.
    """

    kind: str
    rule: str
    rows: NDArray[np.bool_]


def faults(columns: Columns) -> Iterator[Fault]:
    """Give every rule on prices and volumes that some row breaks.

    Parameters
    ----------
    columns : mapping of str to float64 array, shape (T,)
        The five required columns and any optional ones.
    """
    for fault in _rules(columns):
        if fault.rows.any():
            yield fault


def _rules(columns: Columns) -> Iterator[Fault]:
    for name in PRICES:
        yield Fault("price", f"{name} is not a finite number", ~np.isfinite(columns[name]))
        yield Fault("price", f"{name} is not positive", columns[name] <= 0)
    for name in ("volume", *OPTIONAL):
        if name in columns:
            yield Fault("volume", f"{name} is not a finite number", ~np.isfinite(columns[name]))
            yield Fault("volume", f"{name} is negative", columns[name] < 0)
    low, high = columns["low"], columns["high"]
    yield Fault("ohlc", "high is below low", high < low)
    for name in ("open", "close"):
        value = columns[name]
        yield Fault("ohlc", f"{name} is outside [low, high]", (value < low) | (value > high))
    if "taker_buy_volume" in columns:
        # The slack forgives sums of rounded trades, not a wrong column.
        above = columns["taker_buy_volume"] > columns["volume"] * (1 + 1e-9) + 1e-9
        yield Fault("volume", "taker_buy_volume is above volume", above)
