"""Stages: train one classifier per label, for one market or for several together. Each label is a unit of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.across import matrices
from feature_space.feature_set import titles
from labelsearch.classifiers.kinds import NetworkKind, Options
from labelsearch.engine.files import Files, files_written_by
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import Label, OfMarket, head_of, is_magnitude, moves_of
from labelsearch.labels.spans import Span
from labelsearch.market.bars import Bars
from labelsearch.results.classifiers import (
    FIGURES,
    ClassifierFigures,
    Classifiers,
    LabelFigures,
    MagnitudeFigures,
    MoveShapMeans,
    ShapMeans,
    TrainedFigures,
    figures_of,
)
from labelsearch.results.codec import json_bytes
from labelsearch.results.cross_section import MarketView
from labelsearch.results.features import FeatureSets
from labelsearch.results.labels import LabelSeries
from labelsearch.settings.sections import Network
from labelsearch.stages.features import idle_bars, inputs_of
from labelsearch.stages.labels import label_bars, price_of
from labelsearch.stages.seeds import Seeds
from labelsearch.stages.training import LabelTask, MarketPart, Training, TrainingProblem, epochs_of, train

N_BACKGROUND, N_EXPLAINED = 50, 100  # bars behind the Shapley values


@dataclass(frozen=True)
class MarketInputs:
    """What the problem of a label is made of."""

    label_kinds: tuple[Label, ...]
    label_price: str
    train: Span
    past: Span
    boundary: int  # first validation row
    warm_up: int  # bars of the longest candidate feature
    labels: Stored[LabelSeries]
    features: Stored[FeatureSets]
    view_before_future: MarketView | None
    across: OfMarket  # labels that compare markets, of the bars before the future

    def market(self, bars: Bars) -> "MarketPart":
        """What all labels share, of bars on the grid from the first of train on."""
        view = self.view_before_future and self.view_before_future.before(len(bars))
        return MarketPart(
            inputs_of(bars, view),
            idle_bars(bars, view),
            price_of(bars, self.label_price),
            self.train.rows(bars.open_time),
            self.past.rows(bars.open_time),
            self.boundary,
            self.warm_up,
            bars.bars_a_day,
            bars.number,
            {name: values.before(len(bars)) for name, values in self.across.items()},
        )

    def tasks(self) -> "dict[str, LabelTask]":
        """A task for each label, by name."""
        values, features = self.labels.value.values, self.features.value
        names = {label.name: label for label in self.label_kinds}
        return {name: LabelTask(label, values[name], features.of(name).feature_set) for name, label in names.items()}


@dataclass(frozen=True)
class ClassifierInputs(MarketInputs):
    """All that the stage may know."""

    network: Network
    network_kind: NetworkKind
    bars_before_future: Bars
    classifier_seeds: Seeds


def train_unit(task: tuple[LabelTask, ...], shared: Training) -> Files:
    """Train, evaluate and explain the classifier of one label: weights and figures."""
    from labelsearch.classifiers.explain import mean_shap_values
    from labelsearch.classifiers.files import save_network
    from labelsearch.classifiers.prediction import predict

    settings, label = shared.settings, task[0].label
    pairs = list(zip(task, shared.markets, strict=True))
    kept = list(range(len(pairs)))
    if len(task) > 1:  # a market without an action bar has no loss to scale
        kept = [i for i, (of, market) in enumerate(pairs) if market.has_actions(of)]
    sets = [of.feature_set for of in task]
    made = matrices(sets, shared.columns(sets[0]), kept)
    pairs = [pairs[i] for i in kept]
    problems = [market.problem(*of, matrix) for (of, market), matrix in zip(pairs, made, strict=True)]
    rng = np.random.default_rng(shared.seeds("samples", label.name))
    known = None if shared.known is None else shared.known[label.name]
    trained, calibration = train(problems, settings, shared.seeds, rng, known)
    seen = _Seen([], [], []), _Seen([], [], [])
    for (of, market), problem in zip(pairs, problems, strict=True):
        past = market.past
        truth = label_bars(label, market.price, market.train, market.idle.size, market.across)
        past_rows = np.flatnonzero(truth.settled[past] & ~market.idle[past]) + past.start
        for part, rows, values in zip(seen, (problem.validation, past_rows), (of.values, truth), strict=True):
            part.rows.append(rows + market.first_bar)
            part.truth.append(moves_of(values.value[rows]) if is_magnitude(label) else values.classes[rows])
            part.predicted.append(predict(trained.network, problem.matrix, rows))
    block = max(problem.block(market.day) for (_, market), problem in zip(pairs, problems, strict=True))
    matrix, fit, validation = _joined_rows(problems)
    shap, explainer = mean_shap_values(
        trained.network,
        matrix,
        rng.choice(fit, min(N_BACKGROUND, fit.size), replace=False),
        rng.choice(validation, min(N_EXPLAINED, validation.size), replace=False),
    )
    common = TrainedFigures(
        label=label.name,
        network=trained.kind,
        n_fit=fit.size,
        n_action=sum(int((problem.values.classes[problem.fit] != 1).sum()) for problem in problems),
        validation_loss=trained.validation_loss,
        losses=tuple(trained.losses),
        study=trained.study,
        trials=tuple(trained.trials),
        n_networks=settings.n_seeds,
        calibration=calibration,
        block_bars=block,
    )
    names, means = tuple(titles(task[0].feature_set.features)), [tuple(column) for column in shap.T.tolist()]
    if is_magnitude(label):
        mean = float(np.mean([moves_of(problem.values.value[problem.fit]).mean() for problem in problems]))
        figures: LabelFigures = _of_moves(common, seen, mean, MoveShapMeans(explainer, names, *means))
    else:
        figures = _of_classes(common, seen, ShapMeans(explainer, names, *means))
    write = partial(save_network, trained.network, trained.kind, trained.options, matrix.shape[1], head=head_of(label))
    return {**files_written_by(write), FIGURES: json_bytes(figures)}


def _of_classes(common: TrainedFigures, seen: "tuple[_Seen, _Seen]", shap: ShapMeans) -> ClassifierFigures:
    """Figures of a classifier on validation and on past."""
    from labelsearch.classifiers.evaluation import evaluate

    validation, past = (evaluate(*part.joined(), blocks=(part.time(), common.block_bars)) for part in seen)
    return ClassifierFigures(**vars(common), validation=validation, past=past, shap=shap)


def _of_moves(
    common: TrainedFigures, seen: "tuple[_Seen, _Seen]", mean_move: float, shap: MoveShapMeans
) -> MagnitudeFigures:
    """Figures of predicted moves on validation and on past."""
    from labelsearch.classifiers.moves import evaluate_moves

    found = []
    for part in seen:
        predicted, moves = part.joined()
        found.append(evaluate_moves(predicted[:, 0], moves, mean_move, (part.time(), common.block_bars)))
    validation, past = found
    return MagnitudeFigures(**vars(common), validation=validation, past=past, shap=shap)


class _Seen(NamedTuple):
    """Bars of each market that a network is judged on."""

    rows: list[NDArray[np.int64]]  # numbers that are of the same time in all markets
    truth: list[NDArray[Any]]  # classes or moves
    predicted: list[NDArray[np.float32]]

    def order(self) -> NDArray[np.int64]:
        """All bars by time."""
        return np.argsort(np.concatenate(self.rows), kind="stable")

    def time(self) -> NDArray[np.int64]:
        """Their rows, rising."""
        return np.concatenate(self.rows)[self.order()]

    def joined(self) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Probabilities (N, 3) and classes (N,), or moves (N, 1) and true ones (N,), of all bars by time."""
        return np.concatenate(self.predicted)[self.order()], np.concatenate(self.truth)[self.order()]


