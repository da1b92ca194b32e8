"""What every indicator must hold, whichever rows the table has."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from feature_space.feature_set import Feature, FeatureSet, titles
from feature_space.indicators import BY_NAME, INDICATORS, RELATIVE, Indicator, Inputs
from feature_space.normalise import Normalisation
from feature_space.windows import TILE

LOCAL = Normalisation("local", 240, 1.0)
EVERY = pytest.mark.parametrize("indicator", INDICATORS, ids=lambda i: i.name)


def settings(indicator: Indicator, n_random: int = 3):
    rng = np.random.default_rng(sum(map(ord, indicator.name)))
    ends = itertools.product(*indicator.parameters.values())
    between = (tuple(int(rng.integers(a, b + 1)) for a, b in indicator.parameters.values()) for _ in range(n_random))
    return [*ends, *between]


def assert_causal(indicator: Indicator, values, inputs: Inputs, cutter) -> None:
    """A prefix gives the same bits as cutting, raw and normalised."""
    raw = indicator.compute(inputs, values)
    normal = LOCAL.apply(raw)
    for stop in (1, 2, 29, 240, 241, 777, 1500):
        part = indicator.compute(cutter(inputs, 0, stop), values)
        assert part.tobytes() == raw[:stop].tobytes(), f"{indicator.name}{values} looks ahead"
        assert LOCAL.apply(part).tobytes() == normal[:stop].tobytes(), f"{indicator.name}{values} normalised"


@pytest.fixture(scope="module")
def short(market, cutter):
    return cutter(market, 0, 1600)


@EVERY
def test_no_look_ahead(indicator, short, cutter):
    for values in settings(indicator):
        assert_causal(indicator, values, short, cutter)


@EVERY
def test_parts_change_nothing(indicator, market, cutter, monkeypatch):
    """Long series go in parts that begin at fixed places: the same bits, raw and normalised."""
    long = cutter(market, 0, 2 * TILE + 300)
    for values in settings(indicator, 0):
        raw = indicator.compute(long, values)
        normal = LOCAL.apply(raw)
        with monkeypatch.context() as patch:
            patch.setattr("feature_space.chunks.CHUNK", 257)
            assert replace(indicator, at_once=False).compute(long, values).tobytes() == raw.tobytes()
            assert LOCAL.apply(raw).tobytes() == normal.tobytes()


def test_a_leak_is_caught(short, cutter):
    """The same helper refuses indicators that read the next bar or a figure of the whole series."""
    honest = BY_NAME["momentum_short"]
    leaks = [
        lambda close, k: np.append(close[1:], close[-1]) / close - 1.0,
        lambda close, k: close - close.mean(),
        lambda close, k: honest.kernel(close, k) / (1e-9 + honest.kernel(close, k).std()),
        lambda close, k: np.where(np.arange(close.size) == close.size - 1, 0.0, close),  # only the last bar
    ]
    for kernel in leaks:
        with pytest.raises(AssertionError, match="looks ahead"):
            assert_causal(replace(honest, kernel=kernel), (3,), short, cutter)


@EVERY
@pytest.mark.parametrize("shape", ["walk", "constant", "no volume", "jump", "halt"])
def test_finite_and_bounded(indicator, shape, odd):
    inputs = odd(shape, 700)
    for values in settings(indicator, 1):
        raw = indicator.compute(inputs, values)
        assert raw.shape == (700,)
        assert raw.dtype == np.float64
        assert np.isfinite(raw).all()
        assert np.abs(LOCAL.apply(raw)).max() <= 1.0


@EVERY
def test_inputs_are_left_alone(indicator, short):
    before = [column.copy() for column in short]
    indicator.compute(short, settings(indicator)[0])
    for column, copy in zip(short, before, strict=True):
        np.testing.assert_array_equal(column, copy)


@EVERY
def test_parameters_matter(indicator, short):
    """Neighbouring settings are different features, so each parameter reaches the formula."""
    lows = tuple(low for low, _ in indicator.parameters.values())
    base = indicator.compute(short, lows)
    assert base.std() > 0
    for i in range(len(lows)):
        other = tuple(v + (j == i) for j, v in enumerate(lows))
        assert not np.array_equal(indicator.compute(short, other), base)


@EVERY
def test_warm_up(indicator, market, cutter):
    """Starting anywhere, values after the declared warm-up move by no more than 1e-6 of their spread."""
    for values in settings(indicator, 1):
        whole = indicator.compute(market, values)
        warm_up = indicator.warm_up(*values)
        for start in (1, 700, 1234, 2801):
            late = indicator.compute(cutter(market, start), values)
            change = np.abs(late - whole[start:])[warm_up:]
            assert change.max() <= 1e-6, f"{indicator.name}{values} from {start}"
            assert change.max() <= 1e-6 * whole.std(), f"{indicator.name}{values} from {start}: of its spread"


@EVERY
def test_warm_up_is_no_mere_caution(indicator, market, cutter):
    """A tenth of the warm-up does not do, or it is short."""
    values = tuple(high for _, high in indicator.parameters.values())
    warm_up = indicator.warm_up(*values)
    whole, late = indicator.compute(market, values), indicator.compute(cutter(market, 700), values)
    assert np.abs(late - whole[700:])[: warm_up // 10 + 1].max() > 1e-6 * whole.std()


@EVERY
def test_parameters_out_of_range_are_refused(indicator):
    lows = tuple(low for low, _ in indicator.parameters.values())
    highs = tuple(high for _, high in indicator.parameters.values())
    indicator.check(lows)
    indicator.check(highs)
    bad = [(*lows[:-1], lows[-1] - 1), (*highs[:-1], highs[-1] + 1), (highs[0] + 1, *highs[1:])]
    bad += [(*lows, 1), lows[:-1], (*lows[:-1], lows[-1] + 0.5), (*lows[:-1], float("nan"))]
    for values in bad:
        with pytest.raises(ValueError, match=indicator.name):
            FeatureSet((Feature(indicator.name, values),), LOCAL).check()


def test_names_are_unique_and_unknown_ones_refused():
    assert len(BY_NAME) == len(INDICATORS) + len(RELATIVE)
    with pytest.raises(ValueError, match="unknown indicator 'moon_phase'"):
        FeatureSet((Feature("moon_phase", (3,)),), LOCAL).check()


@pytest.fixture(scope="module")
def sets():
    features = tuple(Feature(i.name, settings(i)[-1]) for i in INDICATORS)
    return {kind: FeatureSet(features, Normalisation(kind, 240, 1.5)) for kind in ("local", "train")}


@pytest.mark.parametrize("kind", ["local", "train"])
def test_matrix(sets, kind, short, cutter):
    fitted = sets[kind].fit(short, 900)
    matrix = fitted.matrix(short)
    assert matrix.shape == (1600, len(INDICATORS))
    assert matrix.dtype == np.float32
    for column, feature in enumerate(fitted.features):
        wanted = fitted.normalisation.apply(feature.raw(short), feature.scale).astype(np.float32)
        np.testing.assert_array_equal(matrix[:, column], wanted)
    for stop in (1, 250, 1111):
        assert fitted.matrix(cutter(short, 0, stop)).tobytes() == matrix[:stop].tobytes()


def test_matrix_after_warm_up_forgets_its_start(sets, market, cutter):
    chosen = sets["local"]
    assert chosen.warm_up == max(BY_NAME[f.name].warm_up(*f.parameters) for f in chosen.features) + 240
    whole, late = chosen.matrix(market), chosen.matrix(cutter(market, 555))
    assert np.abs(late - whole[555:])[chosen.warm_up :].max() <= 1e-6


def test_threads_change_nothing(sets, short, monkeypatch):
    two = sets["local"].matrix(short)
    monkeypatch.setattr("feature_space.feature_set.N_THREADS", 1)
    assert sets["local"].matrix(short).tobytes() == two.tobytes()


def test_train_scale_sees_the_head_only(sets, short):
    fitted = sets["train"].fit(short, 900)
    loud = Inputs(*(np.r_[c[:900], c[900:] * np.random.default_rng(0).uniform(1, 9, 700)] for c in short))
    assert sets["train"].fit(loud, 900) == fitted
    assert sets["train"].fit(loud, 901) != fitted
    for feature in fitted.features:
        assert feature.scale == np.std(feature.raw(short)[:900])
    assert all(f.scale == 1.0 for f in sets["local"].fit(short, 900).features)


def test_dict_round_trip(sets, short):
    for chosen in sets.values():
        fitted = chosen.fit(short, 900)
        data = json.loads(json.dumps(fitted.to_dict()))
        assert FeatureSet.from_dict(data) == fitted
        assert data["warm_up"] == fitted.warm_up
    assert titles(sets["local"].features)[0] == sets["local"].features[0].title
    assert Feature("macd", (12, 26)).title == "macd(12, 26)"
