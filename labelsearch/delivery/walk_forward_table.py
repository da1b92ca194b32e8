"""Table of tiers picked anew against fixed ones."""

from typing import Any

from labelsearch.delivery.table import Table
from labelsearch.delivery.tables import TIER_FIGURES, figure_cells

LEFT_OUT = ("matched_return",)  # for want of room
FIGURES = tuple(figure for figure in TIER_FIGURES if figure[1] not in LEFT_OUT)


def walk_forward_table(found: dict[str, Any]) -> Table:
    """Figures of every tier, fixed and picked anew, and of the baselines."""
    rows = []
    for row in found["table"]:
        against = changed = ""
        if row.get("replaced") is not None:
            gain = row["gain"]
            changed = f"{row['replaced']:.0f}"
            against = f"{gain['monthly']:+.2f} [{gain['low']:+.1f} {gain['high']:+.1f}]"
        rows.append((row["tier"], row["kind"], *figure_cells(row, FIGURES), changed, against))
    days = found["days"]
    note = (
        f"{found['window'].capitalize()}: {days['traded']} days traded after {days['known']} known. Picked anew every "
        f"{found['every']} days from all {found['n_strategies']:,} strategies by their last {found['trailing']} days, "
        "or as many as there are; what a switch trades is paid. Replaced: members that a pick changes. Gain: % a month "
        "over the same tier fixed, with its 95% interval over blocks of days."
    )
    if found["window"] == "past":
        note += " The strategies were found on the whole of past: returns here are too good, for all tiers alike."
    else:
        note += " This was a look at the future, and counted as one."
    if len(found["picks"]) < 2:
        note += " The window ends before the second pick: choose a smaller --every."
    columns = ("tier", "members", *(title for title, _, _ in FIGURES), "replaced %", "gain, % a month")
    title = "Fixed tiers and tiers picked anew"
    return Table(title, columns, tuple(rows), n_text=2, note=note, key="walk_forward", data=found)
