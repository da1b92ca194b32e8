"""``labelsearch signal`` and ``live`` of the bundle of a book."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelsearch.commands.common import fail
from labelsearch.commands.payments import asked_payments, stored_payments

if TYPE_CHECKING:
    from labelsearch.delivery.tables.table import Table
    from labelsearch.live.book.bundle import BookBundle
    from labelsearch.live.book.session import BookSession
    from labelsearch.live.costs import Payments
    from labelsearch.live.journal import Journal
    from labelsearch.market.bars import Bars
    from labelsearch.market.fetching.exchange import Exchange

FILES = (".parquet", ".csv", ".zip")
LONGEST_BAR = 2_048  # bytes of one bar of a row of standard input
LIVE_TRIES, LIVE_TIMEOUT_MS = 1, 10_000  # of a request: what fails is asked for again, while others are followed
EIGHT_HOURS_MS = 28_800_000  # between two payments of most perpetuals


def signal_tables(bundle: Path, own: Sequence[Path], bars: Path | None, start_ms: int, store: Path) -> list["Table"]:
    """Targets of each market and tier after the last bars of a folder, or of the store."""
    from labelsearch.delivery.tables.signal import signal_of_book
    from labelsearch.live.book.bundle import load_book
    from labelsearch.live.book.engine import BookEngine
    from labelsearch.live.book.history import take_history
    from labelsearch.live.verify import BundleError

    found = load_book(bundle, own)
    engine = BookEngine(found, start_ms, _payments(found, "", store))
    take_history(engine, _history(found, bars, store))
    if not engine.began:
        least = found.warm_up + (0 if start_ms else found.follow)
        raise BundleError(
            f"{bars or store}: {engine.n_bars} bars; the book needs more than {least}, and some after --start"
        )
    return list(signal_of_book(engine))


def book_session(
    bundle: Path,
    own: Sequence[Path],
    source: str,
    start_ms: int,
    journal: "Journal | None",
    capital: float,
    store: Path,
) -> "BookSession":
    """A session of the bundle of a book."""
    from labelsearch.live.book.bundle import load_book
    from labelsearch.live.book.session import BookSession

    found = load_book(bundle, own)
    return BookSession(found, start_ms, journal, capital, _payments(found, source, store))


def arriving_rows(
    session: "BookSession", source: str, warm_up: Path | None, store: Path, patience: float
) -> Iterable[Any]:
    """Rows of the source after the last one taken; a new session takes its history first."""
    import sys

    from labelsearch.live import sources
    from labelsearch.live.book.history import rows_of
    from labelsearch.live.verify import BundleError

    bundle = session.bundle
    kind, _, rest = source.partition(":")
    history = _history(bundle, warm_up, store) if warm_up and session.fresh else None
    if kind == "replay" and ":" in source:
        bars = _history(bundle, Path(rest) if rest else None, store)
        if session.fresh:
            session.start(_before(bars, session) if history is None else history)
        rows = rows_of(bundle, bars, session.last_ms)
        first = next(rows, None)
        if first is None and session.fresh:
            raise BundleError(f"{rest or store}: no bar after --start and the warm-up of {bundle.warm_up} bars")
        return () if first is None else itertools.chain([first], rows)
    if source == "stdin":
        if session.fresh:
            session.start(history)
        return sources.from_lines(sys.stdin.buffer, sources.LONGEST_LINE + LONGEST_BAR * len(bundle.markets))
    if kind == "ccxt" and rest and ":" not in rest:
        return _from_exchange(session, rest, history, patience)
    raise BundleError(f"source {source!r} of a book is none of replay:FOLDER, replay:, stdin, ccxt:EXCHANGE")


def _before(bars: Mapping[str, "Bars"], session: "BookSession") -> dict[str, "Bars"]:
    """The bars before the first decision: those of the warm-up, or before the start if that is later."""
    from labelsearch.market.calendars import Calendar

    bundle = session.bundle
    first = min(int(its.open_time[0]) for its in bars.values())
    length = bundle.intervals[0].interval_ms
    n_bars = bundle.warm_up + (0 if session.engine.start_ms else bundle.follow)
    calendar = Calendar(bundle.calendar)
    ready = calendar.moved(int(calendar.opens(first, first + 14 * 86_400_000, length)[0]), n_bars, length)
    return {symbol: its.between(None, max(session.engine.start_ms, ready)) for symbol, its in bars.items()}


def _history(bundle: "BookBundle", folder: Path | None, store: Path) -> dict[str, "Bars"]:
    """Bars of all markets that have some, from a folder or the store.

    Raises
    ------
    BundleError
        If a market has several files, or none has bars.
    """
    from labelsearch.live.verify import BundleError
    from labelsearch.market.archive import read
    from labelsearch.market.resample import load_bars
    from labelsearch.market.rules import NoBarsError
    from labelsearch.market.store import Store
    from labelsearch.market.times import interval_name

    found: dict[str, Bars] = {}
    for symbol in bundle.symbols:
        if folder is None:
            try:
                found[symbol] = load_bars(Store(store), symbol, interval_name(bundle.interval_ms))
            except NoBarsError:
                continue
        else:
            files = [path for path in sorted(folder.glob(f"{symbol}.*")) if path.suffix in FILES]
            if len(files) > 1:
                raise BundleError(f"{folder}: several files of {symbol}: {', '.join(path.name for path in files)}")
            if files:
                found[symbol] = read(files[0], symbol, bundle.interval_ms)
    if not found:
        raise BundleError(f"{folder or store}: no bars of any market of the book, such as {bundle.symbols[0]}")
    return found


def _payments(bundle: "BookBundle", source: str, store: Path) -> dict[str, "Payments"]:
    """Where the funding of markets comes from: their exchange if bars do, else the store."""
    from labelsearch.market.fetching.exchange_funding import ExchangeFunding

    needed = [its.symbol for its in bundle.markets if its.funding or bundle.terms.funding == "store"]
    kind, _, name = source.partition(":")
    if kind == "ccxt" and name and needed:
        first = ExchangeFunding(name, needed[0])
        others = (ExchangeFunding(name, symbol, like=first) for symbol in needed[1:])
        asked = zip(needed, [first, *others], strict=True)
        return {symbol: asked_payments(its, symbol, tell=partial(click.echo, err=True)) for symbol, its in asked}
    step = bundle.terms.funding_ms or EIGHT_HOURS_MS
    return {symbol: stored_payments(store, symbol, step) for symbol in needed}


def _from_exchange(
    session: "BookSession", name: str, history: Mapping[str, "Bars"] | None, patience: float
) -> Iterator[Any]:
    """History as far back as the warm-up needs, then rows as they close."""
    from labelsearch.live import sources
    from labelsearch.market.calendars import Calendar
    from labelsearch.market.fetching.download import FetchError

    bundle = session.bundle
    try:
        exchanges = _connect(name, bundle.symbols, bundle.interval_ms)
        now = exchanges[0].clock_ms()
        if session.fresh:
            if history is None:
                length = bundle.intervals[0].interval_ms
                since = min(session.engine.start_ms or now, now)
                # so many more that wishes are those of an account that has long been held
                since = Calendar(bundle.calendar).moved(since, -bundle.warm_up - bundle.follow - 2, length)
                history = {s: each.bars(since, now) for s, each in zip(bundle.symbols, exchanges, strict=True)}
            session.start(history)
        last = session.last_ms
        yield from sources.rows_from_exchanges(
            exchanges,
            now - now % bundle.interval_ms - bundle.interval_ms if last is None else last,
            patience,
            failures=(FetchError,),
            tell=partial(click.echo, err=True),
        )
    except FetchError as error:
        fail(str(error))


def _connect(name: str, symbols: Sequence[str], interval_ms: int) -> list["Exchange"]:
    from labelsearch.market.fetching.exchange import Exchange

    first = Exchange(name, symbols[0], interval_ms, {"timeout": LIVE_TIMEOUT_MS})
    found = [first, *(Exchange(name, symbol, interval_ms, like=first) for symbol in symbols[1:])]
    for each in found:
        each.tries = LIVE_TRIES
    return found
