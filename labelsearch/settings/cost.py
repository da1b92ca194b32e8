"""Memory, time and disk that an experiment needs, estimated from its settings before anything is computed."""

from collections.abc import Sequence
from typing import NamedTuple

from feature_space.candidates import parameter_grid
from labelsearch.classifiers.hyperband import epochs_of_trials
from labelsearch.classifiers.kinds import NETWORKS
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.roll import Pool
from labelsearch.settings.schema import ExperimentError

BAR_NUMBERS = 24  # numbers of 8 bytes held for each bar: columns, the same on the grid, what indicators read
BESIDE_NUMBERS = 8  # of a bar of a market beside others
STRATEGY_NUMBERS = 25  # figures of each strategy besides its parameters
COMPARED = 0.9  # of simulating all strategies once: what it takes to find those that are unlike, days by days


class Rates(NamedTuple):
    """Seconds of one core of a small virtual machine, multilayer perceptrons.

    Between those that fit the presets `panel`, `quick` and `paper`, whose stages take 0.65 to 1.2 times what is
    estimated: a calibration by `quick` carries over to the two others.
    """

    label_bar: float = 2.5e-7  # a label and bar
    candidate_bar: float = 2.0e-7  # a setting of an indicator and bar of train
    pair: float = 8.0e-9  # a pair of bars, setting, label and search
    network: float = 0.2  # of a label: explanation
    sample: float = 3.0e-6  # a sample and epoch
    network_bar: float = 8.0e-6  # a label and bar that a network is prepared for and judged on
    output_bar: float = 1.5e-6  # a label and bar
    costs_bar: float = 5.0e-8  # a bar
    strategy: float = 5.0e-4  # asked for and told
    searched_bar: float = 1.0e-8  # a strategy and bar of past, part of it several times
    strategy_bar: float = 5.5e-9  # a strategy and bar, once
    member_bar: float = 3.2e-7  # a strategy of the largest tier and bar
    path_bar: float = 2.0e-8  # the same without vectorbt
    control_bar: float = 8.0e-6  # a control and bar of past
    cell: float = 0.3  # tiers, whatever their size
    belief: float = 7.5e-4  # a strategy, whatever the bars
    book_bar: float = 9.0e-8  # a strategy of a book, bar and market, once
    book_split: float = 5.0  # search and tiers of one split of a book, whatever their size
    book: float = 15.0  # vectorbt and the figures of a book
    start: float = 15.0  # libraries, in all processes, and the report


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


def split_cost(
    cells: Sequence[Experiment], pool: Pool = UNPOOLED, rates: Rates = RATES, *, is_searched: bool = True
) -> CellCost:
    """What the cells of one split cost up to their tiers; own files must be active.

    Parameters
    ----------
    cells : sequence of Experiment
        Of one market and one split each.
    pool : Pool
        What they share.
    rates : Rates
    is_searched : bool
        Whether hyper-parameters of networks are.
    """
    first, sizes = cells[0], [_sizes(cell) for cell in cells]
    n_labels, n_candidates, n = len(first.label), candidates_of(first), len(cells)
    network, search = first.network, first.search
    train, past, future = (sum(bars) for bars in zip(*sizes, strict=True))
    fits = 1 if pool.classifiers else n
    most = 1.3 * network.n_neutral  # action bars beside
    samples = min(train, most) if pool.classifiers else sum(min(bars, most) for bars, _, _ in sizes)
    of_trials = min(fits * network.search_rows, samples)
    in_trials = epochs_of_trials(network.n_trials, network.max_epochs) * network.folds * of_trials * is_searched
    fitted = n_labels * (in_trials + network.max_epochs * network.n_seeds * samples)
    pairs = fits * first.separation.n_pairs * n_labels
    asked = search.n_strategies * (1 if pool.strategies else n)
    judged = first.tiers.descending[0] * (past + future)
    compared = COMPARED * (first.tiers.most_alike < 1) * past
    seconds = {
        "costs": rates.costs_bar * (train + past + future),
        "labels": rates.label_bar * n_labels * (train + past),
        "features": n_candidates
        * (rates.candidate_bar * train + rates.pair * pairs * (first.separation.n_restarts + 1)),
        "classifiers": n_labels * (fits * rates.network + rates.network_bar * (train + past)) + rates.sample * fitted,
        "outputs": rates.output_bar * n_labels * (train + past + future),
        "search": asked * rates.strategy + search.n_strategies * rates.searched_bar * past,
        "controls": rates.control_bar * len(first.tiers.controls) * past,
        "ensembles": n * rates.cell
        + rates.strategy_bar * search.n_strategies * (future + compared)
        + rates.member_bar * judged,
    }
    numbers = n * (len(first.output_names) + 3 + 2 * STRATEGY_NUMBERS)  # compressed to 5 bytes each
    alone = network.n_seeds * (network.n_seeds > 1)  # outputs of single networks on past
    disk = (
        8 * n_labels * past * alone
        + 5 * search.n_strategies * numbers
        + (past + future) * (8 * n_labels + 160)
        + 12 * n_labels * (train + past)
    )
    return CellCost(seconds, disk)


