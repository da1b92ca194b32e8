"""Do p-values of alpha and intervals of a book hold their level where there is no alpha?

A book holds 0.4 of a basket of heavy tails; volatility of both changes slowly, and together. Errors by
`strategies.luck.panel`, one-sided, at 0.05 and 0.01: with its fixed-b p-values, and as if t were normal, which is too
often in short windows. `pooled`: eight markets whose rests correlate at 0.6 (Driscoll & Kraay); `as if independent`:
the same by least squares without sums over a day. `interval`: how often the 95% intervals hold the true values; the
basket and its alpha have a drift, so that Sharpe ratios are not all 0. `any of four tiers`: how often one or
more of them, whose rests correlate at 0.97, has a p-value of 0.05 or less, adjusted for their number and as it is.
"""

import argparse
import json

import numpy as np
from scipy.signal import lfilter
from scipy.stats import linregress, norm

from strategies.luck.panel import alpha_of_tiers, block_interval, driscoll_kraay, hac_fit, pooled_rank

DAYS = (30, 60, 122, 365, 1000)
SMOOTH = (0.0, 0.2)  # autocorrelation of what is not the market's
WARM_UP = 200
DRIFT = 0.001  # of the basket, a day
ALPHA = 0.0004


def level_of(rng: np.random.Generator, n: int) -> np.ndarray:
    """Volatility of mean about 1 that changes slowly."""
    return np.exp(0.6 * lfilter([0.243], [1, -0.97], rng.standard_normal(n)))


