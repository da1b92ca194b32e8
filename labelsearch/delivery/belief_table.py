"""Can a ranking be believed? What is shown with every ranking, each figure with a sentence beside it."""

from typing import Any

from labelsearch.delivery.seeds_table import seeds_note, spread_columns
from labelsearch.delivery.table import Table
from labelsearch.pipeline import belief as figures
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger, look_number
from labelsearch.pipeline.run import done_events, looks_ledger
from labelsearch.pipeline.stages import classifiers, ensembles, search

LEVEL = 0.05
MISSING = "This run was finished before these figures were computed: run it again."
Row = tuple[str, str, str]


def belief_table(context: Context) -> Table:
    """A row per question: the figure, and what it says."""
    found = figures.load(context)
    columns = ("question", "figure", "in words")
    if found is None:
        return Table("Can it be believed?", columns, (), n_text=2, note=MISSING, prose=True)
    rows = [
        *_rank_rows(found["rank"]),
        *_sharpe_rows(context, found),
        *_overfitting_rows(found["overfitting"]),
        *_superior_rows(found["superior"]),
        _placebo_row(context),
        *_attribution_rows(found["tiers"]),
        _seeds_row(context),
        _looks_row(context),
    ]
    note = (
        "Figures of several tiers are given from the lowest to the highest. Intervals hold 95%, over blocks of future "
        "days: strategies are near-duplicates, so resampling them would be wrong."
    )
    return Table("Can it be believed?", columns, tuple(rows), n_text=2, note=note, prose=True)


def _span(values: list[float], digits: int, sign: str = "") -> str:
    """Lowest to highest of several tiers."""
    low, high = (f"{x:{sign}.{digits}f}" for x in (min(values), max(values)))
    return low if low == high else f"{low} .. {high}"


def _rank_rows(rank: dict[str, Any]) -> list[Row]:
    rows = []
    for name, title in (("all", "Past score ranks future return"), ("positive", "- among positive scores")):
        found = rank[name]
        if found is None:
            rows.append((title, "-", "Too few strategies."))
            continue
        words = "The interval holds 0: this future could as well have shown no order."
        if found["low"] > 0:
            words = "Better past scores did better later, whichever days of this future are taken."
        if found["high"] < 0:
            words = "Better past scores did worse later."
        rows.append((title, f"{found['rho']:+.3f} [{found['low']:+.2f} {found['high']:+.2f}]", words))
    if rank["partial"] is not None:
        weak = abs(rank["partial"]) < 0.5 * abs(rank["all"]["rho"])
        words = "What the score knows beyond how much a strategy holds and trades"
        words += ": less than half of the above." if weak else "."
        rows.append(("- given position and trades", f"{rank['partial']:+.3f}", words))
    return rows


def _sharpe_rows(context: Context, found: dict[str, Any]) -> list[Row]:
    n_trials = max(figures.counted_trials(context), found["sharpe"]["n_trials"])
    tiers = figures.deflated(found, n_trials)
    if not tiers:
        return [("Deflated Sharpe on past", "-", "Window too short.")]
    annual = _span([tier["annual"] for tier in found["sharpe"]["tiers"].values()], 1, "+")

    def row(kind: str, title: str, tries: str) -> Row:
        values = [tier[kind] for tier in tiers.values()]
        sure = min(values) >= 1 - LEVEL
        words = f"A Sharpe of {annual} is more than luck gives with {tries}."
        if not sure:
            words = f"A Sharpe of {annual} may be what luck alone gives with {tries}."
        if max(values) < 0.5:
            words = f"A Sharpe of {annual} is no more than luck alone gives with {tries}."
        return title, _span(values, 2), words

    different = f"{found['sharpe']['n_effective']:.0f}"
    return [
        row("all", "Deflated Sharpe on past, all tries", f"{n_trials:,} tries as unlike as these"),
        row("luck", "- different tries only", f"{different} different tries without edge"),
    ]


def _overfitting_rows(found: dict[str, Any] | None) -> list[Row]:
    title = "Probability of overfitting"
    if found is None:
        return [(title, "-", "Window too short.")]
    rows = []
    for kind, name in (("score", title), ("sharpe", "- choosing by Sharpe")):
        o = found[kind]
        words = (
            f"In {o['pbo']:.0%} of {o['n_splits']:,} splits of past the winner of one half was in the lower half "
            f"of all in the other; {'it lost' if kind == 'sharpe' else 'its score was below 0'} in {o['loss']:.0%}."
        )
        rows.append((name, f"{o['pbo']:.3f}", words))
    return rows


def _superior_rows(found: dict[str, Any]) -> list[Row]:
    rows = []
    for window, title in (("past", "Best of all beats buy and hold, past p"), ("future", "Best of tier, future p")):
        test = found[window]
        if test is None:
            rows.append((title, "-", "Window too short, or nothing differs from buy and hold."))
            continue
        shown = f"{test['consistent']:.3f} [{test['lower']:.3f} {test['upper']:.3f}]"
        words = f"One of {test['n_strategies']:,} beats buy and hold by more than their number explains."
        if test["consistent"] > LEVEL:
            words = f"The best of {test['n_strategies']:,} need not be better than buy and hold."
        rows.append((title, shown, words))
    return rows


def _placebo_row(context: Context) -> Row:
    found = ensembles.load(context)
    p = list(found["placebo"]["p_value"].values())
    words = f"{min(p):.0%} to {max(p):.0%} of placebos that know nothing did as well. Verdict: {found['verdict']}."
    return "Placebo on future, p", _span(p, 3), words


