"""The 28 indicators as data, and the relative ones, which compare markets. A further one is one row and one kernel.

The list is our reconstruction: Balcerak & Schmelzer (2020) describe 28 price and volume indicators with integer
parameters from intervals, and list them in a figure that is not preserved.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space import FeatureError
from feature_space import formulas as f
from feature_space import recursive as r
from feature_space import relative as v
from feature_space.chunks import in_chunks
from feature_space.formulas import log_return_nb
from feature_space.kernels import rolling_sum_nb
from labelsearch.registry import Registry

Array = NDArray[np.float64]


class Inputs(NamedTuple):
    """Columns that indicators read, each a (T,) array of float64."""

    price: Array  # volume-weighted price of the bar
    high: Array
    low: Array
    close: Array
    typical: Array  # (H + L + C)/3
    log_return: Array  # of the close, 0 at the first bar
    volume: Array
    value: Array  # price * volume
    trades: Array  # number of trades; all 0 where unknown, and its indicator is then 0
    basket: Array  # log return of the basket of all markets; all 0 without one
    funding: Array  # rate of funding paid within the bar; 0 where unknown


ACROSS = ("basket", "funding")  # columns that one market alone does not have


def make_inputs(
    price: Array,
    high: Array,
    low: Array,
    close: Array,
    volume: Array,
    trades: Array | None = None,
    basket: Array | None = None,
    funding: Array | None = None,
) -> Inputs:
    """Derive the input columns from bars, all (T,) arrays of float64, prices positive."""
    return Inputs(
        price=price,
        high=high,
        low=low,
        close=close,
        typical=(high + low + close) / 3.0,
        log_return=log_return_nb(close),
        volume=volume,
        value=price * volume,
        trades=np.zeros_like(close) if trades is None else trades,
        basket=np.zeros_like(close) if basket is None else basket,
        funding=np.zeros_like(close) if funding is None else funding,
    )


@dataclass(frozen=True)
class Indicator:
    """One row of the feature space.

    Attributes
    ----------
    name, formula, family : str
        Unique name, formula as text, and what the indicator measures: trend, momentum, volatility, volume, basket,
        level or funding.
    parameters : dict of str to (int, int)
        Interval of each integer parameter, both ends included.
    columns : tuple of str
        Fields of `Inputs` that the kernel takes, before the parameters.
    kernel : callable
        ``kernel(*columns, *parameters)``: (T,) array of float64, each value from no more bars than the warm-up; see
        `feature_space.formulas`. With a ``start``: ``kernel(*columns, *parameters, state, out)``, see
        `feature_space.recursive`.
    warm_up : callable
        ``warm_up(*parameters)`` -> bars after which an earlier start changes no value by more than 1e-6.
        Ratios of recursive means (RSI, Keltner, force and the like) decay only while the price moves: if it stands
        still for longer than the warm-up, they keep their last value.
    start : callable or None
        Recursive indicators only: ``start(*first)``, from the first element of each column, gives the initial value
        of each row of the state.
    origin : str
        SHA-256 of the user's file that defines the indicator; empty for a built-in one.
    relative : bool
        Whether it is of use only where markets are compared.
    at_once : bool
        Whether the kernel itself goes through a long series in parts; others are given parts that fit the cache.
    """

    name: str
    formula: str
    family: str
    parameters: dict[str, tuple[int, int]]
    columns: tuple[str, ...]
    kernel: Callable[..., Array]
    warm_up: Callable[..., int]
    start: Callable[..., tuple[float, ...]] | None = None
    origin: str = ""
    relative: bool = False
    at_once: bool = False

    @property
    def needs_markets(self) -> bool:
        """Whether it needs other markets beside its own."""
        return self.relative or not set(ACROSS).isdisjoint(self.columns)

    def check(self, values: tuple[int, ...]) -> None:
        """Raise `FeatureError` unless every value is an integer in its interval."""
        if len(values) != len(self.parameters):
            raise FeatureError(f"{self.name} takes {len(self.parameters)} parameters, got {len(values)}")
        for (name, (low, high)), value in zip(self.parameters.items(), values, strict=True):
            if not low <= value <= high or value != int(value):
                raise FeatureError(f"{self.name}: {name} = {value} is not an integer in [{low}, {high}]")

    def in_parts(self, n: int) -> "tuple[Indicator, ...]":
        """The indicator ``n`` times, each with a part of its intervals, the first with the shortest spans.

        Parts are of equal length on a logarithmic scale, as spans are felt. Intervals of fewer than ``n`` numbers stay
        whole, and of parts that are the same there is one.
        """
        found: list[Indicator] = []
        for part in range(n):
            parameters = {}
            for name, (low, high) in self.parameters.items():
                edges = np.round(np.geomspace(max(low, 1), high + 1, n + 1)).astype(int)
                is_whole = low < 1 or (np.diff(edges) < 1).any()
                parameters[name] = (low, high) if is_whole else (int(edges[part]), int(edges[part + 1]) - 1)
            found.append(replace(self, parameters=parameters))
        return tuple(its for i, its in enumerate(found) if its.parameters not in [x.parameters for x in found[:i]])

    def columns_of(self, inputs: Inputs) -> list[Array]:
        """The columns that the kernel takes."""
        return [getattr(inputs, column) for column in self.columns]

    def new_state(self, columns: list[Array]) -> Array:
        """State of a recursive indicator before the first bar, (M, 2, 8) array of float64."""
        assert self.start is not None
        first = self.start(*(column[0] for column in columns))
        return np.repeat(np.array(first, dtype=np.float64), 16).reshape(-1, 2, 8)

    def compute(self, inputs: Inputs, values: tuple[int, ...]) -> Array:
        """Raw indicator values, (T,) array of float64."""
        columns = self.columns_of(inputs)
        try:
            if self.start is None or columns[0].size == 0:
                if self.at_once:
                    return self.kernel(*columns, *values)
                return in_chunks(lambda *parts: self.kernel(*parts, *values), columns, self.warm_up(*values))
            out = np.empty(columns[0].size)
            self.kernel(*columns, *values, self.new_state(columns), out)
            return out
        except (Exception, SystemExit) as error:  # whatever an indicator of the user's own may raise
            error.add_note(f"indicator {self.name}{values}")
            raise

    def finite(self, inputs: Inputs, values: tuple[int, ...]) -> Array:
        """As `compute`; `FeatureError` names the first bar whose value is not a finite number."""
        out = self.compute(inputs, values)
        if not np.isfinite(out).all():
            bar = int(np.flatnonzero(~np.isfinite(out))[0])
            raise FeatureError(f"indicator {self.name}{values} is not finite at bar {bar}")
        return out


def _recursive(span: float, rounds: float = 1.0) -> int:
    """Bars until the start of a recursive mean of this span weighs about 1e-9."""
    return math.ceil(rounds * 10.5 * (span + 1.0)) + 1


def _ema(k: int) -> int:
    return _recursive(k)


def _wilder(k: int) -> int:
    return _recursive(2 * k)


def _window(k: int) -> int:
    return k + 1


def _longest(*spans: int) -> int:
    return max(spans) + 1


_at_once = partial(Indicator, at_once=True)

INDICATORS: tuple[Indicator, ...] = (
    _at_once("price_to_sma_short", "P/SMA_k(P) - 1", "trend", {"k": (2, 10)},
              ("price",), f.price_to_sma_nb, _window),
    _at_once("price_to_sma_medium", "P/SMA_k(P) - 1", "trend", {"k": (30, 60)},
              ("price",), f.price_to_sma_nb, _window),
    _at_once("price_to_sma_long", "P/SMA_k(P) - 1", "trend", {"k": (120, 720)},
              ("price",), f.price_to_sma_nb, _window),
    _at_once("price_to_vwap", "P/(sum_k Q/sum_k V) - 1", "trend", {"k": (30, 360)},
              ("price", "value", "volume"), f.price_to_vwap_nb, _window),
    Indicator("macd", "(EMA_a - EMA_b)(P)/P", "trend", {"a": (3, 15), "b": (20, 60)},
              ("price",), r.macd_nb, lambda a, b: _recursive(b), lambda p: (p, p)),
    Indicator("macd_histogram", "(M - EMA_c(M))/P, M = EMA_a - EMA_b", "trend",
              {"a": (12, 40), "b": (60, 240), "c": (9, 45)},
              ("price",), r.macd_histogram_nb, lambda a, b, c: _recursive(b + c), lambda p: (p, p, 0.0)),
    Indicator("trix", "one-bar rate of change of a triple EMA_k(P)", "trend", {"k": (5, 30)},
              ("price",), r.trix_nb, lambda k: _recursive(k, 1.6), lambda p: (p, p, p, p)),
    Indicator("time_correlation", "corr(P, time) over k", "trend", {"k": (20, 240)},
              ("price",), f.time_correlation_nb, _window),
    _at_once("momentum_short", "C_t/C_{t-k} - 1", "momentum", {"k": (1, 10)},
              ("close",), f.momentum_nb, _window),
    _at_once("momentum_long", "C_t/C_{t-k} - 1", "momentum", {"k": (15, 120)},
              ("close",), f.momentum_nb, _window),
    Indicator("rsi_short", "(U - D)/(U + D), U, D = W_k of moves", "momentum", {"k": (5, 20)},
              ("close",), r.rsi_nb, _wilder, lambda c: (0.0, 0.0, c)),
    Indicator("rsi_long", "(U - D)/(U + D), U, D = W_k of moves", "momentum", {"k": (30, 120)},
              ("close",), r.rsi_nb, _wilder, lambda c: (0.0, 0.0, c)),
    _at_once("stochastic_short", "2(C - LL_k)/(HH_k - LL_k) - 1", "momentum", {"k": (5, 30)},
              ("high", "low", "close"), f.stochastic_nb, _window),
    _at_once("stochastic_long", "2(C - LL_k)/(HH_k - LL_k) - 1", "momentum", {"k": (60, 480)},
              ("high", "low", "close"), f.stochastic_nb, _window),
    Indicator("cci", "(TP - SMA_k)/(0.015 MAD_k)", "momentum", {"k": (10, 60)},
              ("typical",), f.cci_nb, _window),
    Indicator("directional_movement", "(+DM - -DM)/(+DM + -DM), Wilder", "trend", {"k": (10, 60)},
              ("high", "low"), r.directional_movement_nb, _wilder, lambda high, low: (0.0, 0.0, high, low)),
    Indicator("aroon", "(steps since low - steps since high)/k", "trend", {"k": (15, 120)},
              ("high", "low"), f.aroon_nb, _window),
    Indicator("bollinger", "(P - SMA_k)/sd_k", "trend", {"k": (15, 60)},
              ("price",), f.bollinger_nb, _window),
    Indicator("keltner", "(P - EMA_k)/ATR_k", "trend", {"k": (10, 120)},
              ("price", "high", "low", "close"), r.keltner_nb, _wilder,
              lambda price, high, low, close: (price, high - low, close)),
    _at_once("volatility_ratio", "0.5 ln(mean_a r^2/mean_b r^2)", "volatility",
              {"a": (5, 30), "b": (120, 720)}, ("log_return",), f.volatility_ratio_nb, _longest),
    _at_once("semivariance", "(sum r+^2 - sum r-^2)/(sum of both)", "volatility", {"k": (10, 120)},
              ("log_return",), f.semivariance_nb, _window),
    _at_once("efficiency", "(C_t - C_{t-k})/sum_k of absolute moves", "momentum", {"k": (10, 120)},
              ("close",), f.efficiency_nb, _window),
    _at_once("volume_activity", "ln(SMA_a/SMA_b) of V", "volume", {"a": (1, 10), "b": (30, 240)},
              ("volume",), f.activity_nb, _longest),
    _at_once("trade_activity", "ln(SMA_a/SMA_b) of N", "volume", {"a": (1, 10), "b": (30, 240)},
              ("trades",), f.activity_nb, _longest),
    _at_once("signed_volume", "sum_k sign(dC) V/sum_k V", "volume", {"k": (5, 60)},
              ("close", "volume"), f.signed_volume_nb, _window),
    _at_once("money_flow", "balance of TP V in rising and falling bars", "volume", {"k": (10, 60)},
              ("typical", "volume"), f.money_flow_nb, _window),
    _at_once("chaikin", "sum_k V (2C - H - L)/(H - L)/sum_k V", "volume", {"k": (15, 120)},
              ("high", "low", "close", "volume"), f.chaikin_nb, _window),
    Indicator("force", "EMA_k(dC V)/(C EMA_k(V))", "volume", {"k": (2, 30)},
              ("close", "volume"), r.force_nb, _ema, lambda c, v: (0.0, v, c)),
)  # fmt: skip

_relative = partial(Indicator, relative=True)

RELATIVE: tuple[Indicator, ...] = (
    _relative("basket_momentum_short", "sum_k b", "basket", {"k": (1, 20)}, ("basket",), rolling_sum_nb, _window),
    _relative("basket_momentum_long", "sum_k b", "basket", {"k": (30, 360)}, ("basket",), rolling_sum_nb, _window),
    _relative("basket_volatility_ratio", "0.5 ln(mean_a b^2/mean_b b^2)", "basket",
              {"a": (5, 30), "b": (120, 720)}, ("basket",), f.volatility_ratio_nb, _longest),
    _relative("beta_free_short", "sum_k r - beta_b sum_k b", "basket", {"k": (1, 20), "b": (120, 480)},
              ("log_return", "basket"), v.beta_free_nb, _longest),
    _relative("beta_free_long", "sum_k r - beta_b sum_k b", "basket", {"k": (30, 360), "b": (120, 480)},
              ("log_return", "basket"), v.beta_free_nb, _longest),
    _relative("basket_distance", "(D - SMA_k)/sd_k, D = ln(C/basket)", "basket", {"k": (15, 240)},
              ("log_return", "basket"), v.distance_nb, _window),
    _relative("basket_beta", "slope of r on b over k", "basket", {"k": (120, 480)},
              ("log_return", "basket"), v.beta_nb, _window),
    _relative("basket_correlation", "corr(r, b) over k", "basket", {"k": (60, 480)},
              ("log_return", "basket"), v.correlation_nb, _window),
    _relative("residual_level", "0.5 ln var_k(r - beta b)", "level", {"k": (30, 480)},
              ("log_return", "basket"), v.residual_level_nb, _window),
    _relative("volatility_level", "0.5 ln mean_k r^2", "level", {"k": (10, 480)},
              ("log_return",), v.volatility_level_nb, _window),
    _relative("range_level", "ln mean_k (H - L)/C", "level", {"k": (5, 240)},
              ("high", "low", "close"), v.range_level_nb, _window),
    _relative("value_level", "ln mean_k Q", "level", {"k": (10, 480)}, ("value",), v.value_level_nb, _window),
    _relative("value_ratio", "ln(SMA_a/SMA_b) of Q", "volume", {"a": (5, 60), "b": (120, 480)},
              ("value",), f.activity_nb, _longest),
    _relative("skewness", "mean_k (r - m)^3/sd_k^3", "volatility", {"k": (30, 360)},
              ("log_return",), v.skewness_nb, _window),
    _relative("from_high", "C/HH_k - 1", "momentum", {"k": (30, 480)}, ("high", "close"), v.from_high_nb, _window),
    _relative("funding_mean", "mean_k F", "funding", {"k": (6, 360)}, ("funding",), v.mean_nb, _window),
    _relative("funding_change", "mean_a F - mean_b F", "funding", {"a": (6, 30), "b": (60, 360)},
              ("funding",), v.against_mean_nb, _longest),
)  # fmt: skip

BY_NAME = Registry("indicator", FeatureError, (*INDICATORS, *RELATIVE))
