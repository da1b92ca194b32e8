"""Tables of the search over labels."""

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.label_space.worth import Figure, Worth
from labelsearch.results.space import LabelFigures, Space, SpaceLabel, SpaceTrial

COLUMNS = (
    "buy bars",
    "sell bars",
    "horizon",
    "features",
    "skill",
    "AUC buy",
    "AUC sell",
    "buy/sell",
    "events",
    "worth, bp",
    "t",
)


def _with_interval(figure: Figure, form: str, factor: float = 1.0) -> str:
    """A figure with its interval, e.g. ``0.712 [.68 .74]``."""
    text = cell(None if figure.value is None else factor * figure.value, form)
    if figure.low is None or figure.high is None:
        return text
    low, high = (f"{factor * x:.2f}".replace("0.", ".", 1) for x in (figure.low, figure.high))
    return f"{text} [{low} {high}]"


def _worth(worth: Worth) -> str:
    """Mean return of an event in basis points, with its interval."""
    if worth.mean is None:
        return "-"
    ends = "" if worth.low is None or worth.high is None else f" [{1e4 * worth.low:.0f} {1e4 * worth.high:.0f}]"
    return f"{1e4 * worth.mean:+.1f}{ends}"


def _cells(found: LabelFigures | None) -> tuple[str, ...]:
    if found is None:
        return ("-",) * len(COLUMNS)
    return (
        f"{found.counts[0]:,}",
        f"{found.counts[2]:,}",
        f"{found.horizon:,.0f}",
        str(len(found.features)),
        _with_interval(found.skill, ".3f"),
        _with_interval(found.auc_buy, ".3f"),
        _with_interval(found.auc_sell, ".3f"),
        _with_interval(found.auc_sides, ".3f"),
        f"{found.worth.events:,}",
        _worth(found.worth),
        cell(found.worth.t, "+.1f"),
    )


def best_trials(found: Space, n: int) -> list[SpaceTrial]:
    """Candidates that were judged in full, the best first."""
    full = [its for its in found.trials if its.rungs == found.n_rungs and its.value is not None]
    return sorted(full, key=lambda its: (-(its.value or 0.0), its.number))[:n]


def trials_table(found: Space, n: int = 20) -> Table:
    """The best candidates on the judging part; the data are those of all."""
    rows = tuple((its.label, *_cells(its.figures)) for its in best_trials(found, n))
    full = sum(its.rungs == found.n_rungs for its in found.trials)
    note = (
        f"Of {len(found.trials):,} candidates {full:,} were judged in full; by {found.objective}. On the last part of "
        "train before validation, by quick classifiers. Skill: 1 - loss/loss of a constant. buy/sell: AUC of buy "
        "against sell bars. Worth: mean return of an event in basis points, after costs. Intervals of 95 % from "
        "blocks of time. The best of many look better here than they are."
    )
    return Table("Labels tried", ("label", *COLUMNS), rows, note=note, key="trials", data=found.trials)


def _labels_table(title: str, key: str, labels: tuple[SpaceLabel, ...], dimension: float | None, note: str) -> Table:
    is_chosen = any(its.gains for its in labels)
    rows = []
    for its in labels:
        gain = (_gain(its),) if is_chosen else ()
        rows.append((its.label, *gain, *_cells(its.later)))
    effective = f" Effective dimension of their {2 * len(labels)} outputs: {cell(dimension, '.1f')}."
    missing = "".join(f" {its.label}: {its.reason}." for its in labels if its.reason)
    columns = ("label", *(("adds, mnat",) if is_chosen else ()), *COLUMNS)
    data = {"labels": labels, "effective_dimension": dimension}
    return Table(title, columns, tuple(rows), note=note + effective + missing, key=key, data=data)


def _gain(its: SpaceLabel) -> str:
    """What a label adds, mean over folds in thousandths of a nat, and each."""
    if not its.gains:
        return "-"
    each = " ".join(f"{1e3 * gain:+.1f}" for gain in its.gains)
    return f"{1e3 * sum(its.gains) / len(its.gains):+.1f} ({each})"


def chosen_table(found: Space) -> Table:
    """The chosen labels on validation."""
    note = (
        "On the validation part of train, which chose nothing. Adds: fall of the log loss of later returns by the "
        "outputs of the label, beside those chosen before it, mean and by fold."
    )
    return _labels_table("Chosen labels", "chosen", found.chosen, found.dimension, note)


def own_table(found: Space) -> Table | None:
    """The experiment's own labels on validation; None where it has none that could be judged alike."""
    if not found.own:
        return None
    note = "Judged alike: feature sets and quick classifiers of the time before validation."
    return _labels_table("The experiment's own labels", "own", found.own, found.dimension_own, note)


def chosen_features_table(found: Space) -> Table:
    """Features of each chosen label beside those of the others."""
    sets = {its.label: its.later.features for its in found.chosen if its.later}
    names = dict.fromkeys(feature.split("(")[0] for features in sets.values() for feature in features)
    rows = tuple(
        (
            name,
            *(
                ", ".join(f.split("(")[1][:-1] for f in features if f.split("(")[0] == name) or "-"
                for features in sets.values()
            ),
        )
        for name in names
    )
    return Table("Features of the chosen labels", ("indicator", *sets), rows, key="features", data=sets)


def space_sentences(found: Space) -> list[str]:
    """What the null says of the best label."""
    if found.best_t is None:
        return ["No candidate had enough events for a worth."]
    said = [f"The best t-value of worth before costs is {found.best_t:+.2f}."]
    if found.p_value is not None:
        said.append(
            f"{len(found.null_best)} searches on features shifted against the market had a best one of "
            f"{', '.join(cell(t, '+.2f') for t in found.null_best[:5])}{' ..' if len(found.null_best) > 5 else ''}: "
            f"p = {found.p_value:.3f}."
        )
    else:
        said.append("What luck alone would give is not known: nulls = 19 in [label_space] repeats the search on it.")
    return said


def label_lines(found: Space) -> list[str]:
    """The chosen labels as TOML, each with its evidence as a comment."""
    from labelsearch.settings.schema import dump_value

    lines = []
    for its in found.chosen:
        evidence = its.reason or (its.later and _evidence(its.later)) or ""
        lines += [f"# {evidence}", "[[label]]", f"kind = {dump_value(its.kind)}"]
        lines += [f"{name} = {dump_value(value)}" for name, value in its.options.items()]
        lines.append("")
    return lines


def _evidence(found: LabelFigures) -> str:
    return (
        f"on validation: skill {_with_interval(found.skill, '.3f')}, buy against sell "
        f"{_with_interval(found.auc_sides, '.3f')}, {found.worth.events:,} events worth {_worth(found.worth)} bp"
    )
