"""What the proofs of a user's own scores, rankings and capital rules share."""

from collections.abc import Callable, Sequence

import numpy as np

from strategies import StrategyError


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
