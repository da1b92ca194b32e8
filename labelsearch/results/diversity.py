"""Diversity of strategies and of classifiers: a part of the result of the belief stage."""

from dataclasses import dataclass

import pandas as pd

from labelsearch.results.record import Record, apart

HELPS, HARMS, UNKNOWN = "helps", "harms", "cannot be told"


@dataclass(frozen=True)
class TierDiversity:
    """How unlike the members of a tier are in a window, by their residual returns.

    Attributes
    ----------
    tier : int
        Its size.
    window : str
    effective_bets : float
    mean_correlation, largest_correlation : float, optional
        Over all pairs of members that moved; None with fewer than two of them.
    """

    tier: int
    window: str
    effective_bets: float
    mean_correlation: float | None
    largest_correlation: float | None


@dataclass(frozen=True)
class LabelDiversity:
    """Losses of the networks of a label on past; see `labelsearch.classifiers.ambiguity.EnsembleLoss`.

    ``loss``: ``cross entropy`` in nats, or ``squared error`` of moves in units of outputs.
    """

    label: str
    loss: str
    n_networks: int
    n_bars: int
    single_loss: float
    ensemble_loss: float
    naive_loss: float
    correlation: float | None

    @property
    def ambiguity(self) -> float:
        """What averaging takes from the loss; not below 0 but for rounding."""
        return self.single_loss - self.ensemble_loss

    @property
    def relative_loss(self) -> float | None:
        """Loss of the mean as a share of that without knowledge; None where nothing varies."""
        return self.ensemble_loss / self.naive_loss if self.naive_loss > 0 else None


@dataclass(frozen=True)
class AcrossLabels:
    """Whether labels whose networks differ more have lower losses.

    Attributes
    ----------
    n : int
        Labels that have both figures.
    rho : float, optional
        Spearman's, of 1 - correlation of networks and of the loss of their mean as a share of that without knowledge.
        None below three labels, or where one of the two does not vary.
    p_value : float, optional
        Share of permutations of labels whose rho is as far from 0.
    """

    n: int
    rho: float | None
    p_value: float | None

    @property
    def verdict(self) -> str:
        """``helps``, ``harms`` or ``cannot be told``, at a level of 5%."""
        if self.rho is None or self.p_value is None or self.p_value > 0.05:
            return UNKNOWN
        return HELPS if self.rho < 0 else HARMS


@dataclass(frozen=True)
class Diversity(Record):
    """How unlike strategies and networks are.

    Attributes
    ----------
    tiers : tuple of TierDiversity
        Past first, the largest tier first.
    shares : tuple of float
        Share of the variance that each of the two components of the map explains.
    n_still : int
        Strategies of the sample that are not on the map, as they have no residual returns.
    order : tuple of int
        Places in ``correlation``, alike members side by side.
    labels : tuple of LabelDiversity
        Empty where every classifier is one network.
    across : AcrossLabels
    points : DataFrame
        ``row`` of the strategy, ``x`` and ``y``: a sample of all strategies, and the members, on the map of past.
    correlation : DataFrame
        Of residual returns on past: best members of the largest tier, at most a hundred, best first, named by the rows
        of the strategies.
    """

    FILE = "diversity.json"
    tiers: tuple[TierDiversity, ...]
    shares: tuple[float, float]
    n_still: int
    order: tuple[int, ...]
    labels: tuple[LabelDiversity, ...]
    across: AcrossLabels
    points: pd.DataFrame = apart("map.parquet")
    correlation: pd.DataFrame = apart("correlation.parquet")
