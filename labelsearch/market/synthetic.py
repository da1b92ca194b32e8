"""A synthetic market: minutes that look like BTC/USDT in 2018-2019, with a hidden drift of known size.

The log return of bar t, from the previous close to its own, is

    r_t = k v_t (sqrt(1 - E^2) e_t + E D_t),    v_t = V s(m_t) a_t exp(x_t) sqrt(g_t),

with

* V: `volatility`, the long-run sd of a bar at edge 0; s: the season, a smooth curve over the minute m_t of
  the UTC day; a_t: a regime, calm, normal or stormy (Markov chain, days long); x_t: the sum of a slow and a
  fast Gaussian AR(1), half-lives 10 days and 90 minutes; g_t: a GARCH(1, 1), half-life 23 minutes.
  Each of s^2, a^2, exp(2 x) and g has mean 1.
* e_t: the news, variance 1: a Student-t shock with 5 degrees of freedom, rare jumps of 8 sd, and a small part
  between the last close and the open. Its sign is independent of everything else: at edge 0 returns are a
  martingale difference, and nothing known at t predicts the sign of later returns.
* D_t: the hidden drift, a stationary Gaussian AR(1) of variance 1 and half-life `half_life` bars. E is
  `edge`, the Sharpe ratio of the drift per bar and its correlation with the return of the bar. D is persistent
  and part of returns, so that trend features can detect it.
* k = 1 / sqrt(1 + E^2 (R - 1)), R = 1 + 2 sum_{j<1440} (1 - j / 1440) phi^j, phi = 2^(-1 / half_life): the
  drift accumulates over a day while news does not; k keeps the variance of daily returns at its value for edge 0.

High and low are drawn from the distribution of the maximum and minimum of a Brownian bridge from open to close.
Volume depends on volatility, season and the size of the return; prices are rounded to `tick`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from labelsearch.market.bars import Bars
from labelsearch.market.rules import BarError
from labelsearch.market.times import parse_time

_DAY = 1440
_GAP_SHARE = 0.03  # share of the variance of a bar between the last close and the open
_REGIMES = np.array([0.55, 1.0, 2.0])  # volatility of the calm, normal and stormy regime, before scaling
_SWITCH = np.array(
    [[0.0, 0.8, 0.2], [0.6, 0.0, 0.4], [0.3, 0.7, 0.0]]
)  # transition probabilities at the end of a regime
_REGIME_BARS = np.array([4320.0, 4320.0, 1440.0])  # mean length of each regime
_JUMP_CHANCE, _JUMP_SIZE = 0.0005, 8.0
_SLOW_SD, _SLOW_HALF_LIFE = 0.4, 14_400.0
_FAST_SD, _FAST_HALF_LIFE = 0.35, 90.0
# weights of the last squared news and the last variance, small enough for a finite kurtosis
_GARCH = (0.06, 0.91)


@dataclass(frozen=True)
class SyntheticMarket:
    """Parameters of a synthetic market of one-minute bars; formulas in the module's docstring.

    Raises
    ------
    BarError
        If a parameter is out of range.
    """

    n_bars: int  # T; a longer market of the same seed begins with the shorter one
    seed: int  # the same seed gives the same bits
    edge: float = 0.0  # E in [0, 1): correlation of the hidden drift with the return of its bar
    start: str = "2018-01-01"  # ISO 8601 time of the first bar, UTC
    symbol: str = "SYNTH"
    first_price: float = 13_700.0  # before the first bar
    volatility: float = 0.00106  # V: long-run standard deviation of the log return of a bar at edge 0
    half_life: float = 120.0  # of the hidden drift, in bars
    tick: float = 0.01  # prices are multiples of it, and at least this

    def __post_init__(self) -> None:
        if self.n_bars < 1:
            raise BarError(f"n_bars is {self.n_bars}, at least 1 is needed")
        if not 0.0 <= self.edge < 1.0:
            raise BarError(f"edge is {self.edge}, outside [0, 1)")
        if min(self.first_price, self.volatility, self.half_life, self.tick) <= 0:
            raise BarError("first_price, volatility, half_life and tick must be positive")

    def simulate(self) -> "SyntheticPath":
        """Draw the market."""
        start_ms = parse_time(self.start)
        if start_ms % 60_000:
            raise BarError(f"start {self.start} is not on a minute")
        noise = _draw(self.n_bars, self.seed)
        times = start_ms + np.arange(self.n_bars, dtype=np.int64) * 60_000
        minute = (times // 60_000) % _DAY
        vol_season, volume_season = seasons()
        volatility = self._scale() * self.volatility * vol_season[minute] * _volatility(noise)
        hidden = _ar1_nb(noise.drift, 2.0 ** (-1.0 / self.half_life))
        news = np.sqrt(1.0 - self.edge**2)
        drift = self.edge * volatility * hidden
        gap = news * np.sqrt(_GAP_SHARE) * volatility * noise.gap
        total = gap + news * np.sqrt(1.0 - _GAP_SHARE) * volatility * noise.news + drift
        prices = _prices_nb(gap, total, volatility, noise, self.first_price, self.tick)
        activity = volume_season[minute] * (volatility / self.volatility) ** 0.8
        extra = _volumes_nb(prices, total / volatility, activity, noise)
        bars = Bars(self.symbol, 60_000, times, *prices, *extra)
        return SyntheticPath(bars, drift, volatility)

    def _scale(self) -> float:
        """k, which makes the variance of daily returns independent of the edge."""
        phi = 2.0 ** (-1.0 / self.half_life)
        lag = np.arange(1, _DAY)
        ratio = 1.0 + 2.0 * float(((1.0 - lag / _DAY) * phi**lag).sum())
        return float(1.0 / np.sqrt(1.0 + self.edge**2 * (ratio - 1.0)))


@dataclass(frozen=True, eq=False)
class SyntheticPath:
    """Bars of a synthetic market with their hidden drift and volatility, which real markets do not show."""

    bars: Bars
    drift: NDArray[np.float64]  # (T,) k v_t E D_t: the predictable part of the log return from close to close
    volatility: NDArray[np.float64]  # (T,) k v_t: standard deviation of that return, known before the bar


def synthetic_bars(
    n_bars: int, seed: int, *, edge: float = 0.0, start: str = "2018-01-01", symbol: str = "SYNTH"
) -> Bars:
    """Bars of a synthetic market; parameters as `SyntheticMarket`."""
    return synthetic_path(n_bars, seed, edge=edge, start=start, symbol=symbol).bars


def synthetic_path(
    n_bars: int, seed: int, *, edge: float = 0.0, start: str = "2018-01-01", symbol: str = "SYNTH"
) -> SyntheticPath:
    """Bars of a synthetic market and its hidden drift; parameters as `SyntheticMarket`."""
    return SyntheticMarket(n_bars, seed, edge, start, symbol).simulate()


def seasons() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Volatility (mean square 1) and volume (mean 1) by minute of the UTC day, (1440,) each.

    Highest at 16:00 and around midnight, lowest in the early morning, and up at each full hour.
    """
    hour = np.arange(_DAY) / 60.0

    def wave(centre: float, width: float) -> NDArray[np.float64]:
        away = np.abs((hour - centre + 12.0) % 24.0 - 12.0)
        return np.exp(-0.5 * (away / width) ** 2)

    shape = 0.9 + 0.28 * wave(15.5, 2.5) + 0.18 * wave(0.5, 1.5) + 0.12 * wave(20.5, 1.5)
    shape += 0.08 * np.exp(-(np.arange(_DAY) % 60) / 3.0)
    volume = shape**1.8
    return shape / np.sqrt((shape**2).mean()), volume / volume.mean()


