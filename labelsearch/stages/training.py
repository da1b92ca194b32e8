"""What the network of one label is trained on, in one market or in several, and how it is trained."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.across import Matrix, SideBySide, arranged
from feature_space.feature_set import FeatureSet
from feature_space.indicators import Inputs
from labelsearch.classifiers.figures import Calibration
from labelsearch.classifiers.kinds import Options
from labelsearch.engine.executors.base import tell
from labelsearch.labels.base import NEUTRAL, Label, LabelValues, OfMarket, head_of, is_magnitude
from labelsearch.labels.spans import purged_folds, purged_split
from labelsearch.settings.sections import Network
from labelsearch.stages.features import usable_bars
from labelsearch.stages.seeds import Seeds

if TYPE_CHECKING:
    from labelsearch.classifiers.dataset import Samples
    from labelsearch.classifiers.training import Fold, Trained

FEWEST_BLOCKS = 5  # of time that a member does without one of: it keeps four fifths of its rows or more
Rows = tuple[NDArray[np.int64], ...]  # of each market


class TrainingProblem(NamedTuple):
    """What the network of one label is trained on and judged by. Rows are grid rows."""

    label: Label
    values: LabelValues
    fit: NDArray[np.int64]
    validation: NDArray[np.int64]
    balance: float  # of the loss, on the fitted rows; 1 of moves, whose loss has none
    feature_set: FeatureSet
    matrix: NDArray[np.float32]  # (T, F)
    boundary: int  # first row of the last part of train: of the same time in all markets

    def block(self, day: int) -> int:
        """Rows of a block for resampling in time; ``day`` is the number of bars in one."""
        from labelsearch.classifiers.intervals import block_length

        overlap = float((self.values.last_used[self.validation] - self.validation + 1).mean())
        return block_length(overlap, day, int(self.validation[-1] - self.validation[0]) + 1)


class MarketPart(NamedTuple):
    """What all labels share: columns of the grid rows before future, and which of them are train."""

    inputs: Inputs  # (T,) each
    idle: NDArray[np.bool_]  # (T,) filled in, or not of the universe
    price: NDArray[np.float64]  # (T,) that labels read
    train: slice
    past: slice
    boundary: int
    warm_up: int
    day: int  # bars of a day or session
    first_bar: int  # number of the first row, by which rows of several markets are of the same time
    across: OfMarket  # labels that compare markets, of the same rows

    def problem(
        self, label: Label, values: LabelValues, feature_set: FeatureSet, matrix: Matrix | None = None
    ) -> TrainingProblem:
        """A label's problem on train; the matrix may have been made with those of other markets."""
        usable = usable_bars(self.idle[: self.train.stop], self.warm_up)
        matrix = feature_set.matrix(self.inputs) if matrix is None else matrix
        return make_problem(label, values, usable, self.boundary, feature_set, matrix)

    def has_actions(self, task: "LabelTask") -> bool:
        """Whether rows that a label is fitted on, and those it is validated on, are there and hold a buy or a sell."""
        usable = usable_bars(self.idle[: self.train.stop], self.warm_up)
        split = purged_split(task.values.last_used, usable, self.boundary, usable.size)
        if is_magnitude(task.label):  # moves weigh the same without one
            return all(rows.size for rows in split)
        return all((task.values.classes[rows] != NEUTRAL).any() for rows in split)


class LabelTask(NamedTuple):
    """One label in one market, as it is known before past, and its features."""

    label: Label
    values: LabelValues
    feature_set: FeatureSet


class Training(NamedTuple):
    """How networks are trained, and the markets they serve."""

    markets: tuple[MarketPart, ...]
    settings: Network
    seeds: Seeds
    known: Mapping[str, Options] | None = None  # hyper-parameters by label, where none are searched

    def columns(self, feature_set: FeatureSet) -> SideBySide | list[Inputs]:
        """What the matrices of all markets are made of."""
        is_rank = feature_set.normalisation.kind == "rank"
        ranked = [~market.idle if is_rank else None for market in self.markets]
        return arranged([its.inputs for its in self.markets], ranked, [its.first_bar for its in self.markets])


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
    a = 1.0 if is_magnitude(label) else balance(values.value[fit], values.classes[fit])
    return TrainingProblem(label, values, fit, validation, a, feature_set, matrix, boundary)


