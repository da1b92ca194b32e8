"""The terms that a book trades on, and the space of its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.search.linear import StrategySpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LONG, NEUTRAL, BEST = 0, 1, 2  # codes of the kinds in the kernels
KINDS = {"long": LONG, "neutral": NEUTRAL, "best": BEST}
N_OWN = 3  # parameters of a book after those of a strategy: band, doubt, span


class BookRules(NamedTuple):
    """Terms of a book, passed to the kernels as they are; `of` checks them.

    Parameters
    ----------
    kind : int
        ``long`` holds what is wished long, ``neutral`` both sides without dollars and without beta, ``best`` the one
        market of the strongest wish.
    gross : float
        Sum of the sizes of all positions, as a share of equity.
    cap : float
        Largest size of one position; ``best`` knows none.
    fee_share : float
        Fee as a share of traded value, in [0, 1).
    signal_map : int
        Code of `strategies.trade.rules.SIGNAL_MAPS`.
    drift : float
        Dollars, or beta, of what a neutral book would hold after its orders, as shares of equity, beyond which all
        markets are traded to their wish, bands or not.
    """

    kind: int = NEUTRAL
    gross: float = 1.0
    cap: float = 0.2
    fee_share: float = 0.0005
    signal_map: int = 0
    drift: float = np.inf

    @classmethod
    def of(
        cls,
        kind: str,
        *,
        gross: float = 1.0,
        cap: float = 0.2,
        fee_share: float = 0.0005,
        signal_map: int = 0,
        drift: float = np.inf,
    ) -> "BookRules":
        """Checked rules with the kind by name; StrategyError for an unknown name or a number out of range."""
        if kind not in KINDS:
            raise StrategyError(f"kind of book {kind!r} is unknown, choose from {', '.join(KINDS)}")
        if not (0 < gross <= 10 and cap > 0 and 0 <= fee_share < 1):
            raise StrategyError(
                f"a book needs 0 < gross <= 10, cap > 0 and a fee in [0, 1), not {gross}, {cap}, {fee_share}"
            )
        if not drift > 0:
            raise StrategyError(f"drift must be above 0, not {drift}")
        return cls(KINDS[kind], float(gross), float(cap), float(fee_share), int(signal_map), float(drift))


@dataclass(frozen=True)
class BookSpace:
    """Box of book strategies: the parameters of a linear strategy, and those of the book.

    Parameters
    ----------
    linear : StrategySpace
        Weights and thresholds; they are the same for all markets.
    band, doubt, span : (low, high)
        Bounds of b, of k, and of the span in rows of the exponential mean of wishes.
    n_intervals : int
        I, lengths of bars that the outputs come from; with several, each has a weight in [0, 1].

    Examples
    --------
    >>> BookSpace(StrategySpace(1)).names
    ('w00', 'theta_buy', 'theta_sell', 'delta', 'band', 'doubt', 'span')
    """

    linear: StrategySpace
    band: tuple[float, float] = (0.0, 0.15)
    doubt: tuple[float, float] = (0.0, 0.5)
    span: tuple[float, float] = (1.0, 60.0)
    n_intervals: int = 1

    def __post_init__(self) -> None:
        for name in ("band", "doubt", "span"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise StrategyError(f"bounds of {name} must be 0 <= low <= high, not {low}, {high}")
        if self.span[0] < 1:
            raise StrategyError(f"a span has at least 1 row, not {self.span[0]}")
        if self.n_intervals < 1:
            raise StrategyError("a book needs outputs of one interval or more")

    @property
    def n_outputs(self) -> int:
        """K, the number of classifier outputs of one market and interval."""
        return self.linear.n_outputs

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names in column order."""
        own = tuple(f"a{i}" for i in range(self.n_intervals)) if self.n_intervals > 1 else ()
        return (*self.linear.names, "band", "doubt", "span", *own)

    @property
    def n_params(self) -> int:
        """P, the number of parameters."""
        return len(self.names)

    @property
    def bounds(self) -> np.ndarray:
        """Bounds (P, 2)."""
        own = [self.band, self.doubt, self.span, *([(0.0, 1.0)] * (self.n_params - len(self.linear.names) - N_OWN))]
        return np.vstack([self.linear.bounds, np.array(own)])

    def sample(self, rng: np.random.Generator, n_strategies: int) -> np.ndarray:
        """Uniform strategies (n_strategies, P)."""
        low, high = self.bounds.T
        return rng.uniform(low, high, size=(n_strategies, self.n_params))

    def distributions(self) -> "dict[str, BaseDistribution]":
        """The same box for Optuna, by parameter name."""
        from optuna.distributions import FloatDistribution

        return {
            name: FloatDistribution(float(low), float(high))
            for name, (low, high) in zip(self.names, self.bounds, strict=True)
        }

    def from_optuna(self, params: Mapping[str, float]) -> np.ndarray:
        """Parameter row (P,) of an Optuna trial; KeyError if a parameter is missing."""
        return np.array([params[name] for name in self.names], dtype=np.float64)
