"""What strategies pay bar by bar: traded values, and costs by kind.

Fills and funding are rare, so that much of it is kept in sparse matrices: a hundred strategies over four months of
minutes take megabytes, where arrays would take gigabytes. A few bars stay arrays, which are faster to make.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy import sparse

from strategies.trade.rules import TradingRules
from strategies.trade.simulate import Flows, State
from strategies.trade.window import TradingWindow

Table: TypeAlias = np.ndarray | sparse.csr_array


class Payments(NamedTuple):
    """Of S strategies over T bars, each a (T, S) array, or a sparse matrix by rows; money in their starting cash.

    Fees are a share of what is traded.
    """

    traded: Table  # value bought and sold
    spread: Table  # lost to the half spread, against the open
    impact: Table  # and to the size of the order
    funding: Table  # paid, below 0 where received
    borrow: Table

    def members(self, index: np.ndarray | slice) -> "Payments":
        """Some of the strategies."""
        return Payments(*(field[:, index] for field in self))

    def rows(self, rows: slice) -> "Payments":
        """The bars from one row to a later one."""
        return Payments(*(field[rows] for field in self))

    @classmethod
    def of(cls, flows: Flows, window: TradingWindow, rules: TradingRules, before: State | None = None) -> "Payments":
        """From the flows of strategies that began fresh, or in the state ``before``."""
        change, slippage = flows.change, flows.slippage
        half = window.costs.half_spread[:, None] if len(window.costs.half_spread) else rules.half_spread
        moved = np.abs(change) * window.open[:, None]
        start = np.zeros((2, change.shape[1])) if before is None else np.stack([before.funding, before.borrow])
        funding, borrow = (
            np.diff(so_far, axis=0, prepend=first[None, :])
            for so_far, first in zip((flows.funding, flows.borrow), start, strict=True)
        )
        traded = moved * (1.0 + np.sign(change) * slippage)
        spread, impact = moved * half, moved * (slippage - half)
        return cls(traded, spread, impact, funding, borrow)

    def packed(self) -> "Payments":
        """In sparse matrices."""
        return Payments(*(sparse.csr_array(field) for field in self))


def joined(parts: Sequence[Payments]) -> Payments:
    """Of all strategies, from some of them each, over the same bars, in sparse matrices."""
    return Payments(*(sparse.hstack(fields, format="csr") for fields in zip(*parts, strict=True)))
