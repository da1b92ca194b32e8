"""Bars made of trades."""

import numpy as np
import pandas as pd

from labelsearch.market.rules import BarError
from labelsearch.market.times import interval_name, row_of


def trades_to_bars(frame: pd.DataFrame, interval_ms: int | None, file: object, notes: list[str]) -> pd.DataFrame:
    """Bars of trades; a bar without a trade is missing.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row a trade: open_time (ms since the epoch, UTC), price, amount in the base currency, and if known trade_id,
        and buyer_maker or side, which say whether the taker bought.
    interval_ms : int
        Length of a bar.
    file
        Named in errors.
    notes : list of str
        What was done is added.

    Returns
    -------
    pandas.DataFrame
        open_time, open, high, low, close, volume, quote_volume, trades, and taker_buy_volume if the takers' side is
        known, a row a bar. Sums go over trades in time order.

    Raises
    ------
    BarError
        Without an interval; for prices or amounts that are not positive numbers.
    """
    if interval_ms is None:
        raise BarError("contains trades: give the interval of the bars to make of them", file)
    for name in ("price", "amount"):
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = ~(np.isfinite(values) & (values > 0))
        if wrong.any():
            raise BarError(f"{name} is not a positive number", file, row_of(frame, int(wrong.argmax())))
        frame = frame.assign(**{name: values})
    n_rows = len(frame)
    if "trade_id" in frame:
        frame = frame.drop_duplicates("trade_id")
    frame = frame.sort_values("open_time", kind="stable")
    bar = frame["open_time"] // interval_ms * interval_ms
    parts = {"quote_volume": frame["price"] * frame["amount"]}
    bought = _taker_bought(frame)
    if bought is not None:
        parts["taker_buy_volume"] = frame["amount"].where(bought, 0.0)
    groups = frame.assign(**parts).groupby(bar.rename("bar"), sort=True)
    price = groups["price"]
    made = {
        "open": price.first(), "high": price.max(), "low": price.min(), "close": price.last(),
        "volume": groups["amount"].sum(), "trades": price.size().astype(np.float64),
        **{name: groups[name].sum() for name in parts},
    }  # fmt: skip
    bars = pd.DataFrame(made).rename_axis("open_time").reset_index()
    repeated = f", {n_rows - len(frame)} of them repeated" if len(frame) < n_rows else ""
    notes.append(f"{len(bars)} bars of {interval_name(interval_ms)} are made of {n_rows} trades{repeated}")
    return bars


def _taker_bought(frame: pd.DataFrame) -> pd.Series | None:
    """Whether the taker of each trade bought; None where the file does not say."""
    if "buyer_maker" in frame:
        return frame["buyer_maker"].astype("str").str.lower().isin(("false", "f", "0"))
    if "side" in frame:
        return frame["side"].astype("str").str.lower().str.startswith("b")
    return None
