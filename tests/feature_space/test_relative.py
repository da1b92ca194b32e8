"""The relative indicators: their formulas, causality and bits, as of the 28."""

import numpy as np
import pytest

from feature_space.feature_set import Feature, FeatureSet
from feature_space.indicators import BY_NAME, INDICATORS, RELATIVE, Inputs
from feature_space.normalise import Normalisation
from feature_space.proof import prove_indicator
from feature_space.streaming import FeatureStream
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import FeatureSpace
from tests.feature_space.test_contract import LOCAL, assert_causal, settings
from tests.naive import features as naive

EVERY = pytest.mark.parametrize("indicator", RELATIVE, ids=lambda i: i.name)


def beside(inputs: Inputs, seed: int = 3) -> Inputs:
    """The market with a basket that it follows in part, and funding every eighth bar."""
    rng = np.random.default_rng(seed)
    n = inputs.close.size
    basket = 0.5 * inputs.log_return + rng.normal(0, 5e-4, n)
    funding = np.where(np.arange(n) % 8 == 0, rng.normal(1e-4, 1e-4, n), 0.0)
    return inputs._replace(basket=basket, funding=funding)


@pytest.fixture(scope="module")
def short(market, cutter):
    return beside(cutter(market, 0, 1600))


def test_the_default_space_is_that_of_the_28():
    assert FeatureSpace().chosen() == INDICATORS
    assert FeatureSpace(relative=True).chosen() == (*INDICATORS, *RELATIVE)
    assert FeatureSpace(indicators=("macd", "skewness")).chosen() == (BY_NAME["macd"], BY_NAME["skewness"])
    assert all(i.needs_markets for i in RELATIVE)
    assert not any(i.needs_markets for i in INDICATORS)
    with pytest.raises(ExperimentError, match="relative"):
        FeatureSpace(indicators=("macd",), relative=True)


@EVERY
@pytest.mark.parametrize("shape", ["walk", "constant", "no volume", "jump", "halt"])
def test_equals_its_twin(indicator, shape, odd):
    inputs = beside(odd(shape, 170))
    for values in settings(indicator, 1):
        got, wanted = indicator.compute(inputs, values), naive.RELATIVE_TWINS[indicator.name](inputs, *values)
        assert np.isfinite(got).all()
        np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-9, err_msg=f"{indicator.name}{values}")


@EVERY
@pytest.mark.parametrize("n", [1, 2, 9])
def test_fewer_bars_than_the_window(indicator, n, odd):
    inputs = beside(odd("walk", n))
    for values in settings(indicator, 0):
        got = indicator.compute(inputs, values)
        np.testing.assert_allclose(got, naive.RELATIVE_TWINS[indicator.name](inputs, *values), rtol=1e-8, atol=1e-9)


@EVERY
def test_no_look_ahead(indicator, short, cutter):
    for values in settings(indicator, 1):
        assert_causal(indicator, values, short, cutter)


@EVERY
def test_parts_change_nothing(indicator, short, monkeypatch):
    for values in settings(indicator, 0):
        raw = indicator.compute(short, values)
        with monkeypatch.context() as patch:
            patch.setattr("feature_space.chunks.CHUNK", 257)
            assert indicator.compute(short, values).tobytes() == raw.tobytes()


@EVERY
def test_warm_up(indicator, market, cutter):
    whole_market = beside(market)
    for values in settings(indicator, 1):
        whole, warm_up = indicator.compute(whole_market, values), indicator.warm_up(*values)
        for start in (1, 700, 2801):
            late = indicator.compute(cutter(whole_market, start), values)
            assert np.abs(late - whole[start:])[warm_up:].max() <= 1e-6 * min(whole.std(), 1.0)


@EVERY
def test_parameters_matter(indicator, short):
    lows = tuple(low for low, _ in indicator.parameters.values())
    base = indicator.compute(short, lows)
    assert base.std() > 0
    for i in range(len(lows)):
        assert not np.array_equal(indicator.compute(short, tuple(v + (j == i) for j, v in enumerate(lows))), base)


@EVERY
def test_bar_by_bar_has_the_same_bits(indicator, short, cutter):
    inputs = cutter(short, 0, 800)
    lows, highs = zip(*indicator.parameters.values(), strict=True)
    names = ("price", "high", "low", "close", "volume", "trades", "basket", "funding")
    chosen = FeatureSet((Feature(indicator.name, lows), Feature(indicator.name, highs)), LOCAL)
    stream = FeatureStream([chosen])
    rows = [stream.update(*bar)[0] for bar in zip(*(getattr(inputs, n).tolist() for n in names), strict=True)]
    assert np.array(rows).tobytes() == chosen.matrix(inputs).tobytes()


@EVERY
def test_the_proof_accepts_ours(indicator):
    prove_indicator(indicator)


def test_without_a_basket_or_funding_nothing_is_said(odd):
    inputs = odd("walk", 300)
    for name in ("basket_momentum_short", "basket_beta", "basket_correlation", "funding_mean", "funding_change"):
        assert not BY_NAME[name].compute(inputs, settings(BY_NAME[name], 0)[0]).any()


def test_a_market_that_is_its_basket_has_nothing_of_its_own(odd):
    inputs = odd("walk", 900)
    inputs = inputs._replace(basket=inputs.log_return.copy())
    late = slice(200, None)
    np.testing.assert_allclose(BY_NAME["basket_beta"].compute(inputs, (120,))[late], 1.0, rtol=1e-9)
    np.testing.assert_allclose(BY_NAME["basket_correlation"].compute(inputs, (60,))[late], 1.0, rtol=1e-9)
    assert np.abs(BY_NAME["beta_free_long"].compute(inputs, (30, 120))[late]).max() < 1e-12
    assert not BY_NAME["basket_distance"].compute(inputs, (15,)).any()
    assert not BY_NAME["residual_level"].compute(inputs, (60,))[late].any()


def test_ranks_need_other_markets(short):
    chosen = FeatureSet((Feature("macd", (3, 20)),), Normalisation("rank", 2, 1.0))
    for use in (lambda: chosen.matrix(short), lambda: FeatureStream([chosen]).update(*[1.0] * 6)):
        with pytest.raises(ValueError, match="normalisation rank compares markets"):
            use()
