"""Whether p-values of alpha among shifted outputs are uniform where outputs know volatility, and nothing of direction.

    python benchmarks/studies/book_shifts.py --trials 200

Generated markets share a factor; the volatility of each, and of all, comes in spells, and classifiers know it: their
buy and sell probabilities follow the trailing volatility of the market and of the basket, in opposite directions from
market to market. Returns have no mean. Random strategies of a neutral and of a long book are traded, and the t-value of
the alpha of their tier is placed among those of the same strategies on outputs shifted in a circle. The last line is
one line of JSON: the shares of p-values up to 0.05, 0.1, 0.25 and 0.5, for each kind of book.
"""

import argparse
import json

import numpy as np

from strategies.book.rules import BookRules, BookSpace
from strategies.book.simulate import band_of, mean_weights, trade_weights
from strategies.book.window import BookWindow, MarketWindow, Universe, book_window
from strategies.luck.panel import hac_fit
from strategies.search.linear import StrategySpace
from strategies.tiers.metrics import daily_returns
from strategies.tiers.null import draw_shifts, p_value
from strategies.trade.window import NO_COSTS

ROWS, MARKETS, MEMBERS, STEP = 1500, 10, 10, 4 * 3_600_000
LEVELS = (0.05, 0.1, 0.25, 0.5)


def spells(rng: np.random.Generator, n: int, length: int) -> np.ndarray:
    """Volatility (n,) that is the same for a random while."""
    out, t = np.empty(n), 0
    while t < n:
        stop = t + 1 + int(rng.exponential(length))
        out[t:stop] = rng.lognormal(0.0, 0.6)
        t = stop
    return out


def generated(rng: np.random.Generator, rules: BookRules) -> BookWindow:
    """A window without anything to know but volatility."""
    common = spells(rng, ROWS, 150)
    factor = 0.008 * common * rng.normal(size=ROWS)
    loading = rng.uniform(0.6, 1.4, MARKETS)
    own = np.column_stack([spells(rng, ROWS, 100) for _ in range(MARKETS)])
    returns = factor[:, None] * loading + 0.008 * own * rng.normal(size=own.shape)
    close = 100.0 * np.cumprod(1.0 + returns, axis=0)
    size = np.sqrt(np.stack([np.convolve(r**2, np.ones(30) / 30)[:ROWS] for r in returns.T], axis=1)) / 0.01
    lean = rng.choice([-1.0, 1.0], MARKETS)
    markets = []
    for m in range(MARKETS):
        z = np.stack([lean[m] * (size[:, m] - 1.0), size.mean(axis=1) - 1.0], axis=1) + rng.normal(0, 0.3, (ROWS, 2))
        buy = 0.35 + 0.25 * np.tanh(z)
        outputs = np.stack([buy, 0.7 - buy], axis=2).reshape(ROWS, 4)
        open_ = np.r_[100.0, close[:-1, m]]
        markets.append(MarketWindow([outputs], np.arange(ROWS), open_, close[:, m], NO_COSTS, 0.0001, 100.0))
    full = np.ones((ROWS, MARKETS), dtype=np.bool_)
    basket = returns.mean(axis=1)
    universe = Universe(full, 0.01 * np.maximum(size, 0.1), np.tile(loading / loading.mean(), (ROWS, 1)), basket)
    return book_window(markets, universe, STEP * np.arange(ROWS), ROWS / 180.0, rules)


def alpha_t(window: BookWindow, params: np.ndarray, rules: BookRules) -> float:
    """t-value of the alpha of a tier of all strategies."""
    weights, _ = mean_weights(params, window, rules, (len(params),))
    account = trade_weights(weights[0], band_of(params, 4), window, rules)
    fit = hac_fit(daily_returns(account.equity, window.open_time), window.basket_days)
    return fit.alpha_t if fit else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--shifts", type=int, default=39)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    space = BookSpace(StrategySpace(4, theta_buy=(0.4, 0.5), theta_sell=(0.5, 0.6), delta=(0.0, 0.02)))
    found = {}
    for kind in ("neutral", "long"):
        rules = BookRules.of(kind, cap=0.3, drift=0.05)
        p_values = []
        for trial in range(options.trials):
            rng = np.random.default_rng((options.seed, trial))
            window, params = generated(rng, rules), space.sample(rng, MEMBERS)
            real = alpha_t(window, params, rules)
            shifts = draw_shifts(ROWS, options.shifts, trial)
            p_values.append(
                p_value(real, np.array([alpha_t(window.shifted(s), params, rules) for s in shifts.tolist()]))
            )
        found[kind] = {f"{level:g}": round(float(np.mean(np.array(p_values) <= level)), 3) for level in LEVELS}
        print(f"{kind}: " + ", ".join(f"{share:.1%} up to {level}" for level, share in found[kind].items()))
    print(json.dumps({"study": "book_shifts", "trials": options.trials, "shifts": options.shifts, "shares": found}))


if __name__ == "__main__":
    main()
