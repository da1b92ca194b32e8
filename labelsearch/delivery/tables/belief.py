"""Can a ranking be believed? What is shown with every ranking, each figure with a sentence beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from labelsearch.delivery.tables.members import members_answer, members_note
from labelsearch.delivery.tables.seeds import seeds_note, spread_columns
from labelsearch.delivery.tables.table import Table
from labelsearch.delivery.tables.verdict import Evidence, p_text, verdict_text
from labelsearch.results.belief import Belief, RankBelief, SplitsBelief, TierSources
from labelsearch.results.ensembles import tier_name
from labelsearch.results.record import plain_fields
from labelsearch.results.run import Results
from strategies.luck.power import detectable_sharpe, years_needed
from strategies.luck.superior_ability import SuperiorAbility
from strategies.tiers.metrics import year_of

LEVEL = 0.05
FEW_MISSING = 0.99  # share of the usual bars from which what is missing is not worth a sentence


@dataclass(frozen=True)
class Answer:
    """One row: a question, its figure, and what the figure says.

    ``key`` names the question, so that rows of several runs can be put side by side whatever their titles.
    """

    key: str
    question: str
    figure: str
    words: str


def answers(results: Results) -> list[Answer]:
    """All of them, in the order of the table."""
    found = results.belief
    return [
        *_rank(found.rank),
        *_sharpe(results, found),
        *_overfitting(found.overfitting),
        *_superior(found.superior),
        _timing(results),
        *_sources([tier for tier in found.tiers if tier.window == "future"]),
        Answer("members", "Past return with single networks, %", *members_answer(results)),
        _seeds(results),
        _looks(results),
    ]


def belief_table(results: Results) -> Table:
    """A row per question: the figure, and what it says."""
    rows = tuple((answer.question, answer.figure, answer.words) for answer in answers(results))
    note = (
        "Figures of several tiers are given from the lowest to the highest. Intervals hold 95% of resampled "
        "blocks of future days: they cover the correlation of this future rather than that of a true ranking. "
        "Strategies are near-duplicates, so resampling them would be wrong."
    )
    found, n_trials = results.belief, results.counted_strategies
    data = {
        **plain_fields(found),
        "deflated_sharpe": {"n_trials": n_trials, "tiers": found.sharpe.deflated(n_trials)},
        "looks": results.look,
    }
    columns = ("question", "figure", "in words")
    return Table("Can it be believed?", columns, rows, n_text=2, note=note, prose=True, key="belief", data=data)


def _span(values: Sequence[float], digits: int, sign: str = "") -> str:
    """Lowest to highest of several tiers."""
    low, high = (f"{x:{sign}.{digits}f}" for x in (min(values), max(values)))
    return low if low == high else f"{low} .. {high}"


def _rank(rank: RankBelief) -> list[Answer]:
    rows = []
    for key, found, title in (
        ("rank", rank.all, "Past score ranks future return"),
        ("rank_positive", rank.positive, "- among positive scores"),
    ):
        if found is None:
            rows.append(Answer(key, title, "-", "Too few strategies."))
            continue
        words = "The interval contains 0: this future is compatible with no order at all."
        if found.low > 0:
            words = (
                "Better past scores did better later, on resampled days of this future too. Luck alone gives such an "
                "interval in about one future of ten."
            )
        if found.high < 0:
            words = "Better past scores did worse later."
        rows.append(Answer(key, title, f"{found.rho:+.3f} [{found.low:+.2f} {found.high:+.2f}]", words))
    if rank.partial is not None and rank.all is not None:
        weak = abs(rank.partial) < 0.5 * abs(rank.all.rho)
        words = "What the score predicts beyond how much a strategy holds and trades"
        words += ": less than half of the above." if weak else "."
        rows.append(Answer("rank_partial", "- given position and trades", f"{rank.partial:+.3f}", words))
    return rows


def _sharpe(results: Results, found: Belief) -> list[Answer]:
    n_trials = results.counted_strategies
    deflated = found.sharpe.deflated(n_trials)
    if not deflated:
        return [Answer("sharpe", "Deflated Sharpe on past", "-", "The window is too short.")]
    annual = _span([tier.annual for tier in found.sharpe.tiers.values()], 1, "+")

    def answer(key: str, title: str, values: list[float], tries: str) -> Answer:
        words = f"A Sharpe ratio of {annual} is more than luck gives with {tries}."
        if min(values) < 1 - LEVEL:
            words = f"A Sharpe ratio of {annual} may be what luck alone gives with {tries}."
        if max(values) < 0.5:
            words = f"A Sharpe ratio of {annual} is no more than luck alone gives with {tries}."
        return Answer(key, title, _span(values, 2), words)

    every, luck = ([getattr(tier, name) for tier in deflated.values()] for name in ("all", "luck"))
    different = f"{found.sharpe.n_effective:.0f} different tries without edge"
    return [
        answer("sharpe_all", "Deflated Sharpe on past, all tries", every, f"{n_trials:,} tries as unlike as these"),
        answer("sharpe_different", "- different tries only", luck, different),
    ]


def _overfitting(found: dict[str, SplitsBelief] | None) -> list[Answer]:
    title = "Probability of overfitting"
    if found is None:
        return [Answer("overfitting", title, "-", "The window is too short.")]
    rows = []
    for kind, key, name, lost in (
        ("score", "overfitting", title, "its score was below 0"),
        ("sharpe", "overfitting_sharpe", "- choosing by Sharpe", "it lost"),
    ):
        o = found[kind]
        words = (
            f"In {o.pbo:.0%} of {o.n_splits:,} splits of past the winner of one half was in the lower half of all in "
            f"the other; {lost} in {o.loss_share:.0%}."
        )
        rows.append(Answer(key, name, f"{o.pbo:.3f}", words))
    return rows


def _superior(found: dict[str, SuperiorAbility | None]) -> list[Answer]:
    rows = []
    for window, title in (("past", "Best of all beats buy and hold, past p"), ("future", "Best of tier, future p")):
        test, key = found[window], f"superior_{window}"
        if test is None:
            rows.append(Answer(key, title, "-", "The window is too short, or nothing differs from buy and hold."))
            continue
        words = f"One of {test.n_strategies:,} beats buy and hold by more than their number explains."
        if test.consistent > LEVEL:
            words = f"The best of {test.n_strategies:,} need not be better than buy and hold."
        rows.append(Answer(key, title, f"{test.consistent:.3f} [{test.lower:.3f} {test.upper:.3f}]", words))
    return rows


def _timing(results: Results) -> Answer:
    found = results.ensembles
    words = (
        f"Chance that positions without knowledge of direction earn as much for their risk, adjusted for "
        f"{len(found.sizes)} tiers."
    )
    texts = [p_text(p) for p in sorted(found.timing.adjusted.values())]
    shown = texts[0] if texts[0] == texts[-1] else f"{texts[0]} .. {texts[-1]}"
    return Answer("timing", "Timing on future, p", shown, words)


def _sources(future: list[TierSources]) -> list[Answer]:
    total = _span([tier.total_return_pct for tier in future], 1, "+")
    rows = []
    t = [tier.alpha_t for tier in future if tier.alpha_t is not None]
    if len(t) == len(future):
        beta = _span([tier.beta for tier in future if tier.beta is not None], 2)
        words = f"Beyond {beta} times the market's return "
        words += "something is earned." if min(t) > 2 else "neither gain nor loss is certain."
        words = words if max(t) > -2 else "Less than the market's share."
        rows.append(Answer("alpha", "Alpha on future, t", _span(t, 1, "+"), words))
    free = _span([tier.at_costs_pct["0"] for tier in future], 1, "+")
    rows.append(Answer("without_costs", "Future return without costs, %", free, f"With costs {total}%."))
    rest = [x for tier in future if (x := tier.without_best_fortnight_pct) is not None]
    if len(rest) == len(future):
        days = ", ".join(sorted({tier.best_fortnight for tier in future if tier.best_fortnight}))
        words = f"With it {total}%; it began {days}."
        rows.append(Answer("without_fortnight", "- without its best fortnight, %", _span(rest, 1, "+"), words))
    alike = [tier.return_correlation for tier in future if tier.return_correlation is not None]
    if alike:
        words = "Mean correlation of members' daily returns: at 1 the tier is one strategy held many times."
        rows.append(Answer("alike", "How alike members are", _span(alike, 2), words))
    return rows


def _seeds(results: Results) -> Answer:
    found = results.ensembles
    _, cells = spread_columns(results)
    largest = found.sizes[0]
    shown = next(
        cell for row, cell in zip(found.rows, cells, strict=True) if (row.size, row.window) == (largest, "future")
    )
    key, title = "seeds", "Future return over seeds, %"
    if not shown:
        return Answer(key, title, "-", "One search seed and one classifier seed. To add others: labelsearch seeds")
    words = f"{tier_name(largest)}: mean±deviation [lowest highest]. {seeds_note(results)}"
    return Answer(key, title, shown[0], words)


def _looks(results: Results) -> Answer:
    key, title, look = "looks", "Looks at this future", results.look
    if look is None:
        return Answer(key, title, "?", "Not on record here.")
    words = "The first: nothing was chosen on it."
    if look.number > 1:
        words = "A later look: what came before may have guided it, so it is not out of sample."
    return Answer(key, title, f"{look.number} of {look.of}", words)


def sentences(results: Results) -> list[str]:
    """Sentences that say how far the tiers can be believed."""
    found = results.ensembles
    ranks = f"Past score against future return over {found.n_strategies:,} strategies: Spearman {found.ranks.all:+.3f}."
    if found.ranks.positive is not None:
        ranks += f" Among the {found.ranks.n_positive:,} of positive score: {found.ranks.positive:+.3f}."
    p_values = ", ".join(f"{tier_name(n)} {p_text(p)}" for n, p in found.timing.adjusted.items())
    return [
        ranks,
        f"Timing p-values, adjusted for the number of tiers: {p_values}.",
        verdict_text(_evidence(results)),
        *_coverage(results),
        _trials(results),
        *_noise(results),
        members_note(results),
        seeds_note(results),
    ]


def _evidence(results: Results) -> Evidence:
    """What the verdict rests on."""
    found, timing = results.belief, results.ensembles.timing
    tiers = {row.tier: row for row in found.tiers if row.window == "future" and row.alpha_p_value is not None}
    years = found.days["future"] / year_of(results.outputs.future)
    best = max((row.alpha_t for row in tiers.values() if row.alpha_t is not None), default=0.0)
    return Evidence(
        verdict=found.verdict,
        timing=timing.adjusted,
        alpha=found.alpha_p("future"),
        alpha_pct_a_year={n: row.alpha_pct_a_year or 0.0 for n, row in tiers.items()},
        strategies=results.counted_strategies,
        looks=_look_words(results),
        years=years,
        detectable_sharpe=detectable_sharpe(years),
        years_needed=years_needed(best / years**0.5),
    )


def _look_words(results: Results) -> str:
    look = results.look
    if look is None:
        return "how often this future window was looked at is not on record here"
    later = ": no longer out of sample, what came before may have guided it" if look.number > 1 else ""
    return f"this was look {look.number} of {look.of} so far at this future window{later}"


def _coverage(results: Results) -> list[str]:
    """A sentence about windows that lack bars, if there are any."""
    lacking = {window: share for window, share in results.outputs.bars.coverage.items() if share < FEW_MISSING}
    if not lacking:
        return []
    shares = ", ".join(f"{100 * share:.1f} % of the usual bars of {window}" for window, share in lacking.items())
    return [f"Bars are missing: there are {shares}."]


def _noise(results: Results) -> list[str]:
    """A sentence about classifiers that learned nothing, if there are any."""
    figures = results.classifiers.figures
    nothing = [entry.label for entry in figures if entry.learned_nothing]
    if not nothing:
        return []
    noise, columns = set(nothing), results.outputs.columns
    n_noise = sum(name.rpartition(":")[0] in noise for name in columns)
    return [f"{n_noise} of {len(columns)} outputs are noise: {', '.join(nothing)} learned nothing."]


def _trials(results: Results) -> str:
    total = results.trial_counts
    return (
        f"Trials behind it: {total['strategy_trials']:,} strategies ({total['strategy_trials_pruned']:,} pruned), "
        f"{total['network_trials']:,} networks, {total['feature_sets_scored']:,} feature sets."
    )
