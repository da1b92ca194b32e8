import numpy as np
import pytest

from strategies.tiers.baselines import OUTPUTS, PARAMS, SIGNAL_MAP, contrarian_outputs, momentum_outputs
from strategies.tiers.metrics import DAY_MS
from strategies.trade.simulate import simulate_paths

HOUR = DAY_MS // 24


def test_momentum_by_hand():
    """Four days of three bars; what is decided at the first bar of a day fills at the second's open."""
    time = np.array([d * DAY_MS + h * HOUR for d in range(4) for h in (0, 1, 2)])
    close = np.array([10.0, 9.0, 11.0, 12.0, 8.0, 9.0, 20.0, 9.0, 9.0, 5.0, 5.0, 5.0])
    open_ = np.r_[10.0, close[:-1]]
    got = momentum_outputs(open_, close, time)[:, 0]
    # days ended at 11 (from 10), 9 and 9
    nan = np.nan
    np.testing.assert_array_equal(got, [nan, nan, nan, 1, nan, nan, 0, nan, nan, 0, nan, nan])
    two = momentum_outputs(open_, close, time, lookback=2)[:, 0]
    np.testing.assert_array_equal(two, [nan] * 6 + [0, nan, nan, 0, nan, nan])  # 9 < 10, 9 < 11
    np.testing.assert_array_equal(contrarian_outputs(open_, close, time)[:, 0], 1 - got)
    paths = simulate_paths(PARAMS, got[:, None], open_, close, fee=0.01, signal_map=SIGNAL_MAP)
    np.testing.assert_allclose(paths.position[:, 0], [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0], atol=1e-12)
    assert paths.state.fills[0] == 2
    assert paths.equity[-1, 0] == pytest.approx(1 / 1.01 * (20 / 12) * 0.99)
    with pytest.raises(ValueError, match="lookback"):
        momentum_outputs(open_, close, time, lookback=0)


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_look_ahead(name, make):
    market = make[0](3, 1500)
    time = HOUR // 4 * np.sort(np.random.default_rng(2).choice(3000, 1500, replace=False))

    def paths(open_, close):
        outputs = OUTPUTS[name](open_, close, time[: len(close)])
        return simulate_paths(PARAMS, outputs, open_, close, fee=0.001, signal_map=SIGNAL_MAP)

    whole = paths(market.open, market.close)
    assert whole.state.fills[0] > 5
    for cut in (1, 97, 800, 1333):
        np.testing.assert_array_equal(paths(market.open[:cut], market.close[:cut]).equity, whole.equity[:cut])
