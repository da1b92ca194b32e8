"""Memory, time and disk that an experiment needs, estimated from its settings before anything is computed."""

from collections.abc import Sequence
from typing import NamedTuple

from feature_space.selection import parameter_grid
from labelsearch.classifiers.hyperband import epochs_of_trials
from labelsearch.classifiers.kinds import NETWORKS
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.roll import Pool
from labelsearch.settings.schema import ExperimentError

BAR_NUMBERS = 24  # numbers of 8 bytes held for each bar: columns, the same on the grid, what indicators read
STRATEGY_NUMBERS = 25  # figures of each strategy besides its parameters


class Rates(NamedTuple):
    """Seconds of one core, measured on bitcoin in hours and in minutes, multilayer perceptrons."""

    label_bar: float = 1.0e-5  # a label and bar
    candidate_bar: float = 1.1e-7  # a setting of an indicator and bar of train
    pair: float = 8.0e-8  # a pair of bars, setting and label
    network: float = 3.0  # of a label: start, evaluation, explanation
    sample: float = 4.0e-6  # a sample and epoch
    strategy: float = 1.6e-3  # asked for and told
    strategy_bar: float = 1.0e-9  # a strategy and bar of past
    cell: float = 4.0  # what is the same for all: start, tiers


RATES = Rates()
UNPOOLED = Pool()


class CellCost(NamedTuple):
    """What cells cost: seconds of one core by stage, and bytes on disk."""

    seconds: dict[str, float]
    disk: int


def _sizes(experiment: Experiment) -> tuple[int, int, int]:
    """Bars of train, of past and of future, if none is missing and the market never closes."""
    windows, step = experiment.windows.named, experiment.data.interval_ms
    train, past, future = ((w.stop_ms - w.start_ms) // step for w in windows.values())
    return train, past, future


def candidates_of(experiment: Experiment) -> int:
    """Settings of all indicators that feature sets are chosen from; own files must be active."""
    indicators = experiment.feature_space.chosen()
    return sum(len(parameter_grid(indicator, experiment.separation.n_values)) for indicator in indicators)


def split_cost(cells: Sequence[Experiment], pool: Pool = UNPOOLED, rates: Rates = RATES) -> CellCost:
    """What the cells of one split cost up to their tiers; own files must be active.

    Parameters
    ----------
    cells : sequence of Experiment
        Of one market and one split each.
    pool : Pool
        What they share.
    """
    first, sizes = cells[0], [_sizes(cell) for cell in cells]
    n_labels, n_candidates, n = len(first.label), candidates_of(first), len(cells)
    network, search = first.network, first.search
    train, past, future = (sum(bars) for bars in zip(*sizes, strict=True))
    fits = 1 if pool.classifiers else n
    most = 1.3 * network.n_neutral  # action bars beside
    samples = min(train, most) if pool.classifiers else sum(min(bars, most) for bars, _, _ in sizes)
    of_trials = min(fits * network.search_rows, samples)
    in_trials = epochs_of_trials(network.n_trials, network.max_epochs) * of_trials
    fitted = n_labels * (in_trials + network.max_epochs * network.n_seeds * samples)
    pairs = fits * first.separation.n_pairs * n_labels
    asked = search.n_strategies * (1 if pool.strategies else n)
    seconds = {
        "labels": rates.label_bar * n_labels * (train + past),
        "features": n_candidates * (rates.candidate_bar * train + rates.pair * pairs),
        "classifiers": fits * n_labels * rates.network + rates.sample * fitted,
        "outputs": rates.label_bar * 0.1 * n_labels * (train + past + future),
        "search": asked * rates.strategy + search.n_strategies * rates.strategy_bar * past,
        "ensembles": n * rates.cell + rates.strategy_bar * search.n_strategies * future,
    }
    numbers = n * (2 * n_labels + 3 + 2 * STRATEGY_NUMBERS)  # compressed to 5 bytes each
    disk = 5 * search.n_strategies * numbers + (past + future) * (8 * n_labels + 160) + 12 * n_labels * (train + past)
    return CellCost(seconds, disk)


def memory_needed(experiment: Experiment) -> dict[str, int]:
    """Bytes by the settings that decide them, of the largest arrays alone; own files must be active."""
    windows, separation, network = experiment.windows.named, experiment.separation, experiment.network
    n_bars = (windows["future"].stop_ms - windows["train"].start_ms) // experiment.data.interval_ms
    terms = 1 if separation.criterion != "contrast" else 2
    window = network.window if NETWORKS.find(network.kind).windowed else 1
    strategies = max(experiment.search.n_strategies, experiment.null.n_strategies if experiment.null.repeats else 0)
    return {
        "the bars of [windows]": n_bars * BAR_NUMBERS * 8,
        "n_pairs and n_values of [separation]": candidates_of(experiment) * separation.n_pairs * 4 * terms,
        "n_neutral and window of [network]": min(network.n_neutral, n_bars)
        * window
        * len(experiment.feature_space.chosen())
        * 4,
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
