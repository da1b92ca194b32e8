"""The section of what trading and holding cost."""

from dataclasses import dataclass

from labelsearch.market.trading_costs import HOUR_MS, CostTerms
from labelsearch.settings.schema import ExperimentError, Ranged, option
from labelsearch.settings.sections import Search, one_of
from strategies.trade.rules import TradingRules
from strategies.trade.venues import BASE_RATE, VENUES, Venue


@dataclass(frozen=True)
class Costs(Ranged):
    """What trading and holding cost; keys without a value have that of the venue."""

    venue: str = option("paper", f"preset of fees: {', '.join(VENUES)}")
    maker: float | None = option(None, "fee of orders that wait, as a share of traded value", 0, 0.1)
    taker: float | None = option(None, "fee of orders that fill at once, as all are here", 0, 0.1)
    maker_share: float = option(0.0, "share of traded value that you expect to fill at the maker's fee", 0, 1)
    half_spread: float = option(0.0, "share by which a fill is worse than the open", 0, 0.1)
    spread: str = option(
        "fixed", "fixed: the half_spread above; quotes: that of bid and ask; estimated: from prices of train"
    )
    impact: float = option(0.0, "Y of the square-root law: an order of a day's volume moves Y daily deviations", 0, 10)
    capital: float = option(0.0, "in the quote currency, where impact is not 0", 0, 1e15)
    impact_days: int = option(30, "days before, over whose volumes and returns impact is measured", 5, 1000)
    funding: str = option("venue", "venue: from the store if the venue has funding; base: funding_rate; none")
    funding_rate: float = option(BASE_RATE, "of base: rate that longs pay at each interval of the venue", -0.01, 0.01)
    borrow: float | None = option(None, "rate a day for what is held short; without it, spot is not lent", 0, 0.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("venue", self.venue, VENUES)
        one_of("spread", self.spread, ("fixed", "quotes", "estimated"))
        one_of("funding", self.funding, ("venue", "base", "none"))
        if bool(self.impact) != bool(self.capital):
            raise ExperimentError("impact and capital need each other")
        if self.spread != "fixed" and self.half_spread:
            raise ExperimentError(f"half_spread is for spread = 'fixed', not {self.spread!r}")
        if self.funding == "base" and not self.preset.perpetual:
            raise ExperimentError(f"{self.venue} has no funding")

    @property
    def preset(self) -> Venue:
        """The venue."""
        return VENUES[self.venue]

    @property
    def fee_share(self) -> float:
        """Mean fee of what is traded, as a share of its value."""
        maker = self.preset.maker if self.maker is None else self.maker
        taker = self.preset.taker if self.taker is None else self.taker
        return self.maker_share * maker + (1.0 - self.maker_share) * taker if self.maker_share else taker

    @property
    def terms(self) -> CostTerms:
        """What differs from bar to bar."""
        funding = {"venue": "store" if self.preset.perpetual else "none"}.get(self.funding, self.funding)
        return CostTerms(
            spread=self.spread,
            impact=self.impact,
            capital=self.capital,
            impact_days=self.impact_days,
            funding=funding,
            funding_rate=self.funding_rate if funding == "base" else 0.0,
            funding_ms=0 if funding == "none" else self.preset.funding_hours * HOUR_MS,
            borrow=self.borrow or 0.0,
        )

    def check_side(self, side: str) -> None:
        """Raise `ExperimentError` for short positions where nothing is lent."""
        if side == "both" and not self.preset.lends and self.borrow is None:
            raise ExperimentError(f"{self.venue} lends nothing for short positions: give the rate of borrow")

    def rules(self, search: Search) -> TradingRules:
        """Costs that are the same at all bars, side and signal map, as the simulator takes them."""
        return TradingRules.of(
            fee_share=self.fee_share,
            half_spread=self.half_spread,
            short=search.side == "both",
            signal_map=search.signal_map,
        )
