"""Study: whether strategies that need no labels hedge the tiers of a run.

Four of them trade each market at the costs of the run: forecasts by an LSTM and by ARIMA-GARCH, momentum and the
contrarian. Capital is shared equally among the four within a market, and among markets as for the tiers. On ``past``
its first half gives the shares of a pair and the second is judged, without a look at the future; on ``future`` past
gives them, and future is judged, which is a look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.engine.looks import Stretch
from labelsearch.engine.run import Run
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.spans import Span
from labelsearch.market.bars import Bars
from labelsearch.results.ensembles import Ensembles, tier_name
from labelsearch.results.hedges import ALL, COMBINED, METHODS, HedgeRow, Hedges
from labelsearch.results.panel import BASKET, Panel
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.plan import STAGES
from labelsearch.stages.seeds import Seeds
from labelsearch.studies.hedge_trading import HedgeMarket, HedgeTrader, steps_of
from strategies.luck.timing import adjusted_p
from strategies.tiers.hedging import LEAST_DAYS, HedgeFigures, hedge_figures, hedge_share, sharpe_influence
from strategies.tiers.stitch import Leg, Split, Stitched, stitch
from strategies.trade.rules import TradingRules

NAMES = (*METHODS, COMBINED)


class DayReturns(NamedTuple):
    """Daily returns of n tiers, and of the basket of the same markets."""

    days: NDArray[np.datetime64]  # (D,)
    returns: NDArray[np.float64]  # (D, n)
    basket: NDArray[np.float64]  # (D,)

    @classmethod
    def of(cls, book: Stitched) -> "DayReturns":
        """Of a stitched book."""
        return cls(book.days, book.book_returns, book.basket_returns)


@dataclass(frozen=True)
class HedgeInputs:
    """All that the study may know.

    Attributes
    ----------
    window : str
    step_ms : int
        At whose ends wishes are decided.
    sizes : tuple of int
        Of the tiers, in the order of the columns of the base.
    past : DayReturns
        Of the base, on the past of the first split.
    future : DayReturns or None
        On all futures; None where past is judged.
    markets : tuple of HedgeMarket
        Of the first split alone where past is judged.
    follows : tuple of bool
        Whether each split begins where the one before it ends.
    rules, seeds
        Of the run.
    stretches : tuple of Stretch
        Futures that are looked at.
    ensembles, panel
        The result that the study belongs to.
    """

    window: str
    step_ms: int
    sizes: tuple[int, ...]
    past: DayReturns
    future: DayReturns | None
    markets: tuple[HedgeMarket, ...]
    follows: tuple[bool, ...]
    rules: TradingRules
    seeds: Seeds
    stretches: tuple[Stretch, ...]
    ensembles: Stored[Ensembles] | None
    panel: Stored[Panel] | None


class _Days(NamedTuple):
    """Base and hedges on the same days."""

    days: NDArray[np.datetime64]
    base: NDArray[np.float64]  # (D, n)
    basket: NDArray[np.float64]  # (D,)
    hedges: dict[tuple[str, str], NDArray[np.float64]]  # (D,) by market and method

    def part(self, rows: slice) -> "_Days":
        return _Days(self.days[rows], self.base[rows], self.basket[rows], {k: x[rows] for k, x in self.hedges.items()})


def _beside(base: DayReturns, book: Stitched) -> _Days:
    days, own, its = np.intersect1d(base.days, book.days, return_indices=True)
    hedges = {(ALL, name): book.book_returns[its, k] for k, name in enumerate(NAMES)}
    if len(book.markets) > 1:
        within = np.nan_to_num(book.returns[its])  # where the split does not have the market nothing is held
        hedges |= {
            (market, name): within[:, m, k] for m, market in enumerate(book.markets) for k, name in enumerate(NAMES)
        }
    return _Days(days, base.returns[own], base.basket[own], hedges)


def run(inputs: HedgeInputs, work: Work) -> Hedges:
    """Trade all methods in all markets, and hold them against the tiers.

    Raises
    ------
    ExperimentError
        If there are fewer than `LEAST_DAYS` days to weigh pairs on, or to judge them on.
    """
    trader = HedgeTrader(inputs.markets, inputs.rules, inputs.follows, work, inputs.seeds)
    lead = _beside(inputs.past, trader.past())
    if inputs.future is None:
        middle = len(lead.days) // 2
        lead, test = lead.part(slice(0, middle)), lead.part(slice(middle, None))
    else:
        test = _beside(inputs.future, trader.future())
    if min(len(lead.days), len(test.days)) < LEAST_DAYS:
        raise ExperimentError(
            f"hedges need {LEAST_DAYS} days to weigh pairs on and as many to judge them on; {inputs.window} has "
            f"{len(lead.days)} and {len(test.days)}"
        )
    hedges = {f"{name}, hedge": test.hedges[ALL, name] for name in NAMES}
    bases = {tier_name(size): test.base[:, i] for i, size in enumerate(inputs.sizes)}
    return Hedges(
        window=inputs.window,
        step_ms=inputs.step_ms,
        lead=_span(lead.days),
        days=_span(test.days),
        n_days=len(test.days),
        markets=tuple(dict.fromkeys(market.market for market in inputs.markets)),
        sizes=inputs.sizes,
        cost_bp=1e4 * trader.cost,
        rows=_rows(inputs, lead, test, trader),
        fits=trader.fits(),
        equity=pd.DataFrame(
            {
                "day": test.days.astype("datetime64[ms]"),
                **{name: np.cumprod(1.0 + x) for name, x in {**bases, BASKET: test.basket, **hedges}.items()},
            }
        ),
    )


def _span(days: NDArray[np.datetime64]) -> tuple[str, str]:
    return str(days[0]), str(days[-1])


def _rows(inputs: HedgeInputs, lead: _Days, test: _Days, trader: HedgeTrader) -> tuple[HedgeRow, ...]:
    """Every hedge beside every tier; p-values of those over all markets are adjusted for their number."""
    found: list[tuple[str, int, str, str, HedgeFigures]] = []
    products: dict[int, NDArray[np.float64]] = {}  # by row
    seed = inputs.seeds("hedge blocks")
    for (market, name), hedge in test.hedges.items():
        for i, size in enumerate(inputs.sizes):
            known = lead.hedges.get((market, name))
            share = None if known is None else hedge_share(lead.base[:, i], known)
            base = test.base[:, i]
            figures, pair = hedge_figures(
                base, hedge, test.basket, share, cost=trader.cost, year=trader.year, seed=seed
            )
            if market == ALL and pair is not None and figures.gain is not None:
                products[len(found)] = sharpe_influence(pair) - sharpe_influence(base)
            found.append((tier_name(size), size, market, name, figures))
    raw = [gain.p_value for row in products if (gain := found[row][-1].gain) is not None]
    values = adjusted_p(raw, np.column_stack(list(products.values()))) if raw else []
    adjusted = dict(zip(products, values, strict=True))
    return tuple(HedgeRow(*row, adjusted.get(number)) for number, row in enumerate(found))


STAGE = Stage("hedges", HedgeInputs, Hedges, run, looks_at=lambda inputs: inputs.stretches, study=True)


def tier_days(
    markets: Sequence[HedgeMarket],
    ensembles: Sequence[Stored[Ensembles]],
    window: str,
    sizes: Sequence[int],
    rules: TradingRules,
) -> DayReturns:
    """The tiers of some markets of one split in a window, with equal capital in all of them."""
    legs = []
    for market, stored in zip(markets, ensembles, strict=True):
        traded, curves = market.traded(window), stored.value.curves[window]
        columns = [curves.column(size) for size in sizes]
        equity, position = curves.equity[:, columns], curves.position[:, columns]
        stored.forget()
        prices = (traded.open_time, traded.open, traded.close)
        legs.append(Leg(market.market, *prices, equity, position, False, traded.costs))
    return DayReturns.of(stitch([Split(legs)], rules))


def hedge_run(run: Run, window: str, step_ms: int) -> Stored[Hedges]:
    """The study of a run of one market and one split; earlier stages are run first where needed."""
    ensembles, values = run.do(STAGES["ensembles"]), run.values
    sizes = ensembles.value.sizes
    is_future = window == "future"
    bars, train, rules = (values[n] for n in ("bars" if is_future else "bars_before_future", "train", "rules"))
    assert isinstance(bars, Bars)
    assert isinstance(train, Span)
    assert isinstance(rules, TradingRules)
    steps = steps_of(bars, train, step_ms)
    market = HedgeMarket(bars.symbol, 1, steps, run.do(STAGES["outputs"]), run.do(STAGES["costs"]))
    past, future = (tier_days([market], [ensembles], name, sizes, rules) for name in ("past", window))
    return run.do(
        STAGE,
        window=window,
        step_ms=step_ms,
        sizes=sizes,
        past=past,
        future=future if is_future else None,
        markets=(market,),
        follows=(False,),
        rules=rules,
        seeds=values["seeds"],
        stretches=(values["future_stretch"],) if is_future else (),
        ensembles=ensembles,
        panel=None,
    )
