"""The label that compares markets: who beats whom, apart from what all of them do together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from labelsearch.labels.base import BUY, NEUTRAL, SELL, LabelError, LabelValues, MarketsBeside, bars_ahead

FEWEST = 3  # members that are ranked


@njit(cache=True, nogil=True)
def compound_nb(returns, horizon):
    """Return (T - horizon,) over the ``horizon`` bars after each bar, from simple returns (T,)."""
    out = np.empty(returns.size - horizon)
    for t in range(out.size):
        level = 1.0
        for i in range(t + 1, t + 1 + horizon):
            level *= 1.0 + returns[i]
        out[t] = level - 1.0
    return out


@njit(cache=True, nogil=True)
def lead_nb(values, takes):
    """How many of those that take part in a row are below each, less how many are above it, (T, M) array of int64."""
    out = np.zeros(values.shape, dtype=np.int64)
    for t in range(values.shape[0]):
        for m in range(values.shape[1]):
            for i in range(values.shape[1]):
                if takes[t, m] and takes[t, i]:
                    out[t, m] += (values[t, i] < values[t, m]) - (values[t, i] > values[t, m])
    return out


@dataclass(frozen=True)
class Relative:
    """Buy the markets that gain most over the next ``horizon`` bars beside the basket; sell those that gain least.

    Ranked is e = r - beta r_basket: the return of the close, less the trailing beta of the bar times the compounded
    return of the basket. Value c = 1 - 2 rank, rank in [0, 1] and the mean of equal ones; the top and the bottom
    ``share`` are action bars. Ranked are members that have the bar itself; the close ``horizon`` bars later is the last
    one known then, so that a market that falls silent is not spared its loss. There is no label for other markets, nor
    where fewer than three are ranked.
    """

    kind: ClassVar[str] = "relative"
    origin: ClassVar[str] = ""
    across: ClassVar[bool] = True
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"horizon": 1}, {"horizon": 8, "share": 0.35})

    horizon: int = field(metadata={"help": "bars ahead"})
    share: float = field(default=0.2, metadata={"help": "of the markets that are bought, and that are sold"})

    def __post_init__(self) -> None:
        if self.horizon < 1 or not 0.0 < self.share < 0.5:
            raise LabelError("a relative label needs horizon >= 1 and a share between 0 and 0.5")

    @property
    def name(self) -> str:
        return f"relative_{self.horizon}" + ("" if self.share == 0.2 else f"_{100 * self.share:g}")

    @property
    def lookahead(self) -> int:
        return self.horizon

    def reference(self, price: NDArray[np.float64]) -> float:
        return 1.0

    def values(self, price: NDArray[np.float64], reference: float) -> LabelValues:
        raise LabelError(f"label {self.name} compares markets: it needs a panel of several")

    def values_across(self, markets: MarketsBeside) -> Sequence[LabelValues]:
        n, n_markets = markets.close.shape
        value, classes = np.zeros((n, n_markets)), np.full((n, n_markets), NEUTRAL, dtype=np.int8)
        last_used = np.full((n, n_markets), n)
        rows = slice(0, max(n - self.horizon, 0))
        if rows.stop:
            common = compound_nb(markets.basket, self.horizon)
            gain = markets.close[self.horizon :] / markets.close[rows] - 1.0 - markets.beta[rows] * common[:, None]
            takes = markets.member[rows] & markets.traded[rows] & np.isfinite(gain)
            count = takes.sum(axis=1)[:, None]
            takes &= count >= FEWEST
            lead = lead_nb(gain, takes)
            value[rows] = -lead / np.maximum(count - 1, 1)
            # half of (count - lead) is the place from the top, the middle of the first one being at 1/2
            classes[rows] = np.where(
                takes & (count - lead < 2.0 * self.share * count),
                BUY,
                np.where(takes & (count + lead < 2.0 * self.share * count), SELL, NEUTRAL),
            )
            last_used[rows] = np.where(takes, bars_ahead(n, self.horizon)[rows, None], n)
        return [LabelValues(value[:, m].copy(), classes[:, m].copy(), last_used[:, m].copy()) for m in range(n_markets)]
