"""Where bars come from while they are followed: a file, a stream of lines, an exchange."""

import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

from labelsearch.live import strict_json
from labelsearch.live.feed import Bar, bars_in
from labelsearch.market.bars import Bars

PAUSE_S = 30.0
LONGEST_LINE = 65_536  # bytes; no bar comes near, and what does not end must not fill the memory


class Exchange(Protocol):
    """What `from_exchange` needs, as `labelsearch.market.fetching.exchange.Exchange` has it."""

    interval_ms: int

    def closed_since(self, start_ms: int) -> Bars | None:
        """Closed bars that start at a time or later."""


def replay(bars: Bars, after_ms: int | None) -> Iterator[Bar]:
    """The bars of a table that start after a time; those that are filled are missing."""
    yield from bars_in(bars.present().between(None if after_ms is None else after_ms + 1, None))


def from_lines(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """A bar of each line of JSON; what is none comes out as one without columns, which the feed refuses by name."""
    while line := file.readline(LONGEST_LINE):
        whole = line.endswith(b"\n") or len(line) < LONGEST_LINE
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
        if whole and not line.strip():
            continue
        try:
            found = strict_json.parse(line.decode()) if whole else None
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
    """Bars of an exchange as they close, for ever; those that were missed meanwhile come first.

    Parameters
    ----------
    exchange : Exchange
    after_ms : int
        Time of the last bar that is known.
    delay_s : float
        Seconds after a close before it is asked for, and between two questions for a bar that is not there yet.
    failures : tuple of exception types
        What is told and tried again after half a minute instead of ending the session.
    """
    step = exchange.interval_ms
    while True:
        due = (after_ms + 2 * step) / 1000.0 + delay_s
        # a clock that is wrong, or was set back, must not let bars pass
        sleep(min(max(due - clock(), delay_s), step / 1000.0 + delay_s))
        try:
            found = exchange.closed_since(after_ms + step)
        except failures as error:
            tell(str(error))
            sleep(PAUSE_S)
            continue
        for bar in bars_in(found) if found is not None else ():
            yield bar
            after_ms = max(after_ms, bar.open_time)
