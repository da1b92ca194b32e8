"""Rank correlations of many series: against the naive twin and SciPy, and calibrated with and without an edge."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from strategies.luck.rank_scan import (
    Blocks,
    adjusted,
    bent,
    day_sums,
    scan_ranks,
    standard_ranks,
    weighted_correlations,
)
from strategies.luck.resample import block_weights
from tests.naive.rank_scan import weighted_correlation

A_DAY, HORIZONS = 6, (1, 6, 24)


def walk(seed: int, n_days: int, edge: float = 0.0, common: np.ndarray | None = None):
    """Features, later returns and days of a random walk whose volatility clusters; an edge lets feature 0 lead."""
    rng = np.random.default_rng(seed)
    n = n_days * A_DAY + max(HORIZONS)
    volatility = np.exp(np.convolve(rng.normal(0, 0.2, n + 99), np.ones(100) / 10, "valid"))
    shock = rng.standard_t(4, n) if common is None else 0.7 * common + 0.7 * rng.standard_t(4, n)
    signal = np.convolve(rng.normal(0, 1, n + 11), np.ones(12) / 12**0.5, "valid")
    returns = 0.01 * volatility * (shock + edge * np.r_[0.0, signal[:-1]])
    price = np.exp(np.cumsum(returns))
    past = [np.r_[np.zeros(k), np.log(price[k:] / price[:-k])] for k in (1, 6, 60, 200)]
    spread = [np.convolve(returns**2, np.ones(k) / k)[:n] for k in (6, 90)]
    rows = np.arange(200, n - max(HORIZONS))
    later = [np.log(price[rows + h] / price[rows]) for h in HORIZONS]
    return np.array([signal, *past, *spread])[:, rows], np.array(later), rows // A_DAY


def blocks() -> list[Blocks]:
    return [Blocks(max(1, -(-2 * h // A_DAY)), h / A_DAY) for h in HORIZONS]


def scan(seeds, n_days: int, edge: float = 0.0, common=None, n_reps: int = 199):
    parts = [walk(seed, n_days, edge, common) for seed in seeds]
    total = max(int(day[-1]) for _, _, day in parts) + 1
    first = 200 // A_DAY
    sums = [day_sums(x, y, day - first, total - first) for x, y, day in parts]
    return scan_ranks(sums, blocks(), n_reps=n_reps)


def test_correlations_are_spearmans_and_resamples_those_of_the_naive_twin():
    x, y, day = walk(1, 50)
    x[2] = np.round(x[2], 2)  # ties
    day -= day[0]
    sums = day_sums(x, y, day, int(day[-1]) + 1)
    weight = np.vstack([np.ones(len(sums.n)), block_weights(np.random.default_rng(3), len(sums.n), 3, 2)])
    found = weighted_correlations(weight, sums)
    for f in range(len(x)):
        for k in range(len(y)):
            assert found[0, f, k] == pytest.approx(spearmanr(x[f], y[k]).statistic, abs=1e-12)
    for f, k in ((0, 0), (2, 1), (4, 2)):
        for r in range(3):
            assert found[r, f, k] == pytest.approx(weighted_correlation(x[f], y[k], day, weight[r]), abs=1e-10)


def test_row_0_is_the_mean_over_markets_and_days_are_shared():
    together = scan((1, 2, 3), 90)
    alone = [scan((seed,), 90) for seed in (1, 2, 3)]
    assert together.rho.shape == (4, 7, 3)
    for m in range(3):
        for name in together._fields:
            np.testing.assert_array_equal(getattr(together, name)[m + 1], getattr(alone[m], name)[0])
    np.testing.assert_allclose(together.rho[0], np.mean([a.rho[0] for a in alone], axis=0), rtol=1e-12)
    # twice the same market is one market: days are drawn together, so that nothing becomes surer
    twice, once = scan((1, 1), 90), scan((1,), 90)
    np.testing.assert_allclose(twice.p[0], once.p[0], rtol=1e-9)
    assert (together.low <= together.high).all()


def test_days_without_bars_do_not_count():
    x, y, day = walk(1, 90)
    day = day - day[0]
    sums = day_sums(x, y, day, int(day[-1]) + 1)
    with_weekends = day_sums(x, y, day // 5 * 7 + day % 5 + 2, 200)
    found, same = (scan_ranks([its], blocks(), memory=9, n_reps=19) for its in (sums, with_weekends))
    for name in found._fields:
        np.testing.assert_array_equal(getattr(found, name), getattr(same, name))


def test_a_series_that_never_changes_is_no_test():
    x, y, day = walk(1, 90)
    x[1] = 3.0
    found = scan_ranks([day_sums(x, y, day - day[0], int(day[-1] - day[0]) + 1)], blocks(), n_reps=19)
    assert np.isnan(found.rho[0, 1]).all()
    assert np.isnan(found.p[0, 1]).all()
    assert np.isfinite(np.delete(found.p[0], 1, axis=0)).all()
    assert (standard_ranks(np.ones((1, 4))) == 0.0).all()


def test_what_a_short_sample_bends_is_what_is_added():
    """Past moves go against later ones within a short sample, though none of them can be foretold."""
    raw, straight = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        price = np.cumsum(rng.normal(size=100 * A_DAY))
        rows = np.arange(120, len(price) - 24)
        past, later = price[rows] - price[rows - 120], price[rows + 24] - price[rows]
        sums = day_sums(past[None], later[None], (rows - 120) // A_DAY, 76)
        raw.append(weighted_correlations(np.ones((1, 76)), sums)[0, 0, 0])
        straight.append(raw[-1] + bent(sums, 24)[0, 0])
    assert np.mean(raw) < -0.12
    assert abs(np.mean(straight)) < 0.6 * abs(np.mean(raw))


def test_too_few_days_are_refused():
    x, y, day = walk(1, 40)
    sums = day_sums(x, y, day - day[0], int(day[-1] - day[0]) + 1)
    with pytest.raises(ValueError, match="do not hold 5 blocks of 8"):
        scan_ranks([sums], blocks())
    with pytest.raises(ValueError, match="0 days"):
        scan_ranks([], [])


def test_adjusted_by_hand():
    # four tests, 1 + 1/2 + 1/3 + 1/4 = 25/12: p 4/rank 25/12, made to rise from the smallest on
    p = np.array([0.02, np.nan, 0.001, 0.9, 0.03])
    expected = [0.03 * 4 / 3 * 25 / 12, np.nan, 0.001 * 4 * 25 / 12, 1.0, 0.03 * 4 / 3 * 25 / 12]
    np.testing.assert_allclose(adjusted(p), expected, rtol=1e-12)
    assert np.isnan(adjusted(np.full(3, np.nan))).all()


def rejected(n: int, markets: int, n_days: int) -> tuple[float, float]:
    """Share of p-values below .05, and share of scans with a discovery at .1, of markets that share their shocks."""
    below, with_any = [], 0
    for seed in range(n):
        common = np.random.default_rng(10_000 + seed).standard_t(4, n_days * A_DAY + max(HORIZONS))
        found = scan(range(100 * seed, 100 * seed + markets), n_days, common=common)
        below.append(np.mean(found.p < 0.05))
        with_any += bool((adjusted(found.p) <= 0.1).any())
    return float(np.mean(below)), with_any / n


def test_without_an_edge_few_are_found():
    below, with_any = rejected(40, 2, 300)
    assert 0.02 < below < 0.08
    assert with_any <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("markets", "n_days"), [(1, 200), (5, 400), (3, 1000)])
def test_shares_of_false_discoveries(markets, n_days):
    """Without any edge every discovery is false, so that scans with one are at most a tenth."""
    below, with_any = rejected(200, markets, n_days)
    assert below < 0.075
    assert with_any <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 200)


def test_a_planted_edge_is_found_and_nothing_else():
    found = scan(range(4), 400, edge=0.25)
    rates = adjusted(found.p)
    assert (rates[0, 0] <= 0.1).all()  # the signal, over all horizons
    assert (found.rho[0, 0] > 0).all()
    assert (rates[:, 0, 0] <= 0.1).all()  # and in every market
    assert (rates[:, 5:] > 0.1).all()  # volatility knows nothing of direction
