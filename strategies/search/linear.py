"""Linear strategies: K weights and three thresholds, and the space they are drawn from.

The signal is the desired long share of equity, in [0, 1]. That it is linear in the outputs, and the rule
with three thresholds, are in Balcerak & Schmelzer 2020; the map into [0, 1], see
`strategies.trade.rules.TradingRules`, and the ranges of the parameters are our reconstruction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strategies import StrategyError
from strategies.trade.rules import N_THRESHOLDS

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class StrategySpace:
    """Box of strategies: P = n_outputs + 3 parameters, each uniform between its bounds.

    Parameters
    ----------
    n_outputs : int
        K, the number of classifier outputs.
    weight, theta_buy, theta_sell, delta : (low, high)
        Bounds; the defaults are our reconstruction. The thresholds and delta are shares of equity.
    signs : tuple of int
        1 for each output whose weight may not be below 0, as what it says is to buy, -1 for each whose weight may not
        be above; without any, weights are free. With signs fewer strategies fit a past by chance.

    Raises
    ------
    StrategyError
        If there is no output or a bound is reversed.

    Examples
    --------
    >>> StrategySpace(n_outputs=2).names
    ('w00', 'w01', 'theta_buy', 'theta_sell', 'delta')
    """

    n_outputs: int
    weight: tuple[float, float] = (-1.0, 1.0)
    theta_buy: tuple[float, float] = (0.5, 1.0)
    theta_sell: tuple[float, float] = (0.0, 0.5)
    delta: tuple[float, float] = (0.02, 0.3)
    signs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.n_outputs < 1:
            raise StrategyError("a strategy needs at least one output")
        for name in ("weight", "theta_buy", "theta_sell", "delta"):
            low, high = getattr(self, name)
            if not low <= high:
                raise StrategyError(f"bounds of {name} are reversed: {low} > {high}")
        if self.signs and not (self.weight[0] < 0 < self.weight[1]):
            raise StrategyError(f"signed weights need a range on both sides of 0, not {self.weight}")
        if self.signs and len(self.signs) != self.n_outputs:
            raise StrategyError(f"{len(self.signs)} signs do not fit {self.n_outputs} outputs")

    @property
    def n_params(self) -> int:
        """P, the number of parameters."""
        return self.n_outputs + N_THRESHOLDS

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names in column order."""
        return (*(f"w{k:02d}" for k in range(self.n_outputs)), "theta_buy", "theta_sell", "delta")

    @property
    def bounds(self) -> np.ndarray:
        """Bounds (P, 2)."""
        low, high = self.weight
        sides = {1: (max(low, 0.0), high), -1: (low, min(high, 0.0)), 0: self.weight}
        weights = [sides[sign] for sign in self.signs or (0,) * self.n_outputs]
        return np.array([*weights, self.theta_buy, self.theta_sell, self.delta])

    def sample(self, rng: np.random.Generator, n_strategies: int) -> np.ndarray:
        """Uniform strategies (n_strategies, P)."""
        low, high = self.bounds.T
        return rng.uniform(low, high, size=(n_strategies, self.n_params))

    def distributions(self) -> dict[str, "BaseDistribution"]:
        """The same box for Optuna, by parameter name."""
        from optuna.distributions import FloatDistribution

        return {
            name: FloatDistribution(float(low), float(high))
            for name, (low, high) in zip(self.names, self.bounds, strict=True)
        }

    def from_optuna(self, params: Mapping[str, float]) -> np.ndarray:
        """Parameter row (P,) of an Optuna trial; KeyError if a parameter is missing."""
        return np.array([params[name] for name in self.names], dtype=np.float64)

    def to_optuna(self, row: np.ndarray) -> dict[str, float]:
        """Optuna parameters of a row (P,), as for ``study.enqueue_trial``; ValueError at a wrong length."""
        return {name: float(value) for name, value in zip(self.names, row, strict=True)}
