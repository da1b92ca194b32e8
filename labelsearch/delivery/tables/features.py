"""Tables of the feature sets of a run."""

from collections.abc import Sequence

from feature_space.discriminant import KIND_NAMES
from feature_space.feature_set import Feature
from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.features import HeldOut
from labelsearch.results.run import Results


def feature_table(results: Results) -> Table:
    """Separation power of every label's feature set."""
    exact = results.experiment.separation.exact
    rows, data = [], []
    for entry in results.features.chosen:
        later = entry.confirmation
        data.append({n: x for n, x in vars(entry).items() if n not in ("histogram", "feature_set")})
        rows.append(
            (
                entry.label,
                f"{entry.power:,.0f}",
                f"{entry.power_random:,.0f}",
                f"{entry.cross_class_mass:.2e}",
                f"{entry.same_class_mass:.2e}",
                *([cell(entry.power_exact, ",.0f")] if exact else []),
                f"{later.power:,.0f}",
                f"{later.low:,.0f} - {later.high:,.0f}",
                f"{later.power_random:,.0f}",
                f"{later.p_value:.3f}",
            )
        )
    columns = (
        "label", "power", "random", "cross mass", "same mass", *(("all pairs",) if exact else ()),
        "later power", "95% interval", "later random", "p",
    )  # fmt: skip
    note = (
        "Separation power is 1 / near-zero mass of cross-class distances, chosen on the fitted part of train. Where "
        "same-class pairs have as little mass near zero, the power comes from mere spread. Later: on the validation "
        "part. p: share of circular shifts of the label that do as well there."
    )
    return Table("Feature sets", columns, tuple(rows), note=note, key="features", data=data)


def parameter_table(results: Results) -> Table:
    """The chosen parameters: a row per indicator, a column per label."""
    chosen = {entry.label: entry.feature_set.features for entry in results.features.chosen}
    rows = [
        (name, *(", ".join(map(str, its[name, n].parameters)) if (name, n) in its else "-" for its in by_name))
        for by_name in [[_numbered(features) for features in chosen.values()]]
        for name, n in dict.fromkeys(key for its in by_name for key in its)
    ]
    note = "-: the indicator is not in the set." if any("-" in row for row in rows) else ""
    return Table("Parameters", ("indicator", *chosen), tuple(rows), note=note, key="parameters", data=chosen)


def _numbered(features: Sequence[Feature]) -> dict[tuple[str, int], Feature]:
    """Features by the name of their indicator and how often it came before."""
    seen: dict[str, int] = {}
    found = {}
    for feature in features:
        n = seen[feature.name] = seen.get(feature.name, -1) + 1
        found[feature.name, n] = feature
    return found


def held_out_table(results: Results) -> Table | None:
    """Errors of the sets that were chosen by discriminant, on bars left out; None with another criterion."""
    entries = [(entry, entry.held_out) for entry in results.features.chosen if entry.held_out]
    if not entries:
        return None
    rows = [(entry.label, str(len(entry.feature_set.features)), *_held_out_cells(found)) for entry, found in entries]
    columns = ("label", "features", "error", "later error", *KIND_NAMES, "later random", "p")
    note = (
        "Share of the variance of the class that a quadratic discriminant of the set leaves, mean over kinds of pairs "
        "by their weights; 1: it knows nothing. Error: on stretches of the fitted part left out, by which the set was "
        "chosen. Later: on the validation part, also by kind. Random: sets of as many indicators. p: share of circular "
        "shifts of the label that do as well there."
    )
    data = [{"label": entry.label, **vars(found)} for entry, found in entries]
    return Table("Errors of the discriminants", columns, tuple(rows), note=note, key="held_out", data=data)


def _held_out_cells(found: HeldOut) -> tuple[str, ...]:
    kinds = (found.later_by_kind.get(kind) for kind in KIND_NAMES)
    return tuple(cell(x) for x in (found.error, found.later, *kinds, found.later_random, found.p_value))
