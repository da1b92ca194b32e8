"""The score of a strategy, and the registry of scores.

The paper's score is the monthly return less two penalties, all in percent. That it is return less a penalty on too few
transactions and one on too small a position is Balcerak & Schmelzer 2020, in words; the target position is our
reconstruction.
"""

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numba.extending import register_jitable

from labelsearch.registry import Registry
from strategies import StrategyError
from strategies.trade.proof import proved_values

# Columns that `strategies.search.problem.evaluate_population` gives whatever the score.
COMMON = (
    "value", "fees", "traded", "fills", "max_drawdown_share",
    "monthly_return_pct", "trades_per_month", "mean_position_pct",
)  # fmt: skip
# And on its halves, where a problem is halved.
HALVED = ("score_a", "score_b")


def monthly_return_pct(growth: np.ndarray | float, months: float) -> np.ndarray:
    """Compound monthly return in percent of ``growth`` = final value / initial value; -100 at ruin.

    >>> monthly_return_pct(1.21, 2.0).round(6).item()
    10.0
    """
    return np.asarray(100.0 * (np.maximum(growth, 0.0) ** (1.0 / months) - 1.0))


class Record(NamedTuple):
    """Results of S strategies over a window, from which a score is made."""

    growth: np.ndarray  # (S,) final value over initial value
    fills: np.ndarray  # (S,) transactions
    mean_position: np.ndarray  # (S,) mean over bars of the share of equity held, long or short, in [0, 1]
    months: float  # length of the window in calendar months

    @property
    def monthly_return_pct(self) -> np.ndarray:
        """Compound monthly return (S,) in percent."""
        return monthly_return_pct(self.growth, self.months)

    @property
    def trades_per_month(self) -> np.ndarray:
        """Transactions a month (S,)."""
        return self.fills / self.months

    @property
    def mean_position_pct(self) -> np.ndarray:
        """Mean position (S,) in percent of equity."""
        return 100.0 * self.mean_position


class Score(Protocol):
    """A frozen dataclass whose fields are the options of the score; a subclass of this need not define ``paced``."""

    kind: ClassVar[str]
    origin: ClassVar[str] = ""  # the user's file that it comes from

    def pieces(self, record: Record) -> dict[str, np.ndarray]:
        """``score`` and whatever else is worth a column, (S,) each, finite for a finite record."""
        ...

    def paced(self, pace: float) -> "Score":
        """The score with the transactions asked for times ``pace``; itself if it asks for none."""
        return self


@register_jitable
def paper_score(earned, trades, position, target_trades, target_position, position_weight):
    """The paper's score, trade penalty and position penalty in percent: of arrays, and of numbers in kernels.

    Arguments are the monthly return in percent, transactions a month, mean position in percent of equity, and the
    options of `PaperScore`.
    """
    trade_penalty = np.maximum(target_trades - trades, 0.0)
    position_penalty = position_weight * np.maximum(target_position - position, 0.0)
    return earned - trade_penalty - position_penalty, trade_penalty, position_penalty


@dataclass(frozen=True)
class PaperScore(Score):
    """Monthly return less a penalty on too few transactions and one on too small a position, in percent."""

    kind: ClassVar[str] = "paper"
    target_trades: float = field(
        default=30.0,
        metadata={"help": "transactions a month below which each missing one costs 1%", "range": (0.0, 1e6)},
    )
    target_position_pct: float = field(
        default=20.0,
        metadata={
            "help": "mean position, in percent of equity, below which missing points cost",
            "range": (0.0, 100.0),
        },
    )
    position_weight: float = field(
        default=0.5, metadata={"help": "cost of each missing point of mean position, in %", "range": (0.0, 1000.0)}
    )

    def pieces(self, record: Record) -> dict[str, np.ndarray]:
        """``score``, ``trade_penalty_pct`` and ``position_penalty_pct``; NaN in, NaN out."""
        figures = (record.monthly_return_pct, record.trades_per_month, record.mean_position_pct)
        found = paper_score(*figures, self.target_trades, self.target_position_pct, self.position_weight)
        return dict(zip(("score", "trade_penalty_pct", "position_penalty_pct"), found, strict=True))

    def paced(self, pace: float) -> "PaperScore":
        """Targets ``pace`` times as many transactions."""
        return dataclasses.replace(self, target_trades=self.target_trades * pace)


SCORES: Registry[type[Score]] = Registry("score", StrategyError, (PaperScore,))


def make_score(kind: str, **options: float) -> Score:
    """Score of a kind.

    Parameters
    ----------
    kind : str
    **options : float
        Those that differ from the defaults.

    Returns
    -------
    Score

    Raises
    ------
    StrategyError
        If the kind or an option is unknown, with the known ones, or an option is not a number.

    Examples
    --------
    >>> make_score("paper", target_trades=40.0)
    PaperScore(target_trades=40.0, target_position_pct=20.0, position_weight=0.5)
    """
    made = SCORES.find(kind)
    known = {f.name: f for f in dataclasses.fields(made)}  # type: ignore[arg-type]
    for name, value in options.items():
        if name not in known:
            raise StrategyError(f"score {kind!r} has no option {name!r}, choose from {', '.join(known) or 'none'}")
        low, high = known[name].metadata.get("range", (-1e12, 1e12))
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
        if isinstance(known[name].default, float) and not number:
            raise StrategyError(f"{name} must be a number in {low:g} to {high:g}, not {value!r}")
    return made(**options)


def prove_score(kind: type[Score]) -> None:
    """Raise a StrategyError of one line unless a score with its default options holds what every score must.

    Its pieces are one finite float64 a strategy, the same at every call, and follow the strategies when their order
    changes; the record is left unchanged.
    """
    what = f"score {getattr(kind, 'kind', kind)!r}"
    frozen = dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen
    if not frozen or not isinstance(getattr(kind, "kind", None), str):
        raise StrategyError(f"{what} must be a frozen dataclass with a name ``kind``")
    rng = np.random.default_rng(0)
    growth, fills, held = rng.lognormal(0.0, 0.3, 40), rng.integers(0, 200, 40), rng.random(40)
    growth[0], fills[:2], held[:2] = 0.0, 0, 0.0
    record, order = Record(growth, fills, held, 1.7), rng.permutation(40)
    shuffled = Record(growth[order], fills[order], held[order], 1.7)
    try:
        scores = (kind(), kind().paced(2.0))
        names = list(scores[0].pieces(shuffled))
    except Exception as error:  # whatever a user's class may raise
        raise StrategyError(f"{what}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    if "score" not in names or set(names) & {*COMMON, *HALVED}:
        raise StrategyError(
            f"{what} must give a piece 'score', and none of {', '.join((*COMMON, *HALVED))}; it gives {names}"
        )
    for score in scores:
        for name in names:
            values = proved_values(f"{what}: {name}", partial(_piece, score, name, record), 40, record[:3])
            if not np.allclose(_piece(score, name, shuffled), values[order], rtol=1e-9):
                raise StrategyError(f"{what}: {name} of a strategy depends on the order of the strategies")


def _piece(score: Score, name: str, record: Record) -> np.ndarray:
    return score.pieces(record)[name]
