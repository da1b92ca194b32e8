"""Section of the tiers: which strategies they hold, how capital is shared out, and what they are compared with."""

from dataclasses import dataclass

from labelsearch.settings.schema import ExperimentError, Ranged, option
from labelsearch.settings.sections import one_of
from strategies.tiers.controls.control import CONTROLS
from strategies.tiers.ranking import RANKINGS
from strategies.tiers.selection import TierRule
from strategies.trade.capital import CAPITAL_RULES


@dataclass(frozen=True)
class Tiers(Ranged):
    """Ensembles of the best strategies by past score."""

    sizes: tuple[int, ...] = option((100, 20, 10, 5), "strategies in each tier", 1, 1_000_000)
    most_alike: float = option(
        0.7,
        "correlation of daily returns without the market's above which two are alike; 1, and in books: all may be",
        0,
        1,
    )
    ranking: str = option("score", f"best on past by one of {', '.join(RANKINGS)}, or your own")
    capital: str = option("equal", f"shared out by one of {', '.join(CAPITAL_RULES)}, or your own")
    controls: tuple[str, ...] = option(tuple(CONTROLS), "simple ways to use the outputs, for comparison; [] for none")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sizes or len(set(self.sizes)) != len(self.sizes):
            raise ExperimentError("sizes must be different numbers, one or more")
        for name in self.controls:
            one_of("controls", name, CONTROLS)
        if len(set(self.controls)) != len(self.controls):
            raise ExperimentError("controls: the same one twice")

    def check_names(self) -> None:
        """Raise `ExperimentError` for a ranking or a rule that is not known."""
        one_of("ranking", self.ranking, RANKINGS)
        one_of("capital", self.capital, CAPITAL_RULES)

    @property
    def descending(self) -> tuple[int, ...]:
        """Sizes, the largest first."""
        return tuple(sorted(self.sizes, reverse=True))

    @property
    def rule(self) -> TierRule:
        """How tiers are formed."""
        return TierRule(self.descending, self.most_alike, self.ranking)
