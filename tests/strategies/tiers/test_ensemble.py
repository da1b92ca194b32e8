import numpy as np
import pytest

from strategies.tiers.ensemble import tiers


def test_tiers_by_hand():
    got = tiers(np.array([1.0, 3.0, np.nan, 3.0, -2.0, 5.0]), sizes=(6, 3, 1))
    assert got[6].tolist() == [5, 1, 3, 0, 4, 2]
    assert got[3].tolist() == [5, 1, 3]
    assert got[1].tolist() == [5]
    with pytest.raises(ValueError, match="tier of 7"):
        tiers(np.zeros(6), sizes=(7,))