def fold_rows(problem: TrainingProblem, n_folds: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to fit and to validate on in each fold of a problem, see `labelsearch.labels.spans.purged_folds`."""
    last_used, fit, validation = problem.values.last_used, problem.fit, problem.validation
    return purged_folds(last_used, fit, validation, problem.boundary, n_folds)


def bag_rows(problems: Sequence[TrainingProblem], n_members: int, rng: np.random.Generator) -> list[Rows]:
    """Fitted rows of each market that each member of an ensemble is trained on: all but one block of time.

    The time before the last part of train is cut into blocks of equal length, one for each member and at least
    `FEWEST_BLOCKS`; each member does without another one, which is drawn. So every row is seen by all members but one,
    where a bootstrap of blocks would leave out a third of them for each. A market that would keep no row, or no action
    row of a label of classes, keeps all of its rows. What is left out is not validated on, so nothing is purged.

    Returns
    -------
    list of tuple of (N,) array of int64
        By member and market.
    """
    start = min(int(problem.fit[0]) - problem.boundary for problem in problems)
    n_blocks = max(n_members, FEWEST_BLOCKS)
    edges = np.linspace(start, 0, n_blocks + 1).astype(np.int64)
    found = []
    for block in rng.permutation(n_blocks)[:n_members].tolist():
        low, high = edges[block], edges[block + 1]
        found.append(tuple(_without(problem, low + problem.boundary, high + problem.boundary) for problem in problems))
    return found


def _without(problem: TrainingProblem, first: int, stop: int) -> NDArray[np.int64]:
    fit = problem.fit
    kept = fit[(fit < first) | (fit >= stop)]
    return kept if _has_actions(problem, kept) else fit


def train(
    problems: Sequence[TrainingProblem],
    settings: Network,
    seeds: Callable[..., int],
    rng: np.random.Generator,
    known: Options | None = None,
) -> tuple["Trained", Calibration | None]:
    """Search, train and calibrate a network.

    Samples and seeds depend on the label alone, so that all kinds of network are given the same.

    Parameters
    ----------
    problems : sequence of TrainingProblem
        One label, in one market or in several; each weighs the same.
    settings : Network
    seeds : callable
        Seed of a unit by its names.
    rng : numpy.random.Generator
        Draws the neutral bars.
    known : dict, optional
        Hyper-parameters; none are searched then.
    """
    from labelsearch.classifiers.fitting import TrainingSettings
    from labelsearch.classifiers.kinds import NETWORKS
    from labelsearch.classifiers.losses import MagnitudeLoss
    from labelsearch.classifiers.training import train_network

    window = settings.window if NETWORKS.find(settings.kind).windowed else 1
    fitted = _samples(problems, [problem.fit for problem in problems], settings, rng, window)
    validation = _samples(problems, [problem.validation for problem in problems], settings, rng, window)
    label, magnitude = problems[0].label.name, None
    if is_magnitude(problems[0].label):
        magnitude = MagnitudeLoss(settings.magnitude_loss, settings.sign_penalty)
    folds = _folds(problems, settings, seeds, window) if known is None else []
    trained = train_network(
        fitted,
        validation,
        TrainingSettings(
            network=settings.kind,
            n_trials=settings.n_trials,
            search_rows=settings.search_rows,
            max_epochs=settings.max_epochs,
            batch_size=settings.batch_size,
            seed=seeds("network", label),
            device=settings.device,
            window=settings.window,
            loss=settings.loss,
            n_seeds=settings.n_seeds,
            magnitude=magnitude,
        ),
        tell,
        known,
        folds,
        _bags(problems, settings, seeds, window) if settings.bag == "blocks" else None,
    )
    if settings.calibration == "none" or magnitude:
        return trained, None
    return trained, _calibrate(problems, settings, seeds("calibration", label), trained, validation, window)


def _folds(
    problems: Sequence[TrainingProblem], settings: Network, seeds: Callable[..., int], window: int
) -> list["Fold"]:
    """Samples of the folds of train after the first; a fold that some market lacks is left out."""
    from labelsearch.classifiers.training import Fold

    rng = np.random.default_rng(seeds("folds", problems[0].label.name))
    of_markets = [fold_rows(problem, settings.folds)[1:] for problem in problems]
    found = []
    for fold in zip(*of_markets, strict=True):
        parts = list(zip(*fold, strict=True))
        if all(_has_actions(problem, rows) for part in parts for problem, rows in zip(problems, part, strict=True)):
            found.append(Fold(*(_samples(problems, part, settings, rng, window) for part in parts)))
    return found


def _has_actions(problem: TrainingProblem, rows: NDArray[np.int64]) -> bool:
    """Whether there is a loss on these rows: some, and a buy or a sell among them where classes are told apart."""
    return rows.size > 0 and (is_magnitude(problem.label) or bool((problem.values.classes[rows] != NEUTRAL).any()))


def _bags(
    problems: Sequence[TrainingProblem], settings: Network, seeds: Callable[..., int], window: int
) -> Callable[[int], "Samples"]:
    """Samples of the k-th member, made when it is trained: neutral bars are drawn anew for each."""
    label = problems[0].label.name
    bags = bag_rows(problems, settings.n_seeds, np.random.default_rng(seeds("bag", label)))

    def bag(k: int) -> "Samples":
        return _samples(problems, bags[k], settings, np.random.default_rng(seeds("bag", label, k)), window)

    return bag


def _samples(
    problems: Sequence[TrainingProblem],
    rows: Sequence[NDArray[np.int64]],
    settings: Network,
    rng: np.random.Generator,
    window: int,
) -> "Samples":
    """Samples of some rows of each market."""
    from labelsearch.classifiers.dataset import joined_samples, make_samples

    n_neutral = max(settings.n_neutral // len(problems), 1)
    return joined_samples(
        [
            make_samples(
                problem.matrix, problem.values, part, n_neutral, rng, problem.balance, window, head_of(problem.label)
            )
            for problem, part in zip(problems, rows, strict=True)
        ]
    )


def epochs_of(settings: Network, *, is_searched: bool = True) -> int:
    """Epochs that a network takes if no trial is pruned and the winner is trained again."""
    return (settings.n_trials * settings.folds * is_searched + settings.n_seeds) * settings.max_epochs


def _calibrate(
    problems: Sequence[TrainingProblem],
    settings: Network,
    seed: int,
    trained: "Trained",
    validation: "Samples",
    window: int,
) -> Calibration:
    """Set the temperature from the first half of validation, purged of the second, which says whether it helped.

    It stays 1 where no row of the first half survives the purge.
    """
    from labelsearch.classifiers.calibration import fit_temperature
    from labelsearch.classifiers.fitting import weighted_loss
    from labelsearch.classifiers.networks import Ensemble

    rng = np.random.default_rng(seed)
    firsts, lasts = [], []
    for problem in problems:
        rows = problem.validation
        middle = int(rows[rows.size // 2])
        firsts.append(rows[problem.values.last_used[rows] < middle])
        lasts.append(rows[rows >= middle])
    if not all(rows.size for rows in firsts):
        return Calibration(1.0, 0, None, None)
    early, late = (_samples(problems, halves, settings, rng, window) for halves in (firsts, lasts))
    before = weighted_loss(trained.network, late)
    temperature = fit_temperature(trained.network, early)
    members = trained.network.members if isinstance(trained.network, Ensemble) else [trained.network]
    trained.network = Ensemble(list(members), temperature).eval()
    trained.validation_loss = weighted_loss(trained.network, validation)
    return Calibration(temperature, len(early.target), before, weighted_loss(trained.network, late))
