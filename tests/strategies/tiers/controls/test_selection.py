"""Greedy selection against a slow twin."""

import numpy as np
import pytest

from strategies.tiers.controls.folds import NotFitted
from strategies.tiers.controls.selection import daily_sharpes, select


def naive_select(equity: np.ndarray, most: int) -> list[int]:
    """Members in the order in which they are added."""

    def sharpe(members: list[int]) -> float:
        level = np.mean([equity[m] for m in members], axis=0)
        returns = level[1:] / level[:-1] - 1
        return float(np.mean(returns) / np.std(returns))

    members: list[int] = []
    while len(members) < most:
        found = [sharpe([*members, m]) for m in range(len(equity))]
        best = max(found)
        if members and not best > sharpe(members) * (1 + 1e-9):
            break
        members.append(found.index(best))
    return members


def curves(seed: int, n: int, days: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    returns = rng.normal(0.002, 0.02, (n, days)) + rng.normal(0, 0.005, days)
    return np.column_stack([np.ones(n), np.cumprod(1 + returns, axis=1)])


@pytest.mark.parametrize("seed", range(1, 5))
def test_as_the_slow_twin(seed):
    equity = curves(seed, 12, 40)
    members = naive_select(equity, 20)
    counts, sharpe = select(equity, most=20)
    np.testing.assert_array_equal(counts, np.bincount(members, minlength=12))
    assert len(set(members)) > 2
    level = equity[members].mean(axis=0)
    assert sharpe == pytest.approx(daily_sharpes(level[None, :])[0])
    assert sharpe > daily_sharpes(equity).max()


def test_the_best_alone_where_all_are_alike():
    one = curves(1, 1, 30)
    counts, _ = select(np.repeat(one, 4, axis=0))
    np.testing.assert_array_equal(counts, [1, 0, 0, 0])


def test_what_cannot_be_selected_says_why():
    with pytest.raises(NotFitted, match="past has 2 days, 3 are needed"):
        select(curves(0, 5, 2))
    with pytest.raises(NotFitted, match="no strategy among the best by score earned anything"):
        select(np.ones((5, 20)))
    gone = curves(0, 1, 20) * np.r_[1.0, np.zeros(20)]
    with pytest.raises(NotFitted, match="earned anything"):
        select(gone)
