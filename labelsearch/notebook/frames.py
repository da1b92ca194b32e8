"""Every stage as one function of pandas objects, for a notebook: the same code as a run, with its seeds.

The settings of a run give its numbers, bit by bit. Bars are tables with a DatetimeIndex in UTC and the columns
``open high low close volume``, and ``quote_volume``, ``trades`` and ``spread`` where known. Gaps are fine: features
are computed on a grid without gaps, on which a missing bar carries the last close, and labels leave it out; rows marked
``filled`` are rejected. Functions that take train expect the bars of train alone, from the first one on. Looks at
future bars are not counted here; those of a run are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from feature_space.feature_set import FeatureSet, titles, warm_up_of
from feature_space.indicators import Indicator
from labelsearch.classifiers.figures import Calibration, Evaluation, MoveEvaluation, Trial
from labelsearch.errors import InputError
from labelsearch.labels.base import CLASS_NAMES, Label, is_magnitude, moves_of
from labelsearch.labels.spans import DAY_MS
from labelsearch.notebook.frame_checks import (
    grid_of,
    interval_of,
    matrix_of,
    milliseconds,
    price_of,
    values_of,
)
from labelsearch.settings.sections import FeatureSpace, Network, Separation
from labelsearch.stages import training
from labelsearch.stages.feature_choice import choose_sets
from labelsearch.stages.feature_rows import TrainPart
from labelsearch.stages.features import inputs_of, usable_bars
from labelsearch.stages.seeds import Seeds

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Attributes
    ----------
    label : str
    network : torch.nn.Module
    losses : tuple of float
        On validation, by epoch of the best trial.
    validation_loss : float
    trials : tuple of Trial
    judged : Evaluation or MoveEvaluation
        On the validation part of train.
    n_fit : int
        Bars fitted on.
    calibration : Calibration or None
    """

    label: str
    network: "nn.Module"
    losses: tuple[float, ...]
    validation_loss: float
    trials: tuple[Trial, ...]
    judged: Evaluation | MoveEvaluation
    n_fit: int
    calibration: Calibration | None

    @property
    def evaluation(self) -> Evaluation:
        """Figures of classes.

        Raises
        ------
        InputError
            If the network predicts moves.
        """
        if isinstance(self.judged, MoveEvaluation):
            raise InputError(f"label {self.label} predicts a magnitude: its figures are those of `moves`")
        return self.judged

    @property
    def moves(self) -> MoveEvaluation:
        """Figures of predicted moves.

        Raises
        ------
        InputError
            If the network predicts classes.
        """
        if isinstance(self.judged, Evaluation):
            raise InputError(f"label {self.label} predicts classes: its figures are those of `evaluation`")
        return self.judged


class ChosenSet(NamedTuple):
    """A feature set, and one row of how far it holds the classes apart (``later_``: on the validation part)."""

    feature_set: FeatureSet
    power: pd.DataFrame


def label_bars(
    bars: pd.DataFrame, label: Label, *, reference: pd.DataFrame | None = None, price: str = "close"
) -> pd.DataFrame:
    """Label every bar with hindsight.

    Parameters
    ----------
    bars : DataFrame
    label : Label
        From `labelsearch.make_label`.
    reference : DataFrame, optional
        Bars that some kinds take their scale from: those of train; by default ``bars``.
    price : {"close", "vwap"}

    Returns
    -------
    DataFrame
        ``value`` in [-1, 1], ``classes`` (0 buy, 1 neutral, 2 sell) and ``last_used``, the number on the grid of the
        last bar that the label has seen; the number of bars where more of them could still change it.

    Raises
    ------
    InputError
        If bars are not as above, the price is unknown or the label cannot be scaled.

    Examples
    --------
    >>> from labelsearch import make_label
    >>> index = pd.date_range("2018-01-01", periods=3, freq="1min", tz="UTC")
    >>> bars = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), [100.0, 102.0, 101.0]), index)
    >>> label_bars(bars, make_label("threshold", theta=0.01, horizon=1))["classes"].tolist()
    [0, 1, 1]
    """
    grid = grid_of(bars)
    scale = label.reference(price_of(grid if reference is None else grid_of(reference), price))
    values = label.values(price_of(grid, price), scale)
    return pd.DataFrame(values._asdict(), index=grid.index)[~grid.filled]


