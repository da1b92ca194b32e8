"""Cross-class pairs per second: our exact histograms against torch's cdist and histc, the fastest way of a library.

All count every pair of an action and a neutral bar on all processors. The libraries go in slices, because the whole
distance matrix would not fit into memory; their slices are counted in the same number of bins. SciPy's cdist with
numpy.histogram, which use one thread, are timed too.
"""

import argparse
import json
import time

import numba
import numpy as np
import torch
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


def torch_counts(left: np.ndarray, right: np.ndarray, width: float, rows: int = 200) -> np.ndarray:
    """Counts of all pairs by torch in float32, in the same bins."""
    counts = torch.zeros(N_BINS, dtype=torch.int64)
    others = torch.from_numpy(right)
    for part in torch.from_numpy(left).split(rows):
        counts += torch.histc(torch.cdist(part, others, p=1.0), N_BINS, 0.0, N_BINS * width).long()
    return counts.numpy()


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
    ours, peer, scipy = [], [], []
    for _ in range(args.repeats):
        start = time.perf_counter()
        histogram = all_pairs(left, right)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        counts = torch_counts(left, right, histogram.width)
        peer.append(time.perf_counter() - start)
        start = time.perf_counter()
        exact = scipy_counts(left, right, histogram.width)
        scipy.append(time.perf_counter() - start)
    numba.set_num_threads(1)
    start = time.perf_counter()
    all_pairs(left, right)
    single = time.perf_counter() - start
    moved, moved_torch = (np.abs(np.cumsum(found - exact)).max() / n_pairs for found in (histogram.counts, counts))
    print(f"{args.action} x {args.neutral} bars, {args.features} features")
    print(f"labelsearch {n_pairs / min(ours) / 1e9:6.3f} G pairs/s, one thread {n_pairs / single / 1e9:6.3f}")
    print(f"torch       {n_pairs / min(peer) / 1e9:6.3f} G pairs/s, {torch.get_num_threads()} threads")
    print(f"SciPy       {n_pairs / min(scipy) / 1e9:6.3f} G pairs/s")
    print(f"largest difference of the cumulative histograms from SciPy's: {moved:.1e} (features are rounded to whole "
          f"steps), torch's {moved_torch:.1e}")  # fmt: skip
    result = {
        "benchmark": "separation",
        "ours": round(n_pairs / min(ours)),
        "peer": round(n_pairs / min(peer)),
        "ratio": round(min(peer) / min(ours), 2),
        "unit": "pairs per second",
        "peer_name": "torch.cdist(p=1) + histc",
        "pairs": n_pairs,
        "features": args.features,
        "threads": numba.config.NUMBA_NUM_THREADS,
        "ratio_scipy": round(min(scipy) / min(ours), 2),
        "ratio_one_thread": round(min(scipy) / single, 2),
        "largest_cumulative_difference": float(moved),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