def book_of(rng: np.random.Generator, n_days: int, smooth: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns of a book without alpha, and of the basket, (D,) each."""
    n = n_days + WARM_UP
    level = level_of(rng, n)
    rest = lfilter([1.0], [1.0, -smooth], 0.01 * level * rng.standard_normal(n))
    basket = 0.03 * level * rng.standard_t(5, n)
    return (0.4 * basket + rest)[WARM_UP:], basket[WARM_UP:]


def panel_of(rng: np.random.Generator, n_days: int, smooth: float, m: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Returns of strategies in markets, and of the markets, (D, M) each; the last joins late, the first is delisted."""
    n = n_days + WARM_UP
    level = level_of(rng, n)[:, None]

    def alike() -> np.ndarray:
        return 0.6**0.5 * rng.standard_normal((n, 1)) + 0.4**0.5 * rng.standard_normal((n, m))

    market = 0.03 * level * alike()
    rest = lfilter([1.0], [1.0, -smooth], 0.01 * level * alike(), axis=0)
    returns, market = (0.4 * market + rest)[WARM_UP:], market[WARM_UP:]
    returns[: n_days // 3, -1] = np.nan
    returns[2 * n_days // 3 :, 0] = np.nan
    return returns, market


def levels(n_days: int, smooth: float, n_books: int) -> dict[str, float]:
    """How often p-values of alpha are at or below a level, and how often intervals hold the true values."""
    alone, together, naive, sharpe, alpha = [], [], [], [], []
    for seed in range(n_books):
        rng = np.random.default_rng([seed, n_days])
        book, basket = book_of(rng, n_days, smooth)
        alone.append(hac_fit(book, basket))
        if seed < n_books // 2:
            returns, market = panel_of(rng, n_days, smooth)
            together.append(driscoll_kraay(returns, market))
            there = ~np.isnan(returns)
            fit = linregress(market[there], returns[there])
            naive.append(fit.intercept / fit.intercept_stderr >= norm.isf(0.05))
        if seed < n_books // 4:
            found = block_interval(book + 0.4 * DRIFT + ALPHA, basket + DRIFT, n_reps=500, seed=seed)
            # of the long run: the mean square of the level is exp(2 * 0.36), of t with 5 degrees of freedom 5 / 3
            variance = np.exp(0.72) * (0.012**2 * 5 / 3 + 0.01**2 / (1 - smooth**2))
            true = (0.4 * DRIFT + ALPHA) / variance**0.5 * 365**0.5
            sharpe.append(found.sharpe[0] <= true <= found.sharpe[1])
            alpha.append(found.alpha_a_year[0] <= 365 * ALPHA <= found.alpha_a_year[1])
    table = {}
    for level in (0.05, 0.01):
        table[f"alpha {level}"] = np.mean([fit.alpha_p <= level for fit in alone])
        table[f"normal {level}"] = np.mean([fit.alpha_t >= norm.isf(level) for fit in alone])
        table[f"pooled {level}"] = np.mean([fit.alpha_p <= level for fit in together])
    table |= {"as if independent 0.05": np.mean(naive), "Sharpe in interval": np.mean(sharpe)}
    return {name: float(value) for name, value in {**table, "alpha in interval": np.mean(alpha)}.items()}


def tiers_level(n_days: int, n_books: int, alike: float = 0.97, n: int = 4) -> dict[str, float]:
    """How often one of n tiers that are nearly one has a p-value of alpha of 0.05 or less without any."""
    adjusted, alone = [], []
    for seed in range(n_books):
        rng = np.random.default_rng([seed, n_days, 7])
        level = level_of(rng, n_days + WARM_UP)[WARM_UP:, None]
        common, own = rng.standard_normal((n_days, 1)), rng.standard_normal((n_days, n))
        basket = 0.03 * level[:, 0] * rng.standard_t(5, n_days)
        rest = 0.01 * level * (alike**0.5 * common + (1 - alike) ** 0.5 * own)
        fits, p_values = alpha_of_tiers(0.4 * basket[:, None] + rest, basket)
        adjusted.append(min(p_values) <= 0.05)
        alone.append(min(fit.alpha_p for fit in fits) <= 0.05)
    return {"any, adjusted": float(np.mean(adjusted)), "any, as it is": float(np.mean(alone))}


def rank_level(n_splits: int, n_panels: int, m: int = 8) -> float:
    """How often the mean rank correlation of markets that agree at 0.6 has a p-value of 0.05 or less without any."""
    found = 0
    for seed in range(n_panels):
        rng = np.random.default_rng([seed, 6])
        rho = 0.1 * (0.6**0.5 * rng.standard_normal((n_splits, 1)) + 0.4**0.5 * rng.standard_normal((n_splits, m)))
        cells = {(f"market {i}", k): rho[k, i] for k in range(n_splits) for i in range(m - k % 3)}
        found += pooled_rank(cells).p_value <= 0.05
    return found / n_panels


def main() -> None:
    """Print Markdown tables, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=int, default=4000, help="half as many panels, a quarter as many intervals")
    args = parser.parse_args()
    table = {}
    for n_days in DAYS:
        for smooth in SMOOTH:
            name = f"{n_days} days" + (f", autocorrelation {smooth}" if smooth else "")
            table[name] = levels(n_days, smooth, args.books)
            if len(table) == 1:
                print("| book | " + " | ".join(table[name]) + " |\n| --- |" + " ---: |" * len(table[name]))
            print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in table[name].values()) + " |", flush=True)
    print("\n| splits | rank correlation 0.05 |\n| ---: | ---: |")
    ranks = {n_splits: rank_level(n_splits, args.books) for n_splits in (3, 5, 10)}
    for n_splits, share in ranks.items():
        print(f"| {n_splits} | {share:.3f} |")
    print("\n| days | any of four tiers, adjusted | as it is |\n| ---: | ---: | ---: |")
    tiers = {n_days: tiers_level(n_days, args.books // 2) for n_days in DAYS}
    for n_days, found in tiers.items():
        print(f"| {n_days} | " + " | ".join(f"{value:.3f}" for value in found.values()) + " |", flush=True)
    print(json.dumps({"books": table, "ranks": ranks, "tiers": tiers}))


if __name__ == "__main__":
    main()