def choose_features(
    bars: pd.DataFrame,
    labels: pd.DataFrame,
    label: Label,
    space: FeatureSpace | None = None,
    separation: Separation | None = None,
    *,
    validation_share: float = 0.2,
    seed: int = 1,
) -> ChosenSet:
    """Choose the indicators' parameters that hold a label's classes furthest apart, and confirm them later in train.

    Parameters
    ----------
    bars : DataFrame
        Train.
    labels : DataFrame
        From `label_bars`, of train or more.
    label : Label
        Its name is part of the seeds.
    space, separation : FeatureSpace, Separation, optional
    validation_share : float
        Last part of train, on which the set is confirmed.
    seed : int

    Returns
    -------
    ChosenSet

    Raises
    ------
    InputError
        If bars and labels do not fit, or the label marks too few bars of a class.
    """
    grid, space = grid_of(bars), space or FeatureSpace()
    _check_alone(space.chosen())
    boundary = int(len(grid) * (1.0 - validation_share))
    normalisation, candidates = space.normaliser(), space.chosen()
    usable = usable_bars(grid.filled, warm_up_of(candidates, normalisation))
    parts = (inputs_of(grid), usable, boundary, candidates, normalisation, separation or Separation())
    values, _ = values_of(labels, grid.index)
    found = choose_sets([TrainPart(*parts, Seeds(seed))], [{label.name: values}])[0].of(label.name)
    later = found.confirmation
    row = {
        **{name: getattr(found, name) for name in ("power", "power_random", "cross_class_mass", "same_class_mass")},
        **{"later_power": later.power, "later_low": later.low, "later_high": later.high},
        **{"later_random": later.power_random, "p_value": later.p_value},
    }
    return ChosenSet(found.feature_set, pd.DataFrame([row], index=[label.name]))


def _check_alone(indicators: Sequence[Indicator]) -> None:
    """Raise `InputError` for an indicator that one market alone cannot have."""
    for indicator in indicators:
        if indicator.needs_markets:
            raise InputError(f"indicator {indicator.name} compares markets: it needs a panel of several")


def compute_features(bars: pd.DataFrame, feature_set: FeatureSet) -> pd.DataFrame:
    """Features of every bar of the grid; none sees a later bar.

    Parameters
    ----------
    bars : DataFrame
    feature_set : FeatureSet
        From `choose_features`.

    Returns
    -------
    DataFrame
        A column of float32 in (-1, 1) for each feature.

    Raises
    ------
    InputError
        If bars are not as above, or an indicator of the set is unknown.
    """
    grid = grid_of(bars)
    _check_alone([feature.indicator() for feature in feature_set.features])
    return pd.DataFrame(feature_set.matrix(inputs_of(grid)), grid.index, titles(feature_set.features))


def train_classifier(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    label: Label,
    network: Network | None = None,
    *,
    space: FeatureSpace | None = None,
    validation_share: float = 0.2,
    seed: int = 1,
) -> Classifier:
    """Search hyper-parameters, train and calibrate the classifier of a label.

    Parameters
    ----------
    features : DataFrame
        From `compute_features`, of train.
    labels : DataFrame
        From `label_bars`, of train or more.
    label : Label
        Its name is part of the seeds.
    network : Network, optional
    space : FeatureSpace, optional
        Nothing within its warm-up is trained on.
    validation_share : float
        Last part of train, on which trials are compared.
    seed : int

    Returns
    -------
    Classifier

    Raises
    ------
    InputError
        If features and labels do not fit, or too few bars are left to train or validate on.
    """
    matrix = matrix_of(features)
    values, traded = values_of(labels, features.index)
    boundary = int(len(matrix) * (1.0 - validation_share))
    space = space or FeatureSpace()
    usable = usable_bars(~traded, warm_up_of(space.chosen(), space.normaliser()))
    problem = training.make_problem(label, values, usable, boundary, FeatureSet((), space.normaliser()), matrix)
    if not problem.validation.size:
        raise InputError(f"label {label.name} leaves no bars to validate on: give more of train")
    seeds = Seeds(seed)
    rng = np.random.default_rng(seeds("samples", label.name))
    trained, calibration = training.train([problem], network or Network(), seeds, rng)
    judged = _judge(trained.network, problem, round(DAY_MS / interval_of(milliseconds(features.index))))
    found = (trained.network, tuple(trained.losses), trained.validation_loss, tuple(trained.trials))
    return Classifier(label.name, *found, judged, problem.fit.size, calibration)


def _judge(network: "nn.Module", problem: training.TrainingProblem, day: int) -> Evaluation | MoveEvaluation:
    """Figures on the validation part of train."""
    from labelsearch.classifiers.evaluation import evaluate
    from labelsearch.classifiers.moves import evaluate_moves
    from labelsearch.classifiers.prediction import predict as made_by

    rows, values = problem.validation, problem.values
    predicted, blocks = made_by(network, problem.matrix, rows), (rows, problem.block(day))
    if not is_magnitude(problem.label):
        return evaluate(predicted, values.classes[rows], blocks=blocks)
    moves = moves_of(values.value)
    return evaluate_moves(predicted[:, 0], moves[rows], float(moves[problem.fit].mean()), blocks)


def predict(classifier: Classifier, features: pd.DataFrame) -> pd.DataFrame:
    """Class probabilities, or predicted moves, of every row of features.

    Parameters
    ----------
    classifier : Classifier
    features : DataFrame
        From `compute_features`.

    Returns
    -------
    DataFrame
        ``buy``, ``neutral`` and ``sell``, or ``move``, float32.

    Raises
    ------
    InputError
        If a feature is not a finite number.
    """
    from labelsearch.classifiers.prediction import predict as made_by

    predicted = made_by(classifier.network, matrix_of(features))
    return pd.DataFrame(predicted, features.index, list(CLASS_NAMES) if predicted.shape[1] > 1 else ["move"])
