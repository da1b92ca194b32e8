"""The table of labels whose networks predict moves."""

from labelsearch.classifiers.figures import Estimate
from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.run import Results


def _estimate(found: Estimate) -> str:
    """A figure with its interval, e.g. ``+0.031 [+0.012 +0.049]``."""
    if found.interval is None:
        return cell(found.value, "+.3f")
    low, high = found.interval
    return f"{cell(found.value, '+.3f')} [{low:+.3f} {high:+.3f}]"


def magnitude_table(results: Results) -> Table | None:
    """How well moves are predicted on validation and on past, against the mean of train; None without such labels."""
    rows = []
    for entry in results.classifiers.of_magnitudes:
        for window in ("validation", "past"):
            found = entry.on(window)
            error, sign = found.mean_absolute_error, found.sign_accuracy
            rows.append(
                (
                    entry.label,
                    window,
                    f"{found.n:,}",
                    cell(error.figure.value),
                    _estimate(error.gain),
                    _estimate(found.r2.figure),
                    _estimate(found.rank_correlation.figure),
                    cell(sign.figure.value),
                    _estimate(sign.gain),
                )
            )
    columns = ("label", "window", "bars", "MAE", "MAE gain", "R2", "rank correlation", "sign right", "sign gain")
    note = (
        "Moves in volatilities, with 95% intervals over blocks of bars. Gain: against predicting the mean move of "
        "train, above 0 is better; R2 and rank correlation of that mean are 0. MAE: mean absolute error."
    )
    # the figures are among those of all classifiers
    return Table("Predicted moves", columns, tuple(rows), n_text=2, note=note) if rows else None
