"""Files of quotes that Lean writes: ``20131007_quote.zip`` of minutes, ``eurusd.zip`` of hours and days."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from labelsearch.market.rules import PRICES, QUOTES, BarError
from labelsearch.market.times import DAY_MS

LEAN = (
    "lean_time",
    *(f"bid_{price}" for price in PRICES),
    "last_bid_size",
    *(f"ask_{price}" for price in PRICES),
    "last_ask_size",
)
LEAN_TIME = re.compile(r"\d{1,8}|\d{8} \d{2}:\d{2}")
SCALE = 10_000.0  # of prices of stocks and options, which Lean writes as whole numbers
_SCALED = {"equity", "option"}
_UNSCALED = {"forex", "cfd", "crypto", "cryptofuture", "future", "futureoption", "index", "indexoption"}
_DAY = re.compile(r"(?<!\d)((?:19|20)\d{6})(?!\d)")
_FOLDERS = 5  # of Lean's tree: equity/usa/minute/spy/20131007_quote.zip


def lean_table(frame: pd.DataFrame, zone: str, file: object, notes: list[str]) -> pd.DataFrame:
    """Quotes of Lean with dates for times of day, and prices in the quote currency.

    Parameters
    ----------
    frame : pandas.DataFrame
        open_time in milliseconds since midnight of the day in the file name, or as text, and the prices of both sides.
    zone : str
        That times will be read in.
    file
        Its path says the day, and perhaps whether prices are those of stocks.
    notes : list of str
        What was assumed is added.

    Raises
    ------
    BarError
        For times of day in a file without a day in its name.
    """
    if zone == "UTC":
        notes.append("times are taken as UTC; Lean writes those of the exchange for stocks, which --zone states")
    time = frame["open_time"]
    if pd.api.types.is_numeric_dtype(time.dtype) and bool((time < DAY_MS).all()):
        frame = frame.assign(open_time=_day(file) + pd.to_timedelta(time, unit="ms"))
    prices = frame[list(QUOTES)].apply(pd.to_numeric, errors="coerce")
    if not _is_scaled(prices.to_numpy(dtype=np.float64), file):
        return frame
    notes.append(f"prices are whole numbers, as Lean writes those of stocks: they are divided by {SCALE:,.0f}")
    return frame.assign(**{name: prices[name] / SCALE for name in QUOTES})


def _day(file: object) -> pd.Timestamp:
    """The day in a file name."""
    found = _DAY.search(Path(str(file)).name)
    if found is None:
        raise BarError("times count from midnight, but the file name has no day such as 20131007", file)
    try:
        return pd.Timestamp(found[1])
    except ValueError:
        raise BarError(f"the day in the file name, {found[1]}, does not exist", file) from None


def _is_scaled(prices: np.ndarray, file: object) -> bool:
    """Whether prices (T, 8) are those of stocks, by the folders of the file, else because all are whole numbers."""
    if not (prices[np.isfinite(prices)] % 1 == 0).all():
        return False
    words = {word for part in Path(str(file)).parts[-_FOLDERS:] for word in re.split(r"[^a-z]+", part.lower())}
    return bool(words & _SCALED) or not words & _UNSCALED
