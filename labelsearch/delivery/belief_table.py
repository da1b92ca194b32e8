"""Can a ranking be believed? What is shown with every ranking, each figure with a sentence beside it."""

from typing import Any

from labelsearch.delivery.belief_details import MISSING
from labelsearch.delivery.seeds_table import seeds_note, spread_columns
from labelsearch.delivery.table import Table
from labelsearch.pipeline import belief as figures
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger, look_number
from labelsearch.pipeline.run import done_events, looks_ledger
from labelsearch.pipeline.stages import classifiers, ensembles

LEVEL = 0.05
Row = tuple[str, str, str]


def belief_table(context: Context) -> Table:
    """A row per question: the figure, and what it says."""
    found = figures.load(context)
    columns = ("question", "figure", "in words")
    if found is None:
        return Table("Can it be believed?", columns, (), n_text=2, note=MISSING, prose=True, key="belief")
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
    title, data = "Can it be believed?", _data(context, found)
    return Table(title, columns, tuple(rows), n_text=2, note=note, prose=True, key="belief", data=data)


def _data(context: Context, found: dict[str, Any]) -> dict[str, Any]:
    """What the rows are made from: the stored figures, and what is counted when they are shown."""
    n_trials = max(figures.counted_trials(context), found["sharpe"]["n_trials"])
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    look = look_number(looks_ledger(context.folder), done["ensembles"]["key"])
    return {
        **found,
        "deflated_sharpe": {"n_trials": n_trials, "tiers": figures.deflated(found, n_trials)},
        "looks": None if look is None else {"number": look[0], "of": look[1]},
    }


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
    n = found["placebo"]["n_shifts"] + 1
    low, high = (round(n * share) for share in (min(p), max(p)))
    times = f"{low}" if low == high else f"{low} to {high}"
    words = f"Of {n} shifts, the real timing among them, {times} did as well. Verdict: {found['verdict']}."
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
    found = ensembles.load(context)
    _, cells = spread_columns(context)
    tier = f"Top-{max(map(int, found['members']))}"
    shown = next(cell for row, cell in zip(found["table"], cells, strict=True) if _is(row, tier, "future"))
    title = "Future return over seeds, %"
    if not shown:
        return title, "-", "One search seed and one classifier seed. To repeat with others: labelsearch seeds"
    return title, shown[0], f"{tier}: mean±deviation [lowest highest]. {seeds_note(context)}"


def _is(row: dict[str, Any], tier: str, window: str) -> bool:
    return (row["tier"], row["window"]) == (tier, window)


def _looks_row(context: Context) -> Row:
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    look = look_number(looks_ledger(context.folder), done["ensembles"]["key"])
    if look is None:
        return "Looks at this future", "?", "Not on record here."
    words = "The first: nothing was chosen on it."
    if look[0] > 1:
        words = "A later look: what came before may have guided it, so it is not out of sample."
    return "Looks at this future", f"{look[0]} of {look[1]}", words


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
