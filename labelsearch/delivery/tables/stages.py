"""Tables of the stages of a run."""

from collections.abc import Sequence

from labelsearch.classifiers.figures import ClassScores
from labelsearch.delivery.tables.belief import sentences
from labelsearch.delivery.tables.controls import against_sentence
from labelsearch.delivery.tables.seeds import spread_columns
from labelsearch.delivery.tables.table import Table, cell
from labelsearch.labels.base import CLASS_NAMES
from labelsearch.results.classifiers import ClassifierFigures
from labelsearch.results.ensembles import AccountRow, Ensembles, tier_name
from labelsearch.results.run import Results
from strategies.tiers.metrics import Metrics

STARVED = 1000  # action bars below which a label is marked


def label_table(results: Results) -> Table:
    """Class counts of every label in train and past, and how far ahead it looks in train."""
    counted = (*CLASS_NAMES, "unsettled")
    rows = []
    for entry in results.labels.counts:
        counts = [f"{getattr(part, name):,}" for part in (entry.train, entry.past) for name in counted]
        reach = (entry.train.mean_horizon_bars, entry.train.mean_leg_bars)
        rows.append((entry.label, *counts, *(cell(bars, ".1f") for bars in reach)))
    columns = tuple(f"{window} {name}" for window in ("train", "past") for name in counted)
    note = (
        "Unsettled bars lie at the end of a window, where later bars could still change the label; they are not used. "
        "Horizon: mean number of bars from an action bar of train to the last bar its label depends on. Leg: mean "
        "number of bars between turning points."
    )
    columns = ("label", *columns, "horizon", "leg")
    return Table("Labels", columns, tuple(rows), note=note, key="labels", data=results.labels.counts)


def overlap_table(results: Results) -> Table:
    """Share of each label's action bars that each other label marks on the same side, in percent."""
    series = results.labels
    rows = [
        (f"{i + 1} {name}", *(cell(None if share is None else 100 * share, ".0f") for share in shares))
        for i, (name, shares) in enumerate(zip(series.names, series.overlap, strict=True))
    ]
    columns = tuple(str(i + 1) for i in range(len(rows)))
    note = "Percentage of the row's action bars in train, buy and sell together, that the column's label marks alike."
    return Table("Overlap of labels", ("label", *columns), tuple(rows), note=note, key="overlap", data=series.overlap)


def _auc(scores: ClassScores) -> str:
    """AUC with its interval, e.g. ``0.712 [.68 .74]``."""
    if scores.auc_interval is None:
        return cell(scores.auc)
    low, high = (f"{x:.2f}".replace("0.", ".", 1) for x in scores.auc_interval)
    return f"{cell(scores.auc)} [{low} {high}]"


def classifier_table(results: Results) -> Table:
    """Losses, AUC, precision and recall of every classifier."""
    rows, data = [], []
    for entry in results.classifiers.figures:
        data.append({**vars(entry), "learned_nothing": entry.learned_nothing})
        mark = " *" if entry.n_action < STARVED else ""
        mark += " (learned nothing)" if entry.learned_nothing else ""
        told = ["-"] * 8  # what is only known of classes
        if isinstance(entry, ClassifierFigures):
            told = [_auc(part.side(c)) for part in (entry.validation, entry.past) for c in ("buy", "sell")]
            told += [
                cell(x) for c in ("buy", "sell") for x in (entry.past.side(c).precision, entry.past.side(c).recall)
            ]
        rows.append((entry.label + mark, f"{entry.n_action:,}", cell(entry.validation_loss), *told))
    columns = (
        "label", "action bars", "val loss", "val AUC buy", "val AUC sell", "past AUC buy", "past AUC sell",
        "buy prec", "buy recall", "sell prec", "sell recall",
    )  # fmt: skip
    note = (
        f"Validation is the later part of train. Precision and recall are on past. * fewer than {STARVED:,} action "
        "bars to learn from. A constant predictor scores a loss of about 1.04."
    )
    if results.classifiers.of_magnitudes:
        note += " A label with dashes predicts moves, by another loss: it has no AUC, and no temperature."
    return Table("Classifiers", columns, tuple(rows), note=note, key="classifiers", data=data)


SEARCH_FIGURES = ("score", "monthly_return_pct", "trades_per_month", "mean_position_pct")


def search_table(results: Results) -> Table:
    """The population of strategies on past."""
    strategies = results.strategies
    rows, quantiles = [], []
    for quantile in (0.0, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0):
        values = {name: float(strategies.frame[name].quantile(quantile)) for name in SEARCH_FIGURES}
        rows.append((f"{quantile:.0%}", *(f"{v:.2f}" for v in values.values())))
        quantiles.append({"quantile": quantile, **values})
    n, pruned = len(strategies.frame), strategies.n_pruned
    note = f"{n:,} strategies, {pruned:,} of them pruned in the search; all were then simulated in full."
    columns = ("quantile", "score", "monthly return %", "trades/month", "mean position %")
    data = {"n_strategies": n, "n_pruned": pruned, "quantiles": quantiles}
    return Table("Strategies on past, each column by itself", columns, tuple(rows), note=note, key="search", data=data)


