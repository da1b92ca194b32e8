"""Cross-class pairs per second: our exact histograms against SciPy's cdist and numpy.histogram, on the same bars.

Both count every pair of an action and a neutral bar. SciPy goes in slices, because the whole distance matrix would
not fit into memory; its slices are counted in the same number of bins.
"""

import argparse
import json
import time

import numba
import numpy as np
from scipy.spatial.distance import cdist

from feature_space.histograms import N_BINS, all_pairs


def make_features(n: int, n_features: int, seed: int) -> np.ndarray:
    """Features as the arctangent leaves them, in (-1, 1)."""
    draws = np.random.default_rng(seed).standard_t(4, (n, n_features))
    return (np.arctan(draws) * 2 / np.pi).astype(np.float32)


def scipy_counts(left: np.ndarray, right: np.ndarray, width: float, rows: int = 200) -> np.ndarray:
    """Counts of all pairs by SciPy and NumPy, in the same bins."""
    counts = np.zeros(N_BINS, dtype=np.int64)
    for start in range(0, len(left), rows):
        distances = cdist(left[start : start + rows], right, "cityblock")
        counts += np.histogram(distances, bins=N_BINS, range=(0.0, N_BINS * width))[0]
    return counts


def main() -> None:
    """Run both and print the ratio; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--action", type=int, default=4000)
    parser.add_argument("--neutral", type=int, default=40_000)
    parser.add_argument("--features", type=int, default=28)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    left, right = make_features(args.action, args.features, 0), make_features(args.neutral, args.features, 1)
    n_pairs = args.action * args.neutral
    all_pairs(left[:10], right[:10])  # compile
    ours, peer = [], []
    for _ in range(args.repeats):
        start = time.perf_counter()
        histogram = all_pairs(left, right)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        counts = scipy_counts(left, right, histogram.width)
        peer.append(time.perf_counter() - start)
    numba.set_num_threads(1)
    start = time.perf_counter()
    all_pairs(left, right)
    single = time.perf_counter() - start
    moved = np.abs(np.cumsum(histogram.counts - counts)).max() / n_pairs
    print(f"{args.action} x {args.neutral} bars, {args.features} features")
    print(f"labelsearch {n_pairs / min(ours) / 1e9:6.3f} G pairs/s, one thread {n_pairs / single / 1e9:6.3f}")
    print(f"SciPy       {n_pairs / min(peer) / 1e9:6.3f} G pairs/s")
    print(f"largest difference of the cumulative histograms: {moved:.1e} (features are rounded to whole steps)")
    result = {
        "benchmark": "separation",
        "ours": round(n_pairs / min(ours)),
        "peer": round(n_pairs / min(peer)),
        "ratio": round(min(peer) / min(ours), 2),
        "unit": "pairs per second",
        "peer_name": "scipy cdist cityblock + numpy.histogram",
        "pairs": n_pairs,
        "features": args.features,
        "threads": numba.config.NUMBA_NUM_THREADS,
        "ratio_one_thread": round(min(peer) / single, 2),
        "largest_cumulative_difference": float(moved),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
