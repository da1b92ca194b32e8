"""Table of the null study."""

import numpy as np

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.studies import NullResult


def null_table(found: NullResult) -> Table:
    """Where the real result stands among those of shifted outputs."""
    rows = []
    for entry in found.statistics:
        low, middle, high = np.quantile(entry.shifted, (0.05, 0.5, 0.95))
        figures = (f"{x:+.2f}" for x in (entry.real, low, middle, high))
        rows.append((entry.name, *figures, cell(entry.p_value, ".3f")))
    note = (
        f"Search and tiers on {found.repeats} circular shifts of the outputs against the prices, "
        f"{found.n_strategies:,} strategies each, and once as they are, at the same budget. Score: percent a "
        "month. Timing: return of a tier over its standard error, costs apart. p: share of all that do as well as the "
        "real one, itself counted; small means more than luck. The others have none: shifted outputs do not know when "
        "prices move much either."
    )
    columns = ("", "real", "null 5%", "median", "95%", "p")
    return Table("Against outputs that know nothing", columns, tuple(rows), note=note, key="null", data=found)
