"""Tables of a run, written once for the terminal and the report."""

from typing import Any

from labelsearch.delivery.belief_table import belief
from labelsearch.delivery.seeds_table import spread_columns
from labelsearch.delivery.table import Table
from labelsearch.labels.kinds import CLASS_NAMES
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import done_events
from labelsearch.pipeline.stages import classifiers, ensembles, features, labels, search

STARVED = 1000  # action bars below which a label is marked


def label_table(context: Context) -> Table:
    """Class counts of every label in train and past, and how far it sees in train."""
    rows = []
    for entry in labels.summary(context)["labels"]:
        counts = [f"{entry[w][c]:,}" for w in ("train", "past") for c in (*CLASS_NAMES, "unsettled")]
        reach = [_number(entry["train"].get(name), 1) for name in ("mean_horizon", "mean_leg")]
        rows.append((entry["label"], *counts, *reach))
    columns = tuple(f"{w} {c}" for w in ("train", "past") for c in (*CLASS_NAMES, "unsettled"))
    note = (
        "Unsettled bars lie at a window's end, where more data could still change the label; they are not used. "
        "Horizon: mean bars from an action bar of train to the last bar its label used. Leg: mean bars between "
        "turning points."
    )
    columns = ("label", *columns, "horizon", "leg")
    return Table("Labels", columns, tuple(rows), note=note, key="labels", data=labels.summary(context)["labels"])


def overlap_table(context: Context) -> Table:
    """Share of each label's action bars that each other label marks on the same side, in percent."""
    found = labels.summary(context)
    rows = []
    for i, (entry, shares) in enumerate(zip(found["labels"], found["overlap"], strict=True)):
        cells = ["-" if share is None else f"{100 * share:.0f}" for share in shares]
        rows.append((f"{i + 1} {entry['label']}", *cells))
    columns = tuple(str(i + 1) for i in range(len(rows)))
    note = "Percent of the row's action bars in train, buy and sell together, that the column's label marks alike."
    return Table("Overlap of labels", ("label", *columns), tuple(rows), note=note, key="overlap", data=found["overlap"])


def feature_table(context: Context) -> Table:
    """Separation power of every label's feature set."""
    rows, data = [], []
    for label in context.experiment.label_kinds():
        found = features.load(context, label.name)
        data.append({name: value for name, value in found.items() if name not in ("histogram", "feature_set")})
        later = found["confirmation"]
        low, high = later["power_interval"]
        rows.append(
            (
                label.name,
                f"{found['power']:,.0f}",
                f"{found['power_random']:,.0f}",
                f"{found['cross_class_mass']:.2e}",
                f"{found['same_class_mass']:.2e}",
                *([f"{found['power_exact']:,.0f}"] if context.experiment.separation.exact else []),
                f"{later['power']:,.0f}",
                f"{low:,.0f} - {high:,.0f}",
                f"{later['power_random']:,.0f}",
                f"{later['p_value']:.3f}",
            )
        )
    exact = ("all pairs",) if context.experiment.separation.exact else ()
    columns = (
        "label", "power", "random", "cross mass", "same mass", *exact,
        "later power", "95% interval", "later random", "p",
    )  # fmt: skip
    note = (
        "Separation power is 1/near-zero mass of cross-class distances, chosen on the fitted part of train. Where "
        "same-class pairs have as little mass near zero, power was gained by mere spread. Later: on the validation "
        "part. p: share of circular shifts of the label that do as well there."
    )
    return Table("Feature sets", columns, tuple(rows), note=note, key="features", data=data)


def parameter_table(context: Context) -> Table:
    """The chosen parameters: a row per indicator, a column per label."""
    chosen = [
        features.load(context, label.name)["feature_set"]["features"] for label in context.experiment.label_kinds()
    ]
    rows = [(row[0]["name"], *(", ".join(map(str, f["parameters"])) for f in row)) for row in zip(*chosen, strict=True)]
    names = tuple(label.name for label in context.experiment.label_kinds())
    data = dict(zip(names, chosen, strict=True))
    return Table("Parameters", ("indicator", *names), tuple(rows), key="parameters", data=data)


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _auc(figures: dict[str, Any]) -> str:
    """AUC with its interval, e.g. ``0.712 [.68 .74]``."""
    if not figures.get("auc_interval"):
        return _number(figures["auc"])
    low, high = (f"{x:.2f}".replace("0.", ".", 1) for x in figures["auc_interval"])
    return f"{_number(figures['auc'])} [{low} {high}]"


def classifier_table(context: Context) -> Table:
    """Losses, AUC, precision and recall of every classifier."""
    rows, data = [], []
    for label in context.experiment.label_kinds():
        f = classifiers.figures(context, label.name)
        data.append({**f, "learned_nothing": classifiers.learned_nothing(f)})
        mark = " *" if f["n_action"] < STARVED else ""
        mark += " (learned nothing)" if classifiers.learned_nothing(f) else ""
        scores = [_auc(f[w][c]) for w in ("validation", "past") for c in ("buy", "sell")]
        hits = [_number(f["past"][c][kind]) for c in ("buy", "sell") for kind in ("precision", "recall")]
        rows.append((label.name + mark, f"{f['n_action']:,}", _number(f["validation_loss"]), *scores, *hits))
    columns = (
        "label", "action bars", "val loss", "val AUC buy", "val AUC sell", "past AUC buy", "past AUC sell",
        "buy prec", "buy recall", "sell prec", "sell recall",
    )  # fmt: skip
    note = (
        f"Validation is the later part of train. Precision and recall are on past. * fewer than {STARVED:,} action "
        "bars to learn from. Knowing nothing but the class balance costs about 1.04."
    )
    return Table("Classifiers", columns, tuple(rows), note=note, key="classifiers", data=data)


