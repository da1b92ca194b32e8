"""How often is a deflated Sharpe ratio above 0.95 where no try has an edge?

Each row: returns of 500 tries without an edge that are independent, correlated at 0.9, of one factor with loadings of
any size, or copies of 50. The best Sharpe ratio is deflated in the three ways of `labelsearch.results.belief.Deflated`;
`counted twice` has the number of different tries with the variance of all, which correlation also lowers.
"""

import argparse
import json

import numpy as np

from labelsearch.results.belief import SharpeBelief, TierSharpe
from strategies.luck.deflated_sharpe import deflated_sharpe, effective_trials, sharpe_moments, sharpe_ratios

N_TRIES, N_COPIED = 500, 50
KINDS = ("independent", "correlated at 0.9", "one factor", "copies")
COLUMNS = ("all", "different", "luck", "counted twice")


def returns_of(kind: str, n_days: int, rng: np.random.Generator) -> np.ndarray:
    """Returns (500, D) without an edge."""
    own = rng.standard_normal((N_TRIES, n_days))
    factor = rng.standard_normal(n_days)
    if kind == "correlated at 0.9":
        return 0.9**0.5 * factor + 0.1**0.5 * own
    if kind == "one factor":
        loading = rng.uniform(-1, 1, (N_TRIES, 1))
        return loading * factor + np.sqrt(1 - loading**2) * own
    if kind == "copies":
        return own[rng.integers(N_COPIED, size=N_TRIES)]
    return own


def best_deflated(returns: np.ndarray, seed: int) -> tuple[float, ...]:
    """The best of the tries, deflated in each way."""
    ratios = sharpe_ratios(returns)
    moments = sharpe_moments(returns[np.argmax(ratios)])
    n, variance = effective_trials(returns, seed=seed), float(ratios.var())
    found = SharpeBelief(len(returns), n, variance, {1: TierSharpe(moments, 0.0, None)}).deflated(len(returns))[1]
    return found.all, found.different, found.luck, deflated_sharpe(moments, n, variance)


def shares(kind: str, n_days: int, n_reps: int) -> dict[str, float]:
    """How often each is above 0.95."""
    found = [best_deflated(returns_of(kind, n_days, np.random.default_rng([n_days, i])), i) for i in range(n_reps)]
    return dict(zip(COLUMNS, (np.array(found) > 0.95).mean(axis=0).tolist(), strict=True))


def main() -> None:
    """Print a Markdown table, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reps", type=int, default=400)
    args = parser.parse_args()
    print("| tries | days | " + " | ".join(COLUMNS) + " |\n| --- | ---: |" + " ---: |" * len(COLUMNS))
    table = {}
    for n_days in (25, 122):
        for kind in KINDS:
            found = shares(kind, n_days, args.reps)
            print(f"| {kind} | {n_days} | " + " | ".join(f"{value:.3f}" for value in found.values()) + " |", flush=True)
            table[f"{kind}, {n_days} days"] = found
    print(json.dumps(table))


if __name__ == "__main__":
    main()