TIER_DATA = ("members", "capital", "n_strategies", "unlike", "ranks", "timing")
# title, figure, format: what the terminal shows, and what only the report does
Figures = tuple[tuple[str, str, str], ...]
TIER_FIGURES: Figures = (
    ("return %", "total_return_pct", "+.1f"),
    ("Sharpe", "sharpe", "+.2f"), ("max DD %", "max_drawdown_pct", ".1f"), ("trades/month", "trades_per_month", ".1f"),
    ("position %", "mean_position_pct", ".1f"), ("fees %", "fees_pct", ".1f"),
    ("funding %", "funding_pct", ".1f"), ("break-even", "break_even_bp", ".1f"),
)  # fmt: skip
MORE_FIGURES: Figures = (
    ("monthly %", "monthly_return_pct", "+.2f"), ("vol %", "volatility_pct", ".0f"),
    ("matched %", "matched_return_pct", "+.1f"), ("Sortino", "sortino", "+.2f"), ("Calmar", "calmar", "+.1f"),
    ("recovery, days", "recovery_days", ".1f"), ("invested %", "invested_pct", ".1f"),
    ("turnover/month", "turnover_per_month", ".1f"), ("beta", "beta", "+.2f"),
    ("spread %", "spread_pct", ".1f"), ("impact %", "impact_pct", ".1f"), ("borrow %", "borrow_pct", ".1f"),
)  # fmt: skip
TIER_COLUMNS = ("tier", "window", "bets", *(title for title, _, _ in TIER_FIGURES))


def figure_cells(figures: Metrics, wanted: Figures = TIER_FIGURES) -> tuple[str, ...]:
    """Figures of an account as text."""
    return tuple(cell(getattr(figures, name), form) for _, name, form in wanted)


def _tier_row(row: AccountRow) -> tuple[str, ...]:
    return (row.name, row.window, cell(row.effective_bets, ".1f"), *figure_cells(row.figures))


def unlike_sentences(found: Ensembles) -> list[str]:
    """How many unlike strategies there were, which tiers could not be formed, and what halves say of scores."""
    words = [
        "Bets: effective bets of the members' daily returns without the market's; 1 is one strategy held many times."
    ]
    its = found.unlike
    if its is None:
        return words
    if its.most_alike < 1:
        missing = [tier_name(n) for n in its.wanted if n not in found.members]
        most = max(its.wanted)
        number = f"{its.found}" if its.found < most else f"{most} or more"
        verb = "exists" if its.found == 1 else "exist"
        sentence = f"{number} unlike strateg{'y' if its.found == 1 else 'ies'} of positive score {verb}"
        sentence += f" (correlation up to {its.most_alike:g})"
        if missing:
            sentence += f"; {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not formed"
        words.append(sentence + ".")
    if its.halves is not None:
        size, shrunken = next(iter(its.halves.shrunken.items()))
        words.append(
            f"Searched on half A of past, ranked on half B: among {its.halves.n:,} strategies of positive score on A "
            f"the scores of both halves have a rank correlation of {its.halves.correlation:.2f}, so a member of "
            f"{tier_name(size)} is worth a score of {shrunken:.1f}."
        )
    return words


def tier_table(results: Results) -> Table:
    """Every tier, baseline and control, past and future, with the spread over seeds where there are others."""
    found = results.ensembles
    titles, spreads = spread_columns(results)
    rows = tuple((*_tier_row(row), *cells) for row, cells in zip(found.rows, spreads, strict=True))
    words = [*sentences(results), *unlike_sentences(found), *filter(None, [against_sentence(results)])]
    words.append("Break-even: cost of trading at which nothing is left, in basis points of the value traded.")
    if found.capital != "equal":
        words.append(f"Capital: {found.capital}; the timing test and belief judge the same members at equal capital.")
    data = {
        "table": [row.flat() for row in found.rows],
        **{name: getattr(found, name) for name in TIER_DATA},
        "verdict": results.belief.verdict,
    }
    columns = (*TIER_COLUMNS, *titles)
    return Table("Ensemble tiers", columns, rows, n_text=2, note=" ".join(words), key="ensembles", data=data)


def metrics_table(results: Results) -> Table:
    """Figures that the table of tiers has no room for."""
    rows = tuple((row.name, row.window, *figure_cells(row.figures, MORE_FIGURES)) for row in results.ensembles.rows)
    note = (
        "Recovery: days from the bottom of the largest drawdown until the previous peak was reached again; - if it was "
        "not. Turnover: value traded a month, in multiples of equity. Formulas are in docs/ENSEMBLES.md."
    )
    columns = ("tier", "window", *(title for title, _, _ in MORE_FIGURES))
    return Table("Ensemble tiers, further figures", columns, rows, n_text=2, note=note)


def comparison_table(runs: Sequence[Results]) -> Table:
    """Tiers of several runs side by side, grouped by window and tier."""
    entries = [(order, run.name, row) for run in runs for order, row in enumerate(run.ensembles.rows)]
    entries.sort(key=lambda entry: (entry[2].window == "future", entry[2].window, entry[0]))
    rows = tuple((run, *_tier_row(row)) for _, run, row in entries)
    data = [{"run": run, **row.flat()} for _, run, row in entries]
    return Table("Ensemble tiers by run", ("run", *TIER_COLUMNS), rows, n_text=3, key="ensembles", data=data)


def cost_table(results: Results) -> Table:
    """Wall time, peak memory and counted trials by stage."""
    rows, data = [], []
    for name, event in results.done.items():
        data.append({"stage": name, **{part: event[part] for part in ("counts", "seconds", "peak_mb")}})
        counts = ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in event["counts"].items())
        rows.append((name, counts, f"{event['seconds']:.1f}", f"{event['peak_mb']:,.0f}"))
    note = "Peak memory is the resident memory of all processes together; shared pages count more than once."
    columns = ("stage", "counts", "seconds", "peak MiB")
    return Table("Cost", columns, tuple(rows), n_text=2, note=note, key="cost", data=data)
