"""``labelsearch data fetch``: download bars or funding from the public archive or an exchange into the store."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelsearch.commands.common import answer, fail, json_option, one_line_errors, progress_bars, store_option

if TYPE_CHECKING:
    from labelsearch.market.fetching.inflow import Fetched, Progress
    from labelsearch.market.store import Store


@click.command()
@click.argument("symbol")
@click.option("--interval", help="Length of a bar.  [default: 1m]")
@click.option("--start", required=True, metavar="DAY", help="First day, UTC, such as 2018-01-01.")
@click.option("--end", metavar="DAY", help="Last day, UTC, inclusive.  [default: today]")
@click.option("--from", "exchange", metavar="EXCHANGE", help="Exchange of ccxt to use instead of the archive.")
@click.option("--funding", is_flag=True, help="Download funding of a perpetual future in place of bars.")
@click.option("--as", "name", metavar="NAME", help="Name to store the bars under.  [default: from SYMBOL]")
@click.option("--url", envvar="LABELSEARCH_ARCHIVE_URL", show_envvar=True, help="Base URL of a mirror of the archive.")
@json_option
@store_option
@one_line_errors
def fetch(
    symbol: str,
    interval: str | None,
    start: str,
    end: str | None,
    exchange: str | None,
    funding: bool,
    name: str | None,
    url: str | None,
    as_json: bool,
    store: Path,
) -> None:
    """Download bars of SYMBOL, or its funding, and add them to the store.

    They come from the public archive of Binance (BTCUSDT) or, with --from, from any exchange that ccxt knows
    (BTC/USDT). Only what is missing from the store is requested; what is stored never changes. After an
    interruption, the same command resumes. The exit code is 1 if the network or the server failed or a file was
    rejected, 2 for an invalid argument.

    \b
    Example:
      labelsearch data fetch BTCUSDT --start 2018-01-01 --end 2020-09-19
      labelsearch data fetch BTC/USD --from kraken --interval 1h --start 2026-01-01
      labelsearch data fetch BTCUSDT --funding --start 2020-01-01
    """
    from labelsearch.market.fetching.download import FetchError
    from labelsearch.market.rules import BarError
    from labelsearch.market.store import Store

    if funding and interval is not None:
        raise BarError("--interval is the length of a bar; funding has none")
    part = (symbol, *_range(start, end), url)
    try:
        with progress_bars() as progress:
            if funding:
                fetched = _funding(Store(store), name, exchange, *part, progress)
            else:
                fetched = _bars(Store(store), name, exchange, interval or "1m", *part, progress)
    except FetchError as error:
        fail(str(error))
    answer(as_json, lines=_fetched_lines(fetched), named=_summary(fetched) if as_json else None)
    if fetched.refused:
        more = f" (and {len(fetched.refused) - 1} more files)" if len(fetched.refused) > 1 else ""
        fail(f"rejected {fetched.refused[0]}{more}")


def _bars(
    store: "Store",
    name: str | None,
    exchange: str | None,
    interval: str,
    symbol: str,
    start_ms: int,
    stop_ms: int,
    url: str | None,
    progress: "Progress",
) -> "Fetched":
    from labelsearch.market.fetching.archive import fetch_archive
    from labelsearch.market.fetching.archive_site import ARCHIVE_URL
    from labelsearch.market.fetching.exchange import Exchange, fetch_exchange
    from labelsearch.market.symbols import stored_name
    from labelsearch.market.times import parse_interval

    interval_ms = parse_interval(interval)
    name = name or stored_name(symbol)
    store.path(name, interval)  # rejects an invalid name before any request
    if exchange is not None:
        return fetch_exchange(store, Exchange(exchange, symbol, interval_ms), name, start_ms, stop_ms, progress)
    base = url or ARCHIVE_URL
    return fetch_archive(store, symbol, interval_ms, start_ms, stop_ms, url=base, name=name, progress=progress)


def _funding(
    store: "Store",
    name: str | None,
    exchange: str | None,
    symbol: str,
    start_ms: int,
    stop_ms: int,
    url: str | None,
    progress: "Progress",
) -> "Fetched":
    from labelsearch.market.fetching.archive import fetch_archive_funding
    from labelsearch.market.fetching.archive_site import ARCHIVE_URL
    from labelsearch.market.fetching.exchange_funding import ExchangeFunding, fetch_exchange_funding
    from labelsearch.market.symbols import stored_name

    name = name or stored_name(symbol)
    store.funding_path(name)  # rejects an invalid name before any request
    if exchange is not None:
        return fetch_exchange_funding(store, ExchangeFunding(exchange, symbol), name, start_ms, stop_ms, progress)
    base = url or ARCHIVE_URL
    return fetch_archive_funding(store, symbol, start_ms, stop_ms, url=base, name=name, progress=progress)


def _range(start: str, end: str | None) -> tuple[int, int]:
    """First and last day as [start, stop), ms."""
    import time

    from labelsearch.market.rules import BarError
    from labelsearch.market.times import DAY_MS, parse_time

    tomorrow = int(time.time() * 1000) // DAY_MS * DAY_MS + DAY_MS
    start_ms = parse_time(start)
    stop_ms = parse_time(end) + DAY_MS if end else tomorrow
    if start_ms % DAY_MS or stop_ms % DAY_MS:
        raise BarError("--start and --end must be days such as 2018-01-01")
    if stop_ms > tomorrow or start_ms >= tomorrow:
        raise BarError(f"{end if stop_ms > tomorrow else start} lies in the future")
    if start_ms >= stop_ms:
        raise BarError(f"--end {end} lies before --start {start}")
    return start_ms, stop_ms


def _fetched_lines(fetched: "Fetched", longest: int = 5) -> list[str]:
    """What a fetch did, and the longest gaps."""
    from labelsearch.market.times import interval_name, time_text

    rows = "bars" if fetched.interval_ms else "payments"
    kind = interval_name(fetched.interval_ms) if fetched.interval_ms else "funding"
    files = f"{fetched.files} files fetched, " if fetched.source.startswith("archive ") else ""
    line = (
        f"{fetched.symbol} {kind}: {files}"
        f"{fetched.added:,} {rows} added, {fetched.present:,} already there, "
        f"{len(fetched.holes)} gaps remain ({fetched.missing:,} {rows} missing)"
    )
    lines = [line + (", the longest:" if fetched.holes else "")]
    for hole in fetched.holes[:longest]:
        lines.append(f"  {time_text(hole.first_ms)} .. {time_text(hole.last_ms)}  {hole.count:,}")
    if fetched.differing:
        lines.append(f"{fetched.differing:,} bars of a second file differ from stored ones, which are kept")
    if fetched.broken:
        lines.append(f"{fetched.broken:,} broken {'candles' if rows == 'bars' else rows} of the exchange are left out")
    return lines


def _summary(fetched: "Fetched", longest: int = 5) -> dict[str, object]:
    """The same as data for JSON."""
    from labelsearch.market.times import interval_name, time_text

    rows = "bars" if fetched.interval_ms else "payments"
    return {
        "symbol": fetched.symbol,
        "interval": interval_name(fetched.interval_ms) if fetched.interval_ms else None,
        "source": fetched.source,
        "start": time_text(fetched.start_ms),
        "stop": time_text(fetched.stop_ms),
        "files": fetched.files,
        "added": fetched.added,
        "present": fetched.present,
        "differing": fetched.differing,
        "broken": fetched.broken,
        "refused": fetched.refused,
        "holes": len(fetched.holes),
        "missing": fetched.missing,
        "longest_holes": [
            {"first": time_text(hole.first_ms), "last": time_text(hole.last_ms), rows: hole.count}
            for hole in fetched.holes[:longest]
        ],
    }
