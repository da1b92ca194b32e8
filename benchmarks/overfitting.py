"""Splits per second of combinatorially symmetric cross-validation: our block sums against NumPy on the days.

The peer does what the definition says, vectorised over strategies: it takes the days of both halves, their mean and
standard deviation, the winners and their ranks; two complementary splits share this work, as in ours. It goes through a
part of the splits, since its time goes with their number. Both find the same ranks.
"""

import argparse
import json
import time
from itertools import combinations

import numba
import numpy as np

from strategies.luck.overfitting import block_edges, cross_validate, return_sums


def peer(returns: np.ndarray, edges: np.ndarray, halves: list[tuple[int, ...]]) -> np.ndarray:
    """Ranks outside (C, 2) of the winners inside, and the other way round, for returns (D, S)."""
    days = [np.arange(edges[b], edges[b + 1]) for b in range(len(edges) - 1)]
    ranks = np.empty((len(halves), 2))
    for i, half in enumerate(halves):
        inside = returns[np.concatenate([days[b] for b in half])]
        outside = returns[np.concatenate([days[b] for b in range(len(days)) if b not in half])]
        ratio = [half.mean(axis=0) / half.std(axis=0, ddof=1) for half in (inside, outside)]
        for side in (0, 1):
            other = ratio[1 - side]
            ranks[i, side] = (other < other[np.argmax(ratio[side])]).sum() + 1
    return ranks


def main() -> None:
    """Run both and print the ratio; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=122)
    parser.add_argument("--strategies", type=int, default=20_000)
    parser.add_argument("--peer-splits", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    returns = np.random.default_rng(0).normal(0, 0.02, (args.strategies, args.days))
    cross_validate(return_sums(returns[:10]))  # compile
    ours, theirs = [], []
    edges = block_edges(args.days, 16)
    halves = [half for half in combinations(range(16), 8) if half[0] == 0][: args.peer_splits]
    by_day = np.ascontiguousarray(returns.T)
    for _ in range(args.repeats):
        start = time.perf_counter()
        found = cross_validate(return_sums(returns))
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        ranks = peer(by_day, edges, halves)
        theirs.append(time.perf_counter() - start)
    n = args.strategies
    np.testing.assert_array_equal(np.round((n + 1) / (1 + np.exp(-found.logit[: 2 * len(halves)]))), ranks.ravel())
    rates = {"ours": len(found.logit) / min(ours), "peer": 2 * len(halves) / min(theirs)}
    print(f"ours {min(ours):.2f} s for {len(found.logit):,} splits of {found.n_blocks} blocks, PBO {found.pbo:.3f}")
    print(f"NumPy {min(theirs):.2f} s for {2 * len(halves):,} splits")
    print(
        json.dumps(
            {
                "benchmark": "overfitting",
                **{name: round(rate, 1) for name, rate in rates.items()},
                "ratio": round(rates["ours"] / rates["peer"], 1),
                "unit": "splits/s",
                "strategies": n,
                "days": args.days,
                "threads": numba.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
