"""Tables of what trading and holding cost."""

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.ensembles import PaidRow, tier_name
from labelsearch.results.run import Results

PAID = ("gross", "fees", "spread", "impact", "funding", "borrow", "net")


def paid_table(results: Results) -> Table:
    """Where the gross gain of every tier and baseline went, by window and year."""
    found = results.ensembles.paid
    note = (
        "Percent of the starting capital. Gross: what prices gave. Spread: fills against the open. Impact: of the size "
        "of orders. Funding below 0 was received."
    )
    return Table(
        "Where the gross gain went",
        ("tier", "window", "year", *(f"{name} %" for name in PAID)),
        tuple(map(_paid_row, found)),
        n_text=3,
        note=note,
        key="paid",
        data=[vars(row) for row in found],
    )


def _paid_row(row: PaidRow) -> tuple[str, ...]:
    signed = {"gross": "+.2f", "net": "+.2f"}
    values = {name: getattr(row, f"{name}_pct") for name in PAID}
    return (row.name, row.window, str(row.year), *(f"{x:{signed.get(name, '.2f')}}" for name, x in values.items()))


def cost_curve_table(results: Results) -> Table:
    """Return of every tier at multiples of its costs, and the cost at which nothing is left."""
    ensembles, belief = results.ensembles, results.belief
    multiples = tuple(belief.tiers[0].at_costs_pct)
    rows, data = [], []
    for tier in belief.tiers:
        figures = ensembles.row(tier.window, tier.tier).figures
        shown = (f"{value:+.1f}" for value in tier.at_costs_pct.values())
        rows.append((tier_name(tier.tier), tier.window, *shown, cell(figures.break_even_bp, ".1f")))
        data.append({
            "tier": tier.tier, "window": tier.window, "return_pct": tier.at_costs_pct,
            "break_even_bp": figures.break_even_bp,
        })  # fmt: skip
    return Table(
        "Return at multiples of the costs",
        ("tier", "window", *(f"{multiple} x, %" for multiple in multiples), "break-even bp"),
        tuple(rows),
        n_text=2,
        note="Equal capital at the start. Fees, spread, impact and borrowing are multiplied, funding is not. "
        "Break-even: the cost of what is traded, in basis points, at which nothing would have been left.",
        key="cost_curve",
        data=data,
    )


def terms_table(results: Results) -> Table:
    """What trading cost, and how much of it is known."""
    experiment, facts = results.experiment, results.costs.facts
    rules = experiment.rules()
    fee, fixed = 1e4 * rules.fee_share, 1e4 * rules.half_spread
    rows = tuple(
        (
            window, f"{fee:.2f}", cell(fixed if f.half_spread_bp is None else f.half_spread_bp, ".2f"),
            cell(f.impact_bp, ".2f"), cell(f.beyond_days, "d"), cell(f.funding_bp, "+.3f"), cell(f.n_payments, "d"),
            cell(f.n_missing, "d"), cell(None if f.marked_share is None else 100 * f.marked_share, ".0f"),
        )
        for window, f in facts.items()
    )  # fmt: skip
    venue = experiment.costs.preset
    of = f" ({venue.explanation}, {venue.as_of})" if venue.as_of else ""
    return Table(
        "Costs",
        (
            "window",
            "fee bp",
            "half spread bp",
            "impact bp",
            "days beyond",
            "funding bp",
            "payments",
            "missing",
            "at mark %",
        ),
        rows,
        n_text=1,
        note=f"Venue: {venue.name}{of}. Impact: of an order worth the capital, median. Days beyond: the capital is "
        "more than a day's volume. Funding: mean rate; missing payments are not paid; without a mark price, at the "
        "last close.",
        key="trading_costs",
        data={window: vars(f) for window, f in facts.items()},
    )
