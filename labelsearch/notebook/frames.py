"""Every stage as one function of pandas objects, for a notebook: the same code as a run, with its seeds.

The settings of a run give its numbers, bit by bit. Bars are tables with a DatetimeIndex in UTC and the columns
``open high low close volume``, and ``quote_volume`` and ``trades`` where known. Gaps are fine: features are computed on
a grid without gaps, on which a missing bar carries the last close, and labels leave it out; rows marked ``filled`` are
rejected. Functions that take train expect the bars of train alone, from the first one on. Looks at future bars are not
counted here; those of a run are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from feature_space.feature_set import FeatureSet, titles, warm_up_of
from labelsearch.classifiers.figures import Calibration, Evaluation, Trial
from labelsearch.errors import InputError
from labelsearch.labels.base import CLASS_NAMES, Label
from labelsearch.labels.spans import DAY_MS
from labelsearch.notebook.frame_checks import (
    Days,
    grid_of,
    interval_of,
    matrix_of,
    milliseconds,
    price_of,
    seen_by,
    values_of,
)
from labelsearch.settings.sections import FeatureSpace, Network, Search, Separation
from labelsearch.stages import classifiers, ensembles, search
from labelsearch.stages.features import TrainPart, choose_sets, inputs_of, usable_bars
from labelsearch.stages.seeds import Seeds
from strategies.search.islands import islands, merge, run_island
from strategies.search.problem import SearchProblem
from strategies.search.score import PaperScore, Score
from strategies.tiers.ensemble import TIER_SIZES, tiers
from strategies.trade.equity_grid import equity_grid, returns_of

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
    evaluation : Evaluation
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
    evaluation: Evaluation
    n_fit: int
    calibration: Calibration | None


class ChosenSet(NamedTuple):
    """A feature set, and one row of how far it holds the classes apart (``later_``: on the validation part)."""

    feature_set: FeatureSet
    power: pd.DataFrame


class Judged(NamedTuple):
    """Figures of each tier and baseline, and their equity and position at each bar."""

    table: pd.DataFrame
    curves: pd.DataFrame


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
    boundary = int(len(grid) * (1.0 - validation_share))
    normalisation, candidates = space.normaliser(), space.chosen()
    usable = usable_bars(grid.filled, warm_up_of(candidates, normalisation))
    parts = (inputs_of(grid), usable, boundary, candidates, normalisation, separation or Separation())
    values, _ = values_of(labels, grid.index)
    found = choose_sets(TrainPart(*parts, Seeds(seed)), {label.name: values}).of(label.name)
    later = found.confirmation
    row = {
        **{name: getattr(found, name) for name in ("power", "power_random", "cross_class_mass", "same_class_mass")},
        **{"later_power": later.power, "later_low": later.low, "later_high": later.high},
        **{"later_random": later.power_random, "p_value": later.p_value},
    }
    return ChosenSet(found.feature_set, pd.DataFrame([row], index=[label.name]))


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
    from labelsearch.classifiers.evaluation import evaluate
    from labelsearch.classifiers.prediction import predict as probabilities

    matrix = matrix_of(features)
    values, traded = values_of(labels, features.index)
    boundary = int(len(matrix) * (1.0 - validation_share))
    space = space or FeatureSpace()
    usable = usable_bars(~traded, warm_up_of(space.chosen(), space.normaliser()))
    problem = classifiers.make_problem(label, values, usable, boundary, FeatureSet((), space.normaliser()), matrix)
    if not problem.validation.size:
        raise InputError(f"label {label.name} leaves no bars to validate on: give more of train")
    seeds = Seeds(seed)
    rng = np.random.default_rng(seeds("samples", label.name))
    trained, calibration = classifiers.train(problem, network or Network(), seeds, rng)
    rows = problem.validation
    block = problem.block(round(DAY_MS / interval_of(milliseconds(features.index))))
    evaluation = evaluate(probabilities(trained.network, matrix, rows), values.classes[rows], blocks=(rows, block))
    return Classifier(
        label=label.name,
        network=trained.network,
        losses=tuple(trained.losses),
        validation_loss=trained.validation_loss,
        trials=tuple(trained.trials),
        evaluation=evaluation,
        n_fit=problem.fit.size,
        calibration=calibration,
    )


def predict(classifier: Classifier, features: pd.DataFrame) -> pd.DataFrame:
    """Class probabilities of every row of features.

    Parameters
    ----------
    classifier : Classifier
    features : DataFrame
        From `compute_features`.

    Returns
    -------
    DataFrame
        ``buy``, ``neutral`` and ``sell``, float32.

    Raises
    ------
    InputError
        If a feature is not a finite number.
    """
    from labelsearch.classifiers.prediction import predict as probabilities

    return pd.DataFrame(probabilities(classifier.network, matrix_of(features)), features.index, list(CLASS_NAMES))


def search_strategies(
    outputs: pd.DataFrame,
    bars: pd.DataFrame,
    settings: Search | None = None,
    score: Score | None = None,
    *,
    days: Days | None = None,
    train: pd.DataFrame | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Search strategies on past, and simulate each of them in full.

    Parameters
    ----------
    outputs : DataFrame
        Probabilities with the columns (label, "buy") and (label, "sell") of each label, of the bars of past or more.
    bars : DataFrame
        Past.
    settings, score : Search, Score, optional
    days : (str, str), optional
        First and last day of past, for its length; by default from the first bar to the last.
    train : DataFrame, optional
        Bars of train: the score then asks for as many more trades as past is more volatile than train.
    seed : int

    Returns
    -------
    DataFrame
        A row for each strategy, pruned ones too: parameters, island, rung, and figures on past.

    Raises
    ------
    InputError
        If outputs and bars do not fit.
    """
    score = score or PaperScore()
    if train is not None:
        score = score.paced(
            search.spread(grid_of(bars).present().close) / search.spread(grid_of(train).present().close)
        )
    past = _problem(outputs, bars, days, settings, score)
    tasks = islands((settings or Search()).settings(Seeds(seed)("search")))
    return search.to_frame(past, merge([run_island(task, past) for task in tasks]))


