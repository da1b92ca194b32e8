"""Sections of experiments that trade all markets as one book."""

from collections.abc import Sequence
from dataclasses import dataclass

from labelsearch.market.cross_section import UniverseTerms
from labelsearch.settings.schema import ExperimentError, Plain, Ranged, option
from labelsearch.settings.sections import Data, one_of
from labelsearch.settings.trading_costs import Costs
from strategies.book.problem import BookScore

BOOKS = ("each", "long", "neutral", "best")


@dataclass(frozen=True)
class Universe(Ranged):
    """Which of the markets may be held at a time, and their basket; days are those with bars."""

    size: int = option(0, "the most liquid ones, chosen at the start of each month; 0: all", 0, 10_000)
    history_days: int = option(60, "days since its first bar before a market joins", 1, 10_000)
    liquidity_days: int = option(30, "days over which traded value is compared", 1, 10_000)
    beta_days: int = option(60, "days behind the beta of a market to the basket", 2, 10_000)
    volatility_days: int = option(30, "days behind the volatility of a market", 2, 10_000)

    @property
    def terms(self) -> UniverseTerms:
        """As the cross-section takes them."""
        return UniverseTerms(self.size, self.history_days, self.liquidity_days, self.beta_days, self.volatility_days)


@dataclass(frozen=True)
class Book(Ranged):
    """One account across all markets."""

    kind: str = option("each", "each: every market alone; long; neutral: no dollars, no beta; best: one at a time")
    gross: float = option(1.0, "sum of the sizes of all positions, in equity", 0.01, 10)
    cap: float = option(0.2, "largest position of one market, in equity; not of kind best", 0.001, 10)
    band: tuple[float, float] = option((0.0, 0.15), "range of b: how far a position strays from its wish", 0, 100)
    doubt: tuple[float, float] = option((0.0, 0.5), "range of k: how much further where classifiers doubt", 0, 100)
    span: tuple[float, float] = option((1.0, 60.0), "range of the span, in bars, that wishes are smoothed over", 1, 1e5)
    drift: float = option(0.05, "neutral: dollars or beta beyond which bands give way, in equity", 0.0001, 10)
    held: float = option(0.5, "share of gross that is to be held in the mean; what is lacking costs score", 0.001, 1)
    idle_weight: float = option(2.0, "Sharpe ratio a year that holding nothing costs", 0, 1000)
    shifts: int = option(99, "shifts of the outputs behind the p-value of alpha; 0 for none", 0, 100_000)
    beta_bound: float = option(0.1, "rolling beta to the basket beyond which a book is not neutral", 0.001, 10)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("kind", self.kind, BOOKS)
        for name in ("band", "doubt", "span"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ExperimentError(f"{name} needs a lower end that is not above its upper end")

    @property
    def is_one(self) -> bool:
        """Whether all markets share one account."""
        return self.kind != "each"

    @property
    def score(self) -> BookScore:
        """By which books are ranked."""
        return BookScore(self.held, self.idle_weight)

    def check_markets(self, n: int) -> None:
        """Raise `ExperimentError` if so few markets cannot hold the gross exposure."""
        if self.kind in ("long", "neutral") and n * self.cap < self.gross * (1.0 - 1e-12):
            raise ExperimentError(
                f"{n} markets of at most {self.cap:g} each cannot hold a gross exposure of {self.gross:g}: raise cap"
            )


def check_book(book: Book, universe: Universe, data: Data, costs: Costs, labels: Sequence[Plain]) -> None:
    """Raise `ExperimentError` for a book that these markets, costs and labels cannot make."""
    if not book.is_one:
        if data.intervals:
            raise ExperimentError("[data]: several intervals are of a book: choose one, or a kind of [book]")
        return
    if len(data.intervals) > 1:
        _check_label_times(labels)
    n = len(data.markets)
    if n < 2:
        raise ExperimentError("[book]: a book needs several markets")
    try:
        book.check_markets(min(n, universe.size or n))
        if book.kind in ("neutral", "best"):
            costs.check_side("both")
    except ExperimentError as error:
        raise ExperimentError(f"[book]: {error}") from None


def _check_label_times(labels: Sequence[Plain]) -> None:
    """Raise `ExperimentError` for labels of so many bars, which would differ between intervals."""
    for number, label in enumerate(labels, 1):
        for name, value in label.items():
            if isinstance(value, int) and not isinstance(value, bool):
                raise ExperimentError(
                    f"[[label]] {number}: with several intervals {name} must be a length of time as 24h, not {value} "
                    "bars"
                )
