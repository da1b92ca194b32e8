"""How often do p-values over many markets and splits fall below their level without an edge, and with one?

Markets share most of their moves and their volatility, positions know the volatility, remember days and are alike in
all markets; bars are hours, four hours, hours of weekdays, and days that close at two different hours; a market joins
late and one is delisted. With a bounce, each bar opens at a bid or an ask, and half of a position is against the last
bar that was seen before the fill. Without an edge a share of 0.05 of p-values should be 0.05 or less; with one it is
the power. `panel`: `strategies.luck.panel_timing`. `independent`: the same products as if markets were independent.
`one market`: the first alone.
"""

import argparse
import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter
from scipy.stats import kstest

from strategies.luck.panel_timing import CellPath, PanelTiming, judge_panel_timing
from strategies.luck.timing import p_of, timing_products

HOUR_MS = 3_600_000
MOVE = 0.01  # of an hour, about
SIZES = (20, 10, 5)
COMMON = 0.6  # correlation of markets
WARM_UP = 480  # hours
BARS = ((1, 0), (1, 0), (4, 0), (1, 0), (24, 0), (24, 14))  # hours of a bar, and hour of the day when one begins
WEEKDAYS_ONLY = 3  # of these bars


@dataclass(frozen=True)
class Panel:
    """A kind of panel, and what positions know."""

    markets: int = 8
    splits: int = 3
    days: int = 40
    memory_hours: int = 48
    volatility: bool = True
    past: float = 0.0  # share of positions made of past returns; below 0 against them
    lag: int = 0  # hours by which every second market follows the common move
    drift: float = 0.0  # an hour, in standard deviations
    edge: float = 0.0  # of the position's direction, in standard deviations
    same_bars: bool = False  # hours everywhere
    bounce: float = 0.0  # distance of bid and ask, in standard deviations of an hour's return


PANELS = {
    "8 markets, 3 splits": Panel(),
    "hours everywhere": Panel(same_bars=True),
    "volatility not known": Panel(volatility=False),
    "memory of 8 days": Panel(memory_hours=192),
    "drift of 0.7% a day": Panel(drift=0.03),
    "half of markets an hour late": Panel(lag=1, same_bars=True),
    "20 markets, 6 splits": Panel(markets=20, splits=6),
    "with the last 2 days": Panel(past=0.7),
    "against the last 2 days": Panel(past=-0.7),
    "against the last day, 20 markets, 6 splits": Panel(past=-0.7, memory_hours=24, markets=20, splits=6),
    "bounce of an hour's move": Panel(bounce=1.0),
    "edge 0.02": Panel(edge=0.02),
    "edge 0.04": Panel(edge=0.04),
    "edge 0.04, 20 markets, 6 splits": Panel(edge=0.04, markets=20, splits=6),
}


def remembering(shocks: np.ndarray, memory: float) -> np.ndarray:
    """Autoregression of variance 1 along the last axis."""
    keep = float(np.exp(-1.0 / memory))
    return lfilter([np.sqrt(1 - keep**2)], [1.0, -keep], shocks)


class Hours(NamedTuple):
    """A split on the grid of hours."""

    returns: np.ndarray  # (M, H)
    held: np.ndarray  # (M, H, n), fixed before the hour begins


def hours_of(panel: Panel, rng: np.random.Generator) -> Hours:
    """Returns of all markets and positions of all tiers, hour by hour."""
    m, n = panel.markets, WARM_UP + 24 * panel.days
    level = np.exp(0.5 * remembering(rng.standard_normal(n), 100) + 0.3 * remembering(rng.standard_normal((m, n)), 100))
    common, own = rng.standard_normal(n), rng.standard_normal((m, n))
    wander = 0.8 * remembering(rng.standard_normal(n), panel.memory_hours)
    wander = wander + 0.6 * remembering(rng.standard_normal((m, n)), panel.memory_hours)
    tiers = remembering(rng.standard_normal((len(SIZES), m, n)), panel.memory_hours)
    if panel.lag:
        common = np.where(np.arange(m)[:, None] % 2, np.roll(common, panel.lag), common)
    unit = COMMON**0.5 * common + (1 - COMMON) ** 0.5 * own + panel.drift + panel.edge * wander
    past = np.roll(remembering(unit, panel.memory_hours), 1, axis=1)
    state = (1 - panel.past**2) ** 0.5 * wander + panel.past * past
    states = 0.9**0.5 * state + 0.1**0.5 * tiers
    if panel.volatility:
        states = states * level
    return Hours(MOVE * (level * unit)[:, WARM_UP:], np.moveaxis(np.tanh(states), 0, 2)[:, WARM_UP:])


