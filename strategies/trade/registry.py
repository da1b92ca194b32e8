"""What the registries of scores, rankings and capital rules share: look-up by name, entry, and parts of the proof."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from labelsearch.errors import InputError

Row = TypeVar("Row")


class StrategyError(InputError):
    """A strategy, or a score or rule for some, that cannot be used, as one line."""


def find(table: Mapping[str, Row], name: str, what: str) -> Row:
    """Row of a name; the StrategyError for an unknown one lists the known ones."""
    if name not in table:
        raise StrategyError(f"{what} {name!r} is unknown, choose from {', '.join(table)}")
    return table[name]


def enter(table: dict[str, Any], name: str, row: Any, what: str) -> None:
    """Add a row; StrategyError if the name is no identifier or belongs to another row."""
    if not isinstance(name, str) or not name.isidentifier():
        raise StrategyError(f"{what} {name!r}: the name must be letters, digits and underscores")
    if table.setdefault(name, row) != row:
        raise StrategyError(f"{what} {name!r}: the name is taken")


def proved_values(
    what: str, compute: Callable[[], np.ndarray], n_strategies: int, inputs: Sequence[np.ndarray]
) -> np.ndarray:
    """Values (n_strategies,) of a user's function after a proof by two calls.

    Raises
    ------
    StrategyError
        One line: the function fails, its values are not one finite float64 a strategy, they differ between the calls,
        or it changes its inputs.
    """
    before = [x.tobytes() for x in inputs]
    try:
        values, again = compute(), compute()
    except Exception as error:  # whatever a user's function may raise
        raise StrategyError(f"{what}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    if [x.tobytes() for x in inputs] != before:
        raise StrategyError(f"{what} changes its input")
    if not isinstance(values, np.ndarray) or values.shape != (n_strategies,) or values.dtype != np.float64:
        raise StrategyError(f"{what} must give an array of one float64 for each strategy")
    finite = np.isfinite(values)
    if not finite.all():
        raise StrategyError(f"{what} gives {values[~finite][0]} for strategy {finite.argmin()}")
    if values.tobytes() != np.asarray(again).tobytes():
        raise StrategyError(f"{what} gives other values for the same input")
    return values
