"""The verdict on tiers."""

import pytest

from strategies.luck.verdict import EDGE, NOTHING, TIMING_ALONE, verdict


def test_profit_decides_and_timing_alone_is_said():
    assert verdict({100: 0.9, 20: 0.5}, {100: 0.2, 20: 0.05}) == EDGE
    assert verdict({100: 0.05, 20: 0.5}, {100: 0.051, 20: 0.5}) == TIMING_ALONE
    assert verdict({100: 0.051, 20: 0.5}, {}) == NOTHING


def test_nothing_to_judge():
    with pytest.raises(ValueError, match="no p-values"):
        verdict({}, {20: 0.01})
