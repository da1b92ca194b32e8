"""Study: kinds of network side by side on one label, on the validation part of train alone.

Equal budgets, the same rows, the same neutral bars and the same seeds. Each network is a unit of work.
"""

import io
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from labelsearch.classifiers.kinds import NETWORKS, NetworkKind
from labelsearch.engine.files import Files, files_written_by
from labelsearch.engine.stage import Stage, Work
from labelsearch.labels.base import Label, is_magnitude
from labelsearch.market.bars import Bars
from labelsearch.results.codec import json_bytes, parse
from labelsearch.results.studies import NetworkComparison, NetworkEntry, NetworkTraining
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Network
from labelsearch.stages.classifiers import MarketInputs
from labelsearch.stages.seeds import Seeds
from labelsearch.stages.training import LabelTask, Training, TrainingProblem, epochs_of, train

FIGURES, VALIDATION = "figures.json", "validation.npy"


@dataclass(frozen=True)
class ComparisonInputs(MarketInputs):
    """All that the study may know; the first of the networks is the one that the others are held against."""

    label: str
    networks: tuple[NetworkKind, ...]
    network_budget: Network  # its kind does not count
    train_bars: Bars
    seeds: Seeds


class Compared(NamedTuple):
    """What all networks share."""

    training: Training
    label: LabelTask


def compare_unit(task: str, shared: Compared) -> Files:
    """Train one kind of network: its weights, its figures and its probabilities on validation."""
    from labelsearch.classifiers.files import save_network
    from labelsearch.classifiers.prediction import predict
    from labelsearch.classifiers.timing import microseconds_per_bar, parameter_count

    (market,), settings, seeds = shared.training.markets, shared.training.settings, shared.training.seeds
    problem = market.problem(*shared.label)
    start, start_processor = time.perf_counter(), time.process_time()
    rng = np.random.default_rng(seeds("samples", problem.label.name))
    trained, calibration = train([problem], replace(settings, kind=task), seeds, rng)
    assert trained.study is not None
    seconds, processor_seconds = time.perf_counter() - start, time.process_time() - start_processor
    times = microseconds_per_bar(trained.network, problem.matrix)
    figures = NetworkTraining(
        network=task,
        options=trained.options,
        search_loss=trained.validation_loss,
        study=trained.study,
        trials=tuple(trained.trials),
        n_trials=len(trained.trials) + settings.n_seeds - 1,
        calibration=calibration,
        n_parameters=parameter_count(trained.network),
        training_seconds=seconds,
        processor_seconds=processor_seconds,
        single_us=times["single"],
        batched_us=times["batched"],
    )

    def write(folder: Path) -> None:
        save_network(trained.network, task, trained.options, problem.matrix.shape[1], folder)
        np.save(folder / VALIDATION, predict(trained.network, problem.matrix, problem.validation))

    return {**files_written_by(write), FIGURES: json_bytes(figures)}


def kinds_of(names: tuple[str, ...]) -> tuple[NetworkKind, ...]:
    """The rows of named kinds; `ExperimentError` for an unknown name, one that comes twice, or none."""
    if not names or len(set(names)) != len(names):
        raise ExperimentError("name at least one network, and none twice")
    try:
        return tuple(map(NETWORKS.find, names))
    except ValueError as error:
        raise ExperimentError(str(error)) from None


def check_label(label: str, labels: tuple[Label, ...]) -> None:
    """Raise `ExperimentError` unless a label of this name, whose networks predict classes, is among the labels."""
    named = {kind.name: kind for kind in labels}
    if label not in named:
        raise ExperimentError(f"no label {label!r} in the experiment; it has {', '.join(named)}")
    if is_magnitude(named[label]):
        raise ExperimentError(f"label {label} predicts a magnitude, and only classes are explained and compared")


def run(inputs: ComparisonInputs, work: Work) -> NetworkComparison:
    """Train the networks on the label and judge each on the same validation rows.

    Raises
    ------
    ExperimentError
        If the label is unknown.
    """
    check_label(inputs.label, inputs.label_kinds)
    market, label = inputs.market(inputs.train_bars), inputs.tasks()[inputs.label]
    # units outlast a change of the networks: what stands for one of the user's own is its file too
    names = {f"{kind.name}-{kind.origin[:12]}".rstrip("-"): kind.name for kind in inputs.networks}
    steps = dict.fromkeys(names, epochs_of(inputs.network_budget))
    shared = Compared(Training((market,), inputs.network_budget, inputs.seeds), label)
    done = work.units(compare_unit, names, shared, steps)
    return _judge(market.problem(*label), market.day, list(done.values()))


def _judge(problem: TrainingProblem, day: int, done: list[Files]) -> NetworkComparison:
    from labelsearch.classifiers.intervals import paired_difference
    from labelsearch.classifiers.loss_scaling import loss_factors
    from labelsearch.classifiers.scores import row_losses, score

    rows = problem.validation
    classes = problem.values.classes[rows]
    weights = loss_factors(problem.values.value[rows], classes, problem.balance)
    block = problem.block(day)
    entries: list[NetworkEntry] = []
    reference = None
    for files in done:
        probabilities = np.load(io.BytesIO(files[VALIDATION]), allow_pickle=False)
        losses = row_losses(probabilities, classes)
        against = None if reference is None else paired_difference(losses, reference, weights, rows, block)
        figures = parse(NetworkTraining, files[FIGURES])
        entries.append(NetworkEntry(figures, score(probabilities, classes, weights, rows, block), against))
        reference = losses if reference is None else reference
    return NetworkComparison(problem.label.name, int(rows.size), block, tuple(entries))


STAGE = Stage("comparison", ComparisonInputs, NetworkComparison, run, study=True, extent=("networks",))
