"""Presets of what trading costs: base fees of venues for clients without a discount.

Fees are those published in the middle of 2026; venues change them, so look yours up and write what you pay. Volume,
tokens of the venue and rebates lower them.
"""

from typing import NamedTuple

from labelsearch.registry import Registry
from strategies import StrategyError

BASE_RATE = 0.0001  # funding that longs pay each interval where a perpetual trades at its index


class Venue(NamedTuple):
    """Fees as shares of traded value.

    ``funding_hours``: between two payments of a perpetual, 0 for what has no funding. ``lends``: whether positions may
    be short without a rate for borrowing: perpetuals need none, and the paper says nothing of shorts.
    """

    name: str
    maker: float
    taker: float
    funding_hours: int
    lends: bool
    explanation: str
    as_of: str
    origin: str = ""

    @property
    def perpetual(self) -> bool:
        """Whether funding is paid."""
        return self.funding_hours > 0


def _spot(name: str, maker: float, taker: float) -> Venue:
    title = name.removesuffix("-spot").capitalize()
    return Venue(name, maker, taker, 0, False, f"{title} spot, fee schedule of regular clients", "2026-06")


def _perpetual(name: str, maker: float, taker: float, hours: int) -> Venue:
    title = name.removesuffix("-perp").capitalize()
    return Venue(name, maker, taker, hours, True, f"{title} perpetual, fee schedule of regular clients", "2026-06")


VENUES = Registry(
    "venue",
    StrategyError,
    (
        Venue("paper", 0.0005, 0.0005, 0, True, "Balcerak & Schmelzer 2020: a perpetual's fee on spot bars", "2020-09"),
        _spot("binance-spot", 0.001, 0.001),
        _perpetual("binance-perp", 0.0002, 0.0005, 8),
        _spot("okx-spot", 0.0008, 0.001),
        _perpetual("okx-perp", 0.0002, 0.0005, 8),
        _spot("bybit-spot", 0.001, 0.001),
        _perpetual("bybit-perp", 0.0002, 0.00055, 8),
        _spot("kraken-spot", 0.0025, 0.004),
        _perpetual("kraken-perp", 0.0002, 0.0005, 1),
        Venue("own", 0.0, 0.0, 0, False, "no preset: what is not given is 0", ""),
    ),
)
