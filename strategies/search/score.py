"""The score of a strategy: monthly return less two penalties, all in percent.

That the score is return less a penalty on too few transactions and one on too small a position is Balcerak &
Schmelzer 2020, in words; the target position is our reconstruction.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class ScoreSettings:
    """What the score asks for.

    Parameters
    ----------
    target_trades : float
        Transactions a month below which each missing one costs one percent.
    target_position : float
        Mean position, in percent of equity, below which missing points cost.
    position_weight : float
        Cost of each missing point of mean position.
    """

    target_trades: float = 30.0
    target_position: float = 20.0
    position_weight: float = 0.5


class Score(NamedTuple):
    """The score and its pieces, (S,) each, in percent, and what they were made from."""

    score: np.ndarray
    monthly_return: np.ndarray
    trade_penalty: np.ndarray
    position_penalty: np.ndarray
    trades_per_month: np.ndarray
    mean_position: np.ndarray  # percent of equity


def monthly_return(growth: np.ndarray | float, months: float) -> np.ndarray:
    """Compound monthly return in percent of ``growth`` = final value / initial value; -100 at ruin."""
    return np.asarray(100.0 * (np.maximum(growth, 0.0) ** (1.0 / months) - 1.0))


def score(
    growth: np.ndarray,
    fills: np.ndarray,
    mean_position: np.ndarray,
    months: float,
    settings: ScoreSettings | None = None,
) -> Score:
    """Score strategies: S = MR - TP - MCIP.

    Parameters
    ----------
    growth : (S,) array
        Final value over initial value.
    fills : (S,) array
        Number of transactions filled.
    mean_position : (S,) array
        Mean over bars of the share of equity held, in [0, 1].
    months : float
        Length of the window in calendar months.
    settings : ScoreSettings, optional
        Targets and weights.

    Returns
    -------
    Score
        All pieces in percent. NaN in, NaN out.

    Raises
    ------
    ValueError
        If months is not positive.
    """
    if not months > 0:
        raise ValueError(f"months must be positive, not {months}")
    settings = settings or ScoreSettings()
    rate = np.asarray(fills) / months
    position = 100.0 * np.asarray(mean_position, dtype=np.float64)
    earned = monthly_return(np.asarray(growth, dtype=np.float64), months)
    trade_penalty = np.maximum(settings.target_trades - rate, 0.0)
    position_penalty = settings.position_weight * np.maximum(settings.target_position - position, 0.0)
    return Score(earned - trade_penalty - position_penalty, earned, trade_penalty, position_penalty, rate, position)
