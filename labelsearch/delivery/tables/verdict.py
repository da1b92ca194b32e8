"""What was shown, at which level, after how many tries, and what more data would be needed."""

from collections.abc import Mapping
from dataclasses import dataclass

from labelsearch.results.ensembles import tier_name
from strategies.luck.power import POWER, T_NEEDED
from strategies.luck.verdict import EDGE, LEVEL, TIMING_ALONE

LEAST_P = 0.001  # smaller p-values are all alike to a reader


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on; p-values by size of the tier, adjusted for the number of tiers."""

    verdict: str
    timing: Mapping[int, float]
    alpha: Mapping[int, float]
    alpha_pct_a_year: Mapping[int, float]
    strategies: int
    looks: str
    years: float
    detectable_sharpe: float
    years_needed: float | None


def p_text(p: float) -> str:
    """A p-value as text."""
    return f"<{LEAST_P:g}" if p < LEAST_P else f"{p:.3f}"


def verdict_text(found: Evidence) -> str:
    """One paragraph."""
    best = min(found.timing, key=lambda size: (found.timing[size], size))
    timing = f"timing of {tier_name(best)} p {p_text(found.timing[best])}"
    if found.alpha:
        size = min(found.alpha, key=lambda size: (found.alpha[size], size))
        earned = f"{found.alpha_pct_a_year[size]:+,.1f} % a year beyond its share of the market after costs"
        alpha = f"{tier_name(size)} earned {earned}, p {p_text(found.alpha[size])}"
    else:
        alpha = "alpha cannot be told"
    what = {
        EDGE: f"Profit after costs is shown at {LEVEL:.0%}: {alpha}; {timing}.",
        TIMING_ALONE: f"Knowledge of direction is shown at {LEVEL:.0%} ({timing}), profit after costs is not: {alpha}.",
    }.get(found.verdict, f"Neither is shown at {LEVEL:.0%}: {timing}; {alpha}.")
    needed = f"{found.years:.1f} years can show a Sharpe ratio of {found.detectable_sharpe:.1f} a year"
    needed += f" (t {T_NEEDED:g}, power {POWER:.0%})"
    if found.years_needed is not None:
        needed += f"; one as large as seen here would need {found.years_needed:,.1f} years of the same"
    return (
        f"Verdict: {found.verdict}. {what} p-values are for {len(found.timing)} tiers, chosen among "
        f"{found.strategies:,} strategies before the future; {found.looks}. {needed}."
    )
