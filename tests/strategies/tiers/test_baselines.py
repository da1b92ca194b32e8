import numpy as np
import pytest

from strategies.tiers.baselines import OUTPUTS, baseline_account, contrarian_outputs, market, momentum_outputs
from strategies.trade.rules import TradingRules
from strategies.trade.window import DAY_MS, TradingWindow

HOUR = DAY_MS // 24


def test_momentum_by_hand():
    """Four days of three bars; what is decided at the first bar of a day fills at the second's open."""
    time = np.array([d * DAY_MS + h * HOUR for d in range(4) for h in (0, 1, 2)])
    close = np.array([10.0, 9.0, 11.0, 12.0, 8.0, 9.0, 20.0, 9.0, 9.0, 5.0, 5.0, 5.0])
    open_ = np.r_[10.0, close[:-1]]
    window = TradingWindow.of(np.zeros((12, 3)), open_, close, time, 1.0)
    got = momentum_outputs(window)[:, 0]
    # days ended at 11 (from 10), 9 and 9
    nan = np.nan
    np.testing.assert_array_equal(got, [nan, nan, nan, 1, nan, nan, 0, nan, nan, 0, nan, nan])
    two = momentum_outputs(window, lookback=2)[:, 0]
    np.testing.assert_array_equal(two, [nan] * 6 + [0, nan, nan, 0, nan, nan])  # 9 < 10, 9 < 11
    np.testing.assert_array_equal(contrarian_outputs(window)[:, 0], 1 - got)
    account = baseline_account("momentum", window, TradingRules(0.01, short=True))  # short or not, it is long only
    np.testing.assert_allclose(account.position, [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0], atol=1e-12)
    assert account.fills == 2
    assert account.equity[-1] == pytest.approx(1 / 1.01 * (20 / 12) * 0.99)
    with pytest.raises(ValueError, match="lookback"):
        momentum_outputs(window, lookback=0)


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_look_ahead(name, make):
    time = HOUR // 4 * np.sort(np.random.default_rng(2).choice(3000, 1500, replace=False))
    window, rules = make[0](3, 1500)._replace(open_time=time), TradingRules(0.001)
    whole = baseline_account(name, window, rules)
    assert whole.fills > 5
    for cut in (1, 97, 800, 1333):
        part = baseline_account(name, window.rows(slice(0, cut)), rules)
        np.testing.assert_array_equal(part.equity, whole.equity[:cut])


def test_the_market_pays_one_entry():
    window = TradingWindow.of(np.zeros((2, 1)), np.array([100.0, 1.0]), np.array([110.0, 220.0]), np.arange(2), 1.0)
    got = market(window, TradingRules(0.1))
    np.testing.assert_allclose(got.equity, [1.0, 2.0])
    assert (got.position == 1).all()
    assert (got.fills, got.moved, got.traded.sum()) == (1.0, 0.0, pytest.approx(1 / 1.1))
    dear = market(window, TradingRules(0.1, 0.25))
    np.testing.assert_allclose(dear.equity, got.equity / 1.25)
