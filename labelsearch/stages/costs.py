"""Stage: what trading and holding cost in each traded bar of past and of future."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from labelsearch.engine.stage import Stage, Work
from labelsearch.labels.spans import Span
from labelsearch.market.bars import Bars
from labelsearch.market.funding import Funding, payments_missing, uncovered
from labelsearch.market.spreads import half_spread
from labelsearch.market.times import DAY_MS, time_text
from labelsearch.market.trading_costs import (
    HOUR_MS,
    CostTerms,
    Impact,
    base_funding,
    borrow_due,
    funding_due,
    traded_value,
)
from labelsearch.results.costs import CostFacts, TradingCosts
from labelsearch.settings.schema import ExperimentError
from strategies.trade.rules import MOST_SLIPPAGE
from strategies.trade.window import BarCosts

LONGEST_GAP = DAY_MS  # without a payment of funding; shorter ones are counted
MOST_MISSING = 0.1  # of the payments of a window


@dataclass(frozen=True)
class CostInputs:
    """All that the stage may know."""

    bars: Bars  # on the grid
    train: Span
    past: Span
    future: Span
    cost_terms: CostTerms
    funding: Funding | None  # of the store, where the terms ask for it


def run(inputs: CostInputs, work: Work) -> TradingCosts:
    """Costs of both windows."""
    work.progress(0, 1)
    terms, bars = inputs.cost_terms, inputs.bars
    traded = bars.present()
    spread = (
        half_spread(traded.between(inputs.train.start_ms, inputs.train.stop_ms)) if terms.spread == "estimated" else 0.0
    )
    impact, meters = _impact(terms, traded)
    found, facts = {}, {}
    for window, span in {"past": inputs.past, "future": inputs.future}.items():
        rows = span.rows(traded.open_time)
        part = traded.rows(rows.start, rows.stop)
        before = traded.close[rows.start - 1] if rows.start else part.open[0]
        funding = _payments(inputs, span)
        costs = BarCosts()
        if terms.spread == "quotes":
            costs = costs._replace(half_spread=_of_quotes(part))
        elif terms.spread == "estimated":
            costs = costs._replace(half_spread=np.full(len(part), spread))
        if terms.impact:
            costs = costs._replace(impact=_known(impact[rows], window))
        if funding is not None:
            due = funding_due(funding, part.open_time, part.close, part.interval_ms, float(before))
            costs = costs._replace(funding=due)
        if terms.borrow:
            # the account begins flat at the first bar
            due = borrow_due(terms.borrow, part.open_time, part.close, int(part.open_time[0]), float(before))
            costs = costs._replace(borrow=due)
        found[window] = costs
        facts[window] = _facts(costs, funding, terms, span, meters[rows])
    work.progress(1, 1)
    return TradingCosts(facts, **found)


def _impact(terms: CostTerms, bars: Bars) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Impact at each bar (T,), and days so far on which the capital was more than a day's volume."""
    if not terms.impact:
        return np.empty(0), np.zeros(len(bars), dtype=np.int64)
    meter, value = Impact(terms), traded_value(bars)
    day = bars.open_time // DAY_MS
    edges = np.r_[0, np.flatnonzero(np.diff(day)) + 1, len(day)]
    impact, beyond = np.empty(len(bars)), np.empty(len(bars), dtype=np.int64)
    for first, stop in pairwise(edges):
        rows = slice(first, stop)
        impact[rows] = meter.of(bars.open_time[rows], value[rows], bars.close[rows])
        beyond[rows] = meter.beyond
    return impact, beyond


def _known(impact: NDArray[np.float64], window: str) -> NDArray[np.float64]:
    if np.isnan(impact).any():
        raise ExperimentError(f"[costs] impact: there must be impact_days + 1 days with bars before {window}")
    return impact


def _of_quotes(bars: Bars) -> NDArray[np.float64]:
    if bars.spread is None:
        raise ExperimentError(f"[costs] spread = 'quotes': the bars of {bars.symbol} have no bid and ask")
    return np.minimum(bars.spread / (2.0 * bars.open), MOST_SLIPPAGE)


def _payments(inputs: CostInputs, span: Span) -> Funding | None:
    """Funding of a window; `ExperimentError` if a stretch of it is not known."""
    terms, symbol = inputs.cost_terms, inputs.bars.symbol
    if terms.funding == "base":
        return base_funding(symbol, terms, span.start_ms, span.stop_ms)
    if inputs.funding is None:
        return None
    for start, stop in uncovered(inputs.funding, span.start_ms, span.stop_ms, terms.funding_ms):
        if stop - start > LONGEST_GAP:
            raise ExperimentError(
                f"funding of {symbol} is not known from {time_text(start)} to {time_text(stop)}: import or fetch it, "
                "or choose [costs] funding"
            )
    missing = payments_missing(inputs.funding, span.start_ms, span.stop_ms, terms.funding_ms)
    expected = (span.stop_ms - span.start_ms) // terms.funding_ms
    if missing > MOST_MISSING * expected:
        raise ExperimentError(
            f"{missing:,} of {expected:,} payments of funding of {symbol} are missing, one being expected every "
            f"{terms.funding_ms // HOUR_MS} hours: choose the venue that they are of"
        )
    return inputs.funding.between(span.start_ms, span.stop_ms)


def _facts(
    costs: BarCosts, funding: Funding | None, terms: CostTerms, span: Span, beyond: NDArray[np.int64]
) -> CostFacts:
    days = int(beyond[-1] - beyond[0]) if len(beyond) else 0
    if terms.impact and 2 * days > span.days:
        raise ExperimentError(
            f"[costs] capital = {terms.capital:g} is more than is traded in a day on {days} of {span.days:.0f} days"
        )
    missing = None
    if funding is not None:
        missing = payments_missing(funding, span.start_ms, span.stop_ms, terms.funding_ms)
    paid = funding is not None and len(funding) > 0
    return CostFacts(
        half_spread_bp=1e4 * float(np.median(costs.half_spread)) if len(costs.half_spread) else None,
        impact_bp=1e4 * float(np.median(costs.impact)) if len(costs.impact) else None,
        beyond_days=days if terms.impact else None,
        funding_bp=1e4 * float(funding.rate.mean()) if funding is not None and paid else None,
        n_payments=None if funding is None else len(funding),
        n_missing=missing,
        marked_share=float(np.mean(~np.isnan(funding.mark))) if funding is not None and paid else None,
    )


STAGE = Stage("costs", CostInputs, TradingCosts, run)
