"""Bars page by page from exchanges that answer in other ways than most."""

import numpy as np
import pytest

from labelsearch.market.fetching.exchange import Exchange
from labelsearch.market.times import DAY_MS, parse_time

MINUTE = 60_000
START = parse_time("2024-03-01")


class Windowed(Exchange):
    """An exchange of which ccxt knows no page size, and whose answers cover 200 bars, traded or not."""

    def __init__(self, times: np.ndarray) -> None:
        self.name, self.symbol, self.interval_ms, self.broken = "windowed", "X", MINUTE, 0
        self._page, self._skip = 500, 100
        self.times = times

    def clock_ms(self) -> int:
        return START + DAY_MS

    def _rows_from(self, since: int) -> list[list]:
        there = self.times[(self.times >= since) & (self.times < since + 200 * MINUTE)]
        return [[int(time), 1.0, 1.0, 1.0, 1.0, 1.0] for time in there]


def test_a_pause_hides_no_bars_behind_it():
    times = START + MINUTE * np.r_[100:300, 600:700, 1200:1201]
    assert Windowed(times).bars(START).open_time.tolist() == times.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_pages_of_any_size_hold_all_bars_once(seed):
    """Pages may begin with the bar before: none is lost, and few are asked for twice."""
    rng = np.random.default_rng(seed)
    exchange = Windowed(START + MINUTE * np.flatnonzero(rng.random(1440) < rng.choice([0.02, 0.5, 1.0])))
    page, asked = int(rng.integers(1, 300)), []

    def rows_from(since: int) -> list[list]:
        asked.append(since)
        first = max(int(np.searchsorted(exchange.times, since)) - 1, 0)
        return [[int(time), 1.0, 1.0, 1.0, 1.0, 1.0] for time in exchange.times[first : first + page + 1]]

    exchange._rows_from = rows_from  # type: ignore[method-assign]
    assert exchange.bars(START).open_time.tolist() == exchange.times.tolist()
    assert len(asked) <= 2 * len(exchange.times) / page + 20
