"""The tables of an explanation, and what was done to get them."""

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.labels.base import CLASS_NAMES
from labelsearch.results.explanation import Ablation, ByClass, ExplanationFigures

EXPLAINERS = {
    "deep": "DeepExplainer, approximate, its additivity check on",
    "permutation": "sampled orders of the permutation explainer, approximate",
    "windows": "sampled orders of whole features over the window, each with its reverse, approximate",
}


def _shap(found: ByClass) -> tuple[str, ...]:
    return tuple(f"{getattr(found, name):.4f}" for name in CLASS_NAMES)


def _ablation(found: Ablation) -> tuple[str, str]:
    return f"{found.value:+.4f}", f"{found.standard_error:.4f}"


def feature_effects_table(found: ExplanationFigures) -> Table:
    """Every feature by rank: Shapley values, direction and ablation."""
    rows = [
        (
            entry.feature,
            entry.family,
            str(entry.rank),
            *_shap(entry.mean_abs_shap),
            cell(entry.direction_buy, "+.2f"),
            cell(entry.direction_sell, "+.2f"),
            *_ablation(entry.ablation),
            *_ablation(entry.retrained),
        )
        for entry in found.features
    ]
    columns = (
        "feature", "family", "rank", "SHAP buy", "SHAP neutral", "SHAP sell", "direction buy", "direction sell",
        "ablation", "s.e.", "retrained", "s.e.",
    )  # fmt: skip
    note = (
        "SHAP: mean absolute Shapley value. Direction: rank correlation of the feature with its Shapley value; above "
        "0, high values speak for the side. Ablation: increase of the weighted validation loss when the column is "
        "shifted in time; s.e. over the shifts. Retrained: the same of a small perceptron that is trained without the "
        "feature, which others may stand in for; s.e. over seeds."
    )
    title = f"What the classifier of {found.label} learned"
    return Table(title, columns, tuple(rows), n_text=2, note=note, key="explanation", data=found)


def family_effects_table(found: ExplanationFigures) -> Table:
    """Every family of indicators, the largest ablation first."""
    families = sorted(found.families, key=lambda entry: -entry.ablation.value)
    rows = [
        (
            entry.family,
            str(entry.n_features),
            *_shap(entry.mean_abs_shap),
            *_ablation(entry.ablation),
        )
        for entry in families
    ]
    columns = ("family", "features", "SHAP buy", "SHAP neutral", "SHAP sell", "ablation", "s.e.")
    note = "SHAP: sum over the family. Ablation: all columns of the family are shifted together."
    return Table("By family of indicators", columns, tuple(rows), note=note)


def _rows(counts: dict[str, int]) -> str:
    return f"{sum(counts.values()):,} ({', '.join(f'{counts[name]:,} {name}' for name in CLASS_NAMES)})"


def how_explained(found: ExplanationFigures) -> list[str]:
    """Sentences that say what was computed, how, and how far the two rankings agree."""
    correlation = found.rank_correlation
    agree = "is undefined" if correlation is None else f"is {correlation:+.2f}"
    names = " and ".join(EXPLAINERS[name] for name in found.explainer.split(" and "))
    ablation = found.ablation
    shifts = [abs(shift) for shift in ablation.shifts]
    many = found.n_networks > 1
    what = f"the mean logits of {found.n_networks} networks" if many else "the logits of the network"
    if found.temperature != 1.0:
        what += f", divided by the temperature {found.temperature:.3f}"
    return [
        f"Spearman's correlation of the features' mean absolute Shapley values with their ablation {agree}.",
        f"Explainer: {names}; the largest error of a sum of Shapley values is {found.additivity_error:.1e}.",
        f"Explained are {what}, less their mean over the classes.",
        f"Background: fitted rows {_rows(found.background)}. Explained: validation rows {_rows(found.rows)}. "
        "Both are stratified by class, so rare classes count more than they occur.",
        f"Ablation: {len(shifts)} circular shifts of {min(shifts):,} to {max(shifts):,} bars, on validation rows "
        f"{_rows(ablation.rows)} weighted back to how often classes occur. The loss without a shift is "
        f"{ablation.loss:.4f}.",
        "All rows lie in train.",
    ]
