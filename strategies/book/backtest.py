"""Backtest of a book by vectorbt, as an outside check on the simulator, with one cash account for all markets.

vectorbt is given the units of each fill and how much worse than the open they were, and pays fees from the shared cash.
It knows neither funding nor borrowing, which are taken from its equity, and fills one order of a market in a row: what
is closed at the close of a row is given to it in the next one, at that price.
"""

import numpy as np
import vectorbt as vbt

from strategies.book.rules import BookRules
from strategies.book.simulate import Account
from strategies.book.window import BookWindow
from strategies.trade.backtest import EXPLICIT
from strategies.trade.rules import MOST_SLIPPAGE

LENT = 64.0  # times the starting cash: what is bought must find cash, whatever the order of markets within a row
FUNDING, BORROW = 4, 5  # columns of what is paid


def backtest_book(account: Account, window: BookWindow, rules: BookRules, *, tolerance: float = 1e-9) -> np.ndarray:
    """Equity (T,) by vectorbt of an account that began with 1 in cash.

    Parameters
    ----------
    account : Account
        By the simulator.
    window : BookWindow
    rules : BookRules
    tolerance : float
        Largest difference to the simulator that passes, as a share of equity.

    Raises
    ------
    ArithmeticError
        If equity or the number of fills differ: one of the two is wrong.
    """
    n_rows, n_markets = window.close.shape
    unit = 2.0 ** np.round(np.log2(window.open[0]))  # a power of two changes no digit
    size, price = account.change * unit, window.open / unit
    ended = np.zeros((n_rows + 1, n_markets))
    ended[1:] = account.closed * unit  # a market that has ended has no other order in the next row
    size, price = np.vstack([size, np.zeros(n_markets)]) + ended, np.vstack([price, window.close[-1:] / unit])
    slipped = np.vstack([_slippage(account.change, window.open, window), np.zeros(n_markets)])
    at_close = _slippage(account.closed, window.close, window)
    for row, m in zip(*np.nonzero(ended), strict=True):
        price[row, m], slipped[row, m] = window.close[row - 1, m] / unit[m], at_close[row - 1, m]
    result = vbt.Portfolio.from_orders(
        close=np.vstack([window.close, window.close[-1:]]) / unit,
        size=np.where(size != 0.0, size, np.nan),
        size_type="amount",
        direction="both",
        price=price,
        fees=rules.fee_share,
        slippage=slipped,
        init_cash=LENT,
        group_by=True,
        **{**EXPLICIT, "cash_sharing": True},
    )
    found = np.asarray(result.value()).reshape(-1)[:-1] - (LENT - 1.0)
    paid = account.paid[:, :, (FUNDING, BORROW)].sum(axis=(1, 2))
    found = found - np.cumsum(paid)
    n_fills = int((account.change != 0).sum() + (account.closed != 0).sum())
    if len(result.orders.values) != n_fills:
        raise ArithmeticError(f"vectorbt fills {len(result.orders.values)} orders of a book, the simulator {n_fills}")
    alive = (account.equity > 0) & ~(account.closed != 0).any(axis=1)  # costs of a close come a row later
    gap = float(
        np.max(np.abs(found - account.equity)[alive] / (LENT * np.maximum(account.equity[alive], 1.0)), initial=0.0)
    )
    if not gap <= tolerance:
        raise ArithmeticError(f"simulator and vectorbt differ by {gap:.3g} in the equity of a book")
    return np.where(account.equity > 0, found, 0.0)


def _slippage(units: np.ndarray, price: np.ndarray, window: BookWindow) -> np.ndarray:
    """Share (T, M) by which orders for so many units were worse than the price."""
    impact = window.impact * np.sqrt(np.abs(units) * price)
    return np.where(window.impact > 0, np.minimum(window.half_spread + impact, MOST_SLIPPAGE), window.half_spread)
