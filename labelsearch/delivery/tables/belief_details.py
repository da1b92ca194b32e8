"""Figures behind the table of belief: deciles, Sharpe ratios, overfitting, and where each tier's result comes from."""

from labelsearch.delivery.data import deciles
from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.ensembles import tier_name
from labelsearch.results.run import Results


def decile_table(results: Results) -> Table:
    """Future return of all strategies by decile of past score."""
    found = deciles(results)
    rows = []
    for entry in found:
        figures = (entry.lowest_score, entry.highest_score, entry.mean_monthly_pct, entry.median_monthly_pct)
        rows.append((str(entry.decile), *(f"{x:+.2f}" for x in figures), f"{entry.mean_position_pct:.1f}"))
    columns = ("decile", "lowest score", "highest score", "mean monthly %", "median monthly %", "position %")
    return Table("Future return by decile of past score", columns, tuple(rows), key="deciles", data=found)


def attribution_table(results: Results) -> Table:
    """Where every tier's result comes from, past and future."""
    rows = [
        (
            tier_name(tier.tier),
            tier.window,
            f"{tier.total_return_pct:+.1f}",
            f"{tier.at_costs_pct['0']:+.1f}",
            cell(tier.without_best_fortnight_pct, "+.1f"),
            tier.best_fortnight or "-",
            cell(tier.alpha_pct_a_year, "+.1f"),
            cell(tier.alpha_t, "+.2f"),
            cell(tier.beta, ".2f"),
            cell(tier.beta_t, "+.1f"),
            cell(tier.weight_correlation, ".2f"),
            cell(tier.return_correlation, ".2f"),
        )
        for tier in results.belief.tiers
    ]
    columns = (
        "tier", "window", "return %", "without costs %", "without best fortnight %", "it began", "alpha %/year", "t",
        "beta", "t", "alike weights", "alike returns",
    )  # fmt: skip
    note = (
        "Alpha and beta: daily returns on those of buy and hold, t by Newey and West. Without costs: the same "
        "strategies at no cost of trading or borrowing. Alike: mean correlation of all pairs of members."
    )
    return Table("Where it comes from", columns, tuple(rows), n_text=2, note=note)


def sharpe_table(results: Results) -> Table:
    """Sharpe ratios of the tiers on past, and what is left of them after the choice."""
    sharpe, n_trials = results.belief.sharpe, results.counted_strategies
    rows = []
    for size, deflated in sharpe.deflated(n_trials).items():
        tier = sharpe.tiers[size]
        moments = (cell(tier.annual, "+.2f"), cell(tier.moments.skewness, "+.2f"), cell(tier.moments.kurtosis, ".1f"))
        left = (cell(x, ".3f") for x in (tier.probabilistic, deflated.all, deflated.different, deflated.luck))
        rows.append((tier_name(size), *moments, *left))
    note = (
        f"All: {n_trials:,} tries, every search on this past window counted. Different: {sharpe.n_effective:.1f} "
        "independent tries would show as good a best one without any edge. Luck: these, without the spread that fees "
        "add to the tries' ratios."
    )
    columns = ("tier", "Sharpe/year", "skewness", "kurtosis", "PSR", "DSR all", "DSR different", "DSR luck")
    return Table("Deflated Sharpe ratio on past", columns, tuple(rows), note=note)


def overfitting_table(results: Results) -> Table:
    """Cross-validation of the choice on past, by three statistics."""
    found = results.belief.overfitting
    columns = ("chosen by", "PBO", "loss", "slope", "logit 5%", "25%", "50%", "75%", "95%")
    title = "Probability of backtest overfitting on past"
    if found is None:
        return Table(title, columns, (), note="The window is too short.")
    rows = []
    for name, o in found.items():
        logits = (cell(o.logit[q], "+.2f") for q in ("0.05", "0.25", "0.5", "0.75", "0.95"))
        rows.append((name, cell(o.pbo), cell(o.loss_share), cell(o.slope, "+.2f"), *logits))
    some = found["sharpe"]
    note = (
        f"{some.n_blocks} blocks of days, {some.n_splits:,} splits, all strategies. Loss: share of splits whose "
        "winner had a statistic below 0 outside. Slope: of the winner's statistic outside on inside. Logit: of its "
        "rank outside, 0 in the middle."
    )
    return Table(title, columns, tuple(rows), note=note)