def judging_cost(experiment: Experiment, rates: Rates = RATES) -> dict[str, float]:
    """Seconds of one core by stage of what a run of one market and one split does after its tiers."""
    _, past, future = _sizes(experiment)
    bars, n, null = past + future, experiment.search.n_strategies, experiment.null
    of_tiers = rates.path_bar * experiment.tiers.descending[0] * bars
    repeated = null.n_strategies * (rates.strategy + rates.searched_bar * bars) + of_tiers
    return {
        "belief": n * (rates.belief + rates.strategy_bar * bars),
        **({"null": (null.repeats + 1) * repeated} if null.repeats else {}),
    }


def book_cost(experiment: Experiment, cells: Sequence[Experiment], rates: Rates = RATES) -> dict[str, float]:
    """Seconds of one core by stage of the book of one split, in place of the search and the tiers of its cells."""
    sizes, search = [_sizes(cell) for cell in cells], experiment.search
    past, future = (sum(bars) for bars in list(zip(*sizes, strict=True))[1:])
    each = rates.book_bar * search.n_strategies
    return {
        "book search": search.n_strategies * rates.strategy + each * past + 0.5 * rates.book_split,
        "book tiers": each * future + 0.5 * rates.book_split,
    }


def book_verdict_cost(experiment: Experiment, cells: Sequence[Experiment], rates: Rates = RATES) -> dict[str, float]:
    """Seconds of one core of the verdict on a book, from the cells of all splits."""
    past, future = (sum(bars) for bars in list(zip(*map(_sizes, cells), strict=True))[1:])
    null, largest = experiment.null, experiment.tiers.descending[0]
    followed = largest * (past + future * (1 + experiment.book.shifts))
    repeated = null.repeats * (null.n_strategies * past + largest * (past + future))
    return {"panel": rates.book + rates.book_bar * (followed + repeated)}


def memory_needed(experiment: Experiment) -> dict[str, int]:
    """Bytes by the settings that decide them, of the largest arrays alone; own files must be active."""
    windows, separation, network = experiment.windows.named, experiment.separation, experiment.network
    n_bars = (windows["future"].stop_ms - windows["train"].start_ms) // experiment.data.interval_ms
    terms = 1 if separation.criterion != "contrast" else 2
    window = network.window if NETWORKS.find(network.kind).windowed else 1
    strategies = max(experiment.search.n_strategies, experiment.null.n_strategies if experiment.null.repeats else 0)
    n_beside = len(experiment.data.markets) if experiment.needs_cross_section else 0
    n_ranked = n_beside if experiment.feature_space.normalisation == "rank" else 0
    return {
        "the markets of [data] side by side": n_beside * n_bars * BESIDE_NUMBERS * 8,
        "normalisation = rank of [feature_space]": n_ranked * n_bars * len(experiment.feature_space.chosen()) * 4,
        "the bars of [windows]": n_bars * BAR_NUMBERS * 8,
        "n_pairs and n_values of [separation]": candidates_of(experiment) * separation.n_pairs * 4 * terms,
        "n_neutral and window of [network]": min(network.n_neutral, n_bars)
        * window
        * len(experiment.feature_space.chosen())
        * 4,
        "n_strategies": strategies * (len(experiment.output_names) + STRATEGY_NUMBERS) * 8 * 2,
    }


def check_memory(experiment: Experiment, available: int | None = None) -> None:
    """Raise `ExperimentError` if an experiment needs more than the memory of this machine, or the given bytes."""
    import psutil

    available = psutil.virtual_memory().total if available is None else available
    for name, needed in memory_needed(experiment).items():
        if needed > available:
            gigabytes, there = (f"{number / 1e9:,.1f} GB" for number in (needed, available))
            raise ExperimentError(f"{name} would need {gigabytes} of memory or more; this machine has {there}")
