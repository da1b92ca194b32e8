"""Stage: train one classifier per label. Each label is a unit of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.feature_set import FeatureSet, titles
from feature_space.indicators import Inputs
from labelsearch.classifiers.figures import Calibration
from labelsearch.classifiers.kinds import NetworkKind
from labelsearch.engine.executors.base import tell
from labelsearch.engine.files import Files, files_written_by
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import CLASS_NAMES, Label, LabelValues
from labelsearch.labels.spans import Span, purged_split
from labelsearch.market.bars import Bars
from labelsearch.results.classifiers import FIGURES, ClassifierFigures, Classifiers, ShapMeans
from labelsearch.results.codec import json_bytes, parse
from labelsearch.results.features import FeatureSets
from labelsearch.results.labels import LabelSeries
from labelsearch.settings.sections import Network
from labelsearch.stages.features import inputs_of, usable_bars
from labelsearch.stages.labels import label_bars, price_of
from labelsearch.stages.seeds import Seeds

if TYPE_CHECKING:
    from labelsearch.classifiers.dataset import Samples
    from labelsearch.classifiers.training import Trained

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

    def market(self, bars: Bars) -> "MarketPart":
        """What all labels share, of bars on the grid from the first of train on."""
        return MarketPart(
            inputs_of(bars),
            bars.filled,
            price_of(bars, self.label_price),
            self.train.rows(bars.open_time),
            self.past.rows(bars.open_time),
            self.boundary,
            self.warm_up,
            bars.bars_a_day,
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


class TrainingProblem(NamedTuple):
    """What the network of one label is trained on and judged by. Rows are grid rows."""

    label: Label
    values: LabelValues
    fit: NDArray[np.int64]
    validation: NDArray[np.int64]
    balance: float  # of the loss, on the fitted rows
    feature_set: FeatureSet
    matrix: NDArray[np.float32]  # (T, F)

    def block(self, day: int) -> int:
        """Rows of a block for resampling in time; ``day`` is the number of bars in one."""
        from labelsearch.classifiers.intervals import block_length

        overlap = float((self.values.last_used[self.validation] - self.validation + 1).mean())
        return block_length(overlap, day, int(self.validation[-1] - self.validation[0]) + 1)


class MarketPart(NamedTuple):
    """What all labels share: columns of the grid rows before future, and which of them are train."""

    inputs: Inputs  # (T,) each
    filled: NDArray[np.bool_]  # (T,)
    price: NDArray[np.float64]  # (T,) that labels read
    train: slice
    past: slice
    boundary: int
    warm_up: int
    day: int  # bars of a day or session

    def problem(self, label: Label, values: LabelValues, feature_set: FeatureSet) -> TrainingProblem:
        """A label's problem on train."""
        usable = usable_bars(self.filled[: self.train.stop], self.warm_up)
        return make_problem(label, values, usable, self.boundary, feature_set, feature_set.matrix(self.inputs))


class LabelTask(NamedTuple):
    """One label, as it is known before past, and its features."""

    label: Label
    values: LabelValues
    feature_set: FeatureSet


class Training(NamedTuple):
    """How networks are trained."""

    market: MarketPart
    settings: Network
    seeds: Seeds


def make_problem(
    label: Label,
    values: LabelValues,
    usable: NDArray[np.bool_],
    boundary: int,
    feature_set: FeatureSet,
    matrix: NDArray[np.float32],
) -> TrainingProblem:
    """A label's problem on train, whose rows are those of ``usable`` (T,); ``boundary`` is its first validation row."""
    from labelsearch.classifiers.loss_scaling import balance

    fit, validation = purged_split(values.last_used, usable, boundary, usable.size)
    a = balance(values.value[fit], values.classes[fit])
    return TrainingProblem(label, values, fit, validation, a, feature_set, matrix)


def train(
    problem: TrainingProblem, settings: Network, seeds: Callable[..., int], rng: np.random.Generator
) -> tuple["Trained", Calibration | None]:
    """Search, train and calibrate a network.

    Samples and seeds depend on the label alone, so that all kinds of network are given the same.

    Parameters
    ----------
    problem : TrainingProblem
    settings : Network
    seeds : callable
        Seed of a unit by its names.
    rng : numpy.random.Generator
        Draws the neutral bars.
    """
    from labelsearch.classifiers.dataset import make_samples
    from labelsearch.classifiers.kinds import NETWORKS
    from labelsearch.classifiers.training import TrainingSettings, train_network

    window = settings.window if NETWORKS.find(settings.kind).windowed else 1
    fitted, validation = (
        make_samples(problem.matrix, problem.values, rows, settings.n_neutral, rng, problem.balance, window)
        for rows in (problem.fit, problem.validation)
    )
    trained = train_network(
        fitted,
        validation,
        TrainingSettings(
            network=settings.kind,
            n_trials=settings.n_trials,
            max_epochs=settings.max_epochs,
            batch_size=settings.batch_size,
            seed=seeds("network", problem.label.name),
            device=settings.device,
            window=settings.window,
            loss=settings.loss,
            n_seeds=settings.n_seeds,
        ),
        tell,
    )
    if settings.calibration == "none":
        return trained, None
    return trained, _calibrate(problem, settings, seeds("calibration", problem.label.name), trained, validation, window)


