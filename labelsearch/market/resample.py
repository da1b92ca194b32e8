"""Bars of a longer interval, made from shorter ones."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.bars import Bars
from labelsearch.market.rules import SUMS, BarError, NoBarsError
from labelsearch.market.store import Store
from labelsearch.market.times import interval_name, parse_interval, time_text


def resample(bars: Bars, interval_ms: int) -> Bars:
    """Bars of a longer interval.

    A bar is there if any shorter one within it is: its open and spread are those of the first, its close that of the
    last; volumes and numbers of trades are summed in time order. The first and the last bar are left out unless the
    shorter bars cover their start and their end.

    Parameters
    ----------
    bars : Bars
    interval_ms : int
        A multiple of that of the bars, which divides a day.

    Raises
    ------
    BarError
        For another interval.
    """
    parse_interval(interval_name(interval_ms))
    if interval_ms % bars.interval_ms:
        names = interval_name(interval_ms), interval_name(bars.interval_ms)
        raise BarError(f"bars of {names[0]} cannot be made from bars of {names[1]}")
    bars = bars.present()
    made = joined(bars, interval_ms)
    if interval_ms == bars.interval_ms or not len(bars):
        return made
    whole = slice(
        int(bars.open_time[0] % interval_ms != 0),
        len(made) - int((bars.open_time[-1] + bars.interval_ms) % interval_ms != 0),
    )
    return made.rows(whole.start, max(whole.start, whole.stop))


def joined(bars: Bars, interval_ms: int) -> Bars:
    """As `resample`, of bars that are present, with the first and the last bar even where they are not whole."""
    if interval_ms == bars.interval_ms or not len(bars):
        return replace(bars, interval_ms=interval_ms)
    slot = bars.open_time // interval_ms
    first = np.flatnonzero(np.diff(slot, prepend=slot[0] - 1))
    last = np.r_[first[1:], len(bars)] - 1
    columns: dict[str, NDArray | None] = {
        "open_time": slot[first] * interval_ms,
        "open": bars.open[first],
        "high": np.maximum.reduceat(bars.high, first),
        "low": np.minimum.reduceat(bars.low, first),
        "close": bars.close[last],
        "spread": None if bars.spread is None else bars.spread[first],
        "filled": np.zeros(len(first), dtype=np.bool_),
    }
    for name in SUMS:
        values = getattr(bars, name)
        columns[name] = None if values is None else np.add.reduceat(values, first)
    return Bars(bars.symbol, interval_ms, **columns)  # type: ignore[arg-type]


def load_bars(
    store: Store, symbol: str, interval: str, start_ms: int | None = None, stop_ms: int | None = None
) -> Bars:
    """Stored bars that start in [start_ms, stop_ms), or bars made of the shortest ones that fit.

    They are made only if the store has none of the interval, of all that is stored: a market that closes in the
    evening has no shorter bar at the end of its last day, but one after it shows that the day is over.

    Raises
    ------
    BarError
        As `Store.load`, if the store has no bars that fit either.
    """
    wanted = parse_interval(interval)
    stored = [parse_interval(name) for held, name in store.contents() if held == symbol]
    fitting = [each for each in stored if each < wanted and wanted % each == 0]
    if wanted in stored or not fitting:
        return store.load(symbol, interval, start_ms, stop_ms)
    stored_bars = store.load(symbol, interval_name(min(fitting)))
    made = resample(stored_bars, wanted).between(start_ms, stop_ms)
    if not len(made):
        first, last = time_text(int(stored_bars.open_time[0])), time_text(int(stored_bars.open_time[-1]))
        raise NoBarsError(f"no bars of {interval} of {symbol} can be made in that range; stored are {first} .. {last}")
    return made
