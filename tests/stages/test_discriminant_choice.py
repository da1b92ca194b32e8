"""The stage of features with the discriminant as its criterion, in one market and in several."""

from dataclasses import replace

import numpy as np
import pytest

from feature_space.indicators import BY_NAME
from feature_space.normalise import Normalisation
from labelsearch.labels.base import LabelValues
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Separation
from labelsearch.stages.feature_choice import choose_sets
from labelsearch.stages.feature_rows import TrainPart
from labelsearch.stages.features import inputs_of
from labelsearch.stages.seeds import Seeds

NAMES = ("momentum_long", "rsi_long", "volume_activity", "stochastic_short", "volatility_ratio")
SETTINGS = Separation(
    criterion="discriminant", subset=True, n_pairs=2000, n_values=4, n_restarts=1, n_shifts=99, n_bars=1500
)
N = 12_000


def train_part(seed: int, settings: Separation = SETTINGS) -> TrainPart:
    bars = synthetic_bars(N, seed)
    usable = np.ones(N, dtype=np.bool_)
    usable[:3000] = False
    indicators = tuple(BY_NAME[name] for name in NAMES)
    return TrainPart(
        inputs_of(bars), usable, 9600, indicators, Normalisation("train", 1440, 1.0), settings, Seeds(1), None
    )


def planted_label(train: TrainPart, seed: int, strength: float) -> LabelValues:
    """Classes that depend on momentum over 15 bars: its sign tells the side."""
    momentum = BY_NAME["momentum_long"].finite(train.inputs, (15,))
    score = strength * momentum / momentum.std() + np.random.default_rng(seed).normal(0, 1, N)
    classes = np.where(score > 1.0, 0, np.where(score < -1.0, 2, 1)).astype(np.int8)
    return LabelValues(np.where(classes == 0, -1.0, np.where(classes == 2, 1.0, 0.0)), classes, np.arange(N) + 1)


@pytest.mark.parametrize("strength", [0.5, 1.5])
def test_the_planted_indicator_is_found_at_its_setting(strength):
    train = train_part(1)
    found = choose_sets([train], [{"planted": planted_label(train, 2, strength)}])[0].of("planted")
    chosen = {f.name: f.parameters for f in found.feature_set.features}
    assert chosen["momentum_long"] == (15,)
    assert len(chosen) < len(NAMES)
    held_out = found.held_out
    assert held_out.p_value <= 0.01
    assert held_out.later < held_out.later_random < 1.02
    assert held_out.later_by_kind["buy-sell"] < held_out.later_by_kind["buy-neutral"]
    assert found.n_evaluations > 0


def test_shifts_of_a_label_that_nothing_tells_do_as_well():
    train = train_part(1)
    p_values = [
        choose_sets([train], [{"noise": planted_label(train, seed, 0.0)}])[0].of("noise").held_out.p_value
        for seed in range(12)
    ]
    assert 0.2 < np.mean(p_values) < 0.8
    assert min(p_values) > 0.001


def test_several_markets_have_one_set_with_scales_of_their_own():
    markets = [train_part(1), train_part(7)]
    labels = [{"planted": planted_label(train, 2, 1.5)} for train in markets]
    first, second = (sets.of("planted") for sets in choose_sets(markets, labels))
    assert [f.title for f in first.feature_set.features] == [f.title for f in second.feature_set.features]
    assert first.feature_set.features[0].scale != second.feature_set.features[0].scale
    assert first.held_out == second.held_out
    assert ("momentum_long", (15,)) in [(f.name, f.parameters) for f in first.feature_set.features]


def test_a_number_of_features_that_is_asked_for_is_kept():
    train = train_part(1, replace(SETTINGS, n_features=3))
    found = choose_sets([train], [{"planted": planted_label(train, 2, 1.5)}])[0].of("planted")
    assert len(found.feature_set.features) == 3
    assert len(found.held_out.path) == 4


def test_without_subset_all_indicators_stay():
    train = train_part(1, replace(SETTINGS, subset=False))
    found = choose_sets([train], [{"planted": planted_label(train, 2, 1.5)}])[0].of("planted")
    chosen = {f.name: f.parameters for f in found.feature_set.features}
    assert tuple(chosen) == NAMES
    assert chosen["momentum_long"] == (15,)


def test_threads_change_nothing():
    train = train_part(1)
    labels = {name: planted_label(train, seed, 1.0) for seed, name in enumerate("abc")}
    assert choose_sets([train], [labels], threads=1) == choose_sets([train], [labels], threads=3)


def test_weights_of_no_kind_are_refused():
    with pytest.raises(ExperimentError, match="kind_weights"):
        Separation(kind_weights=(0.0, 0.0, 0.0))
