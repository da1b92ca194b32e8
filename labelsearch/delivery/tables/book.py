"""Tables of a book: what it is watched by, year by year, how its wishes foretell, and where its alpha stands."""

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.delivery.tables.verdict import p_text
from labelsearch.results.book import Book, LegYear
from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel_run import PanelResults
from strategies.book.watch import ROLLING_DAYS

LEGS = ("long", "short", "fees", "spread", "impact", "funding", "borrow", "net", "return")


def book_of(results: PanelResults) -> Book:
    """The book of a run that has one."""
    book = results.panel.book
    assert book is not None
    return book


def watched_table(results: PanelResults) -> Table:
    """Neutrality, exposure, turnover and capacity of every tier."""
    book = book_of(results)
    rows = [
        (
            row.name,
            "yes" if row.is_neutral else "no",
            f"{row.neutrality.beta:+.3f}",
            f"{row.neutrality.correlation:+.2f}",
            f"{row.neutrality.rolling_mean:+.3f}",
            f"{row.neutrality.rolling_worst:+.3f}",
            f"{100 * row.neutrality.outside_share:.0f}",
            f"{row.net_pct:+.1f}",
            f"{row.net_worst_pct:+.1f}",
            f"{row.gross_pct:.0f}",
            f"{row.gross_most_pct:.0f}",
            f"{row.turnover_a_day:.2f}",
            cell(row.capacity, ",.0f"),
            cell(row.recovery_days, ",.0f"),
        )
        for row in book.tiers
    ]
    columns = (
        "account", "neutral", "beta", "correlation", f"beta {ROLLING_DAYS} d", "worst", "outside %", "net %", "worst %",
        "gross %", "most %", "turnover a day", "capacity", "recovery days",
    )  # fmt: skip
    note = (
        f"Against the basket, by daily returns; {ROLLING_DAYS} d: of trailing days, mean, the largest in size, and the "
        f"share of days beyond {book.beta_bound:g}. A book is called neutral if its beta, and nine in ten of the "
        "trailing ones, are within that. Net and gross: sum of positions and of their sizes, in equity. Turnover: "
        "value traded, in equity. Capacity: capital at which impact takes half of the gain, in the quote currency; a "
        "dash without [costs] impact, or without a gain. Recovery: from the bottom of the largest fall; a dash if not "
        "yet."
    )
    return Table("Neutrality and exposure", columns, tuple(rows), n_text=2, note=note, key="watched", data=book.tiers)


def leg_table(results: PanelResults) -> Table:
    """Where the gain of every tier came from, year by year."""
    book = book_of(results)
    rows = [_leg_row(row) for tier in book.tiers for row in (*tier.years, tier.total)]
    note = (
        "Percent of the equity that the account began with; return: net, of its equity at the start of the year. Long "
        "and short: price moves of either leg. What follows is paid; funding below 0 was received."
    )
    columns = ("account", "year", *(f"{name} %" for name in LEGS))
    return Table("Gain by leg", columns, tuple(rows), n_text=2, note=note, key="legs", data=book.tiers)


def _leg_row(row: LegYear) -> tuple[str, ...]:
    signed = dict.fromkeys(("long", "short", "net", "return"), "+.2f")
    values = (f"{getattr(row, f'{name}_pct'):{signed.get(name, '.2f')}}" for name in LEGS)
    return (row.name, str(row.year) if row.year else "all", *values)


def strength_table(results: PanelResults) -> Table:
    """Rank correlation of what was wished and what followed."""
    book = book_of(results)
    several = any(row.interval for row in book.strength)
    rows = [
        (
            row.name,
            *((row.interval or "all",) if several else ()),
            f"{row.hours:g}",
            f"{row.correlation:+.4f}",
            f"{row.error:.4f}",
            cell(row.correlation / row.error if row.error > 0 else None, "+.2f"),
            f"{row.times:,}",
        )
        for row in book.strength
    ]
    note = (
        "Spearman across the markets of the moment, of the weight wanted (times volatility) and the return of the next "
        "hours less beta times the basket's (over volatility), from the open after the decision; mean over times that "
        "do not overlap, its standard error, and their ratio."
    )
    if several:
        note += " Intervals: wishes of the outputs of bars of that length alone."
    columns = ("account", *(("interval",) if several else ()), "hours", "rank correlation", "error", "ratio", "times")
    return Table("Wishes and what followed", columns, tuple(rows), note=note, key="strength", data=book.strength)


def shift_table(results: PanelResults) -> Table:
    """Where the alpha of every tier stands among those of outputs that know nothing."""
    book, panel = book_of(results), results.panel
    rows = []
    for row in panel.tiers:
        if row.size is None:
            continue
        shifts, null = book.shifts, book.null
        rows.append((
            row.name,
            cell(row.alpha.t if row.alpha else None, "+.2f"),
            cell(shifts.mean_t[row.size] if shifts else None, "+.2f"),
            cell(shifts.high_t[row.size] if shifts else None, "+.2f"),
            p_text(shifts.p_value[row.size]) if shifts else "-",
            cell(sum(null.t[row.size]) / null.repeats if null else None, "+.2f"),
            cell(max(null.t[row.size]) if null else None, "+.2f"),
            p_text(null.p_value[row.size]) if null else "-",
        ))  # fmt: skip
    parts = []
    if book.shifts:
        parts.append(
            f"Shifted: the same strategies on outputs of all markets moved by the same time in a circle, "
            f"{book.shifts.shifts} times; mean and 95% of their t, and the share that is as high."
        )
    if book.null:
        parts.append(
            f"Null: {book.null.repeats} searches of {book.null.n_strategies:,} strategies on shifted pasts, traded on "
            "shifted futures; mean and largest t."
        )
    columns = (
        "account", "alpha t", "shifted mean", "95%", "p", "null mean", "largest", "p of null",
    )  # fmt: skip
    note = " ".join(parts) or "Neither shifts nor a null were asked for."
    data = {"shifts": book.shifts, "null": book.null}
    return Table("Alpha among shifted outputs", columns, tuple(rows), note=note, key="shifted", data=data)


def book_tables(results: PanelResults) -> list[Table]:
    """All tables of a book; none of a run without one."""
    if results.panel.book is None:
        return []
    return [watched_table(results), leg_table(results), strength_table(results), shift_table(results)]


def book_sentences(results: PanelResults) -> list[str]:
    """What a book says of itself, a sentence each."""
    book, found = book_of(results), []
    if book.kind == "neutral":
        not_neutral = [row.name for row in book.tiers if not row.is_neutral]
        if not_neutral:
            found.append(
                f"Not neutral, though it was to be: {', '.join(not_neutral)}; beta to the basket or more than a tenth "
                f"of its trailing betas lies beyond {book.beta_bound:g}."
            )
        else:
            found.append(f"All tiers were neutral: trailing betas to the basket stayed within {book.beta_bound:g}.")
    if book.shifts:
        p_values = book.shifts.p_value
        best = min(p_values, key=lambda n: (p_values[n], n))
        found.append(
            f"Among {book.shifts.shifts} shifts of the outputs, alpha of {tier_name(best)} has p "
            f"{p_text(p_values[best])}, the smallest of {len(p_values)} tiers."
        )
    return found
