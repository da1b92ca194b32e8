"""Sources of bars, and of rows of bars: files, a stream of lines, an exchange."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol

from labelsearch.live.book.rows import Row
from labelsearch.live.feed import Bar, bars_in
from labelsearch.live.strict_json import Json, parse
from labelsearch.market.bars import Bars
from labelsearch.market.times import time_text

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


def from_lines(file: BinaryIO, longest: int | None = None) -> Iterator[dict[str, Json]]:
    """A bar, or row, for each line of JSON; any other line becomes one without columns, which the feed refuses.

    So does a line of more than ``longest`` bytes, by default of `LONGEST_LINE`.
    """
    most = longest or LONGEST_LINE
    while line := file.readline(most):
        whole = line.endswith(b"\n") or len(line) < most
        while len(line) == most and not line.endswith(b"\n"):
            line = file.readline(most)
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
    step = exchange.interval_ms
    while True:
        due = (after_ms + 2 * step) / 1000.0 + delay_s
        # wait no longer than one bar, so that a wrong clock cannot make the session miss bars
        sleep(min(max(due - clock(), delay_s), step / 1000.0 + delay_s))
        found, failed = _closed(exchange, after_ms + step, failures, tell)
        if failed:
            sleep(PAUSE_S)
        for bar in found:
            yield bar
            after_ms = max(after_ms, bar.open_time)


def rows_from_exchanges(
    exchanges: Sequence[Exchange],
    after_ms: int,
    patience_s: float = 60.0,
    delay_s: float = 2.0,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    failures: tuple[type[Exception], ...] = (),
    tell: Callable[[str], None] = lambda text: None,
) -> Iterator[Row]:
    """Rows of many markets as their bars close, without end; those missed in the meantime come first.

    Parameters
    ----------
    exchanges : sequence of Exchange
        One for each market.
    after_ms : int
        Time of the last known row.
    patience_s : float
        Seconds for which the bars of a row are waited for, after its close or after it was first asked for: a market
        without one by then has none. A market that fails is asked again after half a minute.
    delay_s, clock, sleep, failures, tell
        As of `from_exchange`.
    """
    step = exchanges[0].interval_ms
    waiting: dict[int, list[Bar | None]] = {}
    since: dict[int, float] = {}  # when each row that waits was first asked for
    known, rest = [after_ms] * len(exchanges), [0.0] * len(exchanges)
    passed_ms = after_ms  # rows up to this time are not waited for any more
    while True:
        due = (max(after_ms, passed_ms) + 2 * step) / 1000.0 + delay_s
        sleep(delay_s if waiting else min(max(due - clock(), delay_s), step / 1000.0 + delay_s))
        for m, exchange in enumerate(exchanges):
            if clock() < rest[m]:
                continue
            found, failed = _closed(exchange, known[m] + step, failures, tell)
            rest[m] = clock() + PAUSE_S if failed else 0.0  # others are asked meanwhile
            for bar in found:
                known[m] = max(known[m], bar.open_time)
                if bar.open_time > after_ms:
                    waiting.setdefault(bar.open_time, [None] * len(exchanges))[m] = bar
                    since.setdefault(bar.open_time, max(clock(), (bar.open_time + step) / 1000.0 + delay_s))
                else:
                    tell(f"late: market {m + 1}, bar of {time_text(bar.open_time)}")
        for open_time in sorted(waiting):
            if None in waiting[open_time] and clock() < since[open_time] - delay_s + patience_s:
                break
            yield Row(open_time, tuple(waiting.pop(open_time)))
            after_ms = open_time
        if not waiting:
            passed_ms = int((clock() - patience_s) * 1000.0) // step * step - step


def _closed(
    exchange: Exchange,
    since_ms: int,
    failures: tuple[type[Exception], ...],
    tell: Callable[[str], None],
) -> tuple[list[Bar], bool]:
    """Closed bars from a time on, and whether the exchange failed, which is told."""
    broken = exchange.broken
    try:
        found = exchange.closed_since(since_ms)
    except failures as error:
        tell(str(error))
        return [], True
    if exchange.broken > broken:
        tell(f"{exchange.broken - broken} broken candles of the exchange are left out")
    return [] if found is None else list(bars_in(found)), False
