"""Baselines without labels or networks: the market, momentum and its opposite, traded like every strategy.

Momentum holds the market after its return over a fixed time was positive (the sign rule of Moskowitz, Ooi & Pedersen
2012), the contrarian after it was negative (reversal: Lehmann 1990). They look back a year and a week; for windows of
months a day is taken here, with a decision once a day. Nothing was tuned.
"""

import numpy as np

from strategies.trade.payments import Payments
from strategies.trade.pool import Account, Pool, from_start
from strategies.trade.rules import CLIP, TradingRules
from strategies.trade.simulate import State, initial_state, simulate_paths
from strategies.trade.window import TradingWindow

LOOKBACK_DAYS = 1

# weight, theta_buy, theta_sell, delta: all in at 1, all out at 0, where the signal is the output itself
PARAMS = np.array([[1.0, 0.5, 0.5, 0.25]])


def momentum_outputs(window: TradingWindow, lookback: int = LOOKBACK_DAYS) -> np.ndarray:
    """Output (T, 1) for `PARAMS`: 1 to hold, 0 to be out, NaN to leave things as they are.

    Decided at the close of the first bar of each UTC day, on the return over the ``lookback`` days present before it:
    that a day is over is known only then. The first day counts from the window's first open. A return of 0 is out.

    Raises
    ------
    ValueError
        If lookback is not positive.
    """
    if lookback < 1:
        raise ValueError(f"lookback must be at least a day, not {lookback}")
    first = window.day_edges[1:-1]
    level = np.r_[window.open[0], window.close[first - 1]]  # at the end of each day that is over
    outputs = np.full((len(window.close), 1), np.nan)
    outputs[first[lookback - 1 :], 0] = level[lookback:] > level[:-lookback]
    return outputs


def contrarian_outputs(window: TradingWindow, lookback: int = LOOKBACK_DAYS) -> np.ndarray:
    """The opposite of `momentum_outputs`: 1 where it is 0."""
    return 1.0 - momentum_outputs(window, lookback)


OUTPUTS = {"momentum": momentum_outputs, "contrarian": contrarian_outputs}


def baseline_account(name: str, window: TradingWindow, rules: TradingRules) -> Account:
    """Account over a window of one of `OUTPUTS`, long only, at the costs of the rules."""
    window = window._replace(outputs=OUTPUTS[name](window))
    rules = rules._replace(short=False, signal_map=CLIP)
    return _account(window, rules, initial_state(1))


def market(window: TradingWindow, rules: TradingRules) -> Account:
    """Account of buy and hold: all in at the first open, at the costs of the rules and of the window; one fill."""
    window = window._replace(outputs=np.full((len(window.close), 1), np.nan))
    bought = initial_state(1)._replace(pending=np.ones(1))
    return _account(window, rules._replace(short=False, signal_map=CLIP), bought)


def _account(window: TradingWindow, rules: TradingRules, state: State) -> Account:
    paths = simulate_paths(PARAMS, window, rules, state, flows=True)
    assert paths.flows is not None
    pool = Pool(rules)
    payments = Payments.of(paths.flows, window, rules)
    pool.run(np.ones(1), from_start(paths.equity, paths.position, payments, window))
    return pool.account()
