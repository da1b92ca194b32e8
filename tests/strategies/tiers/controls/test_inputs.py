"""What stackings see."""

import numpy as np
import pytest

from strategies import StrategyError
from strategies.tiers.controls.folds import NotFitted
from strategies.tiers.controls.inputs import design, input_names, later_return, stacked, unlike

NAMES = ("a:buy", "a:sell", "b:buy", "b:sell", "c:magnitude")


def test_statistics_by_hand():
    outputs = np.array([[0.2, 0.5, 0.6, 0.1, 9.0], [0.0, np.nan, 0.4, 0.1, 0.0]])
    assert input_names(NAMES)[5:] == (
        "mean of buy", "spread of buy", "highest of buy", "mean of sell", "spread of sell", "highest of sell",
        "buy less sell",
    )  # fmt: skip
    got = design(outputs, NAMES)
    np.testing.assert_allclose(got[0], [*outputs[0], 0.4, 0.2, 0.6, 0.3, 0.2, 0.5, 0.1])
    assert np.isnan(got[1, 8])
    assert got[1, 5] == pytest.approx(0.2)
    np.testing.assert_array_equal(design(outputs[:, 4:], NAMES[4:]), outputs[:, 4:])
    assert input_names(NAMES[4:]) == NAMES[4:]
    with pytest.raises(StrategyError, match="5 names do not fit 4 outputs"):
        design(outputs[:, :4], NAMES)


def test_the_return_is_one_that_an_order_can_earn(market):
    later = later_return(market, 7)
    for t in (0, 100, len(later) - 9):
        assert later[t] == pytest.approx(np.log(market.open[t + 8] / market.open[t + 1]))
    assert np.isnan(later[-8:]).all()
    assert np.isfinite(later[:-8]).all()
    assert np.isnan(later_return(market.rows(slice(0, 5)), 7)).all()


def test_of_like_outputs_the_first_is_kept():
    rng = np.random.default_rng(2)
    a, b, c = rng.normal(size=(3, 5000))
    inputs = np.column_stack([a, np.full(5000, 0.3), 5 - a + 0.1 * b, a + b, b, c, 2 * b + 0.3 * c])
    got = unlike(inputs)
    assert abs(np.corrcoef(inputs[:, 0], inputs[:, 2])[0, 1]) > 0.95
    np.testing.assert_array_equal(got, [0, 3, 4, 5])


def test_only_known_rows_count(market):
    outputs = market.outputs[:, :4].copy()
    outputs[300:400, 2] = np.nan
    window = market._replace(outputs=outputs)
    got = stacked(window, NAMES[:4], 10)
    assert not got.known[300:400].any()
    assert not got.known[-11:].any()
    assert got.known.sum() == 2000 - 100 - 11
    np.testing.assert_allclose(got.z[got.known].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(got.z[got.known].std(0), 1)
    assert got.target[got.known].std() == pytest.approx(1)


def test_what_cannot_be_stacked_says_why(market):
    names = NAMES[:2]
    flat = market._replace(outputs=np.full((2000, 2), 0.5))
    for window, match in (
        (flat, "no output varies"),
        (market._replace(outputs=np.full((2000, 2), np.nan)), "no bar of 2000 has outputs and a return over the 5"),
        (market.rows(slice(0, 6)), "no bar of 6"),
        (market._replace(open=np.full(2000, 7.0)), "the price does not move"),
    ):
        with pytest.raises(NotFitted, match=match):
            stacked(window._replace(outputs=window.outputs[:, :2]), names, 5)
