"""Tables of hedges beside the tiers of a run."""

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.delivery.tables.verdict import p_text
from labelsearch.results.hedges import METHODS, SURE, HedgeRow, Hedges


def hedge_tables(found: Hedges) -> list[Table]:
    """All of them."""
    within = [within_table(found)] if found.within() else []
    return [hedge_table(found), *within, fit_table(found)]


def _figures(row: HedgeRow) -> tuple[str, ...]:
    figures = row.figures
    gain = "-"
    if figures.gain is not None:
        gain = f"{figures.gain.value:+.2f} [{figures.gain.low:+.2f} {figures.gain.high:+.2f}]"
    return (
        cell(figures.correlation, "+.2f"),
        cell(figures.beta, "+.2f"),
        cell(figures.share_pct, ".0f"),
        f"{figures.sharpe_base:.2f}",
        f"{figures.sharpe_hedge:.2f}",
        cell(figures.sharpe_pair, ".2f"),
        gain,
        f"{figures.drawdown_base_pct:.1f}",
        f"{figures.drawdown_hedge_pct:.1f}",
        cell(figures.drawdown_pair_pct, ".1f"),
    )


FIGURES = (
    "correlation", "beta", "share %", "Sharpe base", "hedge", "pair", "gain [95%]", "max DD base %", "hedge", "pair",
)  # fmt: skip


def _shares(found: Hedges) -> str:
    return (
        f"Judged on {found.n_days} days, {' .. '.join(found.days)}. A pair holds both in shares inverse to their "
        f"volatilities on {' .. '.join(found.lead)} and nothing later, set anew every day at {found.cost_bp:.1f} bp of "
        "what is moved; share: of the hedge. Gain: Sharpe ratio of the pair less that of the base, with its interval "
        "over blocks of days."
    )


def _records(rows: tuple[HedgeRow, ...]) -> list[dict[str, object]]:
    return [
        {"base": row.base, "size": row.size, "market": row.market, "method": row.method, **row.figures._asdict(),
         "adjusted": row.adjusted, "is_hedge": row.is_hedge}
        for row in rows
    ]  # fmt: skip


def hedge_table(found: Hedges) -> Table:
    """Hedges over all markets beside every tier."""
    rows = tuple(
        (row.base, row.method, *_figures(row), "-" if row.adjusted is None else p_text(row.adjusted),
         "yes" if row.is_hedge else "no")
        for row in found.over_all()
    )  # fmt: skip
    markets = len(found.markets)
    where = "of the market" if markets == 1 else f"of {markets} markets, with equal capital in each as for the tiers"
    note = (
        f"On {found.window}: hedges {where}; combined has equal capital in the four methods. {_shares(found)} p is "
        f"adjusted for the number of rows. A hedge is called one if p is at most {SURE:g} and the pair's drawdown is "
        "the smaller one."
    )
    if found.window == "past":
        note += " The tiers were chosen on this past: their own ratio is too good, and leaves a hedge little to add."
    columns = ("base", "hedge", *FIGURES, "p", "a hedge")
    data = {name: value for name, value in vars(found).items() if name not in ("rows", "fits", "equity")}
    records = {**data, "rows": _records(found.over_all())}
    return Table("Hedges of the tiers", columns, rows, n_text=2, note=note, key="hedges", data=records)


def within_table(found: Hedges) -> Table:
    """Hedges in single markets beside the largest tier."""
    largest = max(found.sizes)
    rows = tuple((row.market, row.method, *_figures(row)) for row in found.within() if row.size == largest)
    note = (
        f"Each method in one market alone, beside Top-{largest} over all of them. These are not judged one by one: "
        f"of so many some gain by chance. {_shares(found)}"
    )
    columns = ("market", "hedge", *FIGURES)
    title = "Hedges in single markets"
    return Table(title, columns, rows, n_text=2, note=note, key="hedges_within", data=_records(found.within()))


def fit_table(found: Hedges) -> Table:
    """What was fitted, and what did not come off."""
    rows = []
    for method in METHODS:
        fits = [fit for fit in found.fits if fit.method == method]
        n_fits, failed = sum(fit.fits for fit in fits), sum(fit.failed for fit in fits)
        idle = sum(fit.fills == 0 for fit in fits)
        fills = sum(fit.fills for fit in fits) / len(fits)
        rows.append((method, str(len(fits)), str(n_fits), str(failed), str(idle), f"{fills:.1f}"))
    hours = found.step_ms / 3_600_000
    note = (
        f"Decisions every {hours:g} h or bar, whichever is longer. Failed: too few steps of train, or no convergence: "
        "the fit before goes on, and without any nothing is held. Idle: markets in a split in which nothing was traded."
        " Fills: of a market in a split."
    )
    columns = ("method", "markets x splits", "fits", "failed", "idle", "fills")
    return Table("What hedges were made of", columns, tuple(rows), note=note, key="hedge_fits", data=found.fits)
