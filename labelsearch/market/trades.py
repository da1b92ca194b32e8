"""Bars made of trades."""

import numpy as np
import pandas as pd

from labelsearch.market.rules import BarError
from labelsearch.market.times import interval_name, row_of

# what files write for whether the taker sold, and whether he bought
_MAKER_BUYS = ("true", "t", "1", "1.0"), ("false", "f", "0", "0.0")
_TAKER_SIDES = ("sell", "s"), ("buy", "b")


def trades_to_bars(
    frame: pd.DataFrame, interval_ms: int | None, file: object, notes: list[str], *, skip_broken: bool = False
) -> pd.DataFrame:
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
    skip_broken : bool
        Leave out trades without a price or an amount above 0.

    Returns
    -------
    pandas.DataFrame
        open_time, open, high, low, close, volume, quote_volume, trades, and taker_buy_volume if the takers' side is
        known, a row a bar. Sums go over trades in time order.

    Raises
    ------
    BarError
        Without an interval; for prices or amounts that are not positive numbers, and for one id of different trades.
    """
    if interval_ms is None:
        raise BarError("contains trades: give the interval of the bars to make of them", file)
    frame = _positive(frame, file, notes, skip_broken=skip_broken)
    n_rows = len(frame)
    frame = _once(frame, file)
    steps = np.diff(frame["open_time"])
    if (steps <= 0).all() and (steps < 0).any():
        notes.append("the newest trade comes first: the order is reversed")
        frame = frame.iloc[::-1]
    frame = frame.sort_values("open_time", kind="stable")
    bar = frame["open_time"] // interval_ms * interval_ms
    parts = {"quote_volume": frame["price"] * frame["amount"]}
    bought = _taker_bought(frame, notes)
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


def _positive(frame: pd.DataFrame, file: object, notes: list[str], *, skip_broken: bool) -> pd.DataFrame:
    """The trades with prices and amounts as numbers, all above 0; the others are refused, or left out and counted."""
    broken = np.zeros(len(frame), dtype=np.bool_)
    for name in ("price", "amount"):
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = ~(np.isfinite(values) & (values > 0))
        if wrong.any() and not skip_broken:
            raise BarError(f"{name} is not a positive number", file, row_of(frame, int(wrong.argmax())))
        frame = frame.assign(**{name: values})
        broken |= wrong
    if broken.any():
        notes.append(f"{int(broken.sum())} trades without a price or an amount above 0 are left out")
    return frame[~broken]


def _once(frame: pd.DataFrame, file: object) -> pd.DataFrame:
    """The trades without those that stand there twice, by their ids; a trade without an id is one of its own."""
    if "trade_id" not in frame:
        return frame
    repeated = (frame["trade_id"].duplicated() & frame["trade_id"].notna()).to_numpy()
    differs = repeated & ~frame.duplicated(["trade_id", "open_time", "price", "amount"]).to_numpy()
    if differs.any():
        i = int(differs.argmax())
        name = frame["trade_id"].iloc[i]
        rule = f"{name} is the id of two different trades: if the column is of something else, rename it"
        raise BarError(rule, file, row_of(frame, i))
    return frame[~repeated]


def _taker_bought(frame: pd.DataFrame, notes: list[str]) -> pd.Series | None:
    """Whether the taker of each trade bought; None where the file does not say of every trade."""
    name, (sold, bought) = ("buyer_maker", _MAKER_BUYS) if "buyer_maker" in frame else ("side", _TAKER_SIDES)
    if name not in frame:
        return None
    texts = frame[name].astype("str").str.strip().str.lower()
    unknown = ~texts.isin((*sold, *bought))
    if unknown.any():
        notes.append(f"{name} {frame[name][unknown].iloc[0]} says nothing of the taker: no taker_buy_volume is made")
        return None
    return texts.isin(bought)
