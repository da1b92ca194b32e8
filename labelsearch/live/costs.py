"""Costs of bars as they close: what the costs stage of a run computes for whole windows, carried on bar by bar."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.funding import Funding
from labelsearch.market.trading_costs import CostTerms, Impact, base_funding, borrow_due, funding_due
from strategies.trade.rules import MOST_SLIPPAGE
from strategies.trade.window import BarCosts

# payments of funding in [start_ms, stop_ms), as far as they are known
Payments = Callable[[int, int], Funding]
Floats = NDArray[np.float64]


class LiveCosts:
    """Costs of the traded bars of one market; the bits do not depend on how many bars come at once.

    Parameters
    ----------
    symbol : str
    interval_ms : int
    terms : CostTerms
    payments : callable, optional
        Where payments of funding come from; needed where the terms say ``store``.
    """

    def __init__(self, symbol: str, interval_ms: int, terms: CostTerms, payments: Payments | None = None) -> None:
        self.terms, self.interval_ms = terms, interval_ms
        self.payments = payments
        if terms.funding == "base":
            self.payments = lambda start, stop: base_funding(symbol, terms, start, stop)
        self.missing = 0  # payments of funding that were due and are not known
        self._meter = Impact(terms) if terms.impact else None
        self._time, self._close = -1, 0.0  # of the last traded bar

    def see(self, open_time: NDArray[np.int64], value: Floats, close: Floats) -> Floats:
        """Impact (T,) at bars that are present, traded or not, from the value traded in each; empty without impact."""
        return self._meter.of(open_time, value, close) if self._meter else np.empty(0)

    def of(self, open_time: NDArray[np.int64], close: Floats, impact: Floats, spread: Floats) -> BarCosts:
        """Costs of the next traded bars.

        Parameters
        ----------
        open_time, close : (T,) arrays
        impact : (T,) array
            From `see`; empty without impact.
        spread : (T,) array
            Half the spread at the open as a share of it; read where the terms say ``quotes``.
        """
        fresh = self._time < 0
        last_time = int(open_time[0]) if fresh else self._time
        last_close = float(close[0]) if fresh else self._close
        costs = BarCosts(impact=impact)
        if self.terms.spread == "quotes":
            costs = costs._replace(half_spread=np.minimum(spread, MOST_SLIPPAGE))
        if self.payments is not None and self.terms.funding != "none":
            since, until = last_time if fresh else last_time + self.interval_ms, int(open_time[-1]) + self.interval_ms
            known = self.payments(since, until)
            if self.terms.funding == "store":
                self.missing += self._lacking(known, since, until)
            costs = costs._replace(funding=funding_due(known, open_time, close, self.interval_ms, last_close, since))
        if self.terms.borrow:
            costs = costs._replace(borrow=borrow_due(self.terms.borrow, open_time, close, last_time, last_close))
        self._time, self._close = int(open_time[-1]), float(close[-1])
        return costs

    def _lacking(self, known: Funding, since: int, until: int) -> int:
        step = self.terms.funding_ms
        expected = np.arange(-(-since // step) * step, until, step)
        return int((~np.isin(expected, known.time)).sum())

    def state(self) -> dict[str, NDArray]:
        """The arrays that `restore` needs."""
        meter = {} if self._meter is None else {"meter": self._meter.state()}
        return {"last": np.array([self._time, self._close, self.missing]), **meter}

    def restore(self, state: dict[str, NDArray]) -> None:
        """Go on where another was."""
        time, self._close, missing = map(float, state["last"])
        self._time, self.missing = int(time), int(missing)
        if self._meter is not None:
            self._meter.restore(state["meter"])
