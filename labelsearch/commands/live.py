"""``labelsearch signal`` and ``live``: follow an exported bundle."""

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelsearch.commands.common import Command, answer, fail, json_option, one_line_errors, store_option
from labelsearch.commands.payments import asked_payments, stored_payments

if TYPE_CHECKING:
    from labelsearch.live.bundle import Bundle
    from labelsearch.live.costs import Payments
    from labelsearch.live.following import Following
    from labelsearch.live.session import Session
    from labelsearch.market.bars import Bars
    from labelsearch.market.fetching.exchange import Exchange


def _bundle_options(command: Command) -> Command:
    for decorate in (
        one_line_errors,
        store_option,
        click.option("--own", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
                     help="Your own Python file, if the bundle needs it; the only code that is executed."),
        click.option("--start", metavar="TIME", help="Start of the paper accounts, UTC.  [default: after the warm-up]"),
        click.argument("bundle", type=click.Path(path_type=Path, file_okay=False)),
    ):  # fmt: skip
        command = decorate(command)
    return command


@click.command("signal")
@click.option(
    "--bars",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Parquet, CSV or zip of bars up to now, including the warm-up. Of a book a folder with such a file for each "
    "market, named after it.  [default of a book: the store]",
)
@json_option
@_bundle_options
def signal(
    bundle: Path, bars: Path | None, start: str | None, own: tuple[Path, ...], store: Path, as_json: bool
) -> None:
    """Print the target position of each tier of BUNDLE after the last bar of a file; of a book, that of each market.

    Strategies trade from --start on, and their targets depend on what they hold.

    \b
    Example:
      labelsearch signal winners --bars BTCUSDT-1m.parquet
      labelsearch signal winners --bars BTCUSDT-1m.parquet --start 2020-01-04 --json
      labelsearch signal book --start 2024-01-01
    """  # fmt: skip
    from labelsearch.delivery.tables.signal import signal_of_market
    from labelsearch.live.bundle import load_bundle
    from labelsearch.live.engine import Engine
    from labelsearch.live.verify import BundleError, is_book

    if is_book(bundle):
        from labelsearch.commands.live_book import signal_tables

        answer(as_json, signal_tables(bundle, own, bars, _start_ms(start), store))
        return
    found = load_bundle(bundle, own)
    if bars is None:
        raise BundleError(f"{bundle} is of one market: name its bars with --bars")
    engine = Engine(found, _start_ms(start), _payments(found, "", store))
    engine.start(_read(bars, engine.bundle))
    if not engine.outputs.size:
        raise BundleError(
            f"{bars}: {engine.n_bars} bars; the bundle needs more than {engine.bundle.warm_up}, and some after --start"
        )
    answer(as_json, [signal_of_market(engine)])


@click.command()
@click.option(
    "--source",
    required=True,
    metavar="SOURCE",
    help="replay:FILE, stdin, or ccxt:EXCHANGE:SYMBOL. Of a book replay:FOLDER, replay: for the store, stdin, or "
    "ccxt:EXCHANGE.",
)
@click.option(
    "--warm-up",
    "warm_up",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Bars before the first one of the source; of a book a folder.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0, max=86_400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Of a book at an exchange: how long after a close the bars of all markets are waited for.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Save the session in FOLDER, and resume from it.",
)
@click.option(
    "--capital",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="MONEY",
    help="Starting capital of each tier's paper account.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N bars.")
@_bundle_options
def live(
    bundle: Path,
    source: str,
    warm_up: Path | None,
    state: Path | None,
    capital: float,
    limit: int | None,
    patience: float,
    start: str | None,
    own: tuple[Path, ...],
    store: Path,
) -> None:
    """Follow BUNDLE bar by bar and print one JSON line per bar: probabilities, fills, and the position of each tier.

    Accounts are on paper: no order is sent. Each line of stdin is a JSON object with open_time, open, high, low, close
    and volume; of a book, with open_time and bars by market. Late, repeated and invalid bars are dropped and reported
    on stderr; see docs/LIVE.md. Stops when the source ends, or on ctrl-C.

    \b
    Example:
      labelsearch live winners --source replay:BTCUSDT-1m.parquet --start 2020-01-04
      labelsearch live winners --source ccxt:binance:BTC/USDT --state session
      labelsearch live book --source ccxt:binanceusdm --state session
    """  # fmt: skip
    from labelsearch.live.bundle import load_bundle
    from labelsearch.live.journal import Journal
    from labelsearch.live.session import Session
    from labelsearch.live.verify import BundleError, is_book

    if not math.isfinite(capital):
        raise click.BadParameter(f"{capital} is not a finite amount", param_hint="'--capital'")
    if state and bundle.resolve() in (state.resolve(), *state.resolve().parents):
        raise BundleError(f"{state} lies in the bundle, which must not change: choose another folder")
    start_ms, journal = _start_ms(start), Journal(state) if state else None
    if is_book(bundle):
        from labelsearch.commands.live_book import arriving_rows, book_session

        followed = book_session(bundle, own, source, start_ms, journal, capital, store)
        _tell(followed, lambda: arriving_rows(followed, source, warm_up, store, patience), limit)
        return
    found = load_bundle(bundle, own)
    session = Session(found, start_ms, journal, capital, _payments(found, source, store))
    _tell(session, lambda: _arriving(session, source, warm_up), limit)


