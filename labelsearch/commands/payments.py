"""Payments of funding for what is followed live."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelsearch.live.costs import Payments
    from labelsearch.market.fetching.exchange_funding import ExchangeFunding
    from labelsearch.market.funding import Funding


def asked_payments(exchange: "ExchangeFunding", symbol: str, tell: Callable[[str], None]) -> "Payments":
    """Those of an exchange; where it fails they are not known, which is told: a session goes on without them."""
    from labelsearch.market.fetching.download import FetchError
    from labelsearch.market.funding import no_funding
    from labelsearch.market.trading_costs import HOUR_MS

    def ask(start_ms: int, stop_ms: int) -> "Funding":
        is_due = -(-start_ms // HOUR_MS) * HOUR_MS < stop_ms  # payments fall on full hours
        try:
            return exchange.payments(start_ms, stop_ms) if is_due else no_funding(symbol)
        except FetchError as error:
            tell(str(error))
            return no_funding(symbol)

    return ask


def stored_payments(store: Path, symbol: str, funding_ms: int) -> "Payments":
    """Those of the store, which is read anew for bars that are newer than them, by the time between two payments."""
    from labelsearch.market.store import Store

    known = Store(store).load_funding(symbol)

    def look_up(start_ms: int, stop_ms: int) -> "Funding":
        nonlocal known
        if known.time[-1] + funding_ms < stop_ms:
            known = Store(store).load_funding(symbol)
        return known.between(start_ms, stop_ms)

    return look_up
