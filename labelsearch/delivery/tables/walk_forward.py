"""Table of tiers picked anew against fixed ones."""

from labelsearch.delivery.tables.stages import TIER_FIGURES, figure_cells
from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.studies import WalkForward

LEFT_OUT = ("matched_return_pct",)  # for want of room
FIGURES = tuple(figure for figure in TIER_FIGURES if figure[1] not in LEFT_OUT)


def walk_forward_table(found: WalkForward) -> Table:
    """Figures of every tier, fixed and picked anew, and of the baselines."""
    rows = []
    for row in found.rows:
        against = changed = ""
        if row.gain is not None and row.replaced_pct is not None:
            changed = cell(row.replaced_pct, ".0f")
            against = f"{row.gain.monthly_pct:+.2f} [{row.gain.low_pct:+.1f} {row.gain.high_pct:+.1f}]"
        rows.append((row.name, row.kind, *figure_cells(row.figures, FIGURES), changed, against))
    note = (
        f"{found.window.capitalize()}: {found.days_traded} days traded after {found.days_known} known. Picked anew "
        f"every {found.every} days from all {found.n_strategies:,} strategies by their last {found.trailing} days, or "
        "as many as there are; the costs of switching are paid. Replaced: members that a pick changes. Gain: % a month "
        "over the same tier fixed, with its 95% interval over blocks of days."
    )
    if found.window == "past":
        note += " The strategies were found on the whole of past: returns here are too good, for all tiers alike."
    else:
        note += " This was a look at the future, and counted as one."
    if len(found.picks) < 2:
        note += " The window ends before the second pick: choose a smaller --every."
    columns = ("tier", "members", *(title for title, _, _ in FIGURES), "replaced %", "gain, % a month")
    data = {**{n: x for n, x in vars(found).items() if n not in ("equity", "rows")}, "table": _records(found)}
    title = "Fixed tiers and tiers picked anew"
    return Table(title, columns, tuple(rows), n_text=2, note=note, key="walk_forward", data=data)


def _records(found: WalkForward) -> list[dict[str, object]]:
    """Rows as flat records."""
    flat = []
    for row in found.rows:
        named = {"tier": row.name, "size": row.size, "kind": row.kind}
        more = {"replaced_pct": row.replaced_pct, "moved_pct": row.moved_pct, "gain": row.gain}
        flat.append({**named, **row.figures._asdict(), **more})
    return flat
