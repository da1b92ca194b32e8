"""Figures behind the table of belief: deciles, Sharpe ratios, overfitting, and where each tier's result comes from."""

from labelsearch.delivery.table import Table
from labelsearch.pipeline import belief as figures
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import ensembles, search

MISSING = "This run was finished before these figures were computed: run it again."


def decile_table(context: Context) -> Table:
    """Future return of all strategies by decile of past score."""
    past, future = search.load(context), ensembles.load_future(context)
    decile = past["score"].rank(method="first", ascending=False).sub(1).mul(10).floordiv(len(past)).astype(int)
    rows, data = [], []
    for d, members in future.groupby(decile):
        scores = past.loc[members.index, "score"]
        returns = members["monthly_return"]
        figures = (scores.min(), scores.max(), returns.mean(), returns.median())
        exposure = members["mean_position"].mean()
        names = ("lowest_score", "highest_score", "mean_monthly_return", "median_monthly_return", "mean_position")
        data.append({"decile": d + 1, **dict(zip(names, (*figures, exposure), strict=True))})
        rows.append((str(d + 1), *(f"{x:+.2f}" for x in figures), f"{exposure:.1f}"))
    columns = ("decile", "lowest score", "highest score", "mean monthly %", "median monthly %", "position %")
    return Table("Future return by decile of past score", columns, tuple(rows), key="deciles", data=data)


def _cell(value: float | None, digits: int = 2, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.{digits}f}"


def attribution_table(context: Context) -> Table:
    """Where every tier's result comes from, past and future."""
    found = figures.load(context)
    rows = []
    for tier in found["tiers"] if found else ():
        rows.append(
            (
                f"Top-{tier['tier']}",
                tier["window"],
                f"{tier['total_return']:+.1f}",
                f"{tier['without_fee']:+.1f}",
                _cell(tier["without_best_fortnight"], 1, "+"),
                tier["best_fortnight"] or "-",
                _cell(tier["alpha_a_year"], 1, "+"),
                _cell(tier["alpha_t"], 2, "+"),
                _cell(tier["beta"]),
                _cell(tier["beta_t"], 1, "+"),
                _cell(tier["alike_weights"]),
                _cell(tier["alike_returns"]),
            )
        )
    columns = (
        "tier", "window", "return %", "without fees %", "without best fortnight %", "it began", "alpha %/year", "t",
        "beta", "t", "alike weights", "alike returns",
    )  # fmt: skip
    note = (
        "Alpha and beta: daily returns on those of buy and hold, t by Newey and West. Without fees: the same "
        "strategies at no fee. Alike: mean correlation of all pairs of members."
    )
    return Table("Where it comes from", columns, tuple(rows), n_text=2, note=note if found else MISSING)


def sharpe_table(context: Context) -> Table:
    """Sharpe ratios of the tiers on past, and what is left of them after the choice."""
    found = figures.load(context)
    columns = ("tier", "Sharpe/year", "skewness", "kurtosis", "PSR", "DSR all", "DSR different", "DSR luck")
    if found is None:
        return Table("Deflated Sharpe ratio on past", columns, (), note=MISSING)
    sharpe = found["sharpe"]
    n_trials = max(figures.counted_trials(context), sharpe["n_trials"])
    rows = []
    for name, deflated in figures.deflated(found, n_trials).items():
        tier = sharpe["tiers"][name]
        moments = (_cell(tier["annual"], 2, "+"), _cell(tier["skewness"], 2, "+"), _cell(tier["kurtosis"], 1))
        left = (_cell(x, 3) for x in (tier["probabilistic"], *deflated.values()))
        rows.append((f"Top-{name}", *moments, *left))
    note = (
        f"All: {n_trials:,} tries, every search on this past window counted. Different: {sharpe['n_effective']:.1f} "
        "independent tries would show as good a best one without any edge. Luck: these, without the spread that fees "
        "add to the tries' ratios."
    )
    return Table("Deflated Sharpe ratio on past", columns, tuple(rows), note=note)


def overfitting_table(context: Context) -> Table:
    """Cross-validation of the choice on past, by three statistics."""
    found = figures.load(context)
    columns = ("chosen by", "PBO", "loss", "slope", "logit 5%", "25%", "50%", "75%", "95%")
    title = "Probability of backtest overfitting on past"
    if found is None or found["overfitting"] is None:
        return Table(title, columns, (), note=MISSING if found is None else "The window is too short.")
    rows = []
    for name, o in found["overfitting"].items():
        logits = (_cell(o["logit"][q], 2, "+") for q in ("0.05", "0.25", "0.5", "0.75", "0.95"))
        rows.append((name, _cell(o["pbo"], 3), _cell(o["loss"], 3), _cell(o["slope"], 2, "+"), *logits))
    some = found["overfitting"]["sharpe"]
    note = (
        f"{some['n_blocks']} blocks of days, {some['n_splits']:,} splits, all strategies. Loss: share of splits whose "
        "winner had a statistic below 0 outside. Slope: of the winner's statistic outside on inside. Logit: of its "
        "rank outside, 0 in the middle."
    )
    return Table(title, columns, tuple(rows), note=note)