def _attribution_rows(tiers: list[dict[str, Any]]) -> list[Row]:
    future = [tier for tier in tiers if tier["window"] == "future"]
    total = _span([tier["total_return"] for tier in future], 1, "+")
    rows = []
    if all(tier["alpha_t"] is not None for tier in future):
        t = [tier["alpha_t"] for tier in future]
        beta = _span([tier["beta"] for tier in future], 2)
        words = f"Beyond {beta} times the market "
        words += "something is earned." if min(t) > 2 else "nothing is lost or earned for certain."
        rows.append(("Alpha on future, t", _span(t, 1, "+"), words if max(t) > -2 else "Less than the market's share."))
    free = _span([tier["without_fee"] for tier in future], 1, "+")
    rows.append(("Future return without fees, %", free, f"With fees {total}%."))
    rest = [tier["without_best_fortnight"] for tier in future]
    if all(value is not None for value in rest):
        days = ", ".join(sorted({tier["best_fortnight"] for tier in future}))
        rows.append(("- without its best fortnight, %", _span(rest, 1, "+"), f"With it {total}%; it began {days}."))
    alike = [tier["alike_returns"] for tier in future if tier["alike_returns"] is not None]
    if alike:
        words = "Mean correlation of members' daily returns: at 1 the tier is one strategy held many times."
        rows.append(("How alike members are", _span(alike, 2), words))
    return rows


def _seeds_row(context: Context) -> Row:
    _, cells = spread_columns(context)
    smallest = [
        i for i, row in enumerate(ensembles.load(context)["table"]) if row["window"] == "future"
    ][-2]  # the market is last
    title = "Future return over seeds, %"
    if not cells[smallest]:
        return title, "-", "One search seed and one classifier seed. To repeat with others: labelsearch seeds"
    tier = ensembles.load(context)["table"][smallest]["tier"]
    return title, cells[smallest][0], f"{tier}: mean±deviation [lowest highest]. {seeds_note(context)}"


def _looks_row(context: Context) -> Row:
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    look = look_number(looks_ledger(context.folder), done["ensembles"]["key"])
    if look is None:
        return "Looks at this future", "?", "Not on record here."
    words = "The first: nothing was chosen on it."
    if look[0] > 1:
        words = "A later look: what came before may have guided it, so it is not out of sample."
    return "Looks at this future", f"{look[0]} of {look[1]}", words


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
        f"All: {n_trials:,} tries, every search on this past window counted. Different: {sharpe['n_effective']:.1f}, "
        f"the effective rank of the correlations of {sharpe['n_sample']:,} strategies. Luck: these, without the spread "
        "that fees add to the tries' ratios."
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


def decile_table(context: Context) -> Table:
    """Future return of all strategies by decile of past score."""
    past, future = search.load(context), ensembles.load_future(context)
    decile = past["score"].rank(method="first", ascending=False).sub(1).mul(10).floordiv(len(past)).astype(int)
    rows = []
    for d, members in future.groupby(decile):
        scores = past.loc[members.index, "score"]
        returns = members["monthly_return"]
        figures = (scores.min(), scores.max(), returns.mean(), returns.median())
        exposure = members["mean_position"].mean()
        rows.append((str(d + 1), *(f"{x:+.2f}" for x in figures), f"{exposure:.1f}"))
    columns = ("decile", "lowest score", "highest score", "mean monthly %", "median monthly %", "position %")
    return Table("Future return by decile of past score", columns, tuple(rows))


def belief(context: Context) -> list[str]:
    """Sentences that say how far the tiers can be believed."""
    found = ensembles.load(context)
    correlation = found["rank_correlation"]
    p_values = ", ".join(f"Top-{n} {p:.3f}" for n, p in found["placebo"]["p_value"].items())
    sentences = [
        f"Past score against future return over {found['n_strategies']:,} strategies: "
        f"Spearman {correlation['all']['rho']:+.3f}.",
        f"Placebo p-values, from {found['placebo']['n_shifts']} circular shifts of the outputs: {p_values}.",
        f"Verdict, corrected for the number of tiers: {found['verdict']}.",
        _looks(context),
        _trials(context),
        *_noise(context),
        seeds_note(context),
    ]
    if correlation["positive"]:
        sentences[0] += (
            f" Among the {correlation['n_positive']:,} of positive score: {correlation['positive']['rho']:+.3f}."
        )
    return sentences


def _looks(context: Context) -> str:
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    look = look_number(looks_ledger(context.folder), done["ensembles"]["key"])
    if look is None:
        return "How often this future window was looked at is not on record here."
    number, total = look
    later = "" if number == 1 else " A later look is no longer out of sample: what came before may have guided it."
    return f"This was look {number} of {total} so far at this future window.{later}"


def _noise(context: Context) -> list[str]:
    """A sentence about classifiers that learned nothing, if there are any."""
    names = [label.name for label in context.experiment.label_kinds()]
    nothing = [name for name in names if classifiers.learned_nothing(classifiers.figures(context, name))]
    if not nothing:
        return []
    return [f"{2 * len(nothing)} of {2 * len(names)} outputs are noise: {', '.join(nothing)} learned nothing."]


def _trials(context: Context) -> str:
    counts = [event["counts"] for event in done_events(Ledger(context.folder / "ledger.jsonl")).values()]
    total = {name: value for stage in counts for name, value in stage.items()}
    compared = Ledger(context.folder / "ledger.jsonl").events("comparison")
    total["network_trials"] += sum(event["counts"]["network_trials"] for event in compared)
    return (
        f"Trials behind it: {total['strategy_trials']:,} strategies ({total['strategy_trials_pruned']:,} pruned), "
        f"{total['network_trials']:,} networks, {total['feature_sets_scored']:,} feature sets."
    )
