"""How often do p-values of the test of timing fall below their level on markets without an edge?

Each row is a kind of simulated market: its days, how long positions remember, whether they are larger when prices move
more, bounce between bid and ask, drift. Without an edge, a share of 0.05 of the p-values should be 0.05 or less. With
one, the share is the power. `plain`: the mean return of a tier against those of 199 shifts by a tenth of the window or
more, and Bonferroni's correction. `timing`: `strategies.luck.timing`, with its adjustment for tiers.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from labelsearch.market.synthetic import SyntheticMarket
from strategies.luck.timing import Timing, judge_timing, p_of, positions_held, timing_statistic
from strategies.tiers.null import p_value
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

SIZES = (20, 10, 5)
RULES = TradingRules()
LEVELS = (0.05, 0.0125)


@dataclass(frozen=True)
class Market:
    """A kind of market, and what outputs know of it."""

    days: float = 25
    memory_days: float = 0.5
    volatility: bool = False
    bounce: float = 0.0  # distance of bid and ask, as a share of the price
    drift: float = 0.0  # log return a bar
    edge: float = 0.0


MARKETS = {
    "25 days, memory half a day": Market(),
    "25 days, memory 4 days": Market(memory_days=4),
    "25 days, volatility known": Market(volatility=True),
    "25 days, memory 4 days, volatility known": Market(memory_days=4, volatility=True),
    "122 days, volatility known": Market(days=122, volatility=True),
    "25 days, volatility known, bounce of 10 bp": Market(volatility=True, bounce=0.001),
    "25 days, volatility known, drift of 3% a day": Market(volatility=True, drift=2e-5),
    "25 days, edge 0.06": Market(edge=0.06, volatility=True),
    "25 days, edge 0.10": Market(edge=0.10, volatility=True),
}


class Found(NamedTuple):
    """p-values of one market."""

    plain: list[float]  # by tier
    timing: Timing


def window_of(market: Market, seed: int) -> TradingWindow:
    """Minutes of the market, and four outputs in [-1/2, 1/2]: a trend, two that wander, one against the last bars."""
    n = int(market.days * 1440)
    rng = np.random.default_rng([seed, 1])
    path = SyntheticMarket(n, seed, edge=market.edge).simulate()
    growth = np.exp(market.drift * np.arange(n))
    side = rng.choice([-0.5, 0.5], n + 1) * market.bounce
    # a bar opens on the side of the last trade
    close, open_ = path.bars.close * growth * (1 + side[1:]), path.bars.open * growth * (1 + side[:-1])
    returns = np.r_[0.0, np.diff(np.log(close))] / path.volatility
    memory = np.exp(-1.0 / (1440 * market.memory_days))
    start = int(5 * 1440 * market.memory_days)
    wander = lfilter([1.0], [1.0, -memory], rng.standard_normal((2, n + start)))[:, start:]
    states = np.stack([lfilter([1.0], [1.0, -0.99], returns), *wander, -lfilter([1.0], [1.0, -0.7], returns)])
    states /= states.std(axis=1, keepdims=True)
    if market.volatility:
        states *= path.volatility / path.volatility.mean()
    outputs = np.tanh(states.T) / 2
    return TradingWindow.of(outputs, open_, close, path.bars.open_time, market.days / 30.4)


def strategies_of(seed: int) -> np.ndarray:
    """Twenty strategies that weigh the outputs much alike."""
    rng = np.random.default_rng([seed, 2])
    weights = np.array([0.5, 0.5, 0.5, 0.15]) + 0.2 * rng.standard_normal((max(SIZES), 4))
    return np.column_stack([weights, np.tile([0.5, 0.5, 0.05], (max(SIZES), 1))])


def plain_p(window: TradingWindow, params: np.ndarray, seed: int) -> list[float]:
    """p-value of each tier's mean return against 199 long shifts."""
    returns = np.diff(window.open) / window.open[:-1]
    n, rng = len(returns), np.random.default_rng([seed, 3])
    found = []
    for position in positions_held(params, window, RULES, SIZES)[:-1].T:
        every = np.fft.irfft(np.fft.rfft(returns) * np.conj(np.fft.rfft(position)), n)
        found.append(p_value(every[0], every[rng.integers(n // 10, n - n // 10, 199)]))
    return found


def judge(market: Market, seed: int) -> Found:
    """p-values of one market of the kind."""
    window, params = window_of(market, seed), strategies_of(seed)
    return Found(plain_p(window, params, seed), judge_timing(params, window, RULES, SIZES))


def shares(found: list[Found]) -> dict[str, float]:
    """How often a p-value is at or below a level: of one tier, and of one tier or more after correction."""
    plain = np.array([entry.plain for entry in found])
    alone = np.array([list(entry.timing.p_value.values()) for entry in found])
    adjusted = np.array([min(entry.timing.adjusted.values()) for entry in found])
    table = {"markets": float(len(found))}
    for level in LEVELS:
        table[f"plain {level}"] = float((plain <= level).mean())
        table[f"timing {level}"] = float((alone <= level).mean())
    table["plain any 0.05"] = float((plain.min(axis=1) * len(SIZES) <= 0.05).mean())
    table["timing any 0.05"] = float((adjusted <= 0.05).mean())
    return table


def walk(seed: int, memory_share: float, sign: float, n_bars: int = 3000, drift: float = 0.0) -> float:
    """p-value of a position with or against the return over the last share of a random walk."""
    returns = np.random.default_rng([seed, 4]).standard_normal(n_bars) + drift
    level, bar = np.r_[0.0, np.cumsum(returns)], np.arange(n_bars)
    position = sign * np.sign(level[bar] - level[np.maximum(bar - int(memory_share * n_bars), 0)])
    return p_of(timing_statistic(position, returns))


def walks(n_walks: int) -> dict[str, float]:
    """How often p-values of positions that are made of past returns are at or below 0.05."""
    found = {}
    for share in (0.01, 0.05, 0.1, 0.25, 1.0):
        for name, sign in (("against", -1.0), ("with", 1.0)):
            for drift in (0.0, 0.03):
                values = [walk(seed, share, sign, drift=drift) for seed in range(n_walks)]
                key = f"{name} the last {100 * share:g}%" + (", drift" if drift else "")
                found[key] = float(np.mean(np.array(values) <= 0.05))
                print(f"| {key} | {found[key]:.3f} |", flush=True)
    return found


def main() -> None:
    """Print a Markdown table, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, default=400, help="of each kind; of 122 days a quarter as many")
    args = parser.parse_args()
    table = {}
    for name, market in MARKETS.items():
        n = args.markets if market.days < 100 else args.markets // 4
        table[name] = shares([judge(market, seed) for seed in range(n)])
        if len(table) == 1:
            print("| market | " + " | ".join(table[name]) + " |\n| --- |" + " ---: |" * len(table[name]))
        cells = (f"{value:.3f}" if key != "markets" else f"{value:.0f}" for key, value in table[name].items())
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    past = walks(4 * args.markets)
    print(
        json.dumps(
            {"markets": {name: {**asdict(MARKETS[name]), **found} for name, found in table.items()}, "walks": past}
        )
    )


if __name__ == "__main__":
    main()
