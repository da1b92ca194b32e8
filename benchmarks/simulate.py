"""Strategy-bars per second: our simulator against vectorbt's `Portfolio.from_orders`, in the same run.

vectorbt runs on each of its engines, and the faster one, in Rust, is the peer. Compilation is left out, and so is
making the order matrix that vectorbt needs, because our simulator decides its orders while it walks. All end with the
final value of every strategy. Ours is timed at a fee alone, as vectorbt is, and, for the ratio, as a perpetual with
funding every eight hours, spreads and impact, which vectorbt cannot do.
"""

import argparse
import json
import time
from collections.abc import Callable

import numba
import numpy as np
import vectorbt as vbt

from strategies.search.linear import StrategySpace
from strategies.trade.backtest import portfolio, starting_cash
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import final_value, simulate, simulate_paths
from strategies.trade.window import BarCosts, TradingWindow

RULES = TradingRules(fee_share=0.0005)


def make_window(n_bars: int, n_outputs: int, seed: int) -> TradingWindow:
    """Random-walk prices and outputs that wander in [0, 1]."""
    rng = np.random.default_rng(seed)
    close = 9000 * np.exp(np.cumsum(rng.normal(0, 8e-4, n_bars)))
    walk = np.cumsum(rng.normal(0, 0.05, (n_bars, n_outputs)), axis=0)
    outputs = 1 / (1 + np.exp(2 - 2 * np.sin(walk)))
    return TradingWindow.of(outputs, np.r_[9000.0, close[:-1]], close, 60_000 * np.arange(n_bars), n_bars / 43_830)


def perpetual(window: TradingWindow) -> TradingWindow:
    """The same bars with funding every eight hours, and a spread and impact of each bar's own."""
    rng, n_bars = np.random.default_rng(2), len(window.close)
    funding = np.zeros((n_bars, 2))
    funding[::480, 0] = 1e-4 * window.open[::480]
    return window.at(BarCosts(rng.uniform(0, 2e-4, n_bars), rng.uniform(0, 1e-3, n_bars), funding))


def best_of(repeats: int, work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Shortest time of some runs, in seconds, and what came out."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result


def main() -> None:
    """Run both and print the ratio; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=176_428)
    parser.add_argument("--strategies", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    window = make_window(args.bars, 16, seed=0)
    params = StrategySpace(16).sample(np.random.default_rng(1), args.strategies)
    orders = simulate_paths(params, window, RULES).orders

    costly = perpetual(window)

    def ours() -> np.ndarray:
        return final_value(simulate(params, window, RULES))

    def with_costs() -> np.ndarray:
        return final_value(simulate(params, costly, RULES))

    def peer() -> np.ndarray:
        return np.asarray(portfolio(orders, window, RULES).final_value()) / starting_cash(window)

    few = window.rows(slice(0, 500))
    simulate(params, few, RULES)  # compile
    simulate(params, costly.rows(slice(0, 500)), RULES)
    pairs = [(best_of(1, ours), best_of(1, with_costs)) for _ in range(args.repeats)]  # in turn: machines are noisy
    (plain_time, our_value), (our_time, _) = (min(runs, key=lambda run: run[0]) for runs in zip(*pairs, strict=True))
    threads = numba.get_num_threads()
    numba.set_num_threads(1)  # vectorbt uses one thread, so that figure is here too
    single_time, _ = best_of(args.repeats, with_costs)
    numba.set_num_threads(threads)
    engines = {}
    for engine in ("rust", "numba"):
        vbt.settings["engine"] = engine
        np.asarray(portfolio(orders[:500], few, RULES).final_value())  # compile
        engines[engine], peer_value = best_of(args.repeats, peer)
    peer_time = min(engines.values())

    work = args.bars * args.strategies
    difference = float(np.max(np.abs(our_value / peer_value - 1)))
    print(f"{args.strategies} strategies, {args.bars} bars, {int((~np.isnan(orders)).sum())} orders")
    print(f"a fee alone {work / plain_time / 1e6:9.1f} M strategy-bars/s  {plain_time:.4f} s, signals included")
    print(f"all costs   {work / our_time / 1e6:9.1f} M strategy-bars/s  {our_time:.4f} s")
    print(f"  1 thread  {work / single_time / 1e6:9.1f} M strategy-bars/s  {single_time:.4f} s")
    for engine, seconds in engines.items():
        print(f"vectorbt, {engine:<6}{work / seconds / 1e6:6.1f} M strategy-bars/s  {seconds:.4f} s, orders given")
    print(f"final values differ by at most {difference:.1e}, relative")
    result = {
        "benchmark": "simulate",
        "ours": round(work / our_time),
        "peer": round(work / peer_time),
        "ratio": round(peer_time / our_time, 2),
        "unit": "strategy-bars per second",
        "peer_name": "vectorbt Portfolio.from_orders, Rust engine",
        "ratio_numba": round(engines["numba"] / our_time, 2),
        "ratio_fee_alone": round(peer_time / plain_time, 2),
        "speed_with_costs": round(plain_time / our_time, 3),
        "bars": args.bars,
        "strategies": args.strategies,
        "threads": threads,
        "ratio_one_thread": round(peer_time / single_time, 2),
        "max_relative_difference": difference,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