class _Noise(NamedTuple):
    """Independent draws, each of shape (T,); regime, up and down are uniform, the others have variance 1."""

    news: NDArray[np.float64]
    gap: NDArray[np.float64]
    drift: NDArray[np.float64]
    regime: NDArray[np.float64]
    slow: NDArray[np.float64]
    up: NDArray[np.float64]
    down: NDArray[np.float64]
    volume: NDArray[np.float64]
    slow_volume: NDArray[np.float64]
    trades: NDArray[np.float64]
    place: NDArray[np.float64]
    taker: NDArray[np.float64]
    fast: NDArray[np.float64]


def _draw(n_bars: int, seed: int) -> _Noise:
    # one stream for each, so that a longer market begins with the shorter one
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(16)]
    news = streams[0].standard_t(5.0, n_bars) / np.sqrt(5.0 / 3.0)
    jump = streams[12].random(n_bars) < _JUMP_CHANCE
    news = news + jump * _JUMP_SIZE * streams[13].standard_normal(n_bars)
    news /= np.sqrt(1.0 + _JUMP_CHANCE * _JUMP_SIZE**2)
    # a quarter of the bars open exactly at the last close
    moves = streams[14].random(n_bars) < 0.75
    gap = moves * streams[1].standard_normal(n_bars) / np.sqrt(0.75)
    uniform = {3, 5, 6}
    rest = [
        streams[i].random(n_bars) if i in uniform else streams[i].standard_normal(n_bars) for i in (*range(2, 12), 15)
    ]
    return _Noise(news, gap, *rest)


