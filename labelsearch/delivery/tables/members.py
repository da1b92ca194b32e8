"""Tables of what the single networks of each classifier do on past: how far a run moves with their seed."""

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.belief import MembersBelief, MembersSpread
from labelsearch.results.ensembles import tier_name
from labelsearch.results.run import Results

UNKNOWN = "How far figures move with the seed of the classifiers is not known: each is one network."


def _text(found: MembersSpread, digits: int) -> str:
    """Mean, standard deviation, lowest and highest, as `labelsearch.delivery.tables.seeds.spread_text`."""
    mean, low, high = (f"{x:+.{digits}f}" for x in (found.mean, *found.range))
    return f"{mean}±{found.deviation:.{digits}f} [{low} {high}]"


def members_note(results: Results) -> str:
    """A sentence that says how far the largest tier moves with single networks, or that this is not known."""
    found = results.belief.members
    if found is None:
        return f"{UNKNOWN} To see it: labelsearch seeds, or n_seeds above 1."
    tier = found.tiers[0]
    made, low, high = (f"{x:+.1f}" for x in (tier.total_return_pct.of_mean, *tier.total_return_pct.range))
    return (
        f"Classifier seeds: {tier_name(tier.tier)} makes {made} % on past with the mean of {found.n_networks} "
        f"networks, and {low} to {high} % with one of them alone (deviation {tier.total_return_pct.deviation:.1f})."
    )


def members_answer(results: Results) -> tuple[str, str]:
    """Figure and words for the table of belief."""
    found = results.belief.members
    if found is None:
        return "-", f"{UNKNOWN} To train others: labelsearch seeds, or n_seeds above 1"
    tier = found.tiers[0]
    words = (
        f"{tier_name(tier.tier)} with one of {found.n_networks} networks in place of their mean, which makes "
        f"{tier.total_return_pct.of_mean:+.1f}%: mean±deviation [lowest highest]. Two of them want the same at "
        f"{tier.agreement:.0%} of the bars."
    )
    return _text(tier.total_return_pct, 1), words


def members_table(results: Results) -> Table | None:
    """Return and score of every tier on past with each network alone; None where there is but one."""
    found = results.belief.members
    if found is None:
        return None
    rows = tuple(
        (
            tier_name(tier.tier),
            f"{tier.total_return_pct.of_mean:+.1f}",
            _text(tier.total_return_pct, 1),
            f"{tier.score.of_mean:+.2f}",
            _text(tier.score, 2),
            f"{tier.agreement:.3f}",
        )
        for tier in found.tiers
    )
    columns = ("tier", "return %", "one network alone", "score", "one network alone", "agreement")
    note = (
        f"On past, at equal capital: the mean of {found.n_networks} networks, as tiers were chosen by, and each of "
        "them alone, mean ± standard deviation [lowest highest]; nothing was searched again, so each alone does worse "
        f"where choices fit the mean. Outputs of two networks correlate at {cell(found.mean_correlation, '.2f')}. "
        "Agreement: share of bars and strategies at which two of them want the same. A mean of more moves less."
    )
    return Table("Single networks on past", columns, rows, note=note, key="members", data=_data(found))


def exit_table(results: Results) -> Table | None:
    """What early exit would have done; None where it was not asked for."""
    found = results.belief.members
    if found is None or not found.exits:
        return None
    rows = tuple(
        (
            tier_name(entry.tier),
            entry.rule,
            f"{entry.exit_share:.3f}",
            f"{entry.mean_asked:.2f} of {found.n_networks}",
            f"{entry.equal_decisions:.5f}",
            f"{entry.equal_orders:.5f}",
            f"{entry.return_gap_pct:+.3f}",
        )
        for entry in found.exits
    )
    columns = ("tier", "rule", "bars that exit", "networks asked", "equal decisions", "equal orders", "return gap")
    note = (
        "On the later half of past; measured rules were fitted on the earlier half, at a sureness of "
        f"{found.sureness:g}. Shares are of bars and strategies, the gap is in percentage points of the tier's return. "
        "Either side: orders may have other sizes. Nothing of this run was traded so: it says what early exit would "
        "save."
    )
    return Table("Early exit of networks", columns, rows, n_text=2, note=note)


def _data(found: MembersBelief) -> dict[str, object]:
    """All figures, with those that follow from others."""

    def of(spread: MembersSpread) -> dict[str, object]:
        low, high = spread.range
        return {**vars(spread), "mean": spread.mean, "deviation": spread.deviation, "low": low, "high": high}

    tiers = [
        {**vars(tier), "total_return_pct": of(tier.total_return_pct), "score": of(tier.score)} for tier in found.tiers
    ]
    return {**vars(found), "mean_correlation": found.mean_correlation, "tiers": tiers}