def with_bounce(panel: Panel, rng: np.random.Generator, cell: CellPath) -> CellPath:
    """The cell with prices that are bids or asks at random, and positions against what they did before the fill."""
    side = rng.choice([-0.5, 0.5], len(cell.returns) + 1) * panel.bounce * MOVE
    returns = cell.returns + np.diff(side)
    # decided and filled at one price; the bar from there is left out, the next one counts
    seen = np.r_[0.0, 0.0, returns[:-2]] / returns.std()
    return cell._replace(held=0.5 * cell.held - 0.5 * np.tanh(seen)[:, None], returns=returns)


def cells_of(panel: Panel, seed: int) -> list[CellPath]:
    """Cells of a panel: bars of each market's own kind, the second market later, the third not to the end."""
    rng = np.random.default_rng([seed, 5])
    cells = []
    for split in range(panel.splits):
        found, n = hours_of(panel, rng), 24 * panel.days
        for market in range(panel.markets):
            kind = 0 if panel.same_bars else market % len(BARS)
            length, first = BARS[kind]
            start = np.arange(first, n, length)
            if kind == WEEKDAYS_ONLY:
                start = start[start // 24 % 7 < 5]
            if market == 1 and split == 0:
                start = start[start >= n // 3]
            if market == 2 and split == panel.splits - 1:
                start = start[start < 2 * n // 3]
            level = np.r_[0.0, np.cumsum(found.returns[market])]
            returns = level[np.r_[start[1:], min(start[-1] + length, n)]] - level[start]
            times = (split * n + start) * HOUR_MS
            cell = CellPath(f"market {market}", split, times, found.held[market, start], returns)
            cells.append(with_bounce(panel, rng, cell) if panel.bounce else cell)
    return cells


def as_if_independent(cells: list[CellPath]) -> float:
    """p-value of the last tier if products of different markets had nothing in common."""
    total = square = 0.0
    for cell in cells:
        products = timing_products(cell.held[:, -1], cell.returns)
        total += products.sum()
        square += (products**2).sum()
    return p_of(total / square**0.5)


class Found(NamedTuple):
    """p-values of one panel."""

    panel: PanelTiming
    independent: float
    one_market: PanelTiming


def judge(panel: Panel, seed: int) -> Found:
    """p-values of one panel of the kind."""
    cells = cells_of(panel, seed)
    alone = [cell for cell in cells if cell.market == "market 0"]
    return Found(judge_panel_timing(cells, SIZES), as_if_independent(cells), judge_panel_timing(alone, SIZES))


def shares(found: list[Found]) -> dict[str, float]:
    """How often p-values are at or below a level, the mean of statistics, and whether p-values are uniform."""
    alone = np.array([list(entry.panel.p_value.values()) for entry in found])
    adjusted = np.array([min(entry.panel.adjusted.values()) for entry in found])
    one = np.array([entry.one_market.p_value[SIZES[-1]] for entry in found])
    return {
        "panels": float(len(found)),
        "panel 0.05": float((alone <= 0.05).mean()),
        "panel 0.01": float((alone <= 0.01).mean()),
        "panel any 0.05": float((adjusted <= 0.05).mean()),
        "mean statistic": float(np.mean([entry.panel.statistic[SIZES[-1]] for entry in found])),
        "uniform p": float(kstest(alone[:, -1], "uniform").pvalue),
        "independent 0.05": float(np.mean([entry.independent <= 0.05 for entry in found])),
        "one market 0.05": float((one <= 0.05).mean()),
    }


def main() -> None:
    """Print Markdown tables, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", type=int, default=1000, help="of each kind; of 20 markets a quarter as many")
    args = parser.parse_args()
    table = {}
    for name, panel in PANELS.items():
        n = args.panels if panel.markets < 20 else args.panels // 4
        table[name] = shares([judge(panel, seed) for seed in range(n)])
        if len(table) == 1:
            print("| panel | " + " | ".join(table[name]) + " |\n| --- |" + " ---: |" * len(table[name]))
        cells = (f"{value:.3f}" if key != "panels" else f"{value:.0f}" for key, value in table[name].items())
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print(json.dumps(table))


if __name__ == "__main__":
    main()
