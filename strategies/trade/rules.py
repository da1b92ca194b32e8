"""The terms that all strategies trade on: costs of a fill, the allowed side, and the signal map."""

from typing import NamedTuple

import numpy as np
from numba import njit

from strategies import StrategyError

HALF, CLIP, LOGISTIC = 0, 1, 2  # codes of the signal maps in the kernels
SIGNAL_MAPS = {"half": HALF, "clip": CLIP, "logistic": LOGISTIC}
N_THRESHOLDS = 3  # theta_buy, theta_sell, delta: the parameters of a strategy after its weights

MOST_SLIPPAGE = 0.5  # share of the open: an order of many days' volume would be sold for less than nothing


@njit(cache=True, inline="always")
def slippage_nb(half_spread: float, impact: float, value: float) -> float:
    """Share by which an order of some value is filled worse: the square-root law of Toth et al. 2011."""
    return min(half_spread + impact * np.sqrt(value), MOST_SLIPPAGE) if impact > 0.0 else half_spread


class TradingRules(NamedTuple):
    """Terms of trade, passed to the kernels as they are; `of` checks them.

    Parameters
    ----------
    fee_share : float
        Fee as a share of traded value, in [0, 1).
    half_spread : float
        Share by which a fill is worse than the open, in [0, 0.5], where the window does not say it bar by bar.
    short : bool
        Whether positions may be short: a signal of 0 then wants all of equity short, 1/2 nothing, 1 all long. Lending
        costs what the window says and asks for no margin beyond equity: an account that is worth nothing at an open or
        a close is liquidated there, and stays at 0. Prices within a bar are not seen.
    signal_map : int
        Code of the map from w.o to the signal in [0, 1]: ``half`` clips w.o + 1/2, ``clip`` clips w.o, ``logistic`` is
        1 / (1 + exp(-w.o)).
    """

    fee_share: float = 0.0005
    half_spread: float = 0.0
    short: bool = False
    signal_map: int = HALF

    @classmethod
    def of(
        cls, *, fee_share: float, half_spread: float = 0.0, short: bool = False, signal_map: str = "half"
    ) -> "TradingRules":
        """Checked rules with the signal map by name; StrategyError for an unknown name or a share out of range."""
        if not 0 <= fee_share < 1:
            raise StrategyError(f"fee_share must be in [0, 1), not {fee_share}")
        if not 0 <= half_spread <= MOST_SLIPPAGE:
            raise StrategyError(f"half_spread must be in [0, {MOST_SLIPPAGE}], not {half_spread}")
        if signal_map not in SIGNAL_MAPS:
            raise StrategyError(f"signal map {signal_map!r} is unknown, choose from {', '.join(SIGNAL_MAPS)}")
        return cls(float(fee_share), float(half_spread), bool(short), SIGNAL_MAPS[signal_map])

    @property
    def signal_map_name(self) -> str:
        """Name of the signal map."""
        return next(name for name, code in SIGNAL_MAPS.items() if code == self.signal_map)

    def times(self, multiple: float) -> "TradingRules":
        """The same rules at a multiple of the costs; what the window says has to be multiplied too."""
        return self._replace(
            fee_share=min(multiple * self.fee_share, 1.0 - 1e-9),
            half_spread=min(multiple * self.half_spread, MOST_SLIPPAGE),
        )
