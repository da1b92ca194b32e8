"""Funding of any exchange supported by ccxt, page by page."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from labelsearch.market.fetching.connection import Connection
from labelsearch.market.fetching.download import FetchError
from labelsearch.market.fetching.inflow import Fetched, FundingInflow, Progress
from labelsearch.market.funding import LATE_MS, Funding, faults, no_funding, on_hours
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.times import DAY_MS, UNITS, time_text

_PAGE = 100  # payments; no exchange gives fewer
_STRETCH_MS = 100 * DAY_MS  # stored at a time
_SETTLED_MS = DAY_MS  # after a payment; until then an exchange may still add it


class ExchangeFunding(Connection):
    """Public funding of one perpetual contract at one exchange; parameters and errors as for `Connection`."""

    def payments(self, start_ms: int, stop_ms: int) -> Funding:
        """The payments in [start_ms, stop_ms), perhaps none; those that break a rule are counted in `broken`.

        Many exchanges provide recent payments only.
        """
        rows: dict[int, dict] = {}
        since = start_ms
        while since < stop_ms:
            page = self._page_of(since, stop_ms)
            if not page:
                break
            rows |= page
            following, earliest = max(page) + 1, min(page)
            # some exchanges answer with the newest payments of a range: then those before them are asked for
            while earliest - since > _shortest_step(rows) + LATE_MS:
                page = self._page_of(since, earliest)
                if not page:
                    break
                rows |= page
                earliest = min(page)
            since = following
        return self._checked([rows[time] for time in sorted(rows)])

    def _page_of(self, since: int, stop_ms: int) -> dict[int, dict]:
        """Some payments in [since, stop_ms) by their time."""
        what = f"funding of {self.symbol} from {time_text(since)}"
        until = {"until": stop_ms - 1}
        page = self._call(what, self._ccxt.fetch_funding_rate_history, self.symbol, since, _PAGE, until)
        try:
            return {time: row for row in page if since <= (time := int(row["timestamp"])) < stop_ms}
        except (TypeError, KeyError, ValueError):
            raise FetchError(f"{self.name}: {what}: the answer is not a list of payments") from None

    def _checked(self, rows: list[dict]) -> Funding:
        """Payments in time order, without broken ones; of two for one time, the first."""
        if not rows:
            return no_funding(self.symbol)
        time, first = np.unique(on_hours(np.array([row["timestamp"] for row in rows], np.int64)), return_index=True)
        rate = np.array([_float(row.get("fundingRate")) for row in rows])[first]
        mark = np.array([_mark_price(row) for row in rows])[first]
        broken = np.zeros(len(time), np.bool_)
        for fault in faults(rate, mark):
            broken |= fault.rows
        self.broken += int(broken.sum())
        return Funding(self.symbol, time[~broken], rate[~broken], mark[~broken])

    def _check_provided(self) -> None:
        if self._ccxt.has.get("fetchFundingRateHistory") is not True:
            raise BarError(f"{self.name} provides no funding")


def fetch_exchange_funding(
    store: Store, exchange: ExchangeFunding, name: str, start_ms: int, stop_ms: int, progress: Progress | None = None
) -> Fetched:
    """Download funding of an exchange into the store.

    Parameters
    ----------
    store : Store
    exchange : ExchangeFunding
    name : str
        Symbol in the store.
    start_ms, stop_ms : int
        The range, limited to the past.
    progress : callable, optional
        Counts stretches of 100 days.

    Raises
    ------
    FetchError
        If the network or the exchange failed; payments received before are stored.
    BarError
        If payments conflict with stored ones, or the store has funding of another source under the name.
    """
    clock = exchange.clock_ms()
    stop_ms = min(stop_ms, clock)
    source = f"{exchange.name} {exchange.symbol}"
    inflow = FundingInflow(store, name, source, start_ms, stop_ms)
    stretches = [
        (ms, min(ms + _STRETCH_MS, last))
        for first, last in inflow.record.not_asked(start_ms, stop_ms)
        for ms in range(first, last, _STRETCH_MS)
    ]
    inflow.ask(stretches, "stretches", exchange.payments, clock - _SETTLED_MS, progress)
    fetched = inflow.finish()
    fetched.broken = exchange.broken
    return fetched


def _shortest_step(times: Iterable[int]) -> int:
    """The shortest time between two payments, an hour if there is one payment only."""
    steps = np.diff(sorted(times))
    return int(steps.min()) if len(steps) else UNITS["h"]


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _mark_price(row: dict) -> float:
    """The mark price, which ccxt leaves where the exchange put it; NaN if it is not given."""
    info = row.get("info")
    price = _float(info.get("markPrice")) if isinstance(info, dict) else math.nan
    return price if price > 0 else math.nan