def search_table(context: Context) -> Table:
    """The population of strategies on past."""
    frame = search.load(context)
    rows, quantiles = [], []
    for quantile in (0.0, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0):
        names = ("score", "monthly_return", "trades_per_month", "mean_position")
        values = {name: float(frame[name].quantile(quantile)) for name in names}
        rows.append((f"{quantile:.0%}", *(f"{v:.2f}" for v in values.values())))
        quantiles.append({"quantile": quantile, **values})
    pruned = int((~frame["complete"]).sum())
    note = f"{len(frame):,} strategies, {pruned:,} of them pruned in the search; all were then simulated in full."
    columns = ("quantile", "score", "monthly return %", "trades/month", "mean position %")
    data = {"strategies": len(frame), "pruned": pruned, "quantiles": quantiles}
    return Table("Strategies on past, each column by itself", columns, tuple(rows), note=note, key="search", data=data)


# title, figure, format: what the terminal shows, and what only the report does
TIER_FIGURES = (
    ("return %", "total_return", "+.1f"), ("monthly %", "monthly_return", "+.2f"), ("vol %", "volatility", ".0f"),
    ("Sharpe", "sharpe", "+.2f"), ("max DD %", "max_drawdown", ".1f"), ("matched %", "matched_return", "+.1f"),
    ("trades/month", "trades_per_month", ".1f"), ("position %", "mean_position", ".1f"), ("fees %", "fees", ".1f"),
)  # fmt: skip
MORE_FIGURES = (
    ("Sortino", "sortino", "+.2f"), ("Calmar", "calmar", "+.1f"), ("recovery, days", "recovery_days", ".1f"),
    ("invested %", "invested", ".1f"), ("turnover/month", "turnover", ".1f"), ("beta", "beta", "+.2f"),
)  # fmt: skip
TIER_COLUMNS = ("tier", "window", *(title for title, _, _ in TIER_FIGURES))


def figure_cells(row: dict[str, Any], figures: tuple[tuple[str, str, str], ...] = TIER_FIGURES) -> tuple[str, ...]:
    """Figures of an account as text; a dash for what it has not."""
    values = ((row.get(name), kind) for _, name, kind in figures)
    return tuple("-" if value is None else f"{value:{kind}}" for value, kind in values)


def _tier_row(row: dict[str, Any]) -> tuple[str, ...]:
    return (row["tier"], row["window"], *figure_cells(row))


def tier_table(context: Context) -> Table:
    """Every tier and baseline, past and future, with the spread over seeds where there are others."""
    titles, spreads = spread_columns(context)
    found = ensembles.load(context)
    rows = tuple((*_tier_row(row), *cells) for row, cells in zip(found["table"], spreads, strict=True))
    sentences = belief(context)
    if found.get("capital", "equal") != "equal":
        sentences.append(f"Capital: {found['capital']}; placebo and belief judge the same members at equal capital.")
    columns = (*TIER_COLUMNS, *titles)
    return Table("Ensemble tiers", columns, rows, n_text=2, note=" ".join(sentences), key="ensembles", data=found)


def metrics_table(context: Context) -> Table:
    """What the table of tiers has no room for."""
    rows = tuple(
        (row["tier"], row["window"], *figure_cells(row, MORE_FIGURES)) for row in ensembles.load(context)["table"]
    )
    note = (
        "Recovery: days from the bottom of the largest fall until the peak before it was reached again; - if it was "
        "not. Turnover: value traded a month, in equities. Formulas are in docs/ENSEMBLES.md."
    )
    columns = ("tier", "window", *(title for title, _, _ in MORE_FIGURES))
    return Table("Ensemble tiers, further figures", columns, rows, n_text=2, note=note)


def comparison_table(contexts: list[Context]) -> Table:
    """Tiers of several runs side by side, grouped by window and tier."""
    entries = []
    for context in contexts:
        for order, row in enumerate(ensembles.load(context)["table"]):
            entries.append((order, context.folder.name, row))
    entries.sort(key=lambda entry: (entry[2]["window"] == "future", entry[2]["window"], entry[0]))
    rows = tuple((run, *_tier_row(row)) for _, run, row in entries)
    data = [{"run": run, **row} for _, run, row in entries]
    return Table("Ensemble tiers by run", ("run", *TIER_COLUMNS), rows, n_text=3, key="ensembles", data=data)


def cost_table(context: Context) -> Table:
    """Wall time, peak memory and counted trials by stage."""
    rows, data = [], []
    for name, event in done_events(Ledger(context.folder / "ledger.jsonl")).items():
        data.append({"stage": name, **{part: event[part] for part in ("counts", "seconds", "peak_mb")}})
        counts = ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in event["counts"].items())
        rows.append((name, counts, f"{event['seconds']:.1f}", f"{event['peak_mb']:,.0f}"))
    note = "Peak memory is resident memory of all processes together; pages they share count more than once."
    columns = ("stage", "counts", "seconds", "peak MiB")
    return Table("Cost", columns, tuple(rows), n_text=2, note=note, key="cost", data=data)
