"""Tables of a plan."""

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.plan import WANTED, RunPlan
from strategies.luck.power import POWER, T_NEEDED

LONGEST = 40  # absent markets that are listed
SHARED = 0.85  # of its speed has a processor where others share memory and wait for the last of them


def splits_table(plan: RunPlan) -> Table:
    """Windows of every split and its markets."""
    rows = [
        (f"{s.split}", " .. ".join(s.train), " .. ".join(s.past), " .. ".join(s.future), f"{s.markets}")
        for s in plan.splits
    ]
    note = ""
    if plan.absent:
        reasons = {a.market: a.reason for a in plan.absent}
        missing = {market: sum(a.market == market for a in plan.absent) for market in reasons}
        listed = [f"{market} in {n} ({reasons[market]})" for market, n in list(missing.items())[:LONGEST]]
        more = f", and {len(missing) - LONGEST} more markets" if len(missing) > LONGEST else ""
        note = f"Absent from splits: {'; '.join(listed)}{more}."
    columns = ("split", "train", "past", "future", "markets")
    return Table("Splits", columns, tuple(rows), n_text=4, note=note, key="splits", data=plan.splits)


def cost_table(plan: RunPlan, workers: int) -> Table:
    """Estimated time by stage."""
    total = sum(plan.seconds.values())
    rows = [(name, duration(seconds), f"{seconds / total:.0%}") for name, seconds in plan.seconds.items()]
    # cells are shared out where there are as many as workers, else the units of each
    at_work = min(workers, max(plan.units, 1))
    elapsed = total / (at_work * SHARED if at_work > 1 else 1)
    note = (
        f"{plan.cells:,} cells of {plan.units // max(plan.cells, 1):,} units, about {duration(elapsed)} with {workers} "
        f"workers and {plan.disk / 1e9:.1f} GB on disk. Time is that of one core, from rates measured on bitcoin"
    )
    if plan.pace:
        note += ", times what finished runs of this machine took against their estimates."
    else:
        note += " on another machine; --calibrate measures this one."
    columns = ("stage", "time of one core", "share")
    data = {"cells": plan.cells, "units": plan.units, "seconds": plan.seconds, "disk": plan.disk, "pace": plan.pace}
    return Table("Cost", columns, tuple(rows), note=note, key="cost", data=data)


def power_table(plan: RunPlan) -> Table:
    """What could be shown."""
    rows = [
        (
            row.case,
            f"{row.rho:.2f}",
            f"{row.effective_markets:.1f}",
            f"{row.detectable_sharpe:.2f}",
            cell(row.years_needed, ",.1f"),
            "none" if row.markets_needed is None else f"{row.markets_needed:,}",
        )
        for row in plan.power
    ]
    note = (
        f"{plan.years:.1f} years of futures. Detectable: the yearly Sharpe ratio of each market that reaches t = "
        f"{T_NEEDED:g} with a chance of {POWER:.0%}; years and markets that a ratio of {WANTED:g} would need. "
    )
    if plan.is_book:
        note += "A book is one account, however many markets it holds."
    else:
        note += (
            "Accounts that follow their markets correlate as these do (measured before the first future); what is left "
            "once the market's share is taken out correlates far less, so removing beta gains more than adding markets."
        )
    columns = ("case", "correlation", "independent markets", "detectable Sharpe", "years needed", "markets needed")
    return Table("Power", columns, tuple(rows), note=note, key="power", data=plan.power)


def duration(seconds: float) -> str:
    """A length of time as text.

    >>> duration(59.6), duration(3599), duration(9000)
    ('60 s', '60 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
