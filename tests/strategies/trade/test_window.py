import pickle

import numpy as np
import pytest

from strategies.trade.rules import MOST_SLIPPAGE, SIGNAL_MAPS, TradingRules
from strategies.trade.window import DAY_MS, TradingWindow, day_edges


def plain(n=6, **changed):
    """A small window, some of its columns changed."""
    columns = {
        "outputs": np.arange(2.0 * n).reshape(n, 2), "open_": np.full(n, 10), "close": np.arange(1, n + 1),
        "open_time": DAY_MS // 2 * np.arange(n), "months": 1.5,
    }  # fmt: skip
    return TradingWindow.of(**{**columns, **changed})


def test_arrays_are_contiguous_and_of_one_type():
    got = plain(outputs=np.asfortranarray(np.ones((6, 2), dtype=np.float32)), close=np.arange(1, 13)[::2])
    assert [x.dtype.str for x in got[:4]] == ["<f8", "<f8", "<f8", "<i8"]
    assert all(x.flags.c_contiguous for x in got[:4])
    assert pickle.loads(pickle.dumps(got)).months == 1.5


def test_rows_are_a_window_of_their_own():
    part = plain().rows(slice(1, 4))
    np.testing.assert_array_equal(part.close, [2, 3, 4])
    np.testing.assert_array_equal(part.outputs, [[2, 3], [4, 5], [6, 7]])
    assert part.months == 1.5 * 3 / 6
    assert part.open_time[0] == DAY_MS // 2
    assert plain().rows(slice(2, None)).months == 1.0


def test_days():
    window = plain()
    np.testing.assert_array_equal(window.day_edges, [0, 2, 4, 6])
    np.testing.assert_array_equal(window.days, np.array(["1970-01-01", "1970-01-02", "1970-01-03"], "datetime64[D]"))
    with pytest.raises(ValueError, match="no bars"):
        day_edges(np.array([], dtype=np.int64))


def test_a_shift_moves_outputs_only_and_zero_changes_nothing():
    window = plain()
    moved = window.shifted(2)
    np.testing.assert_array_equal(moved.outputs[2:], window.outputs[:-2])
    np.testing.assert_array_equal(moved.outputs[:2], window.outputs[-2:])
    assert moved.close is window.close
    assert window.shifted(0) is window


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"open_": np.ones(5)}, "do not fit"),
        ({"outputs": np.ones(6)}, "do not fit"),
        ({"open_time": np.arange(7)}, "do not fit"),
        ({"close": np.array([1, 1, 1, 1, np.nan, 1])}, "close price in row 4"),
        ({"open_": np.array([1, 0, 1, 1, 1, 1])}, "open price in row 1"),
        ({"open_time": np.array([0, 1, 2, 2, 3, 4])}, "row 3"),
        ({"months": 0.0}, "months"),
    ],
)
def test_bad_windows_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        plain(**changed)


def test_rules():
    rules = TradingRules.of(fee_share=0.1, half_spread=0.2, short=True, signal_map="logistic")
    assert rules.times(2.0) == rules._replace(fee_share=0.2, half_spread=0.4)
    assert 0.999 < rules.times(20.0).fee_share < 1
    assert rules.times(20.0).half_spread == MOST_SLIPPAGE
    for name in SIGNAL_MAPS:
        assert TradingRules.of(fee_share=0, signal_map=name).signal_map_name == name
    assert TradingRules.of(fee_share=0.0005) == TradingRules()
    for wrong, message in (
        ({"fee_share": 1.0}, "fee_share must"),
        ({"fee_share": 0.0, "half_spread": -0.1}, "half_spread must"),
        ({"fee_share": 0.0, "signal_map": "tanh"}, "choose from half, clip, logistic"),
    ):
        with pytest.raises(ValueError, match=message):
            TradingRules.of(**wrong)
