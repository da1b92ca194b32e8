"""The label that compares markets: who beats whom, apart from what all of them do together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from labelsearch.labels.base import (
    BUY,
    LARGEST_MOVE,
    NEUTRAL,
    SELL,
    LabelError,
    LabelValues,
    MarketsBeside,
    bars_ahead,
    check_head,
)

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

    The gain is e = r - beta r_basket: the return of the close, less the trailing beta of the bar times the compounded
    return of the basket. With value ``return`` it is measured in e / (sigma sqrt(horizon)), sigma the trailing
    volatility of a bar, and c = -clip(gain - median gain, -3, 3) / 3: the network then weighs the bars by what a book
    that holds inverse volatilities earns by them. With value ``rank`` c = 1 - 2 rank of e, in [0, 1]: who wins, not by
    how much. The top and the bottom ``share`` of the ranks, equal ones having their mean, are action bars. Ranked are
    members that have the bar itself; the close ``horizon`` bars later is the last one known then, so that a market that
    falls silent is not spared its loss. There is no label for other markets, nor where fewer than three are ranked.
    """

    kind: ClassVar[str] = "relative"
    origin: ClassVar[str] = ""
    across: ClassVar[bool] = True
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"horizon": 1, "share": 0.2, "value": "return"},
        {"horizon": 1, "share": 0.2, "value": "rank"},
        {"horizon": 8, "share": 0.35, "value": "return"},
        {"horizon": 8, "share": 0.35, "value": "rank"},
        {"horizon": 8, "head": "magnitude"},
    )

    horizon: int = field(metadata={"help": "bars ahead"})
    share: float = field(default=0.2, metadata={"help": "of the markets that are bought, and that are sold"})
    value: str = field(
        default="return", metadata={"help": "return: by how much, in volatilities; rank: the place among the markets"}
    )
    head: str = field(
        default="classes",
        metadata={"help": "classes: its network predicts buy, neutral and sell; magnitude: the move itself"},
    )

    def __post_init__(self) -> None:
        if self.horizon < 1 or not 0.0 < self.share < 0.5:
            raise LabelError("a relative label needs horizon >= 1 and a share between 0 and 0.5")
        if self.value not in ("return", "rank"):
            raise LabelError(f"unknown value {self.value!r}; known are return, rank")
        check_head(self.head)
        if self.head == "magnitude" and self.value == "rank":
            raise LabelError("a relative label of ranks has no magnitude: head = magnitude needs value = return")

    @property
    def name(self) -> str:
        share = "" if self.share == 0.2 else f"_{100 * self.share:g}"
        return (
            f"relative_{self.horizon}{share}"
            + ("" if self.value == "return" else "_rank")
            + ("" if self.head == "classes" else "_regression")
        )

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
            if self.value == "return":
                gain /= markets.sigma[rows] * self.horizon**0.5
            takes = markets.member[rows] & markets.traded[rows] & np.isfinite(gain)
            count = takes.sum(axis=1)[:, None]
            takes &= count >= FEWEST
            lead = lead_nb(gain, takes)
            value[rows] = -lead / np.maximum(count - 1, 1)
            if self.value == "return":
                # the median keeps the signs of value and class together
                middle = np.full(rows.stop, 0.0)
                ranked = takes.any(axis=1)
                middle[ranked] = np.nanmedian(np.where(takes, gain, np.nan)[ranked], axis=1)
                away = np.where(takes, gain - middle[:, None], 0.0)
                value[rows] = -np.clip(away, -LARGEST_MOVE, LARGEST_MOVE) / LARGEST_MOVE
            # half of (count - lead) is the place from the top, the middle of the first one being at 1/2
            classes[rows] = np.where(
                takes & (count - lead < 2.0 * self.share * count),
                BUY,
                np.where(takes & (count + lead < 2.0 * self.share * count), SELL, NEUTRAL),
            )
            last_used[rows] = np.where(takes, bars_ahead(n, self.horizon)[rows, None], n)
        return [LabelValues(value[:, m].copy(), classes[:, m].copy(), last_used[:, m].copy()) for m in range(n_markets)]