def _volatility(noise: _Noise) -> NDArray[np.float64]:
    """a_t exp(x_t) sqrt(g_t): the sd of each bar in units of the long-run one, season apart, shape (T,)."""
    # share of time in each regime: stationary shares of visits, weighted by their lengths
    visits = np.linalg.matrix_power(_SWITCH, 64)[0]
    share = visits * _REGIME_BARS / (visits * _REGIME_BARS).sum()
    level = _REGIMES / np.sqrt((share * _REGIMES**2).sum())
    first = int(np.searchsorted(np.cumsum(share), noise.regime[0]).clip(0, 2))
    # the draw for the first regime must not also decide when it ends
    chance = np.append(noise.regime[1:], 1.0)
    regime = level[_regimes_nb(chance, _REGIME_BARS, _SWITCH, first)]
    log_level = _SLOW_SD * _ar1_nb(noise.slow, 2.0 ** (-1.0 / _SLOW_HALF_LIFE))
    log_level += _FAST_SD * _ar1_nb(noise.fast, 2.0 ** (-1.0 / _FAST_HALF_LIFE))
    return regime * np.exp(log_level - _SLOW_SD**2 - _FAST_SD**2) * _garch_nb(noise.news, *_GARCH)


@njit(cache=True)
def _ar1_nb(shock, phi):
    """Stationary AR(1) of variance 1."""
    out = np.empty_like(shock)
    out[0] = shock[0]
    scale = np.sqrt(1.0 - phi * phi)
    for t in range(1, shock.size):
        out[t] = phi * out[t - 1] + scale * shock[t]
    return out


@njit(cache=True)
def _regimes_nb(chance, length, switch, first):
    """Regime of each bar: it ends with probability 1 / length and then changes by the matrix ``switch``."""
    out = np.empty(chance.size, dtype=np.int64)
    state = first
    for t in range(chance.size):
        out[t] = state
        u = chance[t] * length[state]  # uniform, given that the regime ends
        if u < 1.0:
            old, total = state, 0.0
            for new in range(length.size):
                total += switch[old, new]
                if u < total:
                    state = new
                    break
    return out


@njit(cache=True)
def _garch_nb(news, alpha, beta):
    """Sd of a GARCH(1, 1) of mean variance 1; that of bar t depends on the news up to t - 1."""
    out = np.empty_like(news)
    g = 1.0
    for t in range(news.size):
        out[t] = np.sqrt(g)
        g = (1.0 - alpha - beta) + (alpha * news[t] * news[t] + beta) * g
    return out


@njit(cache=True)
def _prices_nb(gap, total, volatility, noise, first_price, tick):
    """Open, high, low, close. The path itself is not rounded, so that ticks do not add to returns."""
    n = total.size
    opens, highs, lows, closes = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    inverse = 1.0 / tick
    log_price = np.log(first_price)
    for t in range(n):
        start = log_price + gap[t]
        inside = total[t] - gap[t]
        variance = volatility[t] * volatility[t] * (1.0 - _GAP_SHARE)
        # distribution of the maximum of a Brownian bridge; 1 - u is never 0
        up = 0.5 * (inside + np.sqrt(inside * inside - 2.0 * variance * np.log(1.0 - noise.up[t])))
        down = 0.5 * (inside - np.sqrt(inside * inside - 2.0 * variance * np.log(1.0 - noise.down[t])))
        log_price += total[t]
        opens[t] = max(np.round(np.exp(start) * inverse), 1.0) / inverse
        closes[t] = max(np.round(np.exp(log_price) * inverse), 1.0) / inverse
        high = np.round(np.exp(start + up) * inverse) / inverse
        low = max(np.round(np.exp(start + down) * inverse), 1.0) / inverse
        highs[t] = max(high, opens[t], closes[t])
        lows[t] = min(low, opens[t], closes[t])
    return opens, highs, lows, closes


@njit(cache=True)
def _volumes_nb(prices, size, activity, noise):
    """Volume, quote volume, trades, taker-buy volume; `size` is the bar's return in units of its sd."""
    opens, highs, lows, closes = prices
    n = size.size
    volume, quote, trades, taker = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    slow, phi = 0.0, 2.0 ** (-1.0 / 30.0)
    for t in range(n):
        slow = phi * slow + np.sqrt(1.0 - phi * phi) * noise.slow_volume[t]
        heat = 0.25 * min(abs(size[t]), 8.0) + 0.5 * slow + 0.45 * noise.volume[t]
        volume[t] = max(np.round(16.0 * activity[t] * np.exp(heat) * 1e6), 1.0) / 1e6
        middle = 0.5 * (opens[t] + closes[t]) + 0.12 * (highs[t] - lows[t]) * noise.place[t]
        quote[t] = volume[t] * min(max(middle, lows[t]), highs[t])
        trades[t] = max(np.round(9.0 * volume[t] ** 0.85 * np.exp(0.25 * noise.trades[t])), 1.0)
        share = 0.5 + 0.18 * np.tanh(size[t]) + 0.1 * noise.taker[t]
        taker[t] = np.round(volume[t] * min(max(share, 0.0), 1.0) * 1e6) / 1e6
    return volume, quote, trades, taker
