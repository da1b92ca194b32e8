"""Memory that an experiment needs at least, estimated from its settings before anything is computed."""

from feature_space.selection import parameter_grid
from labelsearch.classifiers.kinds import NETWORKS
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError

BAR_NUMBERS = 24  # numbers of 8 bytes held for each bar: columns, the same on the grid, what indicators read
STRATEGY_NUMBERS = 25  # figures of each strategy besides its parameters


def memory_needed(experiment: Experiment) -> dict[str, int]:
    """Bytes by the settings that decide them, of the largest arrays alone; own files must be active."""
    windows, separation, network = experiment.windows.named, experiment.separation, experiment.network
    n_bars = (windows["future"].stop_ms - windows["train"].start_ms) // experiment.data.interval_ms
    indicators = experiment.feature_space.chosen()
    n_candidates = sum(len(parameter_grid(indicator, separation.n_values)) for indicator in indicators)
    terms = 1 if separation.criterion != "contrast" else 2
    window = network.window if NETWORKS.find(network.kind).windowed else 1
    strategies = max(experiment.search.n_strategies, experiment.null.n_strategies if experiment.null.repeats else 0)
    return {
        "the bars of [windows]": n_bars * BAR_NUMBERS * 8,
        "n_pairs and n_values of [separation]": n_candidates * separation.n_pairs * 4 * terms,
        "n_neutral and window of [network]": min(network.n_neutral, n_bars) * window * len(indicators) * 4,
        "n_strategies": strategies * (2 * len(experiment.label) + STRATEGY_NUMBERS) * 8 * 2,
    }


def check_memory(experiment: Experiment, available: int | None = None) -> None:
    """Raise `ExperimentError` if an experiment needs more than the memory of this machine, or the given bytes."""
    import psutil

    available = psutil.virtual_memory().total if available is None else available
    for name, needed in memory_needed(experiment).items():
        if needed > available:
            gigabytes, there = (f"{number / 1e9:,.1f} GB" for number in (needed, available))
            raise ExperimentError(f"{name} would need {gigabytes} of memory or more; this machine has {there}")