def _joined_rows(
    problems: Sequence[TrainingProblem],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """One matrix of all markets, and the rows of it that are fitted and validated on."""
    if len(problems) == 1:
        return problems[0].matrix, problems[0].fit, problems[0].validation
    offsets = np.cumsum([0] + [len(problem.matrix) for problem in problems])
    rows = (
        np.concatenate([getattr(p, part) + n for p, n in zip(problems, offsets, strict=False)])
        for part in ("fit", "validation")
    )
    fit, validation = rows
    return np.concatenate([problem.matrix for problem in problems]), fit, validation


def train_all(tasks: Mapping[str, tuple[LabelTask, ...]], shared: Training, work: Work) -> Classifiers:
    """Train the classifiers of all labels, each for all of the markets."""
    n_epochs = epochs_of(shared.settings, is_searched=shared.known is None)
    done = work.units(train_unit, tasks, shared, steps=dict.fromkeys(tasks, n_epochs))
    figures = tuple(figures_of(files[FIGURES]) for files in done.values())
    networks = {name: {n: c for n, c in files.items() if n != FIGURES} for name, files in done.items()}
    return Classifiers(figures, networks)


def _train(inputs: ClassifierInputs, work: Work, known: Mapping[str, Options] | None = None) -> Classifiers:
    market = inputs.market(inputs.bars_before_future)
    tasks = {name: (task,) for name, task in inputs.tasks().items()}
    return train_all(tasks, Training((market,), inputs.network, inputs.classifier_seeds, known), work)


def run(inputs: ClassifierInputs, work: Work) -> Classifiers:
    """Search and train the classifiers of all labels."""
    return _train(inputs, work)


STAGE = Stage("classifiers", ClassifierInputs, Classifiers, run)


@dataclass(frozen=True)
class KnownInputs(ClassifierInputs):
    """All that the stage may know where an earlier split has searched hyper-parameters."""

    earlier: Stored[Classifiers]


def run_known(inputs: KnownInputs, work: Work) -> Classifiers:
    """Train the classifiers of all labels with the hyper-parameters of an earlier split."""
    return _train(inputs, work, inputs.earlier.value.hyperparameters)


KNOWN = Stage("classifiers", KnownInputs, Classifiers, run_known)


@dataclass(frozen=True)
class PooledMarket(MarketInputs):
    """What one of several markets adds."""

    bars_before_future: Bars


@dataclass(frozen=True)
class PooledClassifierInputs:
    """All that the stage may know where one network is trained for all markets."""

    markets: tuple[PooledMarket, ...]
    network: Network
    network_kind: NetworkKind
    classifier_seeds: Seeds


def _train_pooled(
    inputs: PooledClassifierInputs, work: Work, known: Mapping[str, Options] | None = None
) -> Classifiers:
    markets = tuple(market.market(market.bars_before_future) for market in inputs.markets)
    tasks = [market.tasks() for market in inputs.markets]
    named = {name: tuple(of_market[name] for of_market in tasks) for name in tasks[0]}
    return train_all(named, Training(markets, inputs.network, inputs.classifier_seeds, known), work)


def run_pooled(inputs: PooledClassifierInputs, work: Work) -> Classifiers:
    """Search and train the classifiers of all labels for all markets."""
    return _train_pooled(inputs, work)


POOLED = Stage("pooled classifiers", PooledClassifierInputs, Classifiers, run_pooled)


@dataclass(frozen=True)
class KnownPooledInputs(PooledClassifierInputs):
    """All that the stage may know where one network is trained for all markets, as an earlier split found it best."""

    earlier: Stored[Classifiers]


def run_known_pooled(inputs: KnownPooledInputs, work: Work) -> Classifiers:
    """Train the classifiers of all labels for all markets with the hyper-parameters of an earlier split."""
    return _train_pooled(inputs, work, inputs.earlier.value.hyperparameters)


KNOWN_POOLED = Stage("pooled classifiers", KnownPooledInputs, Classifiers, run_known_pooled)
