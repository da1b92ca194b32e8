"""Tables of a scan of features."""

import itertools

from labelsearch.delivery.tables.table import Table
from labelsearch.results.scan import Scan, ScanRow

LONGEST = 10  # absent markets that the note lists
AHEAD, BOTH = "later moves", "earlier and later moves"  # what targets hold


def scan_table(found: Scan) -> Table:
    """How many tests were made of what, and how many are discoveries."""
    rows, counts = [], []
    for pooled, ahead in itertools.product((True, False), repeat=2):
        tests = found.family(pooled=pooled, ahead=ahead)
        if tests:
            hits = found.discoveries(tests)
            title = ("all markets together" if pooled else "single markets", AHEAD if ahead else BOTH)
            largest = max(abs(row.rho) for row in tests)
            rows.append((*title, f"{len(tests):,}", f"{len(hits):,}", f"{largest:.3f}"))
            counts.append({"pooled": pooled, "ahead": ahead, "tests": len(tests), "discoveries": len(hits)})
    blocks = ", ".join(f"{target.name} {target.block_days}" for target in found.targets)
    note = (
        f"{found.bars:,} bars of {' .. '.join(found.train)}, the train of split {found.split}, of {len(found.markets)} "
        f"markets; {found.n_features} features against {len(found.targets)} targets. Discoveries at a false-discovery "
        f"rate of {found.level:g} over the tests of each row, whatever they share (Benjamini & Yekutieli 2001)."
        f" Days of a block, by target: {blocks}."
    )
    if found.skipped:
        note += f" {found.skipped:,} pairs are no test: one of the two never changes."
    if found.short:
        note += f" Train is too short after the warm-up of {', '.join(found.short)}."
    if found.absent:
        listed = "; ".join(f"{market} ({reason})" for market, reason in list(found.absent.items())[:LONGEST])
        more = f" and {len(found.absent) - LONGEST} more" if len(found.absent) > LONGEST else ""
        note += f" Left out: {listed}{more}."
    if any(not target.ahead for target in found.targets):
        note += " Labels of turning points hold moves before a bar, too: what goes with them need not know the future."
    columns = ("markets", "targets hold", "tests", "discoveries", "largest correlation")
    data = {name: value for name, value in vars(found).items() if name != "rows"} | {"families": counts}
    return Table("Scan", columns, tuple(rows), n_text=2, note=note, key="scan", data=data)


def strongest_tables(found: Scan, top: int) -> list[Table]:
    """The surest tests of each family, of all markets together and of single ones."""
    made = []
    for pooled, ahead in itertools.product((True, False), repeat=2):
        rows = found.family(pooled=pooled, ahead=ahead)
        if rows:
            title = f"{'All markets together' if pooled else 'Single markets'}, {AHEAD if ahead else BOTH}"
            key = f"{'pooled' if pooled else 'single'}{'' if ahead else '_turning_points'}"
            made.append(_strongest(key, f"{title}: the surest of {len(rows):,}", rows[:top]))
    return made


def _strongest(key: str, title: str, rows: tuple[ScanRow, ...]) -> Table:
    cells = tuple(
        (row.market, row.feature, row.target, f"{row.rho:+.3f}", f"{row.low:+.3f} {row.high:+.3f}", f"{row.p:.1e}",
         f"{row.adjusted:.2g}")
        for row in rows
    )  # fmt: skip
    note = (
        "Spearman's rank correlation, more than 0 where the price rises later when the feature is high: a label counts "
        "with its sign turned. Intervals of 95 % from blocks of days, the same for all markets."
    )
    columns = ("market", "feature", "target", "correlation", "95%", "p", "false-discovery rate")
    return Table(title, columns, cells, n_text=3, note=note, key=key, data=rows)
