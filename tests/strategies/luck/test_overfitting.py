import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from strategies.luck.overfitting import (
    block_edges,
    cross_validate,
    n_blocks_for,
    return_sums,
    score_sums,
)
from strategies.search.score import PaperScore, Record, Score
from strategies.trade.equity_grid import EquityGrid
from tests.naive import strategies as naive


def by_block(result, naive_found):
    """Slow results in the order of the fast ones, which go in pairs of complements."""
    n = result.n_blocks
    order = [half for half in naive_found if 0 in half]
    pairs = [(half, tuple(b for b in range(n) if b not in half)) for half in order]
    return np.array([naive_found[half] for pair in pairs for half in pair])


def same(result, expected, n_strategies):
    rank, inside, outside = expected.T
    np.testing.assert_allclose(result.inside, inside, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result.outside, outside, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result.logit, np.log(rank / (n_strategies + 1 - rank)), rtol=1e-12)
    assert result.pbo == (rank <= (n_strategies + 1) / 2).mean()
    assert result.slope == pytest.approx(np.polyfit(inside, outside, 1)[0])
    assert result.loss == (outside < 0).mean()


@pytest.mark.parametrize("statistic", ["sharpe", "mean"])
def test_as_the_slow_twin(statistic):
    returns = np.random.default_rng(1).normal(0.001, 0.02, (9, 20))
    returns[3] = 0.0  # never traded
    returns[4, :12] = 0.0
    judge = naive.sharpe if statistic == "sharpe" else lambda x: math.fsum(x) / len(x)
    result = cross_validate(return_sums(returns, statistic, 6))
    assert len(result.logit) == 20
    slow = naive.cscv(9, block_edges(20, 6), lambda s, days: judge(returns[s, days].tolist()))
    same(result, by_block(result, slow), 9)


def made_grid(n, days):
    """Grid, edges, and what was earned, traded and held in each bar of them."""
    rng = np.random.default_rng(2)
    edges = np.r_[0, np.cumsum(rng.integers(5, 10, days))]
    growth, fills = rng.normal(0, 0.05, (n, days)), rng.poisson(1.0, (n, days))
    held = rng.random((n, days)) * np.diff(edges)
    whole = (np.c_[np.zeros(n), np.cumsum(x, axis=1)] for x in (growth, fills, held))
    equity, *others = whole
    return EquityGrid(np.exp(equity), *others), edges, (growth, fills, held)


@dataclass(frozen=True)
class Plain(Score):
    """The monthly return."""

    kind: ClassVar[str] = "plain"

    def pieces(self, record):
        return {"score": record.monthly_return_pct}


class Paper(PaperScore):
    """The paper's score as one of another kind, which the kernel does not know."""


@pytest.mark.parametrize("score", [PaperScore(30.0, 60.0, 0.5), Plain()])
def test_score_as_the_slow_twin(score):
    n, days = 8, 13
    grid, edges, (growth, fills, held) = made_grid(n, days)

    def judge(s, chosen):
        length = np.diff(edges)[chosen].sum()
        sums = (x[s : s + 1, chosen].sum(axis=1) for x in (growth, fills, held))
        earned, traded, position = sums
        return float(score.pieces(Record(np.exp(earned), traded, position / length, length / 200))["score"][0])

    result = cross_validate(score_sums(grid, edges, edges[-1] / 200, score, 6))
    same(result, by_block(result, naive.cscv(n, block_edges(days, 6), judge)), n)


def test_any_score_takes_the_same_way_as_the_kernel():
    grid, edges, _ = made_grid(30, 40)
    twice = EquityGrid(*(np.repeat(x, 2, axis=0) for x in grid))  # ties among winners and ranks
    options = (30.0, 60.0, 0.5)
    compiled, general = (
        cross_validate(score_sums(twice, edges, 1.3, kind(*options), 8)) for kind in (PaperScore, Paper)
    )
    for name in ("logit", "inside", "outside"):
        np.testing.assert_allclose(getattr(general, name), getattr(compiled, name), rtol=1e-9)
    assert general.pbo == compiled.pbo
    other = cross_validate(score_sums(twice, edges, 1.3, Plain(), 8))
    assert (other.inside >= general.inside).all()  # no penalties
    assert (other.inside > general.inside).any()


def test_noise_gives_one_half():
    """A winner chosen by luck has any rank outside; a rank the wrong way round, or inside, fails here."""
    rng = np.random.default_rng(5)
    pbo = np.array([cross_validate(return_sums(rng.normal(0, 1, (40, 64)), n_blocks=8)).pbo for _ in range(300)])
    error = pbo.std(ddof=1) / 300**0.5
    assert error < 0.02
    assert abs(pbo.mean() - 0.5) < 3.5 * error


def test_one_better_strategy_gives_none_and_a_planted_overfit_gives_all():
    rng = np.random.default_rng(6)
    returns = rng.normal(0, 0.02, (200, 120))
    best = returns.copy()
    best[17] += 0.02
    assert cross_validate(return_sums(best)).pbo < 0.01
    # each strategy earns in some blocks what it loses in others: the better inside, the worse outside
    fitted = returns - returns.mean(axis=1, keepdims=True)
    for statistic in ("mean", "sharpe"):
        result = cross_validate(return_sums(fitted, statistic))
        assert result.pbo > 0.99
        assert result.slope < -0.6
        assert result.loss > 0.99


def test_all_splits_of_sixteen_blocks_once():
    result = cross_validate(return_sums(np.random.default_rng(0).normal(size=(3, 40))))
    assert result.n_blocks == 16
    assert len(result.logit) == 12_870


def test_threads_change_no_bit():
    import numba

    blocks = return_sums(np.random.default_rng(0).normal(size=(50, 60)), n_blocks=12)
    before = numba.get_num_threads()
    many = cross_validate(blocks)
    numba.set_num_threads(1)
    try:
        one = cross_validate(blocks)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(many.logit, one.logit)
    np.testing.assert_array_equal(many.outside, one.outside)


def test_equal_strategies_share_their_rank():
    result = cross_validate(return_sums(np.tile(np.random.default_rng(0).normal(size=30), (5, 1)), n_blocks=4))
    np.testing.assert_array_equal(result.logit, 0.0)


@pytest.mark.parametrize(("days", "blocks"), [(0, 0), (3, 0), (4, 2), (7, 2), (8, 4), (31, 14), (32, 16), (122, 16)])
def test_number_of_blocks(days, blocks):
    assert n_blocks_for(days) == blocks
    if blocks:
        lengths = np.diff(block_edges(days, blocks))
        assert lengths.min() >= 2
        assert lengths.max() - lengths.min() <= 1
        assert lengths.sum() == days


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="days"):
        return_sums(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="days"):
        return_sums(np.zeros((2, 30)), n_blocks=5)
    with pytest.raises(ValueError, match="statistic"):
        return_sums(np.zeros((2, 30)), "sortino")
