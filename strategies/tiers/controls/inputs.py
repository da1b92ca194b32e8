"""What stackings see: outputs that are not nearly the same, statistics over them, and the later return."""

from typing import NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.tiers.controls.folds import NotFitted
from strategies.trade.window import TradingWindow

SAME = 0.95  # size of a correlation above which an input says what an earlier one does
STATISTICS = ("mean", "spread", "highest")


def sides_of(names: tuple[str, ...]) -> tuple[int, ...]:
    """1 for each output that says to buy, -1 for each that says to sell, 0 for any other, by the end of its name.

    >>> sides_of(("a:buy", "a:sell", "b:magnitude"))
    (1, -1, 0)
    """
    return tuple(1 if name.endswith(":buy") else -1 if name.endswith(":sell") else 0 for name in names)


def input_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the columns of `design`, from those of the K outputs."""
    sides = sides_of(names)
    found = [f"{statistic} of {word}" for side, word in ((1, "buy"), (-1, "sell")) if side in sides
             for statistic in STATISTICS]  # fmt: skip
    both = ["buy less sell"] if {1, -1} <= set(sides) else []
    return (*names, *found, *both)


def design(outputs: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Outputs (T, K), then mean, standard deviation and maximum over buy and over sell outputs, and the means' gap.

    Raises
    ------
    StrategyError
        If the names do not fit.
    """
    if outputs.shape[1] != len(names):
        raise StrategyError(f"{len(names)} names do not fit {outputs.shape[1]} outputs")
    sides = np.array(sides_of(names))
    columns, means = [*outputs.T], []
    for side in (1, -1):
        of = outputs[:, sides == side]
        if of.shape[1]:
            means.append(of.mean(axis=1))
            columns += [means[-1], of.std(axis=1), of.max(axis=1)]
    if len(means) == 2:
        columns.append(means[0] - means[1])
    return np.column_stack(columns)


def later_return(window: TradingWindow, horizon: int) -> np.ndarray:
    """Log return (T,) from the next open over ``horizon`` bars; NaN where the window ends before.

    It is what an order decided at the close of a bar can earn.
    """
    found = np.full(len(window.open), np.nan)
    logarithm = np.log(window.open)
    last = len(found) - horizon - 1
    if last > 0:
        found[:last] = logarithm[1 + horizon :] - logarithm[1 : 1 + last]
    return found


def unlike(inputs: np.ndarray) -> np.ndarray:
    """Columns of (n, p) to keep: those that vary, less each that correlates above `SAME` with a kept one before it."""
    deviation = inputs.std(axis=0)
    varies = deviation > 1e-9 * np.maximum(np.abs(inputs).max(axis=0), 1e-300)
    z = np.where(varies, (inputs - inputs.mean(axis=0)) / np.where(varies, deviation, 1.0), 0.0)
    correlation = np.abs(z.T @ z) / len(z)
    kept: list[int] = []
    for column in np.flatnonzero(varies):
        if not kept or correlation[column, kept].max() <= SAME:
            kept.append(int(column))
    return np.array(kept, dtype=np.int64)


class Stacked(NamedTuple):
    """Inputs and target of a stacking on one window; T bars, p inputs that were kept."""

    names: tuple[str, ...]
    columns: np.ndarray  # (p,) of `design`
    z: np.ndarray  # (T, p) inputs in standard deviations from their means; 0 where they are not known
    target: np.ndarray  # (T,) later return in standard deviations from its mean; 0 where it is not known
    later: np.ndarray  # (T,) later return as it is
    known: np.ndarray  # (T,) bool: both are
    mean: np.ndarray  # (p,)
    deviation: np.ndarray  # (p,)
    horizon: int


def stacked(window: TradingWindow, names: tuple[str, ...], horizon: int) -> Stacked:
    """What a stacking is fitted on.

    Parameters
    ----------
    window : TradingWindow
    names : tuple of str
        Of its outputs.
    horizon : int
        Bars from the next open over which the later return is taken.

    Raises
    ------
    NotFitted
        If no bar has outputs and a later return, no output varies or the price does not.
    """
    inputs, later = design(window.outputs, names), later_return(window, horizon)
    known = np.isfinite(inputs).all(axis=1) & np.isfinite(later)
    if not known.any():
        raise NotFitted(f"no bar of {len(later)} has outputs and a return over the {horizon} bars after it")
    of = inputs[known]
    columns = unlike(of)
    if not len(columns):
        raise NotFitted("no output varies")
    if not np.std(later[known]) > 0:
        raise NotFitted("the price does not move")
    of = of[:, columns]
    mean, deviation = of.mean(axis=0), of.std(axis=0)
    z, target = np.zeros((len(later), len(columns))), np.zeros(len(later))
    z[known] = (of - mean) / deviation
    target[known] = (later[known] - later[known].mean()) / later[known].std()
    kept = tuple(input_names(names)[column] for column in columns)
    return Stacked(kept, columns, z, target, later, known, mean, deviation, horizon)
