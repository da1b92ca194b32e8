"""Hedges in one market of a split: what they forecast or wish, a unit each, and their accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.engine.files import Files
from labelsearch.engine.stage import Stored, Work
from labelsearch.labels.spans import Span
from labelsearch.market.bars import Bars
from labelsearch.results.codec import npz_arrays, npz_bytes
from labelsearch.results.costs import TradingCosts
from labelsearch.results.hedges import METHODS, HedgeFit
from labelsearch.results.outputs import Outputs
from labelsearch.stages.seeds import Seeds
from strategies.tiers.arima_garch import arima_garch
from strategies.tiers.hedging import combined, trade_wishes
from strategies.tiers.metrics import year_of
from strategies.tiers.stitch import Leg, Split, Stitched, stitch
from strategies.tiers.wishes import Forecast, Steps, contrarian_wish, forecast_wish, momentum_wish
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

FOUND = "forecast.npz"
RULES = {"momentum": momentum_wish, "contrarian": contrarian_wish}


@dataclass(frozen=True)
class HedgeMarket:
    """A market of a split."""

    market: str
    split: int  # from 1
    steps: Steps
    outputs: Stored[Outputs]
    costs: Stored[TradingCosts]
    delisted: bool = False  # its bars end within the future

    def traded(self, window: str) -> TradingWindow:
        """Bars of a window, at its costs."""
        found = self.outputs.value.window(window).at(self.costs.value.window(window))
        self.outputs.forget()
        self.costs.forget()
        return found


def steps_of(bars: Bars, train: Span, step_ms: int) -> Steps:
    """Steps of the bars (T,) of a market that are present."""
    there = ~bars.filled
    return Steps.of(bars.open_time[there], bars.close[there], bars.interval_ms, step_ms, train.stop_ms, bars.bars_a_day)


class HedgeTask(NamedTuple):
    """One method in one market."""

    method: str
    steps: Steps
    seed: int


def hedge_unit(task: HedgeTask, shared: None) -> Files:
    """Forecast or wish at the end of each step."""
    rule = RULES.get(task.method)
    if rule is not None:
        wish = rule(task.steps)
        found = Forecast(wish, np.full(len(wish), np.nan), 0, 0)
    elif task.method == "LSTM":
        from labelsearch.classifiers.return_forecast import lstm_forecast

        found = lstm_forecast(task.steps, task.seed)
    else:
        found = arima_garch(task.steps)
    return {FOUND: npz_bytes(found._asdict())}


def _read(files: Files) -> Forecast:
    found = npz_arrays(files[FOUND])
    return Forecast(found["mean"], found["deviation"], int(found["fits"]), int(found["failed"]))


class HedgeTrader:
    """Legs of the hedges of all markets, and counts of what was fitted.

    Every method of every market is a unit of the work.
    """

    def __init__(
        self, markets: Sequence[HedgeMarket], rules: TradingRules, follows: Sequence[bool], work: Work, seeds: Seeds
    ) -> None:
        self.markets, self.rules, self.follows = markets, rules, follows
        tasks = {
            task_name(market, method): HedgeTask(
                method, market.steps, seeds("hedge", market.market, market.split, method)
            )
            for market in markets
            for method in METHODS
        }
        self.forecasts = {name: _read(files) for name, files in work.units(hedge_unit, tasks).items()}
        self.fills: dict[tuple[str, int, str], int] = {}
        self.cost, self.year = 0.0, 0

    def leg(self, market: HedgeMarket, name: str) -> Leg:
        """Accounts of the methods of a market in a window, and of all of them."""
        window, rules, steps = market.traded(name), self.rules, market.steps
        wishes = [self._wish(market, method, window) for method in METHODS]
        holdings = trade_wishes(wishes, steps.open_time, window, rules)
        whole = combined(holdings, rules)
        for method, filled in zip(METHODS, np.asarray(holdings.payments.traded > 0).sum(axis=0), strict=True):
            where = (market.market, market.split, method)
            self.fills[where] = self.fills.get(where, 0) + int(filled)
        half = window.costs.half_spread
        self.cost = max(self.cost, rules.fee_share + (float(half.mean()) if len(half) else rules.half_spread))
        self.year = max(self.year, year_of(window))
        equity, position = (
            np.column_stack([getattr(holdings, field), getattr(whole, field)]) for field in ("equity", "position")
        )
        ended = market.delisted and name == "future"
        return Leg(market.market, window.open_time, window.open, window.close, equity, position, ended, window.costs)

    def _wish(self, market: HedgeMarket, method: str, window: TradingWindow) -> NDArray[np.float64]:
        found = self.forecasts[task_name(market, method)]
        if method in RULES:
            return found.mean
        half = np.full(len(market.steps.close), self.rules.half_spread)
        if len(window.costs.half_spread):  # that of the bar, which is known at its close
            at = np.minimum(np.searchsorted(window.open_time, market.steps.open_time), len(window.close) - 1)
            half = window.costs.half_spread[at]
        return forecast_wish(found, market.steps.deviation, self.rules.fee_share + half)

    def past(self) -> Stitched:
        """All markets of the first split on its past."""
        return stitch([Split([self.leg(m, "past") for m in self.markets if m.split == 1])], self.rules)

    def future(self) -> Stitched:
        """All markets of all splits on their futures."""
        splits = []
        for number, follows in enumerate(self.follows, 1):
            legs = [self.leg(m, "future") for m in self.markets if m.split == number]
            splits.append(Split(legs, follows))
        return stitch(splits, self.rules)

    def fits(self) -> tuple[HedgeFit, ...]:
        """A row for each market, split and method."""
        rows = []
        for market in self.markets:
            for method in METHODS:
                found = self.forecasts[task_name(market, method)]
                fills = self.fills.get((market.market, market.split, method), 0)
                rows.append(HedgeFit(market.market, market.split, method, found.fits, found.failed, fills))
        return tuple(rows)


def task_name(market: HedgeMarket, method: str) -> str:
    """Name of a unit."""
    return f"{market.market}-{market.split}-{method}"