def epochs_of(settings: Network) -> int:
    """Epochs that a network takes if no trial is pruned."""
    return (settings.n_trials + settings.n_seeds - 1) * settings.max_epochs


def _calibrate(
    problem: TrainingProblem, settings: Network, seed: int, trained: "Trained", validation: "Samples", window: int
) -> Calibration:
    """Set the temperature from the first half of validation, purged of the second, which says whether it helped.

    It stays 1 where no row of the first half survives the purge.
    """
    from labelsearch.classifiers.calibration import fit_temperature
    from labelsearch.classifiers.dataset import make_samples
    from labelsearch.classifiers.networks import Ensemble
    from labelsearch.classifiers.training import weighted_loss

    rows = problem.validation
    middle = int(rows[rows.size // 2])
    rng = np.random.default_rng(seed)
    halves = rows[problem.values.last_used[rows] < middle], rows[rows >= middle]
    if not halves[0].size:
        return Calibration(1.0, 0, None, None)
    early, late = (
        make_samples(problem.matrix, problem.values, part, settings.n_neutral, rng, problem.balance, window)
        for part in halves
    )
    before = weighted_loss(trained.network, late)
    temperature = fit_temperature(trained.network, early)
    members = trained.network.members if isinstance(trained.network, Ensemble) else [trained.network]
    trained.network = Ensemble(list(members), temperature).eval()
    trained.validation_loss = weighted_loss(trained.network, validation)
    return Calibration(temperature, len(early.classes), before, weighted_loss(trained.network, late))


def train_unit(task: LabelTask, shared: Training) -> Files:
    """Train, evaluate and explain the classifier of one label: weights and figures."""
    from labelsearch.classifiers.evaluation import evaluate
    from labelsearch.classifiers.explain import mean_shap_values
    from labelsearch.classifiers.files import save_network
    from labelsearch.classifiers.prediction import predict

    market, settings, label = shared.market, shared.settings, task.label
    problem = market.problem(label, task.values, task.feature_set)
    validation = problem.validation
    rng = np.random.default_rng(shared.seeds("samples", label.name))
    trained, calibration = train(problem, settings, shared.seeds, rng)
    past = market.past
    seen = label_bars(label, market.price, market.train, market.filled.size)
    past_rows = np.flatnonzero(seen.settled[past] & ~market.filled[past]) + past.start
    block = problem.block(market.day)
    on_validation, on_past = (
        evaluate(predict(trained.network, problem.matrix, rows), truth.classes[rows], blocks=(rows, block))
        for rows, truth in ((validation, task.values), (past_rows, seen))
    )
    shap, explainer = mean_shap_values(
        trained.network,
        problem.matrix,
        rng.choice(problem.fit, min(N_BACKGROUND, problem.fit.size), replace=False),
        rng.choice(validation, min(N_EXPLAINED, validation.size), replace=False),
    )
    by_class = {name: tuple(shap[:, c].tolist()) for c, name in enumerate(CLASS_NAMES)}
    figures = ClassifierFigures(
        label=label.name,
        network=trained.kind,
        n_fit=problem.fit.size,
        n_action=int((task.values.classes[problem.fit] != 1).sum()),
        validation_loss=trained.validation_loss,
        losses=tuple(trained.losses),
        study=trained.study,
        trials=tuple(trained.trials),
        n_networks=settings.n_seeds,
        calibration=calibration,
        block_bars=block,
        validation=on_validation,
        past=on_past,
        shap=ShapMeans(explainer, tuple(titles(task.feature_set.features)), **by_class),
    )
    write = partial(save_network, trained.network, trained.kind, trained.options, problem.matrix.shape[1])
    return {**files_written_by(write), FIGURES: json_bytes(figures)}


def run(inputs: ClassifierInputs, work: Work) -> Classifiers:
    """Train the classifiers of all labels."""
    tasks = inputs.tasks()
    shared = Training(inputs.market(inputs.bars_before_future), inputs.network, inputs.classifier_seeds)
    done = work.units(train_unit, tasks, shared, steps=dict.fromkeys(tasks, epochs_of(inputs.network)))
    figures = tuple(parse(ClassifierFigures, files[FIGURES]) for files in done.values())
    networks = {name: {n: c for n, c in files.items() if n != FIGURES} for name, files in done.items()}
    return Classifiers(figures, networks)


STAGE = Stage("classifiers", ClassifierInputs, Classifiers, run)
