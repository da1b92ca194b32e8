"""How far the tiers of a run move with its seeds."""

from labelsearch.delivery.table import Table
from labelsearch.pipeline import seeds
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import ensembles

FIGURES = (("return %", "total_return"), ("Sharpe", "sharpe"))


def spread_text(found: seeds.Spread) -> str:
    """Mean, standard deviation, lowest and highest, e.g. ``+1.2±0.8 [-0.1 +2.5]``."""
    return f"{found.mean:+.1f}±{found.deviation:.1f} [{found.low:+.1f} {found.high:+.1f}]"


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
    titles = tuple(f"{title}, {len(tables)} seeds" for title, _ in FIGURES)
    cells = [
        tuple(spread_text(seeds.spread(tables, row["tier"], row["window"], figure)) for _, figure in FIGURES)
        for row in own
    ]
    return titles, cells


def seeds_table(context: Context) -> Table:
    """Spread of return and Sharpe ratio over search seeds, and over classifier seeds."""
    own = ensembles.load(context)["table"]
    found = seeds.load(context)
    rows = []
    for row in own:
        if row["tier"] == ensembles.MARKET:
            continue
        for kind in seeds.KINDS:
            if found[kind]:
                spreads = [seeds.spread([own, *found[kind]], row["tier"], row["window"], name) for _, name in FIGURES]
                single = (f"{row['total_return']:+.1f}", f"{row['sharpe']:+.2f}")
                figures = (single[0], spread_text(spreads[0]), single[1], spread_text(spreads[1]))
                rows.append((row["tier"], row["window"], kind, str(spreads[0].n), *figures))
    columns = ("tier", "window", "seeds of", "seeds", "return %", "over seeds", "Sharpe", "over seeds")
    note = (
        "Mean ± standard deviation [lowest highest], the run's own seed among them. Other classifier seeds train and "
        "search anew, other search seeds search anew. Each is a look at this future, and counted as one."
    )
    return Table("Spread over seeds", columns, tuple(rows), n_text=3, note=note)