def _tell(session: "Following[Any]", arriving: Callable[[], Iterable[Any]], limit: int | None) -> None:
    """Print the lines of a session until its source ends, so many bars are told, or ctrl-C."""
    try:
        for line in session.untold:
            _say(line)
        n_bars = 0
        for line in session.run(arriving()):
            _say(line)
            session.delivered()
            n_bars += "dropped" not in line
            if n_bars == limit:
                break
    except KeyboardInterrupt:
        pass
    finally:
        session.close()


def _say(line: dict[str, object]) -> None:
    from labelsearch.results.codec import to_plain

    for text in line.get("refused", ()):  # type: ignore[attr-defined]
        click.echo(text, err=True)
    if "dropped" in line:
        click.echo(line["dropped"], err=True)
    else:
        sys.stdout.write(json.dumps(to_plain(line), allow_nan=False) + "\n")
        sys.stdout.flush()


def _arriving(session: "Session", source: str, warm_up: Path | None) -> Iterable[Any]:
    """Bars of the source after the last one taken; a new session takes its history first."""
    from labelsearch.live import sources
    from labelsearch.live.verify import BundleError

    kind, _, rest = source.partition(":")
    history = _read(warm_up, session.bundle) if warm_up and session.fresh else None
    if kind == "replay" and rest:
        bars = _read(Path(rest), session.bundle)
        if session.fresh:
            if history is None:
                history = bars.between(None, max(session.engine.start_ms, _warmed(bars, session.bundle)))
                if len(history) == len(bars):
                    raise BundleError(
                        f"{rest}: none of its {len(bars)} bars comes after --start and the warm-up of "
                        f"{session.bundle.warm_up} bars"
                    )
            session.start(history)
            if session.last_ms is not None and session.last_ms >= bars.open_time[-1]:
                raise BundleError(f"{rest}: no bar after the warm-up")
        return sources.replay(bars, session.last_ms)
    if source == "stdin":
        if session.fresh:
            session.start(history)
        return sources.from_lines(sys.stdin.buffer)
    if kind == "ccxt" and rest.count(":") >= 1:
        name, _, symbol = rest.partition(":")
        return _from_exchange(session, name, symbol, history)
    raise BundleError(f"source {source!r} is none of replay:FILE, stdin, ccxt:EXCHANGE:SYMBOL")


def _warmed(bars: "Bars", bundle: "Bundle") -> int:
    """Time of the first bar after the warm-up."""
    from labelsearch.market.calendars import Calendar

    first = int(bars.on_grid(bundle.calendar).open_time[0])
    return Calendar(bundle.calendar).moved(first, bundle.warm_up, bundle.interval_ms)


def _from_exchange(session: "Session", name: str, symbol: str, history: "Bars | None") -> Iterator[Any]:
    """History as far back as the warm-up needs, then bars as they close."""
    from labelsearch.live import sources
    from labelsearch.market.calendars import Calendar
    from labelsearch.market.fetching.download import FetchError

    bundle = session.bundle
    try:
        exchange = _connect(name, symbol, bundle.interval_ms)
        if session.fresh:
            now = exchange.clock_ms()
            if history is None:
                since = min(session.engine.start_ms or now, now)
                history = exchange.bars(
                    Calendar(bundle.calendar).moved(since, -bundle.warm_up - 2, bundle.interval_ms), now
                )
            session.start(history)
        last = session.last_ms
        known = exchange.clock_ms() - bundle.interval_ms if last is None else last
        yield from sources.from_exchange(
            exchange, known, failures=(FetchError,), tell=lambda text: click.echo(text, err=True)
        )
    except FetchError as error:
        fail(str(error))


def _payments(bundle: "Bundle", source: str, store: Path) -> "Payments | None":
    """Where the funding of a perpetual comes from: its exchange if bars do, else the store."""
    from labelsearch.market.fetching.exchange_funding import ExchangeFunding

    if bundle.terms.funding != "store":
        return None
    kind, _, rest = source.partition(":")
    if kind == "ccxt" and ":" in rest:
        name, _, symbol = rest.partition(":")
        return asked_payments(ExchangeFunding(name, symbol), bundle.symbol, tell=partial(click.echo, err=True))
    return stored_payments(store, bundle.symbol, bundle.terms.funding_ms)


def _connect(name: str, symbol: str, interval_ms: int) -> "Exchange":
    from labelsearch.market.fetching.exchange import Exchange

    return Exchange(name, symbol, interval_ms)


def _start_ms(start: str | None) -> int:
    from labelsearch.market.times import parse_time

    return parse_time(start) if start else 0


def _read(path: Path, bundle: "Bundle") -> "Bars":
    from labelsearch.market.archive import read

    return read(path, bundle.symbol, bundle.interval_ms)
