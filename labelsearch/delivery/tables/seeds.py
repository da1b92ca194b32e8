"""Tables of how far the tiers of a run move with its seeds."""

from labelsearch.delivery.tables.table import Table
from labelsearch.results.run import Results
from labelsearch.results.studies import SEED_KINDS, Spread, spread

FIGURES = (("return %", "total_return_pct", 1), ("Sharpe", "sharpe", 2))  # title, figure, digits


def spread_text(found: Spread, digits: int) -> str:
    """Mean, standard deviation, lowest and highest, e.g. ``+1.2±0.8 [-0.1 +2.5]``."""
    mean, low, high = (f"{x:+.{digits}f}" for x in (found.mean, found.low, found.high))
    return f"{mean}±{found.deviation:.{digits}f} [{low} {high}]"


def seeds_note(results: Results) -> str:
    """A sentence that says over how many seeds the figures are spread."""
    counts = {kind: len(results.seeds.of(kind)) for kind in SEED_KINDS}
    if not sum(counts.values()):
        return "One search seed and one classifier seed: no figure means more than that."
    parts = [f"{n + 1} {kind} seeds" if n else f"one {kind} seed" for kind, n in counts.items()]
    return f"Spread over {parts[0]} and {parts[1]}: no single figure is known better than that."


def spread_columns(results: Results) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Titles, and cells for every row of the run's table of tiers; nothing without other seeds."""
    own = results.ensembles.rows
    tables = (own, *results.seeds.tables)
    if len(tables) < 2:
        return (), [()] * len(own)
    titles = tuple(f"{title}, {len(tables)} seeds" for title, _, _ in FIGURES)
    cells = [tuple(spread_text(spread(tables, row, figure), n) for _, figure, n in FIGURES) for row in own]
    return titles, cells


def seeds_table(results: Results) -> Table:
    """Spread of return and Sharpe ratio over search seeds, and over classifier seeds."""
    own, rows = results.ensembles.rows, []
    for row in own:
        for kind in SEED_KINDS:
            tables = results.seeds.of(kind)
            if row.size is None or not tables:
                continue
            figures = []
            for _, name, digits in FIGURES:
                over = spread((own, *tables), row, name)
                figures += [f"{getattr(row.figures, name):+.{digits}f}", spread_text(over, digits)]
            rows.append((row.name, row.window, kind, str(len(tables) + 1), *figures))
    columns = ("tier", "window", "seeds of", "seeds", "return %", "over seeds", "Sharpe", "over seeds")
    note = (
        "Mean ± standard deviation [lowest highest], the run's own seed among them. Other classifier seeds train and "
        "search again, other search seeds search again. Each is a look at this future, and counted as one."
    )
    data = {kind: [[row.flat() for row in table] for table in results.seeds.of(kind)] for kind in SEED_KINDS}
    return Table("Spread over seeds", columns, tuple(rows), n_text=3, note=note, key="seeds", data=data)
