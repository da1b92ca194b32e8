"""How far the tiers of a run move with its seeds."""

from labelsearch.delivery.table import Table
from labelsearch.pipeline import seeds
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import ensembles

FIGURES = (("return %", "total_return", 1), ("Sharpe", "sharpe", 2))  # title, figure, digits


def spread_text(found: seeds.Spread, digits: int) -> str:
    """Mean, standard deviation, lowest and highest, e.g. ``+1.2±0.8 [-0.1 +2.5]``."""
    mean, low, high = (f"{x:+.{digits}f}" for x in (found.mean, found.low, found.high))
    return f"{mean}±{found.deviation:.{digits}f} [{low} {high}]"


def seeds_note(context: Context) -> str:
    """A sentence that says over how many seeds the figures are spread."""
    found = seeds.load(context)
    counts = {kind: len(found[kind]) for kind in seeds.KINDS}
    if not sum(counts.values()):
        return "One search seed and one classifier seed: take no figure for more than that."
    parts = [f"{counts[kind] + 1} {kind} seeds" if counts[kind] else f"one {kind} seed" for kind in seeds.KINDS]
    return f"Spread over {parts[0]} and {parts[1]}: no single figure is known better than that."


def spread_columns(context: Context) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Titles, and cells for every row of the run's table of tiers; nothing without other seeds."""
    own = ensembles.load(context)["table"]
    found = seeds.load(context)
    tables = [own, *(table for kind in seeds.KINDS for table in found[kind])]
    if len(tables) < 2:
        return (), [()] * len(own)
    titles = tuple(f"{title}, {len(tables)} seeds" for title, _, _ in FIGURES)
    cells = [
        tuple(spread_text(seeds.spread(tables, row["tier"], row["window"], figure), n) for _, figure, n in FIGURES)
        for row in own
    ]
    return titles, cells


def seeds_table(context: Context) -> Table:
    """Spread of return and Sharpe ratio over search seeds, and over classifier seeds."""
    own = ensembles.load(context)["table"]
    found = seeds.load(context)
    rows = []
    for row in own:
        if row["tier"] in ensembles.BASELINES:
            continue
        for kind in seeds.KINDS:
            if found[kind]:
                figures = []
                for _, name, digits in FIGURES:
                    spread = seeds.spread([own, *found[kind]], row["tier"], row["window"], name)
                    figures += [f"{row[name]:+.{digits}f}", spread_text(spread, digits)]
                rows.append((row["tier"], row["window"], kind, str(len(found[kind]) + 1), *figures))
    columns = ("tier", "window", "seeds of", "seeds", "return %", "over seeds", "Sharpe", "over seeds")
    note = (
        "Mean ± standard deviation [lowest highest], the run's own seed among them. Other classifier seeds train and "
        "search anew, other search seeds search anew. Each is a look at this future, and counted as one."
    )
    return Table("Spread over seeds", columns, tuple(rows), n_text=3, note=note, key="seeds", data=found)
