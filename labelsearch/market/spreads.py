"""Stub."""

from labelsearch.market.bars import Bars


def half_spread(bars: Bars) -> float:
    """To come."""
    raise NotImplementedError