def _problem(
    outputs: pd.DataFrame, bars: pd.DataFrame, days: Days | None, settings: Search | None, score: Score
) -> SearchProblem:
    settings, window = settings or Search(), seen_by(outputs, bars, days)
    return SearchProblem(window, settings.space(window.outputs.shape[1]), settings.rules(), score)


def form_tiers(strategies: pd.DataFrame, sizes: Sequence[int] = TIER_SIZES, by: str = "score") -> dict[int, list[int]]:
    """Choose the best strategies for each size of tier.

    Parameters
    ----------
    strategies : DataFrame
        From `search_strategies`.
    sizes : sequence of int
    by : str
        Column whose highest values are best.

    Returns
    -------
    dict of int to list of int
        Rows of ``strategies``, best first, by size, largest first.

    Raises
    ------
    InputError
        If there are fewer strategies than a tier holds.

    Examples
    --------
    >>> form_tiers(pd.DataFrame({"score": [1.0, 3.0, 2.0]}), sizes=(1, 2))
    {2: [1, 2], 1: [1]}
    """
    order = tuple(sorted(sizes, reverse=True))
    return {n: strategies.index[rows].tolist() for n, rows in tiers(strategies[by].to_numpy(), order).items()}


def judge_tiers(
    strategies: pd.DataFrame,
    members: Mapping[int, Sequence[int]],
    outputs: pd.DataFrame,
    bars: pd.DataFrame,
    settings: Search | None = None,
    *,
    capital: str = "equal",
    past: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    days: Days | None = None,
) -> Judged:
    """Trade the tiers in a window, in vectorbt.

    Parameters
    ----------
    strategies : DataFrame
        From `search_strategies`.
    members : mapping of int to list of int
        From `form_tiers`.
    outputs, bars : DataFrame
        Of the window.
    settings : Search, optional
        Those that the strategies were searched with.
    capital : str
        Rule by which capital is shared out among members.
    past : (outputs, bars), optional
        What capital is shared out by; rules other than ``equal`` need it.
    days : (str, str), optional
        First and last day of the window, for its length.

    Returns
    -------
    Judged

    Raises
    ------
    InputError
        If outputs and bars do not fit, a tier does not hold the smaller ones, or ``past`` is needed and missing.
    """
    sizes = tuple(sorted(members, reverse=True))
    best = list(members[sizes[0]])
    if any(list(members[n]) != best[:n] for n in sizes):
        raise InputError("a smaller tier must hold the first members of the larger")
    if past is None and capital != "equal":
        raise InputError(f"capital rule {capital!r} needs what is known before the window: give past")
    asked = _problem(outputs, bars, days, settings, PaperScore())
    params = strategies.loc[best, list(asked.space.names)].to_numpy()
    before = asked if past is None else _problem(*past, None, settings, PaperScore())
    known = returns_of(equity_grid(params, before.window, before.rules).equity).T
    choice = ensembles.Choice({n: np.arange(n) for n in sizes}, params, known)
    accounts = ensembles.trade(asked.window, asked.rules, choice, capital)
    rows = ensembles.describe(accounts, asked.window, asked.rules, "", sizes)
    table = pd.DataFrame.from_dict({row.name: row.figures._asdict() for row in rows}, orient="index")
    curves = ensembles.to_curves(accounts, asked.window).frame().rename_axis(None)
    return Judged(table.rename_axis("tier"), curves)
