"""Table of the null mode."""

from typing import Any

import numpy as np

from labelsearch.delivery.table import Table


def null_table(found: dict[str, Any]) -> Table:
    """Where the real result stands among those of shifted outputs."""
    rows = []
    for name, entry in found["statistics"].items():
        low, middle, high = np.quantile(entry["null"], (0.05, 0.5, 0.95))
        figures = (f"{entry['real']:+.2f}", f"{low:+.2f}", f"{middle:+.2f}", f"{high:+.2f}", f"{entry['p_value']:.3f}")
        rows.append((name, *figures))
    note = (
        f"Search and tiers on {found['repeats']} circular shifts of the outputs against the prices, "
        f"{found['n_strategies']:,} strategies each, and once as they are, at the same budget. Returns are percent a "
        "month. p: share of all that do as well as the real one, itself counted; small means more than luck."
    )
    columns = ("", "real", "null 5%", "median", "95%", "p")
    return Table("Against outputs that know nothing", columns, tuple(rows), note=note, key="null", data=found)
