import numpy as np
import pytest

from strategies.search.score import ScoreSettings, monthly_return, score


def test_by_hand():
    """Four months: 1.4641 is 10% a month; 100 fills are 25 a month, 5 missing; 15% held is 5 points short."""
    got = score(np.array([1.4641]), np.array([100]), np.array([0.15]), 4.0)
    assert got.monthly_return[0] == pytest.approx(10.0)
    assert got.trade_penalty[0] == pytest.approx(5.0)
    assert got.position_penalty[0] == pytest.approx(2.5)
    assert got.score[0] == pytest.approx(2.5)
    assert (got.trades_per_month[0], got.mean_position[0]) == (25.0, 15.0)


def test_nothing_is_earned_by_exceeding_the_targets():
    got = score(np.array([1.0, 1.0]), np.array([30, 3000]), np.array([0.2, 1.0]), 1.0)
    np.testing.assert_allclose(got.score, 0.0, atol=1e-12)


def test_settings_are_used():
    settings = ScoreSettings(target_trades=10.0, target_position=50.0, position_weight=2.0)
    got = score(np.array([1.0]), np.array([4]), np.array([0.4]), 1.0, settings)
    assert got.score[0] == pytest.approx(-6.0 - 20.0)


def test_ruin_and_nan():
    assert monthly_return(np.array([0.0]), 4.0)[0] == -100.0
    assert np.isnan(score(np.array([np.nan]), np.array([1]), np.array([0.1]), 1.0).score[0])
    with pytest.raises(ValueError, match="months"):
        score(np.array([1.0]), np.array([1]), np.array([0.1]), 0.0)
