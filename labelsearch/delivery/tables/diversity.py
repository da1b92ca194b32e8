"""How unlike strategies and networks are, and what the tiers live on."""

import numpy as np
from numpy.typing import NDArray

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.classifiers import MoveShapMeans
from labelsearch.results.diversity import HARMS, HELPS, LabelDiversity, TierDiversity
from labelsearch.results.ensembles import tier_name
from labelsearch.results.run import Results
from strategies.trade.rules import N_THRESHOLDS

N_FEATURES = 5  # of a label


def diversity_table(results: Results) -> Table:
    """Effective bets and correlations of the members of every tier, by window."""
    found = results.belief.diversity
    rows = tuple(_tier_cells(row) for row in found.tiers)
    note = (
        "Of daily returns less beta times the market's. Effective bets: 1 is one strategy held many times, at most as "
        "many as there are members. Correlations are over all pairs of members; a largest one of 1 means that two "
        "members do the same."
    )
    columns = ("tier", "window", "effective bets", "mean correlation", "largest")
    data = {"tiers": found.tiers, "n_still": found.n_still}
    return Table("Diversity of tiers", columns, rows, n_text=2, note=note, key="diversity", data=data)


def _tier_cells(row: TierDiversity) -> tuple[str, ...]:
    pairs = (cell(value, "+.2f") for value in (row.mean_correlation, row.largest_correlation))
    return (tier_name(row.tier), row.window, f"{row.effective_bets:.1f}", *pairs)


def ambiguity_sentence(results: Results) -> str:
    """Whether labels whose networks differ more are predicted better."""
    found = results.belief.diversity.across
    if found.rho is None or found.p_value is None:
        return (
            "Whether more diversity goes with lower loss cannot be told: that takes three labels with several networks "
            "whose figures differ."
        )
    figures = f"rank correlation {found.rho:+.2f} over {found.n} labels, p {found.p_value:.3f}"
    what = "More diversity among the networks of a label"
    if found.verdict == HELPS:
        return f"{what} goes with lower loss of their mean: it helps here ({figures})."
    if found.verdict == HARMS:
        return f"{what} goes with higher loss of their mean: it harms here ({figures})."
    return f"Whether more diversity goes with lower loss cannot be told ({figures})."


def ambiguity_table(results: Results) -> Table | None:
    """Losses of single networks and of their mean, by label; None where each classifier is one network."""
    found = results.belief.diversity
    if not found.labels:
        return None
    rows = tuple(
        (
            its.label,
            its.loss,
            f"{its.single_loss:.4f}",
            f"{its.ensemble_loss:.4f}",
            f"{its.ambiguity:.5f}",
            cell(its.relative_loss, ".3f"),
            cell(its.correlation, ".3f"),
        )
        for its in found.labels
    )
    note = (
        f"{ambiguity_sentence(results)} On past, {found.labels[0].n_networks} networks a label, every bar counted "
        "alike. Ambiguity: mean loss of single networks less the loss of their mean, what averaging is worth. "
        "Relative: the loss of the mean over that of the best constant, which knows only how frequent classes are on "
        "past; above 1 it is worse. Correlation: of the log odds of two networks, or of the moves they predict. The "
        "p-value counts labels as unlike each other, which they are not, so it is too small."
    )
    columns = ("label", "loss", "single networks", "their mean", "ambiguity", "relative", "correlation")
    data = {"across": found.across, "labels": [_data(its) for its in found.labels]}
    title = "Diversity against loss of networks"
    return Table(title, columns, rows, n_text=2, note=note, key="ambiguity", data=data)


def _data(found: LabelDiversity) -> dict[str, object]:
    plain = {name: value for name, value in vars(found).items() if name != "correlation"}
    follow = {"ambiguity": found.ambiguity, "relative_loss": found.relative_loss}
    return {**plain, **follow, "network_correlation": found.correlation}


def member_weights(results: Results) -> NDArray[np.float64]:
    """Weights (n, K) of the members of the largest tier, best first, over the sum of their sizes; 0 where all are 0."""
    members = results.ensembles.members[results.ensembles.sizes[0]]
    weights = results.strategies.params[np.array(members), :-N_THRESHOLDS]
    whole = np.abs(weights).sum(axis=1, keepdims=True)
    return np.divide(weights, whole, out=np.zeros_like(weights), where=whole > 0)


def lived_on_table(results: Results) -> Table:
    """Labels by how much members of the largest tier weigh them, with the features their networks rest on."""
    shares, columns = np.abs(member_weights(results)), results.outputs.columns
    names = results.outputs.labels
    of_label = np.column_stack(
        [shares[:, [k for k, column in enumerate(columns) if column.rpartition(":")[0] == name]].sum(axis=1)
         for name in names]
    )  # fmt: skip
    first = of_label.argmax(axis=1)
    order = np.argsort(-of_label.mean(axis=0), kind="stable")
    rows = tuple(
        (names[j], f"{100 * of_label[:, j].mean():.1f}", str(int((first == j).sum())), _features(results, names[j]))
        for j in order
    )
    tier = tier_name(results.ensembles.sizes[0])
    note = (
        f"Of {tier}: the mean share of a label in the weights of a member, the members that weigh it most, and the "
        f"{N_FEATURES} features with the largest mean absolute Shapley values in its network."
    )
    columns_of = ("label", "weight %", "members", "features")
    return Table("What members live on", columns_of, rows, note=note, prose=True)


def _features(results: Results, label: str) -> str:
    shap = results.classifiers.of(label).shap
    values = np.array(shap.move if isinstance(shap, MoveShapMeans) else (shap.buy, shap.neutral, shap.sell))
    size = values.reshape(-1, len(shap.features)).sum(axis=0)
    return ", ".join(shap.features[k] for k in np.argsort(-size, kind="stable")[:N_FEATURES])
