"""Every stage as one function of pandas objects, for a notebook: what a run's stages call, with their seeds.

The settings of a run give its numbers, bit by bit. Bars are tables with a DatetimeIndex in UTC and the columns
``open high low close volume``, and ``quote_volume`` and ``trades`` where known. Missing bars may be missing: features
lie on a grid without gaps, on which such a bar carries the last close, and labels leave it out. What belongs to train
is given bars of train alone, from its first one on. Looks at future bars are not counted here; those of a run are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from feature_space.feature_set import FeatureSet, titles
from labelsearch.labels.kinds import CLASS_NAMES, Label
from labelsearch.labels.windows import DAY_MS
from labelsearch.pipeline.context import inputs_of, unit_seed, usable_bars
from labelsearch.pipeline.frame_checks import (
    Days,
    grid_of,
    interval_of,
    matrix_of,
    milliseconds,
    price_of,
    seen_by,
    values_of,
)
from labelsearch.pipeline.sections import FeatureSpace, Network, Score, Search, Separation
from labelsearch.pipeline.stages import classifiers, ensembles, search
from labelsearch.pipeline.stages.features import TrainPart, choose_sets
from strategies.search.search import islands, merge, run_island
from strategies.tiers.ensemble import TIER_SIZES, tiers


@dataclass(frozen=True)
class Classifier:
    """A trained classifier: its network, validation losses by epoch, trials, and figures on the validation part."""

    label: str
    network: Any  # torch.nn.Module
    losses: list[float]
    validation_loss: float
    trials: list[dict[str, Any]]
    figures: dict[str, Any]


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
) -> tuple[FeatureSet, pd.DataFrame]:
    """Choose the indicators' parameters that hold a label's classes furthest apart, and confirm them later in train.

    Parameters
    ----------
    bars : DataFrame
        Train.
    labels : DataFrame
        From `label_bars`, of train or more.
    label : Label
        Its name is part of the seeds.

    Returns
    -------
    FeatureSet
    DataFrame
        One row: separation power when chosen, on the validation part (``later_``), and of random sets.
    """
    grid, space = grid_of(bars), space or FeatureSpace()
    boundary = int(len(grid) * (1.0 - validation_share))
    usable = usable_bars(grid.filled, space)
    seeds = partial(unit_seed, seed)
    train = TrainPart(inputs_of(grid), usable, boundary, space, separation or Separation(), seeds)
    values, _ = values_of(labels, grid.index)
    found = choose_sets(train, {label.name: values})[label.name]
    later = found["confirmation"]
    low, high = later["power_interval"]
    row = {
        **{name: found[name] for name in ("power", "power_random", "cross_class_mass", "same_class_mass")},
        **{"later_power": later["power"], "later_low": low, "later_high": high},
        **{"later_random": later["power_random"], "p_value": later["p_value"]},
    }
    return FeatureSet.from_dict(found["feature_set"]), pd.DataFrame([row], index=[label.name])


def compute_features(bars: pd.DataFrame, feature_set: FeatureSet) -> pd.DataFrame:
    """Features in (-1, 1), float32, of every bar of the grid; none sees a later bar."""
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
    space : FeatureSpace, optional
        Nothing within its warm-up is trained on.
    """
    from labelsearch.classifiers.evaluation import evaluate
    from labelsearch.classifiers.prediction import predict as probabilities

    matrix = matrix_of(features)
    values, traded = values_of(labels, features.index)
    boundary = int(len(matrix) * (1.0 - validation_share))
    usable = usable_bars(~traded, space or FeatureSpace())
    problem = classifiers.make_problem(label, values, usable, boundary, (), matrix)
    if not problem.validation.size:
        raise ValueError(f"label {label.name} leaves no bars to validate on: give more of train")
    rng = np.random.default_rng(unit_seed(seed, "samples", label.name))
    trained, calibration = classifiers.train(problem, network or Network(), partial(unit_seed, seed), rng)
    rows = problem.validation
    block = problem.block(round(DAY_MS / interval_of(milliseconds(features.index))))
    figures = evaluate(probabilities(trained.network, matrix, rows), values.classes[rows], blocks=(rows, block))
    return Classifier(
        label.name, trained.network, trained.losses, trained.validation_loss, trained.trials,
        {**figures, "n_fit": problem.fit.size, "calibration": calibration},
    )  # fmt: skip


def predict(classifier: Classifier, features: pd.DataFrame) -> pd.DataFrame:
    """Probabilities of ``buy``, ``neutral`` and ``sell``, float32, of every row of features."""
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
    days : (str, str), optional
        First and last day of past, for its length; by default from the first bar to the last.
    train : DataFrame, optional
        Bars of train, which a score with ``rate = "volatility"`` needs.

    Returns
    -------
    DataFrame
        A row for each strategy, pruned ones too: parameters, island, rung, and figures on past.
    """
    score, pace = score or Score(), 1.0
    if score.rate == "volatility":
        if train is None:
            raise ValueError("a score with rate = 'volatility' needs the bars of train")
        pace = search.spread(grid_of(bars).present().close) / search.spread(grid_of(train).present().close)
    settings = settings or Search()
    past = search.make_problem(*seen_by(outputs, bars, days), settings, score, pace)
    tasks = islands(search.settings_of(settings, unit_seed(seed, "search")))
    return search.to_frame(past, merge([run_island(task, past) for task in tasks]))


def form_tiers(strategies: pd.DataFrame, sizes: Sequence[int] = TIER_SIZES, by: str = "score") -> dict[int, list[int]]:
    """Rows of the best strategies by a column, best first, for each size of tier, largest first."""
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
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trade the tiers in a window, in vectorbt.

    Parameters
    ----------
    strategies : DataFrame
        From `search_strategies`.
    members : mapping of int to list of int
        From `form_tiers`.
    outputs, bars : DataFrame
        Of the window.
    capital : str
        Rule by which capital is shared out among members.
    past : (outputs, bars), optional
        What capital is shared out by; rules other than ``equal`` need it.
    days : (str, str), optional
        First and last day of the window, for its length.

    Returns
    -------
    table : DataFrame
        Figures of each tier and baseline.
    curves : DataFrame
        Their equity and position at each bar.
    """
    sizes = tuple(sorted(members, reverse=True))
    best = list(members[sizes[0]])
    if any(list(members[n]) != best[:n] for n in sizes):
        raise ValueError("a smaller tier must hold the first members of the larger")
    if past is None and capital != "equal":
        raise ValueError(f"capital {capital!r} is shared out by what is known before the window: give past")
    settings = settings or Search()
    seen, months = seen_by(outputs, bars, days)
    asked = search.make_problem(seen, months, settings, Score())
    params = strategies.loc[best, list(asked.space.names)].to_numpy()
    before = seen if past is None else seen_by(*past, None)[0]
    known = ensembles.daily_returns(params, search.make_problem(before, 1.0, settings, Score()), before.open_time)
    accounts, _ = ensembles.judge(asked, seen.open_time, params, sizes, capital, known)
    table = pd.DataFrame.from_dict(ensembles.describe(accounts, asked, seen.open_time), orient="index")
    curves = ensembles.to_frame(accounts, seen.open_time).drop(columns="open_time")
    return table.rename_axis("tier"), curves.set_axis(pd.to_datetime(seen.open_time, unit="ms", utc=True))
