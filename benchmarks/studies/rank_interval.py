"""What does the interval of the rank correlation of past score and future return cover?

Strategies share a market factor; their future returns have a mean that follows the past score at some strength, and
daily noise of two kinds: on the exposure to the market, and their own. `true`: the correlation of the score with the
mean; `realised`: with the return of the very window. The last column is how often the interval lies above 0.
"""

import argparse
import json

import numpy as np

from strategies.luck.resample import rank_correlation, rank_interval

N_STRATEGIES = 300
KINDS = (("no order", 0.0), ("order of 0.85", 0.85))
COLUMNS = ("true rho", "realised rho", "covers true", "covers realised", "above 0")


def one(rho: float, n_days: int, seed: int) -> tuple[float, ...]:
    """Correlations of one market, and what its interval covers."""
    rng = np.random.default_rng([n_days, seed])
    score, other, loading = rng.standard_normal((3, N_STRATEGIES))
    mean = 0.05 * (rho * score + np.sqrt(1 - rho**2) * other)
    market = rng.standard_normal(n_days)
    # exposure to the market is spread over strategies, and has nothing to do with the score
    days = mean[:, None] + loading[:, None] * market + 0.5 * rng.standard_normal((N_STRATEGIES, n_days))
    if rho == 0.0:  # the score is an exposure: its order is that of the market's return, which is 0 on average
        days = days - mean[:, None] + 0.5 * score[:, None] * rng.standard_normal(n_days)
    low, high = rank_interval(score, days, seed=seed)
    true = rank_correlation(score, mean) if rho else 0.0
    realised = rank_correlation(score, days.sum(axis=1))
    return true, realised, low <= true <= high, low <= realised <= high, low > 0


def main() -> None:
    """Print a Markdown table, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reps", type=int, default=400)
    args = parser.parse_args()
    print("| order | days | " + " | ".join(COLUMNS) + " |\n| --- | ---: |" + " ---: |" * len(COLUMNS))
    table = {}
    for name, rho in KINDS:
        for n_days in (7, 14, 30, 60, 134):
            values = np.mean([one(rho, n_days, seed) for seed in range(args.reps)], axis=0).tolist()
            print(f"| {name} | {n_days} | " + " | ".join(f"{value:.3f}" for value in values) + " |", flush=True)
            table[f"{name}, {n_days} days"] = dict(zip(COLUMNS, values, strict=True))
    print(json.dumps(table))


if __name__ == "__main__":
    main()
