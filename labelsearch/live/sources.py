"""Sources of bars: a file, a stream of lines, an exchange."""

import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from labelsearch.live.feed import Bar, bars_in
from labelsearch.live.strict_json import Json, parse
from labelsearch.market.bars import Bars

PAUSE_S = 30.0
LONGEST_LINE = 65_536  # bytes; far above the length of a bar, and a bound on memory for a line that does not end


class Exchange(Protocol):
    """What `from_exchange` needs; see `labelsearch.market.fetching.exchange.Exchange`."""

    interval_ms: int
    broken: int  # candles that broke a rule and were left out so far

    def closed_since(self, start_ms: int) -> Bars | None:
        """Closed bars that start at a time or later."""


def replay(bars: Bars, after_ms: int | None) -> Iterator[Bar]:
    """The bars of a table that start after a time, without those that were filled in."""
    yield from bars_in(bars.present().between(None if after_ms is None else after_ms + 1, None))


def from_lines(file: BinaryIO) -> Iterator[dict[str, Json]]:
    """A bar for each line of JSON; any other line becomes a bar without columns, which the feed refuses."""
    while line := file.readline(LONGEST_LINE):
        whole = line.endswith(b"\n") or len(line) < LONGEST_LINE
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
        if whole and not line.strip():
            continue
        try:
            found = parse(line.decode()) if whole else None
        except ValueError:
            found = None
        yield found if isinstance(found, dict) else {}


def from_exchange(
    exchange: Exchange,
    after_ms: int,
    delay_s: float = 2.0,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    failures: tuple[type[Exception], ...] = (),
    tell: Callable[[str], None] = lambda text: None,
) -> Iterator[Bar]:
    """Bars of an exchange as they close, without end; those missed in the meantime come first.

    Parameters
    ----------
    exchange : Exchange
    after_ms : int
        Time of the last known bar.
    delay_s : float
        Seconds to wait after a close before the first request, and between requests for a bar that is not there yet.
    failures : tuple of exception types
        Reported by ``tell``, as broken candles are, and followed by another attempt after half a minute; they do not
        end the session.
    """
    step, broken = exchange.interval_ms, exchange.broken
    while True:
        due = (after_ms + 2 * step) / 1000.0 + delay_s
        # wait no longer than one bar, so that a wrong clock cannot make the session miss bars
        sleep(min(max(due - clock(), delay_s), step / 1000.0 + delay_s))
        try:
            found = exchange.closed_since(after_ms + step)
        except failures as error:
            tell(str(error))
            sleep(PAUSE_S)
            continue
        if exchange.broken > broken:
            tell(f"{exchange.broken - broken} broken candles of the exchange are left out")
            broken = exchange.broken
        for bar in bars_in(found) if found is not None else ():
            yield bar
            after_ms = max(after_ms, bar.open_time)
