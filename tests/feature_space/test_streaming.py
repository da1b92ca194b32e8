"""Bar by bar against all at once."""

import os

import numpy as np
import pandas as pd
import pytest

from feature_space.feature_set import Feature, FeatureSet
from feature_space.indicators import BY_NAME, INDICATORS, Inputs, make_inputs
from feature_space.normalise import Normalisation
from feature_space.streaming import FeatureStream, ring_rows

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT") == "1"
LOCAL_DAY = Normalisation("local", 1440, 1.0)
N_BARS = 400 if INTERPRETED else 1600
BAR = ("price", "high", "low", "close", "volume", "trades")


def random_set(seed: int, normalisation: Normalisation) -> FeatureSet:
    rng = np.random.default_rng(seed)
    return FeatureSet(
        tuple(
            Feature(i.name, tuple(int(rng.integers(a, b + 1)) for a, b in i.parameters.values())) for i in INDICATORS
        ),
        normalisation,
    )


def bars_of(inputs: Inputs, start: int = 0):
    return zip(*(getattr(inputs, column)[start:].tolist() for column in BAR), strict=True)


def stream_matrix(stream: FeatureStream, inputs: Inputs, start: int = 0) -> list[np.ndarray]:
    rows = [stream.update(*bar) for bar in bars_of(inputs, start)]
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("indicator", INDICATORS, ids=lambda i: i.name)
def test_every_indicator_has_the_same_bits(indicator, market, cutter):
    n = N_BARS // 2
    inputs = cutter(market, 0, n)
    lows, highs = zip(*indicator.parameters.values(), strict=True)
    features = (Feature(indicator.name, lows), Feature(indicator.name, highs))
    for normalisation in (Normalisation("train", 240, 1.0), Normalisation("local", 100, 1.0)):
        chosen = FeatureSet(features, normalisation).fit(inputs, n // 2)
        (rows,) = stream_matrix(FeatureStream([chosen]), inputs)
        assert rows.tobytes() == chosen.matrix(inputs).tobytes()


@pytest.mark.parametrize("window", [2, 3, 64, 100, 127, 240])
def test_trailing_deviation_by_rings(window, odd):
    """Windows of every kind of length, on markets with halts and jumps."""
    for shape in ("walk", "jump", "halt"):
        inputs = odd(shape, min(700, N_BARS))
        chosen = FeatureSet((Feature("momentum_short", (3,)),), Normalisation("local", window, 1.3))
        (rows,) = stream_matrix(FeatureStream([chosen]), inputs)
        assert rows.tobytes() == chosen.matrix(inputs).tobytes()


def test_ring_rows():
    assert [ring_rows(k) for k in (2, 3, 4, 1440)] == [3, 3, 7, 2047]


def test_memory_is_bounded_and_old_bars_are_dropped(market):
    """The kept bars move to the front many times over; what they were before leaves no trace."""
    chosen = FeatureSet((Feature("momentum_short", (3,)), Feature("macd", (3, 20))), Normalisation("local", 5, 1.0))
    stream = FeatureStream([chosen])
    sizes = set()
    n = min(900, N_BARS)
    rows = []
    for bar in bars_of(Inputs(*(c[:n] for c in market))):
        rows.append(stream.update(*bar)[0])
        sizes.add(sum(a.nbytes for a in stream.state().values()))
    assert max(sizes) < 4000
    assert np.array(rows).tobytes() == chosen.matrix(market)[:n].tobytes()


def test_several_sets_share_what_they_have_in_common(market, cutter):
    inputs = cutter(market, 0, N_BARS // 4)
    sets = [random_set(seed, Normalisation("train", 240, 1.0)).fit(inputs, 100) for seed in (1, 2)]
    sets.append(FeatureSet(sets[0].features[::-1], sets[0].normalisation))
    stream = FeatureStream(sets)
    assert len(stream._raw) == len({(f.name, f.parameters) for s in sets for f in s.features}) < 3 * len(INDICATORS)
    for rows, chosen in zip(stream_matrix(stream, inputs), sets, strict=True):
        assert rows.tobytes() == chosen.matrix(inputs).tobytes()


@pytest.mark.parametrize("kind", ["train", "local"])
def test_a_saved_state_goes_on_with_the_same_bits(kind, market, cutter, tmp_path):
    inputs = cutter(market, 0, N_BARS // 4)
    chosen = random_set(3, Normalisation(kind, 60, 1.0))
    whole = chosen.matrix(inputs)
    for stop in (0, 1, 59, N_BARS // 5):
        stream, later = FeatureStream([chosen]), FeatureStream([chosen])
        for bar in bars_of(cutter(inputs, 0, stop)):
            stream.update(*bar)
        np.savez(tmp_path / "state.npz", **stream.state())
        with np.load(tmp_path / "state.npz", allow_pickle=False) as saved:
            later.restore(saved)
        (rows,) = stream_matrix(later, inputs, stop)
        assert rows.tobytes() == whole[stop:].tobytes()


@pytest.mark.parametrize(
    "normalisation",
    [Normalisation("train", 240, 1.0), Normalisation("local", 60, 1.0), Normalisation("local", 3, 1.0)],
    ids=str,
)
def test_many_bars_at_once_are_the_same_start(normalisation, market, cutter):
    inputs = cutter(market, 0, N_BARS // 4)
    chosen = random_set(6, normalisation)
    whole = chosen.matrix(inputs)
    for stop in (0, 1, 2, 59, 60, 61, N_BARS // 5):
        stream = FeatureStream([chosen])
        stream.advance(cutter(inputs, 0, stop))
        assert stream.n_bars == stop
        (rows,) = stream_matrix(stream, inputs, stop)
        assert rows.tobytes() == whole[stop:].tobytes()
    with pytest.raises(ValueError, match="before its first"):
        stream.advance(inputs)


def test_a_foreign_state_is_refused(market, cutter):
    stream = FeatureStream([random_set(3, LOCAL_DAY)])
    for bar in bars_of(cutter(market, 0, 5)):
        stream.update(*bar)
    state = stream.state()
    other = FeatureStream([FeatureSet((Feature("macd", (3, 20)),), LOCAL_DAY)])
    with pytest.raises(ValueError, match="other feature sets"):
        other.restore(state)
    with pytest.raises(ValueError, match="other feature sets"):
        FeatureStream([random_set(3, LOCAL_DAY)]).restore({k: v for k, v in state.items() if k != "recursive_4"})
    with pytest.raises(ValueError, match="one normalisation"):
        FeatureStream(
            [random_set(1, Normalisation("train", 240, 1.0)), random_set(1, Normalisation("local", 240, 1.0))]
        )
    with pytest.raises(ValueError, match="one normalisation"):
        FeatureStream([])


def test_a_leak_of_old_bars_is_caught(market, cutter, monkeypatch):
    """The comparison refuses an indicator whose kernel reads further back than its warm-up says."""
    from dataclasses import replace

    honest = BY_NAME["momentum_long"]
    monkeypatch.setitem(BY_NAME, "momentum_long", replace(honest, warm_up=lambda k: k // 2))
    inputs = cutter(market, 0, 400)
    chosen = FeatureSet((Feature("momentum_long", (100,)),), Normalisation("train", 240, 1.0))
    (rows,) = stream_matrix(FeatureStream([chosen]), inputs)
    monkeypatch.setitem(BY_NAME, "momentum_long", honest)
    assert rows.tobytes() != chosen.matrix(inputs).tobytes()


@pytest.mark.skipif(INTERPRETED, reason="a month of bars needs compiled kernels")
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["train", "local"])
def test_a_real_month_has_the_same_bits(kind, market_data):
    bars = pd.read_parquet(market_data / "btcusdt_1m.parquet")
    bars = bars[(bars.open_time >= "2018-12-01") & (bars.open_time < "2019-01-01")]
    high, low, close, volume = (bars[c].to_numpy(np.float64).copy() for c in ("high", "low", "close", "volume"))
    inputs = make_inputs((high + low + close) / 3, high, low, close, volume, np.ceil(20 * volume))
    assert close.size > 40_000
    chosen = random_set(8, Normalisation(kind, 1440, 1.0)).fit(inputs, 20_000)
    (rows,) = stream_matrix(FeatureStream([chosen]), inputs)
    assert rows.tobytes() == chosen.matrix(inputs).tobytes()
