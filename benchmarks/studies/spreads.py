"""Does the estimate of the spread from prices find the real one?

Bars of real quotes, each with four simulated trades: at the middle of its open, high, low and close, plus or minus half
the spread of that moment, on a side drawn at random. `half_spread` sees the open, high, low and close of these trades.
Beside it stand the real spreads at the open and the close of the bars that it compares: their median, and the root of
their mean square, which is what it estimates. All are whole spreads in basis points of the price; `error` is the
standard error of the estimate. Needs the real quotes: set LABELSEARCH_DATA to their folder.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.archive import read_raw
from labelsearch.market.bars import Bars
from labelsearch.market.formats import ReadOptions
from labelsearch.market.rules import PRICES
from labelsearch.market.spreads import squared_spread

FILE = "fx_oanda_1h_eurusd_nzdusd_xauusd_2006_2019.parquet"
SYMBOLS = ("EURUSD", "NZDUSD", "XAUUSD")
LEAST_BARS = 1000  # of a year that gets a row
BASIS_POINT = 1e-4


class Market(NamedTuple):
    """Bars of simulated trades, and the real spreads at their open and close (T, 2), shares of the price."""

    bars: Bars
    spreads: NDArray[np.float64]


class Row(NamedTuple):
    """Spreads in basis points."""

    symbol: str
    year: str
    bars: int
    median: float
    root_mean_square: float
    estimate: float  # negative where the estimated square is
    error: float


def traded_market(path: Path, symbol: str, seed: int) -> Market:
    """A market of one symbol of the file."""
    frame = read_raw(path, ReadOptions(symbol)).frame
    bid, ask = (frame[[f"{side}_{price}" for price in PRICES]].to_numpy() for side in ("bid", "ask"))
    middle = (bid + ask) / 2.0
    sides = np.random.default_rng(seed).choice((-1.0, 1.0), middle.shape)
    trades = middle + sides * (ask - bid) / 2.0
    prices = trades[:, 0], trades.max(axis=1), trades.min(axis=1), trades[:, 3]
    bars = Bars(symbol, 3_600_000, frame["open_time"].to_numpy(), *prices, np.ones(len(frame)))
    return Market(bars, ((ask - bid) / middle)[:, [0, 3]])


def compare(market: Market, year: str, chosen: NDArray[np.bool_]) -> Row:
    """One row of the table."""
    rows = np.flatnonzero(chosen)
    bars = market.bars.rows(int(rows[0]), int(rows[-1]) + 1)
    follows = np.flatnonzero(np.diff(bars.open_time) == bars.interval_ms) + rows[0]
    spreads = np.concatenate([market.spreads[follows + 1, 0], market.spreads[follows, 1]]) / BASIS_POINT
    square, error = squared_spread(bars)
    estimate = np.sign(square) * np.sqrt(abs(square))
    # of the root, by its derivative
    error_of_root = error / (2.0 * abs(estimate))
    real = float(np.median(spreads)), float(np.sqrt((spreads**2).mean()))
    return Row(bars.symbol, year, len(bars), *real, float(estimate) / BASIS_POINT, float(error_of_root) / BASIS_POINT)


def main() -> None:
    """Print a Markdown table by symbol and year, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    folder = os.environ.get("LABELSEARCH_DATA")
    if not folder:
        sys.exit("set LABELSEARCH_DATA to the folder with the real quotes")
    rows = []
    for symbol in SYMBOLS:
        market = traded_market(Path(folder) / FILE, symbol, args.seed)
        years = market.bars.index.year.to_numpy()
        for year in np.unique(years):
            if (years == year).sum() >= LEAST_BARS:
                rows.append(compare(market, str(year), years == year))
        rows.append(compare(market, "all", years > 0))
    print("| symbol | year | bars | real median | real root mean square | estimate | error |")
    print("| --- | --- |" + " ---: |" * 5)
    for row in rows:
        spreads = " | ".join(f"{value:.2f}" for value in row[3:])
        print(f"| {row.symbol} | {row.year} | {row.bars:,} | {spreads} |")
    print(json.dumps([row._asdict() for row in rows]))


if __name__ == "__main__":
    main()
