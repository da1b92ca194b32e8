"""The paper account of a tier of a book: one account that follows the mean weights of the tier's strategies."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.live.book.bundle import BookBundle
from strategies.book import kernels
from strategies.book.simulate import band_of, initial_state, trade_weights
from strategies.book.window import BookWindow

Floats = NDArray[np.float64]


class Order(NamedTuple):
    """An order filled at the open of a bar; amounts in starting capital."""

    market: str
    side: str
    price: float  # slippage included
    quantity: float
    fee: float


class BookStanding(NamedTuple):
    """State of a tier at a close; weights are shares of equity, below 0 if short."""

    equity: float  # in starting capital
    held: Floats  # (M,)
    wanted: Floats  # (M,) before bands
    target: Floats  # (M,) to hold from the next open on
    orders: int  # markets with an order for the next open
    beta: float  # of what is held

    @property
    def gross(self) -> float:
        """Sum of the sizes of what is held."""
        return float(np.abs(self.held).sum())

    @property
    def net(self) -> float:
        """Sum of what is held."""
        return float(self.held.sum())


class BookAccount:
    """The account of one tier.

    Parameters
    ----------
    bundle : BookBundle
    size : int
        Strategies of the tier.
    """

    def __init__(self, bundle: BookBundle, size: int) -> None:
        self.symbols, self.rules = bundle.symbols, bundle.rules
        self.band = band_of(bundle.params[:size], len(bundle.outputs))
        state = initial_state(1, len(bundle.markets))
        self.totals, self.held = state.totals[0], state.held[0]
        self.weight, self.wanted = np.zeros((2, len(bundle.markets)))

    def trade(self, weights: Floats, window: BookWindow) -> list[Order]:
        """Trade towards weights (T, M); the orders that filled at the last open."""
        account = trade_weights(weights, self.band, window, self.rules, (self.totals, self.held))
        # other totals count what ended within these rows, which depends on where they are cut
        kept = [kernels.CASH, kernels.EQUITY]
        self.totals = self.totals.copy()
        self.totals[kept], self.held = account.totals[kept], account.held
        self.weight, self.wanted = account.weight[-1], weights[-1]
        found = []
        for m in np.flatnonzero(account.change[-1]):
            units, (traded, fee) = float(account.change[-1, m]), account.paid[-1, m, :2].tolist()
            found.append(Order(self.symbols[m], "buy" if units > 0 else "sell", traded / abs(units), abs(units), fee))
        return found

    def standing(self, beta: Floats) -> BookStanding:
        """State of the tier, from the betas (M,) of the markets."""
        pending = self.held[kernels.PENDING]
        ordered = ~np.isnan(pending)
        return BookStanding(
            float(self.totals[kernels.EQUITY]),
            self.weight,
            self.wanted,
            np.where(ordered, pending, self.weight),
            int(ordered.sum()),
            float((self.weight * np.nan_to_num(beta)).sum()),
        )

    def state(self) -> dict[str, NDArray]:
        """The arrays that `restore` needs."""
        return {"totals": self.totals, "held": self.held, "weights": np.stack([self.weight, self.wanted])}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Go on where another account of the same tier was."""
        self.totals, self.held = state["totals"], state["held"]
        self.weight, self.wanted = state["weights"]
