"""The terms that all strategies trade on: costs of a fill, the allowed side, and the signal map."""

from typing import NamedTuple

from strategies import StrategyError

HALF, CLIP, LOGISTIC = 0, 1, 2  # codes of the signal maps in the kernels
SIGNAL_MAPS = {"half": HALF, "clip": CLIP, "logistic": LOGISTIC}
N_THRESHOLDS = 3  # theta_buy, theta_sell, delta: the parameters of a strategy after its weights


class TradingRules(NamedTuple):
    """Terms of trade, passed to the kernels as they are; `of` checks them.

    Parameters
    ----------
    fee_share : float
        Fee as a share of traded value, in [0, 1).
    slippage_share : float
        Share by which a fill is worse than the open, half the spread included, in [0, 1).
    short : bool
        Whether positions may be short: a signal of 0 then wants all of equity short, 1/2 nothing, 1 all long. Lending
        costs nothing and asks for no margin beyond equity: an account that is worth nothing at an open or a close
        is liquidated there, and stays at 0. Prices within a bar are not seen.
    signal_map : int
        Code of the map from w.o to the signal in [0, 1]: ``half`` clips w.o + 1/2, ``clip`` clips w.o, ``logistic`` is
        1 / (1 + exp(-w.o)).
    """

    fee_share: float = 0.0005
    slippage_share: float = 0.0
    short: bool = False
    signal_map: int = HALF

    @classmethod
    def of(
        cls, *, fee_share: float, slippage_share: float = 0.0, short: bool = False, signal_map: str = "half"
    ) -> "TradingRules":
        """Checked rules with the signal map by name; StrategyError for an unknown name or a share outside [0, 1)."""
        for name, share in (("fee_share", fee_share), ("slippage_share", slippage_share)):
            if not 0 <= share < 1:
                raise StrategyError(f"{name} must be in [0, 1), not {share}")
        if signal_map not in SIGNAL_MAPS:
            raise StrategyError(f"signal map {signal_map!r} is unknown, choose from {', '.join(SIGNAL_MAPS)}")
        return cls(float(fee_share), float(slippage_share), bool(short), SIGNAL_MAPS[signal_map])

    @property
    def market_cost(self) -> float:
        """Share of value that buy and hold pays at its only fill, slippage and fee."""
        return (1.0 + self.slippage_share) * (1.0 + self.fee_share) - 1.0

    @property
    def signal_map_name(self) -> str:
        """Name of the signal map."""
        return next(name for name, code in SIGNAL_MAPS.items() if code == self.signal_map)

    def without_fee(self) -> "TradingRules":
        """The same rules with a fee of 0."""
        return self._replace(fee_share=0.0)
