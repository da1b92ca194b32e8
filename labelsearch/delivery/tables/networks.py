"""The table of a comparison of networks."""

from labelsearch.classifiers.figures import Estimate, PairedDifference
from labelsearch.delivery.tables.table import Table
from labelsearch.results.studies import NetworkComparison

WATTS = 10.0  # that a busy core is taken to draw; only ratios of networks mean anything
SCORES = ("loss", "balanced_accuracy", "auc_buy", "auc_neutral", "auc_sell", "brier", "calibration_error")


def _score(found: Estimate) -> str:
    """A value with its interval, e.g. ``0.712 [.68 .74]``."""
    if found.value is None:
        return "-"
    text = f"{found.value:.3f}"
    if found.interval is None:
        return text
    low, high = (f"{x:.2f}".removeprefix("0") for x in found.interval)
    return f"{text} [{low} {high}]"


def _verdict(found: PairedDifference | None) -> str:
    if found is None:
        return "-"
    return f"{found.value:+.4f} [{found.low:+.4f} {found.high:+.4f}] {found.verdict}"


def network_table(found: NetworkComparison) -> Table:
    """Scores, cost and verdict of each network."""
    rows = []
    for entry in found.networks:
        cost = (
            f"{entry.training.n_parameters:,}",
            f"{entry.training.training_seconds:.0f}",
            f"{entry.training.processor_seconds:.0f}",
            f"{entry.training.processor_seconds * WATTS / 3600.0:.2f}",
            f"{entry.training.single_us:.0f}",
            f"{entry.training.batched_us:.2f}",
        )
        scores = (_score(getattr(entry.scores, name)) for name in SCORES)
        rows.append((entry.training.network, _verdict(entry.against_first), *scores, *cost))
    first = found.networks[0].training.network
    columns = (
        "network", f"loss less that of {first}", "loss", "balanced accuracy", "AUC buy", "AUC neutral", "AUC sell",
        "Brier", "calibration error", "parameters", "training s", "processor s", "energy proxy Wh", "µs/bar single",
        "µs/bar batched",
    )  # fmt: skip
    note = (
        f"{found.n_validation:,} bars of the validation part of train, on which the hyper-parameters were chosen "
        f"too. 95% intervals in brackets, from blocks of {found.block_bars:,} bars. Loss, Brier score and calibration "
        "error weigh bars by their loss factors. Verdicts rest on paired differences and each on an interval of its "
        f"own: with {len(rows)} networks a lone narrow one may be luck. One thread. Energy is not "
        f"measured: the proxy is processor seconds times {WATTS:g} watts."
    )
    title = f"Networks on {found.label}"
    return Table(title, columns, tuple(rows), n_text=2, note=note, key="networks", data=found)
