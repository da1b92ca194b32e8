"""A history of many markets at once: hours of rows in seconds, with the bits of row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from labelsearch.live.book.bundle import BookBundle
from labelsearch.live.book.engine import BookEngine, TradedBars
from labelsearch.live.book.rows import Row, RowFeed
from labelsearch.live.book.stream import OutputStream, Whole
from labelsearch.live.feed import bars_in
from labelsearch.live.verify import BundleError
from labelsearch.market.bars import Bars
from labelsearch.market.calendars import Calendar
from labelsearch.market.trading_costs import worth
from strategies.book.window import Universe, book_window, last_closed

Floats = NDArray[np.float64]


def rows_of(bundle: BookBundle, history: Mapping[str, Bars], after_ms: int | None = None) -> Iterator[Row]:
    """Rows of the bars of all markets after a time, without those that were filled in."""
    start = None if after_ms is None else after_ms + 1
    own = [bars_in(history[s].present().between(start, None)) if s in history else iter(()) for s in bundle.symbols]
    waiting = [next(its, None) for its in own]
    while any(waiting):
        time = min(bar.open_time for bar in waiting if bar is not None)
        here = [bar is not None and bar.open_time == time for bar in waiting]
        yield Row(time, tuple(bar if is_here else None for bar, is_here in zip(waiting, here, strict=True)))
        waiting = [next(its, None) if h else bar for its, bar, h in zip(own, waiting, here, strict=True)]


def take_history(engine: BookEngine, history: Mapping[str, Bars]) -> None:
    """Process a whole history; results are bit for bit those of `BookEngine.take` for each row.

    Parameters
    ----------
    engine : BookEngine
        That has taken no row yet.
    history : mapping of str to Bars
        By symbol; a market may have none.

    Raises
    ------
    BundleError
        If rows were taken before, or bars have another interval or lack a column that is read.
    BarError
        If the calendar of the bundle does not fit the bars.
    """
    if engine.last is not None:
        raise BundleError("history must come first, and only once")
    bundle = engine.bundle
    given = _checked(bundle, history)
    if not any(map(len, given)):
        return
    end = max(int(its.open_time[-1]) for its in given if len(its)) + bundle.interval_ms
    streams, joiners = engine.new_streams()
    joined = [joiner.start(given, end) for joiner in joiners]
    if any(not any(map(len, its)) for its in joined):
        return _row_by_row(engine, history)
    first = min(int(its.open_time[0]) for its in joined[0] if len(its))
    since = Calendar(bundle.calendar).moved(first, bundle.first_outputs, bundle.intervals[0].interval_ms)
    wholes = [
        stream.start(its, since, joiner.edge(end)) for stream, joiner, its in zip(streams, joiners, joined, strict=True)
    ]
    found = [whole for whole in wholes if whole is not None]
    if len(found) < len(wholes):
        return _row_by_row(engine, history)
    engine.streams, engine.joiners = streams, joiners
    _follow(engine, joined[0], found)
    section = found[0].section
    row = np.arange(len(section.open_time))[:, None]
    silent = len(row) - 1 - np.where(section.traded, row, -1).max(axis=0)
    last = {m: next(bars_in(its.rows(len(its) - 1, None))) for m, its in enumerate(given) if len(its)}
    bars = (last[m] if m in last and last[m].open_time + bundle.interval_ms == end else None for m in range(len(given)))
    engine.stand(Row(end - bundle.interval_ms, tuple(bars)), section.close[-1].copy(), section.beta[-1].copy(), silent)


def _row_by_row(engine: BookEngine, history: Mapping[str, Bars]) -> None:
    feed = RowFeed(engine.bundle)
    for row in rows_of(engine.bundle, history):
        for each in feed.take(row):
            engine.take(each)


def _checked(bundle: BookBundle, history: Mapping[str, Bars]) -> list[Bars]:
    """Bars of each market, empty ones where there are none."""
    found = []
    for symbol, needed in zip(bundle.symbols, bundle.optional_columns, strict=True):
        bars = history.get(symbol)
        if bars is None:
            nothing = np.empty(0)
            prices = (nothing, nothing, nothing, nothing)
            bars = Bars(symbol, bundle.interval_ms, np.empty(0, dtype=np.int64), *prices, volume=nothing)
        if bars.interval_ms != bundle.interval_ms:
            raise BundleError(
                f"the bars of {symbol} have an interval of {bars.interval_ms} ms, not {bundle.interval_ms} ms"
            )
        for name in needed:
            if len(bars) and getattr(bars, name) is None:
                raise BundleError(f"the features of the bundle need {name}, which the bars of {symbol} do not have")
        on_grid = bars.on_grid(bundle.calendar) if len(bars) else bars  # without what its calendar does not expect
        found.append(replace(on_grid.present(), symbol=symbol))
    return found


def _follow(engine: BookEngine, bars: Sequence[Bars], wholes: Sequence[Whole]) -> None:
    """Follow strategies and accounts over all rows that they are followed on."""
    section, length = wholes[0].section, engine.bundle.intervals[0].interval_ms
    times, n_rows = section.open_time, len(section.open_time)
    rows = [np.searchsorted(times, its.open_time) for its in bars]
    impact = [_impact(engine, m, its) for m, its in enumerate(bars)]
    followed = np.array([engine.is_followed(int(time), n) for n, time in enumerate(times)])
    begins = np.array([engine.begins(int(time), n) for n, time in enumerate(times)])
    kind = np.where(begins, 2, followed)
    outputs = _outputs(engine.streams, wholes, length, (engine.bundle.past[0], engine.bundle.future[0]))
    edges = np.r_[0, np.flatnonzero(np.diff(kind)) + 1, n_rows]
    for first, stop in pairwise(edges.tolist()):
        if not kind[first]:
            continue
        here = slice(first, stop)
        before = section.close[first - 1] if first else np.full(len(bars), np.nan)
        markets = []
        for m, its in enumerate(bars):
            own = slice(*np.searchsorted(rows[m], (first, stop)))
            spread = np.full(len(its), np.nan) if its.spread is None else its.spread
            columns = (its.open_time[own], its.open[own], its.close[own], spread[own])
            traded = TradedBars(rows[m][own] - first, *columns, impact[m][own])
            seen = outputs[:, here, :, m]
            markets.append(engine.market_window(m, seen, traded, float(before[m])))
        universe = Universe(section.member[here], section.sigma[here], section.beta[here], section.basket[here])
        window = book_window(markets, universe, times[here], 0.0, engine.bundle.rules, 0, engine.pairs)
        engine.follow(window, begins=kind[first] == 2)


def _impact(engine: BookEngine, m: int, bars: Bars) -> Floats:
    """Impact at all bars of a market, empty without."""
    if not engine.bundle.terms.impact or not len(bars):
        return np.empty(0)
    known = bars if engine.bundle.markets[m].quote_volume else replace(bars, quote_volume=None)
    return engine.costs[m].see(bars.open_time, worth(known), bars.close)


def _outputs(streams: Sequence[OutputStream], wholes: Sequence[Whole], length: int, edges: tuple[int, int]) -> Floats:
    """Outputs (I, T, K, M) of the last closed bars of all intervals at each row, as `BookEngine` takes them."""
    times = wholes[0].section.open_time
    since = np.where(times >= edges[1], edges[1], np.where(times >= edges[0], edges[0], 0))
    found = [wholes[0].outputs]
    for stream, whole in zip(streams[1:], wholes[1:], strict=True):
        own, opened = stream.interval.interval_ms, whole.section.open_time
        at, known = last_closed(times, length, opened, own)
        known &= opened[at] >= since
        found.append(np.where(known[:, None, None], whole.outputs[at], np.nan))
    return np.stack(found)
