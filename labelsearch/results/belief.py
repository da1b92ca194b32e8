"""How far a ranking can be believed: figures of the ensembles stage."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelsearch.results.diversity import Diversity
from labelsearch.results.record import Record, apart
from strategies.luck.deflated_sharpe import SharpeMoments, deflated_sharpe
from strategies.luck.superior_ability import SuperiorAbility


@dataclass(frozen=True)
class RankInterval:
    """Spearman's rho of past score and future return over n strategies, and its range over resampled blocks of days.

    It has no p-value: near-duplicates hold little more evidence than one of them, so a naive one is far too small.
    """

    rho: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class RankBelief:
    """Whether past score ranks future return, over all strategies and over those of positive score."""

    block_days: int
    n_reps: int
    all: RankInterval | None
    positive: RankInterval | None
    partial: float | None  # given mean position and trades a month


@dataclass(frozen=True)
class TierSharpe:
    """Sharpe ratio of a tier on past, a day's, with what its error depends on."""

    moments: SharpeMoments
    annual: float
    probabilistic: float | None


@dataclass(frozen=True)
class Deflated:
    """Deflated Sharpe ratio three ways.

    ``all``: the published formula with every try counted. ``different``: as many tries as there are different
    strategies, and a variance of their ratios no smaller than that of chance, 1 / (days - 1): correlation lowers the
    variance of the tries, and is paid for by their number already. ``luck``: as many, and the variance of chance alone:
    losses to fees, which spread the ratios further, do not count as luck. It is never below ``different``.
    """

    all: float
    different: float
    luck: float


@dataclass(frozen=True)
class SharpeBelief:
    """Sharpe ratios of the tiers on past, and the tries behind them."""

    n_trials: int
    n_effective: float
    variance: float  # of the ratios of all tries
    tiers: dict[int, TierSharpe]

    def deflated(self, n_trials: int) -> dict[int, Deflated]:
        """By tier, with ``n_trials`` tries in all; tiers with fewer than two days are left out."""
        found = {}
        for size, tier in self.tiers.items():
            moments, chance = tier.moments, 1.0 / max(tier.moments.n - 1, 1)
            if moments.n > 1:
                found[size] = Deflated(
                    deflated_sharpe(moments, n_trials, self.variance),
                    deflated_sharpe(moments, self.n_effective, max(self.variance, chance)),
                    deflated_sharpe(moments, self.n_effective, chance),
                )
        return found


@dataclass(frozen=True)
class SplitsBelief:
    """What cross-validated choices came to; shares are of splits."""

    pbo: float  # probability of backtest overfitting
    slope: float
    loss_share: float
    n_blocks: int
    n_splits: int
    logit: dict[str, float]  # by quantile


@dataclass(frozen=True)
class TierSources:
    """Where the result of a tier in a window comes from."""

    tier: int
    window: str
    alpha_pct_a_year: float | None
    alpha_t: float | None
    alpha_p_value: float | None  # of no alpha above 0, adjusted for the number of tiers
    beta: float | None
    beta_t: float | None
    total_return_pct: float
    at_costs_pct: dict[str, float]
    without_best_fortnight_pct: float | None
    best_fortnight: str | None  # its first day
    weight_correlation: float | None  # mean over pairs of members
    return_correlation: float | None


@dataclass(frozen=True)
class MembersSpread:
    """A figure of a tier on past with the outputs of each network alone, and with their mean, as the run has it."""

    of_mean: float
    by_network: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the networks."""
        return statistics.fmean(self.by_network)

    @property
    def deviation(self) -> float:
        """Sample standard deviation over the networks."""
        return statistics.stdev(self.by_network)

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest."""
        return min(self.by_network), max(self.by_network)


@dataclass(frozen=True)
class MembersTier:
    """What single networks in place of their mean do to a tier on past.

    Attributes
    ----------
    tier : int
        Its size.
    total_return_pct : MembersSpread
        At equal capital.
    score : MembersSpread
        Mean over the strategies of the tier.
    agreement : float
        Share of bars and strategies at which two networks want the same: to buy, to sell, or neither. Mean over pairs.
    """

    tier: int
    total_return_pct: MembersSpread
    score: MembersSpread
    agreement: float


@dataclass(frozen=True)
class TierExit:
    """What early exit would have done to a tier on the later half of past, its rule fitted on the earlier half.

    Attributes
    ----------
    tier : int
        Its size.
    rule : str
        ``bounded``, which cannot err, ``measured``, or ``either side``, by which orders may have other sizes.
    exit_share : float
        Share of bars at which not all networks need be asked.
    mean_asked : float
        Networks asked at a bar.
    equal_decisions : float
        Share of bars and strategies at which what is wanted is the same as with all networks.
    equal_orders : float
        Share at which orders, and their sizes, are.
    return_gap_pct : float
        Return of the tier less that with all networks, percentage points.
    """

    tier: int
    rule: str
    exit_share: float
    mean_asked: float
    equal_decisions: float
    equal_orders: float
    return_gap_pct: float


@dataclass(frozen=True)
class MembersBelief:
    """How far a run moves with the seed of its classifiers: past with each network alone, without another search.

    Attributes
    ----------
    n_networks : int
        Whose outputs are averaged.
    correlation : dict of str to (float or None)
        Mean correlation of all pairs of networks, by output; None where one does not vary.
    tiers : tuple of MembersTier
    sureness : float
        Of early exit, 0 where it was not asked for.
    exits : tuple of TierExit
    """

    n_networks: int
    correlation: dict[str, float | None]
    tiers: tuple[MembersTier, ...]
    sureness: float
    exits: tuple[TierExit, ...]

    @property
    def mean_correlation(self) -> float | None:
        """Over the outputs that have one."""
        known = [value for value in self.correlation.values() if value is not None]
        return statistics.fmean(known) if known else None


@dataclass(frozen=True)
class Belief(Record):
    """All of it, and the verdict. By window: ``past`` or ``future``."""

    FILE = "belief.json"
    verdict: str
    days: dict[str, int]
    rank: RankBelief
    sharpe: SharpeBelief
    overfitting: dict[str, SplitsBelief] | None  # by statistic; None where the window is too short
    superior: dict[str, SuperiorAbility | None]
    tiers: tuple[TierSources, ...]
    members: MembersBelief | None  # None where every classifier is one network
    diversity: Diversity = apart()

    def save_parts(self, folder: Path) -> None:
        """Write the files of the diversity."""
        self.diversity.save(folder)

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """The diversity."""
        return {"diversity": Diversity.load(folder)}

    def alpha_p(self, window: str) -> dict[int, float]:
        """p-values of alpha in a window by size of the tier, adjusted for their number; without those that are None."""
        return {
            row.tier: row.alpha_p_value for row in self.tiers if row.window == window and row.alpha_p_value is not None
        }
