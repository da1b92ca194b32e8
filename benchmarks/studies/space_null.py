"""Is the p-value of the best label uniform where there is nothing to find?

Small searches over labels on generated markets without an edge, each with its own searches on features shifted against
the market. Prints how often p is at or below its levels, and a chi-square test against equal tenths.
"""

import argparse
import os
from multiprocessing import Pool

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402 - libraries read the number of threads when they are loaded

NAMES = ("momentum_short", "momentum_long", "volatility_ratio", "price_to_sma_medium")
N_CANDIDATES, N_NULLS = 8, 9


def one(seed: int) -> float:
    """The p-value of one search."""
    import torch

    from feature_space.feature_set import warm_up_of
    from feature_space.indicators import BY_NAME
    from feature_space.normalise import Normalisation
    from labelsearch.label_space.market import SpaceMarket, cut, shared_features
    from labelsearch.label_space.ranges import LabelSpace, default_ranges
    from labelsearch.label_space.search import SpaceSearch, search_space
    from labelsearch.labels.spans import DAY_MS
    from labelsearch.market.resample import resample
    from labelsearch.market.synthetic import synthetic_bars
    from labelsearch.stages.features import inputs_of
    from labelsearch.stages.seeds import Seeds

    torch.set_num_threads(1)
    bars = resample(synthetic_bars(90_000, 1000 + seed, edge=0.0), 900_000).on_grid()
    indicators, normalisation = tuple(BY_NAME[name] for name in NAMES), Normalisation("train", 1440, 1.0)
    first = warm_up_of(indicators, normalisation)
    features = shared_features(
        indicators, inputs_of(bars), normalisation, n_values=3, fit_stop=len(bars), first=first, threads=1
    )
    usable = ~bars.filled
    usable[:first] = False
    market = SpaceMarket(features, bars.close, bars.open, bars.open_time // DAY_MS, usable, 96, 0.0005)
    parts, seeds = cut(first, len(bars), 0.4), Seeds(seed)
    deviation = float(np.diff(np.log(bars.close)).std())
    search = SpaceSearch(LabelSpace(default_ranges(96), deviation), N_CANDIDATES, "sobol", "worth", 600, 3, 3, 0.1)
    shifts = np.random.default_rng(seed).integers(1, len(bars) - first, N_NULLS)
    best = []
    for n, shift in enumerate([0, *shifts.tolist()]):
        found = search_space(search, market.shifted(shift), parts, lambda *names, n=n: seeds(n, *names))
        values = [its.judged.worth.t_before_costs for its in found if its.judged and not its.reason]
        best.append(max((t for t in values if t is not None), default=-np.inf))
    return (1 + sum(t >= best[0] for t in best[1:])) / (1 + N_NULLS)


def main() -> None:
    """Print the distribution of p-values."""
    from scipy.stats import chisquare

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    with Pool(args.processes) as pool:
        p = np.array(pool.map(one, range(args.searches), chunksize=1))
    counts = np.bincount(np.rint(p * (1 + N_NULLS)).astype(int), minlength=N_NULLS + 2)[1:]
    for level in (0.1, 0.2, 0.5):
        print(f"p at or below {level}: {np.mean(p <= level + 1e-9):.3f}")
    print(f"mean {p.mean():.3f} (uniform: 0.55); counts by tenth {counts.tolist()}")
    print(f"chi-square p {chisquare(counts).pvalue:.2f}")


if __name__ == "__main__":
    main()
