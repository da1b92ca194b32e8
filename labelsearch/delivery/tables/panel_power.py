"""What the markets and years of a panel can show, and how far its tiers move with the seeds of the classifiers."""

from dataclasses import dataclass

import numpy as np

from labelsearch.delivery.tables.seeds import spread_text
from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel import Panel, shared_correlation
from labelsearch.results.panel_run import PanelResults
from labelsearch.results.studies import Spread
from strategies.luck.power import POWER, T_NEEDED, detectable_sharpe, markets_needed, years_needed

SHARPE = 1.0  # yearly, of each market, for which years and markets are counted


@dataclass(frozen=True)
class PowerRow:
    """What a part of a panel can show; Sharpe ratios are yearly, and those of one market.

    ``years_needed`` and ``markets_needed`` are for a ratio of `SHARPE` in each market; the second is None where no
    number of markets is enough in so many years.
    """

    name: str
    years: float
    markets: float
    effective_markets: float
    detectable_sharpe: float
    years_needed: float | None
    markets_needed: int | None


def power_rows(panel: Panel) -> tuple[PowerRow, ...]:
    """One market in one split, one market over all splits, and the whole panel."""
    power, rho = panel.power, shared_correlation(panel.tiers)
    if panel.book is not None:
        spans = (("the book in one split", power.years / len(panel.splits)), ("the book over all splits", power.years))
        return tuple(
            PowerRow(name, years, power.markets, 1.0, detectable_sharpe(years), years_needed(SHARPE), None)
            for name, years in spans
        )
    parts = (
        ("one market in one split", power.years / len(panel.splits), 1.0, 1.0),
        ("one market over all splits", power.years, 1.0, 1.0),
        ("the whole panel", power.years, power.markets, power.effective_markets),
    )
    return tuple(
        PowerRow(
            name,
            years,
            markets,
            effective,
            detectable_sharpe(years, effective),
            years_needed(SHARPE, effective),
            markets_needed(SHARPE, years, rho),
        )
        for name, years, markets, effective in parts
    )


def power_table(results: PanelResults) -> Table:
    """What can be told apart from luck."""
    panel = results.panel
    found, rho = power_rows(panel), shared_correlation(panel.tiers)
    rows = [
        (
            row.name,
            f"{row.years:.2f}",
            f"{row.markets:.1f}",
            f"{row.effective_markets:.1f}",
            f"{row.detectable_sharpe:.1f}",
            cell(row.years_needed, ",.1f"),
            "-" if row.markets_needed is None else f"{row.markets_needed:,}",
        )
        for row in found
    ]
    columns = (
        "data", "years", "markets", "independent markets", "detectable Sharpe", f"years for {SHARPE:g}",
        f"markets for {SHARPE:g}",
    )  # fmt: skip
    note = (
        f"A Sharpe ratio a year of the book that reaches t {T_NEEDED:g} with a chance of {POWER:.0%}, and the years "
        f"that a ratio of {SHARPE:g} needs. A book is one account, however many markets it holds."
        if panel.book
        else f"A Sharpe ratio a year in each market that reaches t {T_NEEDED:g} with a chance of {POWER:.0%}. Years "
        f"and markets needed are for a ratio of {SHARPE:g} in each market, the other being as it is; a dash where no "
        f"number of markets is enough. Markets correlate at {rho:.2f} beyond what they all do, so many "
        "of them count as few independent ones."
    )
    if panel.power.years_needed is not None:
        note += f" What was earned beyond the basket here would need {panel.power.years_needed:,.1f} years of the same."
    return Table("What it could have shown", columns, tuple(rows), note=note, key="power", data=found)


def spreads(panel: Panel) -> dict[int, Spread]:
    """Total return in percent over the seeds of the classifiers, by size of the tier; empty without other seeds."""
    if panel.seeds is None:
        return {}
    return {
        size: Spread(len(v), float(np.mean(v)), float(np.std(v, ddof=1)), min(v), max(v))
        for size, v in panel.seeds.total_pct.items()
    }


def panel_seeds_table(results: PanelResults) -> Table:
    """Spread of the stitched return over the seeds of the classifiers."""
    found = spreads(results.panel)
    rows = [
        (tier_name(n), str(over.n), f"{results.panel.tier(n).total_pct:+,.1f}", spread_text(over, 1))
        for n, over in found.items()
    ]
    note = (
        "Mean ± standard deviation [lowest highest] of the whole panel, its own seed among them. Classifiers are "
        "trained and strategies searched again in every cell. Each repetition is a look at every future."
    )
    columns = ("tier", "seeds", "total %", "over seeds")
    return Table("Spread over classifier seeds", columns, tuple(rows), note=note, key="seeds", data=results.panel.seeds)
