"""Parts of the lines of sessions."""

from collections.abc import Sequence


def outputs_by_label(
    names: Sequence[str], values: Sequence[float]
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Probabilities of buy and sell, and a third of the predicted move, by label.

    Parameters
    ----------
    names : sequence of str
        As `labelsearch.labels.base.output_names`.
    values : sequence of float
    """
    probabilities: dict[str, dict[str, float]] = {}
    magnitudes: dict[str, float] = {}
    for name, value in zip(names, values, strict=True):
        label, _, output = name.rpartition(":")
        if output == "magnitude":
            magnitudes[label] = value
        else:
            probabilities.setdefault(label, {})[output] = value
    return probabilities, magnitudes
