"""Figures of classifiers and of their training as plain values: text, numbers, None, tuples and dicts of these."""

from dataclasses import dataclass

from labelsearch.classifiers.kinds import Options

MOVE_FIGURES = ("mean_absolute_error", "r2", "rank_correlation", "sign_accuracy")
Interval = tuple[float, float]  # 95%, lower end first


@dataclass(frozen=True)
class ClassScores:
    """How well one class is separated from the others.

    Attributes
    ----------
    precision, recall : float
        Of the most probable class; 0 where the class is never predicted or absent.
    auc : float or None
        One-vs-rest; None where the class or its complement is absent.
    reliability : tuple of (float, float, int)
        Mean probability, observed share and number of rows of each occupied bin of probability.
    auc_interval : (float, float) or None
        95% interval of the AUC; None where it was not computed or is undefined.
    """

    precision: float
    recall: float
    auc: float | None
    reliability: tuple[tuple[float, float, int], ...]
    auc_interval: Interval | None = None


@dataclass(frozen=True)
class Evaluation:
    """Figures of a classifier on ``n`` rows that it was not fitted on.

    Attributes
    ----------
    confusion : tuple of tuple of int
        Rows by true class, columns by predicted class, in the order buy, neutral, sell.
    has_intervals : bool
        Whether intervals of the AUC were computed.
    """

    n: int
    confusion: tuple[tuple[int, ...], ...]
    buy: ClassScores
    neutral: ClassScores
    sell: ClassScores
    has_intervals: bool = False

    def side(self, name: str) -> ClassScores:
        """Scores of the class ``buy``, ``neutral`` or ``sell``."""
        return {"buy": self.buy, "neutral": self.neutral, "sell": self.sell}[name]


@dataclass(frozen=True)
class Trial:
    """One trial of a hyper-parameter search.

    ``value`` is the lowest validation loss, None for a pruned trial; ``best`` is that of pruned trials too. ``losses``
    are the validation losses by epoch, ``epochs`` their number.
    """

    number: int
    state: str
    value: float | None
    epochs: int
    parameters: Options
    best: float
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Study:
    """How trials were drawn and pruned; ``sampler`` and ``pruner`` are JSON of the class and all its arguments."""

    objective: str
    direction: str
    n_trials: int
    seed: int
    sampler: str
    pruner: str


@dataclass(frozen=True)
class Calibration:
    """Fitted temperature, rows it was fitted on, and the loss on later rows before and after; None without these."""

    temperature: float
    n_fitted: int
    later_loss_before: float | None
    later_loss_after: float | None


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% interval; None where undefined."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Against:
    """A figure of predicted moves, that of predicting the mean move of train, and the gain: above 0 is better."""

    figure: Estimate
    of_mean: float | None
    gain: Estimate


@dataclass(frozen=True)
class MoveEvaluation:
    """Figures of predicted moves f on ``n`` rows that the network was not fitted on, y the true ones.

    Attributes
    ----------
    mean_move : float
        Mean m of y on the fitted rows, the prediction that all figures are held against.
    mean_absolute_error : Against
        Of f; its gain is the error of m less that of f.
    r2 : Against
        1 - sum (y - f)^2 / sum (y - m)^2; that of m is 0.
    rank_correlation : Against
        Spearman's, of f and y; that of m, which ranks nothing, counts as 0.
    sign_accuracy : Against
        Share of the rows with y other than 0 whose sign f has.
    has_intervals : bool
        Whether intervals were computed.
    """

    n: int
    mean_move: float
    mean_absolute_error: Against
    r2: Against
    rank_correlation: Against
    sign_accuracy: Against
    has_intervals: bool = False


@dataclass(frozen=True)
class NetworkScores:
    """Figures by which networks are compared on the same rows."""

    loss: Estimate
    brier: Estimate
    balanced_accuracy: Estimate
    auc_buy: Estimate
    auc_neutral: Estimate
    auc_sell: Estimate
    calibration_error: Estimate


@dataclass(frozen=True)
class PairedDifference:
    """Difference of mean losses, the ends of its 95% interval, and ``better``, ``worse`` or ``no difference shown``."""

    value: float
    low: float
    high: float
    verdict: str
