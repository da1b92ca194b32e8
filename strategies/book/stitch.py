"""One book over many splits: at a seam the account goes on with other strategies, and other markets.

What is held at the end of a split goes on into the next one, whose strategies have been followed over their past, so
that they have wishes at its first close; only the net change is traded. A market that the next split does not have is
closed at its last price, with costs; so is everything where the next split does not begin where this one ends. At the
very end nothing is closed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from strategies import StrategyError
from strategies.book import kernels
from strategies.book.rules import BookRules
from strategies.book.simulate import Account, initial_state, trade_weights
from strategies.book.weights import Cut
from strategies.book.window import BookWindow


class BookLeg(NamedTuple):
    """One split of a book."""

    markets: tuple[str, ...]
    window: BookWindow
    weights: np.ndarray  # (T, M) wanted at each close
    band: tuple[float, float]  # b, and b k
    follows: bool = False  # whether it begins where the split before it ended


def trade_splits(legs: Sequence[BookLeg], rules: BookRules) -> list[Account]:
    """Trade one account through all splits.

    Parameters
    ----------
    legs : sequence of BookLeg
        In time order.
    rules : BookRules

    Returns
    -------
    list of Account
        One for each split; equity goes on, totals are those so far.

    Raises
    ------
    StrategyError
        If there is none, or a split begins before the one before it has ended.
    """
    if not legs:
        raise StrategyError("a book needs a split")
    accounts: list[Account] = []
    for number, leg in enumerate(legs):
        before = None
        if number:
            last = legs[number - 1]
            if leg.window.open_time[0] <= last.window.open_time[-1]:
                raise StrategyError(f"split {number + 1} begins before the one before it has ended")
            kept = set(leg.markets) if leg.follows else set()
            accounts[-1] = _closed(accounts[-1], last, kept, rules)
            before = _moved(accounts[-1], last.markets, leg.markets)
        accounts.append(trade_weights(leg.weights, leg.band, leg.window, rules, before))
    return accounts


def _closed(account: Account, leg: BookLeg, kept: set[str], rules: BookRules) -> Account:
    """The account with all markets but some closed at their last prices, with costs."""
    totals, held, closed, paid = (
        field.copy() for field in (account.totals, account.held, account.closed, account.paid)
    )
    equity, weight, window = account.equity.copy(), account.weight.copy(), leg.window
    record = kernels.Record(equity, weight, account.change, closed, paid)
    cut, last = Cut.of(window), len(window.close) - 1
    for m, market in enumerate(leg.markets):
        if market in kept or held[kernels.QUANTITY, m] == 0.0:
            continue
        price = float(window.close[last, m])
        value = -float(held[kernels.QUANTITY, m]) * price
        closed[last, m] += kernels.fill_nb(last, m, value, price, cut, rules.fee_share, held, totals, record)
        weight[last, m] = held[kernels.QUANTITY, m] = 0.0
        held[kernels.PENDING, m] = np.nan
    if (closed[last] != account.closed[last]).any():
        value = float(max(totals[kernels.CASH] + held[kernels.QUANTITY] @ window.close[last], 0.0))
        weight[last] *= equity[last] / value if value > 0 else 0.0
        totals[kernels.EQUITY] = totals[kernels.DAY_EQUITY] = equity[last] = value
    return Account(equity, weight, account.change, closed, paid, totals, held)


def _moved(account: Account, markets: Sequence[str], following: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Totals and holdings in the order of the markets of the next split."""
    held = initial_state(1, len(following)).held[0]
    for m, market in enumerate(markets):
        if market in following:
            held[:, following.index(market)] = account.held[:, m]
    return account.totals, held
