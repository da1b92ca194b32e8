"""Result of the controls stage, and how tiers compare with controls."""

from dataclasses import dataclass

from labelsearch.results.record import Record
from strategies.tiers.controls.control import N_TRADED, Fit


@dataclass(frozen=True)
class FittedControl:
    """A control as it was fitted on past.

    ``score``: on past, of its account as if that were one strategy; None where it could not be fitted.
    """

    name: str
    title: str
    fit: Fit
    score: float | None


@dataclass(frozen=True)
class Controls(Record):
    """All controls that were asked for, in their order, and the bars over which stackings predict the return."""

    FILE = "controls.json"
    horizon_bars: int
    outputs: tuple[str, ...]
    fitted: tuple[FittedControl, ...]

    @property
    def traded(self) -> tuple[FittedControl, ...]:
        """Those that could be fitted."""
        return tuple(control for control in self.fitted if not control.fit.reason)

    @property
    def best(self) -> FittedControl | None:
        """The one with the best score on past, the first of equals; None without any."""
        return max(self.traded, key=lambda control: control.score or 0.0, default=None)

    @property
    def trial_counts(self) -> dict[str, int]:  # type: ignore[override]
        """Ways of trading that were tried."""
        return {"control_trials": N_TRADED * sum(control.fit.stack is not None for control in self.fitted)}


@dataclass(frozen=True)
class TierAgainst:
    """A tier less the best control on future: mean difference of daily returns in basis points, with its interval."""

    size: int
    mean_bp: float
    low_bp: float | None  # 95%; None where the days are too few, or nothing differs
    high_bp: float | None


@dataclass(frozen=True)
class AgainstControls:
    """Whether tiers beat the controls.

    Attributes
    ----------
    names : tuple of str
        Controls in the table of tiers, by their titles there.
    best : str or None
        The one with the best score on past; None without any.
    tiers : tuple of TierAgainst
    """

    names: tuple[str, ...]
    best: str | None
    tiers: tuple[TierAgainst, ...]
