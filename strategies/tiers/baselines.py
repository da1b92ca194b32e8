"""What anyone could do without labels or networks: hold, or momentum and its opposite, traded like every strategy.

Momentum holds the market after its return over a fixed time was positive (the sign rule of Moskowitz, Ooi & Pedersen
2012), the contrarian after it was negative (reversal: Lehmann 1990). They look back a year and a week; for windows of
months a day is taken here, with a decision once a day. Nothing was tuned.
"""

import numpy as np

from strategies.tiers.ensemble import buy_and_hold
from strategies.tiers.metrics import DAY_MS
from strategies.trade.pool import Account

LOOKBACK_DAYS = 1
SIGNAL_MAP = "clip"  # the signal is the output itself

# weight, theta_buy, theta_sell, delta: all in at 1, all out at 0
PARAMS = np.array([[1.0, 0.5, 0.5, 0.25]])


def momentum_outputs(
    open_: np.ndarray, close: np.ndarray, time_ms: np.ndarray, lookback: int = LOOKBACK_DAYS
) -> np.ndarray:
    """Output (T, 1) for `strategies.trade.simulate`: 1 to hold, 0 to be out, NaN to leave things as they are.

    Decided at the close of the first bar of each UTC day, on the return over the ``lookback`` days present before it:
    that a day is over is known only then. The first day counts from the window's first open. A return of 0 is out.

    Parameters
    ----------
    open_, close : (T,) array
        Prices.
    time_ms : (T,) array
        Opening times of the bars, rising.
    lookback : int
        Days.

    Raises
    ------
    ValueError
        If lookback is not positive.
    """
    if lookback < 1:
        raise ValueError(f"lookback must be at least a day, not {lookback}")
    day = np.asarray(time_ms) // DAY_MS
    first = np.flatnonzero(day[1:] != day[:-1]) + 1
    level = np.r_[open_[0], close[first - 1]]  # at the end of each day that is over
    outputs = np.full((len(close), 1), np.nan)
    outputs[first[lookback - 1 :], 0] = level[lookback:] > level[:-lookback]
    return outputs


def contrarian_outputs(
    open_: np.ndarray, close: np.ndarray, time_ms: np.ndarray, lookback: int = LOOKBACK_DAYS
) -> np.ndarray:
    """The opposite of `momentum_outputs`: 1 where it is 0."""
    return 1.0 - momentum_outputs(open_, close, time_ms, lookback)


OUTPUTS = {"momentum": momentum_outputs, "contrarian": contrarian_outputs}


def market(open_: np.ndarray, close: np.ndarray, fee: float = 0.0005, slippage: float = 0.0) -> Account:
    """All in at the first open and held: one fill; prices (T,)."""
    curve = buy_and_hold(open_, close, (1.0 + slippage) * (1.0 + fee) - 1.0)
    traded = np.zeros(len(close))
    traded[0] = 1.0 / (1.0 + fee)
    return Account(curve.equity, curve.position, traded, fills=1.0, moved=0.0)
